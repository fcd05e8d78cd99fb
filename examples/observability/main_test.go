package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A world is the service over sockets, its counts, spans and log.
type world struct {
	url, counts string
	spans       *tracetest.InMemoryExporter
	mu          sync.Mutex
	log         bytes.Buffer
}

func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{spans: tracetest.NewInMemoryExporter()}
	provider := sdk.NewTracerProvider(sdk.WithSyncer(w.spans))
	m := newMetrics()
	srv := httptest.NewServer(service(m, provider, slog.New(slog.NewJSONHandler(w, nil))))
	t.Cleanup(srv.Close)
	counts := httptest.NewServer(m.handler())
	t.Cleanup(counts.Close)
	w.url, w.counts = srv.URL, counts.URL
	return w
}

// send sends a request, and returns its status and correlation ID.
func (w *world) send(t *testing.T, method, path, body string, header http.Header) (status int, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, w.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		r.Header = header.Clone()
	}
	r.Host = "api.example.com"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode, res.Header.Get("X-Correlation-Id")
}

// scrape returns the series of the service, by name with labels.
func (w *world) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	res, err := http.Get(w.counts)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	series := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		var value float64
		if name, number, ok := strings.Cut(line, "} "); ok && !strings.HasPrefix(line, "#") {
			_, err := fmt.Sscan(number, &value)
			require.NoError(t, err)
			series[name+"}"] = value
		}
	}
	return series
}

// onlySpan waits for the one span, which ends after the response.
func (w *world) onlySpan(t *testing.T) tracetest.SpanStub {
	t.Helper()
	require.Eventually(t, func() bool { return len(w.spans.GetSpans()) == 1 }, 20*time.Second, time.Millisecond)
	return w.spans.GetSpans()[0]
}

// The counters are those of the requests, under load.
func TestCountsAreThoseOfTheRequests(t *testing.T) {
	w := start(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				w.send(t, "GET", "/orders/7", "", nil)
				w.send(t, "GET", "/orders/500", "", nil)
				w.send(t, "GET", "/orders/0", "", nil)
				w.send(t, "POST", "/orders", `{"sku":"a","qty":1}`, nil)
			}
		})
	}
	group.Wait()
	for name, want := range map[string]float64{
		`http_errors_total{code="order_not_found",reported="false",ring="",route="GET /orders/{id}",status="404"}`:       40,
		`http_errors_total{code="internal_error",reported="false",ring="",route="GET /orders/{id}",status="500"}`:        40,
		`http_errors_total{code="invalid_input",reported="false",ring="validate",route="GET /orders/{id}",status="422"}`: 40,
		`http_requests_total{code="201",method="post"}`:                                                                  40,
		`http_request_duration_seconds_count{code="404",method="get"}`:                                                   40,
		`ratelimit_decisions_total{reason="allowed",tier="reads"}`:                                                       120,
		`ratelimit_decisions_total{reason="allowed",tier="writes"}`:                                                      40,
	} {
		require.Eventually(t, func() bool { return w.scrape(t)[name] == want }, 20*time.Second, 10*time.Millisecond, name) // some are counted after the response
	}
}

// Hostile requests make no series but those that the program defines.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	w := start(t)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		path := fmt.Sprintf("/%x/%d", random.Uint64(), i)
		if i%3 == 0 {
			path = fmt.Sprintf("/orders/%d-%x", i, random.Uint64())
		}
		method := []string{"GET", "POST", fmt.Sprintf("M%X", i), "DELETE"}[i%4]
		w.send(t, method, path, fmt.Sprintf(`{"%d":"%x"}`, i, random.Uint64()), http.Header{"User-Agent": {path}, "Traceparent": {fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)}})
	}
	series := w.scrape(t)
	t.Logf("%d series", len(series))
	require.Less(t, len(series), 250)
	for name := range series {
		require.NotRegexp(t, `[0-9a-f]{8,}`, name)
	}
}

// A span has the correlation ID of the response and of the log, and the log the trace of the
// span. The trace that a client sends is linked, and not continued.
func TestSpansAndLogsNameEachOther(t *testing.T) {
	w := start(t)
	const sent = "0af7651916cd43dd8448eb211c80319c"
	status, id := w.send(t, "GET", "/orders/500", "", http.Header{"Traceparent": {"00-" + sent + "-00f067aa0ba902b7-01"}})
	require.Equal(t, 500, status)
	span := w.onlySpan(t)
	attributes := make(map[attribute.Key]string)
	for _, a := range span.Attributes {
		attributes[a.Key] = a.Value.String()
	}
	require.Equal(t, id, attributes["ringwall.correlation_id"])
	require.Equal(t, "internal_error", attributes["ringwall.code"])
	require.Equal(t, codes.Error, span.Status.Code)
	trace := span.SpanContext.TraceID().String()
	require.NotEqual(t, sent, trace)
	require.Len(t, span.Links, 1)
	require.Equal(t, sent, span.Links[0].SpanContext.TraceID().String())
	var record struct {
		ID    string `json:"correlation_id"`
		Trace string `json:"trace_id"`
	}
	require.NoError(t, json.Unmarshal(w.log.Bytes(), &record))
	require.Equal(t, id, record.ID)
	require.Equal(t, trace, record.Trace)

	w.spans.Reset()
	status, _ = w.send(t, "GET", "/orders/7", "", nil)
	require.Equal(t, 404, status)
	require.Equal(t, codes.Unset, w.onlySpan(t).Status.Code, "a refusal is not a failure of the service")
}

// The dashboard and the alerts use metrics and labels that the service has.
func TestDashboardAndAlertsUseTheMetrics(t *testing.T) {
	w := start(t)
	w.send(t, "GET", "/orders/500", "", nil)
	labels := make(map[string]map[string]bool)
	for name := range w.scrape(t) {
		metric, inner, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		if labels[metric] == nil {
			labels[metric] = make(map[string]bool)
		}
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(inner, -1) {
			labels[metric][label[1]] = true
		}
	}
	dashboard, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var panels struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal(dashboard, &panels))
	var queries []string
	for _, p := range panels.Panels {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	alerts, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	for _, rule := range regexp.MustCompile(`(?m)^ +expr: (.+)$`).FindAllStringSubmatch(string(alerts), -1) {
		queries = append(queries, rule[1])
	}
	require.Len(t, queries, 10)
	for _, query := range queries {
		used := regexp.MustCompile(`\b(?:http|ratelimit)_\w+`).FindAllString(query, -1)
		require.NotEmpty(t, used, query)
		known := make(map[string]bool)
		for _, metric := range used {
			require.Contains(t, labels, metric, query)
			for label := range labels[metric] {
				known[label] = true
			}
		}
		for _, list := range regexp.MustCompile(`by \(([^)]+)\)|\{([^}]+)\}`).FindAllStringSubmatch(query, -1) {
			for part := range strings.SplitSeq(list[1]+list[2], ",") {
				label := regexp.MustCompile(`^ *\w+`).FindString(part)
				require.True(t, known[strings.TrimSpace(label)], "%s has no label %s", query, label)
			}
		}
	}
}
