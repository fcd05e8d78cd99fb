package headers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/testlog"
)

// Each row is refused, redirected or affected without InsecureReportOnly.
func TestReportOnlyServesEveryRequest_HP1(t *testing.T) {
	embedded := func(site string) http.Header {
		return http.Header{"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {site}, "Sec-Fetch-Dest": {"image"}}
	}
	for _, row := range []struct {
		name, scheme, host, resource string
		header                       http.Header
		reason                       headers.Reason // "" for no event
		code                         string         // of the event of errors, "" for none
		served                       bool           // without InsecureReportOnly too
	}{
		{name: "plain HTTP", scheme: "http", host: "api.example.com", reason: headers.PlainHTTP, code: "https_required"},
		{name: "plain HTTP with a credential", scheme: "http", host: "api.example.com", header: http.Header{"Authorization": {"x"}}, reason: headers.CredentialInHeader, code: "https_required"},
		{name: "a navigation, which would be redirected", scheme: "http", host: "api.example.com", header: html, reason: headers.PlainHTTP, code: "https_required"},
		{name: "an unlisted host", scheme: "https", host: "evil.example", reason: headers.UnlistedHost, code: "misdirected_request"},
		{name: "an image in a page of the same site", scheme: "https", host: "api.example.com", header: embedded("same-site"), reason: headers.EmbeddedElsewhere, served: true},
		{name: "an image in a page of another site", scheme: "https", host: "api.example.com", resource: "same-site", header: embedded("cross-site"), reason: headers.EmbeddedElsewhere, served: true},
		{name: "an image that same-site allows", scheme: "https", host: "api.example.com", resource: "same-site", header: embedded("same-site"), served: true},
		{name: "an image of the service's own page", scheme: "https", host: "api.example.com", header: embedded("same-origin"), served: true},
		{name: "an image that cross-origin allows", scheme: "https", host: "api.example.com", resource: "cross-origin", header: embedded("cross-site"), served: true},
		{name: "an image without ResourcePolicy", scheme: "https", host: "api.example.com", resource: headers.InsecureOmit, header: embedded("cross-site"), served: true},
		{name: "an exempt path", scheme: "http", host: "evil.example", served: true},
		{name: "HTTPS", scheme: "https", host: "api.example.com", served: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen []headers.Event
			var failed []errors.Event
			o := headers.Options{
				AllowedHosts: []string{"api.example.com"}, Exempt: []string{"/healthz"}, ResourcePolicy: row.resource,
				OnEvent: func(_ context.Context, e headers.Event) { seen = append(seen, e) },
			}
			var log testlog.Log
			failures := errors.Must(errors.NewResponder(errors.Options{
				Logger: slog.New(slog.NewTextHandler(&log, nil)), OnEvent: func(_ context.Context, e errors.Event) { failed = append(failed, e) },
			}))
			path := "/a"
			if row.name == "an exempt path" {
				path = "/healthz"
			}
			send := func() *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				failures.Handler(errors.Must(headers.New(o)).Handler(served)).ServeHTTP(w, over(row.scheme, "GET", row.scheme+"://"+row.host+path, row.header))
				return w
			}
			require.Equal(t, row.served, send().Code == http.StatusNoContent)
			seen, failed = nil, nil
			before := len(log.String())

			o.InsecureReportOnly = true
			w := send()
			require.Equal(t, http.StatusNoContent, w.Code)
			w.Header().Del("X-Correlation-Id")
			require.Empty(t, w.Header())
			if row.reason == "" {
				require.Empty(t, seen)
			} else {
				require.Len(t, seen, 1)
				require.Equal(t, row.reason, seen[0].Reason)
				require.True(t, seen[0].Reported)
				require.False(t, seen[0].Refused)
			}
			if row.code == "" {
				require.Empty(t, failed)
				require.Len(t, log.String(), before)
				return
			}
			require.Len(t, failed, 1)
			require.Equal(t, row.code, failed[0].Kind.Code())
			require.Equal(t, "headers", failed[0].Ring)
			require.True(t, failed[0].Reported)
			require.Contains(t, log.String()[before:], `msg="request would have been refused" code=`+row.code)
		})
	}
}
