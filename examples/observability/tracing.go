package main

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ringwall/ringwall/errors"
)

// traceRequests starts a span for each request, outside of the rings. A public endpoint
// starts a trace of its own, and links the one that the client sent: continuing it would
// let a stranger write into the traces of others.
func traceRequests(provider trace.TracerProvider, next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "service", otelhttp.WithTracerProvider(provider),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
}

// traceID is the TraceID of the Responder: its log records have the trace of the span.
func traceID(ctx context.Context) string {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	return ""
}

// annotate gives the span the correlation ID, inside of the Responder.
func annotate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("ringwall.correlation_id", errors.CorrelationID(r.Context())))
		next.ServeHTTP(w, r)
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("http.route", r.Pattern))
	})
}

// traceError is an OnEvent of the Responder. A refusal is not a failure of the service.
func traceError(ctx context.Context, e errors.Event) {
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(attribute.String("ringwall.code", e.Kind.Code()), attribute.String("ringwall.ring", e.Ring), attribute.Bool("ringwall.reported", e.Reported))
	if e.Kind.Status() >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, e.Kind.Code())
	}
}
