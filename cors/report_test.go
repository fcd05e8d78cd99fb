package cors_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/testlog"
)

func TestReportOnlyPassesEveryRequest_CR1(t *testing.T) {
	preflight := func(origin, method, header string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {header}}
	}
	for _, row := range []struct {
		name, method, path string
		header             http.Header
		reason             cors.Reason
		reported           bool
		code               string // of the event of errors, "" for none
	}{
		{name: "a write of an unlisted page", method: "POST", path: "/", header: http.Header{"Origin": {"https://evil.example"}}, reason: cors.Unlisted, reported: true, code: "origin_denied"},
		{name: "a write from another site", method: "POST", path: "/", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, reason: cors.ForeignSite, reported: true, code: "origin_denied"},
		{name: "an exempt callback", method: "POST", path: "/sso", header: http.Header{"Origin": {"https://evil.example"}}, reason: cors.Exempted},
		{name: "a read of an unlisted page", method: "GET", path: "/", header: http.Header{"Origin": {"https://evil.example"}}, reason: cors.Unlisted},
		{name: "a listed page", method: "POST", path: "/", header: http.Header{"Origin": {allowedOrigin}}, reason: cors.Listed},
		{name: "no page", method: "POST", path: "/", reason: cors.NoOrigin},
		{name: "a preflight for an unlisted method", method: "OPTIONS", path: "/", header: preflight(allowedOrigin, "PUT", "x-ok"), reason: cors.MethodNotAllowed, reported: true},
		{name: "a preflight for an unlisted header", method: "OPTIONS", path: "/", header: preflight(allowedOrigin, "POST", "x-no"), reason: cors.HeaderNotAllowed, reported: true},
		{name: "a preflight that succeeds", method: "OPTIONS", path: "/", header: preflight(allowedOrigin, "POST", "x-ok"), reason: cors.Listed},
		{name: "an ambiguous path", method: "POST", path: "/a/../public", header: http.Header{"Origin": {"https://evil.example"}}, reason: cors.Unlisted, reported: true, code: "origin_denied"},
		{name: "an ambiguous path of a listed page", method: "POST", path: "/a/../public", header: http.Header{"Origin": {allowedOrigin}}, reason: cors.AmbiguousPath},
		{name: "a preflight for an ambiguous path", method: "OPTIONS", path: "/a/../public", header: preflight(allowedOrigin, "POST", "x-ok"), reason: cors.AmbiguousPath, reported: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen []cors.Event
			var failed []errors.Event
			var log testlog.Log
			logger := slog.New(slog.NewTextHandler(&log, nil))
			watched := compile(t, cors.Options{
				Origins: []string{allowedOrigin}, Headers: []string{"X-Ok"}, Exempt: []string{"POST /sso"}, InsecureReportOnly: true, Logger: logger,
				OnEvent: func(_ context.Context, e cors.Event) { seen = append(seen, e) },
			})
			layer, err := cors.Routes(map[string]*cors.Middleware{"/": watched, "/public": compile(t, cors.Options{Origins: []string{"*"}, InsecureReportOnly: true})})
			require.NoError(t, err)
			failures := errors.Must(errors.NewResponder(errors.Options{
				Logger: logger, OnEvent: func(_ context.Context, e errors.Event) { failed = append(failed, e) },
			}))
			r := httptest.NewRequest(row.method, "https://api.example.com/", nil)
			r.URL.Path = row.path
			for key, lines := range row.header {
				r.Header[key] = lines
			}
			w := httptest.NewRecorder()
			failures.Handler(layer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot) // the response of the service itself
			}))).ServeHTTP(w, r)
			require.Equal(t, http.StatusTeapot, w.Code)
			w.Header().Del("X-Correlation-Id")
			require.Empty(t, w.Header())

			require.Len(t, seen, 1)
			require.Equal(t, row.reason, seen[0].Reason)
			require.Equal(t, row.reported, seen[0].Reported)
			require.False(t, seen[0].Refused)
			var reported []errors.Event
			for _, e := range failed {
				if e.Reported {
					reported = append(reported, e)
				}
			}
			if row.code == "" {
				require.Empty(t, reported)
			} else {
				require.Len(t, reported, 1)
				require.Equal(t, row.code, reported[0].Kind.Code())
				require.Equal(t, "cors", reported[0].Ring)
				require.Contains(t, log.String(), `msg="request would have been refused" code=`+row.code)
			}
			if row.reported && row.code == "" {
				require.Contains(t, log.String(), `msg="preflight would have been refused" reason=`+string(row.reason))
			}
		})
	}
}

// A policy that enforces still does where another is report-only.
func TestReportOnlyPolicyDoesNotOpenAnAmbiguousPath_CR2(t *testing.T) {
	enforcing := compile(t, cors.Options{Origins: []string{allowedOrigin}})
	watched := compile(t, cors.Options{Origins: []string{allowedOrigin}, InsecureReportOnly: true, Logger: slog.New(slog.DiscardHandler)})
	layer, err := cors.Routes(map[string]*cors.Middleware{"/": enforcing, "/watched": watched})
	require.NoError(t, err)
	for path, status := range map[string]int{"/a/../watched": 403, "/": 403, "/watched": 200} {
		r := httptest.NewRequest("POST", "https://api.example.com/", nil)
		r.URL.Path = path
		r.Header.Set("Origin", "https://evil.example")
		w := httptest.NewRecorder()
		layer(next).ServeHTTP(w, r)
		require.Equal(t, status, w.Code, path)
	}
}
