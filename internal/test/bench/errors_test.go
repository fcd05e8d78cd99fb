package bench_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/bench"
)

type key struct{}

// errorsPeers pass a request through. The other sets a value in the context,
// which is the least that a middleware with an ID can do.
func errorsPeers() []peer {
	ours := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	empty := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bench.Nothing.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "id")))
	})
	return []peer{{name: "ringwall", h: ours.Handler(bench.Nothing)},
		{name: "context-value", h: empty}}
}

func BenchmarkErrors(b *testing.B) {
	b.Run("pass-through", func(b *testing.B) {
		for _, p := range errorsPeers() {
			bench.Measure(b, p.name, p.h, httptest.NewRequest("GET", "/", nil))
		}
	})
	b.Run("rejection", func(b *testing.B) {
		bench.Measure(b, "ringwall", rejecting(), httptest.NewRequest("GET", "/", nil))
	})
}

var errRefused = errors.Define(422, "bench_refused", "Refused.")

func rejecting() http.Handler {
	responder := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	return responder.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, errRefused) }))
}

func TestRejectionRejects(t *testing.T) {
	w := httptest.NewRecorder()
	rejecting().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, 422, w.Code)
}
