// Observability is a service whose rings are counted by Prometheus and traced by
// OpenTelemetry.
//
//	go run .
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

type order struct {
	SKU string `json:"sku" validate:"required,alphanum,max=32"`
	Qty int    `json:"qty" validate:"min=1,max=10"`
}

type orderRef struct {
	ID int `path:"id" validate:"min=1"`
}

var errNoOrder = errors.Define(404, "order_not_found", "No such order.")

// service has its counts and its spans outside of the rings. The Responder reports all
// refusals and failures to one hook, and so do the rings inside of it.
func service(m *metrics, provider trace.TracerProvider, logger *slog.Logger) http.Handler {
	failures := errors.Must(errors.NewResponder(errors.Options{
		Logger: logger, TraceID: traceID,
		OnEvent: func(ctx context.Context, e errors.Event) {
			m.countError(ctx, e)
			traceError(ctx, e)
		},
	}))
	secure := errors.Must(headers.New(headers.Options{AllowedHosts: []string{"api.example.com"}, HTTPS: headers.InsecureAllowHTTP})) // behind a proxy
	limits := errors.Must(ratelimit.New(ratelimit.Options{OnEvent: m.countDecision, Tiers: []ratelimit.Tier{
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()},
	}}))

	mux := http.NewServeMux()
	mux.Handle("POST /orders", errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, _ *order) error {
		w.WriteHeader(http.StatusCreated)
		return nil
	})))
	mux.Handle("GET /orders/{id}", errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *orderRef) error {
		if in.ID == 500 {
			return errors.New("the database is away") // a failure, for the error counter
		}
		return errNoOrder
	})))
	return m.count(traceRequests(provider, failures.Handler(annotate(secure.Handler(limits.Handler(mux))))))
}

func main() {
	m := newMetrics()
	provider := sdk.NewTracerProvider() // give it an exporter, such as otlptracehttp
	srv := &http.Server{
		Addr: "127.0.0.1:8084", Handler: service(m, provider, slog.Default()),
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	scraped := &http.Server{Addr: "127.0.0.1:9084", Handler: m.handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { log.Fatal(scraped.ListenAndServe()) }()
	log.Print("try: curl -H 'Host: api.example.com' http://" + srv.Addr + "/orders/1; curl http://" + scraped.Addr + "/metrics")
	log.Fatal(srv.ListenAndServe())
}
