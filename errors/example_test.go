package errors_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/ringwall/ringwall/errors"
)

var quiet = slog.New(slog.DiscardHandler)

func get(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/orders/7", nil))
	return w
}

func ExampleNewResponder() {
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: quiet}))
	service := failures.Handler(http.NotFoundHandler())
	w := get(service)
	fmt.Println(w.Code, w.Header().Get("Content-Type"), len(w.Header().Get("X-Correlation-ID")))
	// Output: 404 application/json 32
}

func ExampleDefine() {
	errGone := errors.Define(410, "order_gone", "The order was removed.")
	err := fmt.Errorf("load order: %w", errGone.Wrap(errors.New("row 7 deleted")))
	fmt.Println(err)
	fmt.Println(errors.Is(err, errGone))
	// Output:
	// load order: order_gone: row 7 deleted
	// true
}

func ExampleOpaque() {
	upstream := errors.Define(404, "upstream_missing", "Not there.")
	h := errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(errors.HandlerFunc(
		func(http.ResponseWriter, *http.Request) error { return errors.Opaque(upstream) }))
	fmt.Println(get(h).Code)
	// Output: 500
}

func ExampleLogHandler() {
	plain := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	log := slog.New(errors.LogHandler(plain, "pin"))
	log.Info("sent Authorization: Bearer abcdefgh", "pin", 1234, "order", 7)
	// Output: level=INFO msg="sent Authorization: [redacted]" pin=[redacted] order=7
}

// Example_incorrect shows the classic mistake: the error's own text in the
// response. The Responder replaces it, and the text goes to the log.
func Example_incorrect() {
	leaky := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "pq: relation \"users\" does not exist", http.StatusInternalServerError)
	})
	fmt.Print("without: ", get(leaky).Body.String())
	safe := errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(leaky)
	fmt.Print("with:    ", get(safe).Body.String()[:75], "...\n")
	// Output:
	// without: pq: relation "users" does not exist
	// with:    {"code":"internal_error","message":"Something went wrong on our side.","cor...
}
