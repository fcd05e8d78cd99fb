package errors_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// A record has a level by status, the route pattern, the cause and the
// attributes.
func TestRecordHasTheFactsOfAFailure(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, pattern, target string
		ctx                   context.Context
		err                   error
		want                  map[string]any
	}{
		{name: "ours", pattern: "GET /orders/{id}", target: "/orders/7?q=1", ctx: t.Context(), err: io.EOF, want: map[string]any{
			"level": "ERROR", "code": "internal_error", "status": 500.0, "route": "GET /orders/{id}", "error": "EOF",
		}},
		{name: "the client's", pattern: "/", target: "/a/../b", ctx: t.Context(), err: errNoOrder.Wrap(io.EOF).With("order", 7, slog.Group("by", "name", "x")), want: map[string]any{
			"level": "INFO", "code": "order_not_found", "status": 404.0, "route": "/", "error": "order_not_found: EOF", "order": 7.0, "by": map[string]any{"name": "x"},
		}},
		{name: "nobody's", pattern: "/", target: "/", ctx: canceled, err: context.Canceled, want: map[string]any{
			"level": "DEBUG", "code": "client_closed_request", "status": 499.0, "route": "/", "error": "context canceled",
		}},
		{name: "no pattern", target: "/a//b/?q=1", ctx: t.Context(), err: errNoOrder, want: map[string]any{
			"level": "INFO", "code": "order_not_found", "status": 404.0, "route": "/a/b", "error": "order_not_found: No such order.",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			var h http.Handler = errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return tt.err })
			if tt.pattern != "" {
				mux := http.NewServeMux()
				mux.Handle(tt.pattern, h)
				h = mux
			}
			r := httptest.NewRequestWithContext(tt.ctx, "GET", tt.target, nil)
			if tt.name == "the client's" {
				r.URL.Path = "/b" // the mux redirects a path that is not clean
			}
			w := httptest.NewRecorder()
			errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(h).ServeHTTP(w, r)
			var record map[string]any
			require.NoError(t, json.Unmarshal([]byte(j.String()), &record))
			delete(record, "time")
			tt.want["msg"], tt.want["method"], tt.want["correlation_id"] = "request failed", "GET", w.Header().Get("X-Correlation-Id")
			require.Equal(t, tt.want, record)
		})
	}
}

// A flood leaves one record in ten seconds with the number of suppressed ones.
// The number of tracked floods is bounded.
func TestSamplerCountsSuppressedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := new(journal)
		h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			return errBusy.With("tier", r.URL.Path)
		}))
		send := func(path string) { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)) }
		for range 5 {
			send("/login")
		}
		require.Equal(t, 1, j.records())
		time.Sleep(9 * time.Second) // of the bubble
		send("/login")
		require.Equal(t, 1, j.records())
		time.Sleep(time.Second)
		send("/login")
		require.Equal(t, 2, j.records())
		require.Contains(t, j.String(), `"suppressed":5`)
		for i := range 3000 {
			send("/" + strconv.Itoa(i))
		}
		require.Equal(t, 2+1023+1, j.records(), "each flood that has a place of its own, and one for the rest")
	})
}

func TestMustPanicsOnAnError(t *testing.T) {
	require.Equal(t, 7, errors.Must(7, nil))
	require.PanicsWithError(t, "errors: Must: EOF", func() { errors.Must(7, io.EOF) })
}
