package errors_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

func TestLongInputsLeaveShortRecords(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*http.Request) error
	}{
		{name: "a path", do: func(r *http.Request) error { r.URL.Path = "/" + strings.Repeat("a/", 1<<19); return errNoOrder }},
		{name: "a path of one segment", do: func(r *http.Request) error { r.URL.Path = "/" + strings.Repeat("a ", 1<<19); return errNoOrder }},
		{name: "a method", do: func(r *http.Request) error { r.Method = strings.Repeat("A", 1<<20); return errNoOrder }},
		{name: "an error's text", do: func(*http.Request) error { return fmt.Errorf("parse %q", strings.Repeat("a ", 1<<19)) }},
		{name: "an attribute", do: func(*http.Request) error { return errNoOrder.With("order", strings.Repeat("a ", 1<<19)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error { return tt.do(r) }))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			require.Equal(t, 1, j.records())
			require.Less(t, len(j.String()), 64<<10)
		})
	}
}

// CWE-117: one record is one line, whatever the client sends.
func TestRecordIsOneLine(t *testing.T) {
	const forged = "\nlevel=ERROR msg=forged \x1b[31m\u2028\r"
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			h := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(handler(&log))})).Handler(errors.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) error {
					r.URL.Path, r.Method = "/x"+forged, "GET"+forged
					return errNoOrder.Wrap(errors.New(forged)).With("key"+forged, forged)
				}))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["X-Correlation-Id"], r.Header["Traceparent"] = []string{"x" + forged}, []string{forged}
			h.ServeHTTP(httptest.NewRecorder(), r)
			require.Equal(t, 1, strings.Count(log.String(), "\n"))
			require.NotContains(t, log.String(), "\x1b")
		})
	}
}

var errCredentials = errors.Define(401, "wrong_credentials", "Address or password are wrong.")

// The constant text of a kind is not masked, but secrets in its cause are.
func TestTextOfAKindIsNotMasked(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{err: errCredentials, want: `"wrong_credentials: Address or password are wrong."`},
		{err: errCredentials.Wrap(errors.New("check password=hunter22 of ada")), want: `"wrong_credentials: check password=[redacted] of ada"`},
	} {
		j := new(journal)
		h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(
			func(http.ResponseWriter, *http.Request) error { return tt.err }))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		require.Contains(t, j.String(), tt.want)
	}
}
