package main

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// metrics counts what the rings report. Every label has few values: codes, rings, routes,
// tiers and reasons that the program defines, and never a text of a client.
type metrics struct {
	registry *prometheus.Registry
	errors   *prometheus.CounterVec
	limits   *prometheus.CounterVec
	requests *prometheus.CounterVec
	duration prometheus.ObserverVec
}

func newMetrics() *metrics {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds", Help: "Duration of requests."}, []string{"code", "method"})
	m := &metrics{
		registry: prometheus.NewRegistry(), duration: duration,
		errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_errors_total", Help: "Error responses, and those that were only reported."}, []string{"code", "status", "ring", "route", "reported"}),
		limits:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ratelimit_decisions_total", Help: "Decisions of the limiter, and changes of the health of its store."}, []string{"tier", "reason"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total", Help: "Requests."}, []string{"code", "method"}),
	}
	m.registry.MustRegister(m.errors, m.limits, m.requests, duration)
	return m
}

// countError is the OnEvent of the Responder: the sum of all refusals and failures.
func (m *metrics) countError(_ context.Context, e errors.Event) {
	m.errors.WithLabelValues(e.Kind.Code(), strconv.Itoa(e.Kind.Status()), e.Ring, e.Route, strconv.FormatBool(e.Reported)).Inc()
}

// countDecision is the OnEvent of the Limiter.
func (m *metrics) countDecision(_ context.Context, e ratelimit.Event) {
	m.limits.WithLabelValues(e.Decision.Tier, string(e.Reason)).Inc()
}

// count counts all requests. It is outside of the rings. promhttp has one label value for
// all methods that are not those of HTTP.
func (m *metrics) count(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.duration, promhttp.InstrumentHandlerCounter(m.requests, next))
}

// handler is scraped by Prometheus, on an address of its own.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
