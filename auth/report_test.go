package auth_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/testlog"
)

// Each row is refused, or would be, without InsecureReportOnly.
func TestReportOnlyServesEveryRequest_AZ9(t *testing.T) {
	for _, row := range []struct {
		name, path, credentials, signed string
		reason                          auth.Reason // "" for no event
		cause                           auth.Reason
		code                            string // of the event of errors
		served                          string // by the handler: the principal that it has
	}{
		{name: "no credential", path: "/open", reason: auth.CredentialRefused, code: "auth_required", served: "<nil>"},
		{name: "a bad credential", path: "/open", credentials: "Bearer bad", reason: auth.CredentialRefused, code: "auth_invalid", served: "<nil>"},
		{name: "an expired credential", path: "/open", credentials: "Bearer old", reason: auth.CredentialRefused, code: "auth_expired", served: "<nil>"},
		{name: "a credential that cannot be checked", path: "/open", credentials: "Bearer down", reason: auth.CredentialRefused, code: "auth_unavailable", served: "<nil>"},
		{name: "an unknown scheme", path: "/open", credentials: "Basic YTpi", reason: auth.CredentialRefused, cause: auth.UnknownScheme, code: "auth_required", served: "<nil>"},
		{name: "two credentials", path: "/open", credentials: "Bearer ada", signed: "ada", reason: auth.CredentialRefused, cause: auth.SeveralCredentials, code: "auth_malformed", served: "<nil>"},
		{name: "a good credential", path: "/open", credentials: "Bearer ada", served: "ada"},
		{name: "a public route that requires a principal", path: "/public", reason: auth.AccessDenied, code: "auth_required", served: "<nil>"},
		{name: "a principal without the role", path: "/admin", credentials: "Bearer ada", reason: auth.AccessDenied, code: "access_denied", served: "ada"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen []auth.Event
			var failed []errors.Event
			o := auth.Options{
				Authenticators: []auth.Authenticator{bearer, signed, silent}, Public: []string{"/public"},
				OnEvent: func(_ context.Context, e auth.Event) { seen = append(seen, e) },
			}
			var log testlog.Log
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				subject := "<nil>"
				if p, ok := auth.From(r.Context()); ok {
					subject = p.Subject()
				}
				_, _ = io.WriteString(w, subject)
			})
			mux := http.NewServeMux()
			mux.Handle("/open", handler)
			mux.Handle("/public", auth.Require()(handler))
			mux.Handle("/admin", auth.Require(auth.Role("admin"))(handler))
			send := func() *httptest.ResponseRecorder {
				failures := errors.Must(errors.NewResponder(errors.Options{ // with its own sampling of records
					Logger: slog.New(slog.NewTextHandler(&log, nil)), OnEvent: func(_ context.Context, e errors.Event) { failed = append(failed, e) },
				}))
				w, r := httptest.NewRecorder(), httptest.NewRequest("GET", row.path, nil)
				if row.credentials != "" {
					r.Header.Set("Authorization", row.credentials)
				}
				if row.signed != "" {
					r.Header.Set("X-Signed", row.signed)
				}
				failures.Handler(errors.Must(auth.New(o)).Handler(mux)).ServeHTTP(w, r)
				return w
			}
			require.Equal(t, row.reason == "", send().Code == 200)
			for _, e := range seen {
				require.False(t, e.Reported)
			}
			seen, failed = nil, nil
			before := len(log.String())

			o.InsecureReportOnly = true
			w := send()
			require.Equal(t, 200, w.Code)
			require.Equal(t, row.served, w.Body.String())
			require.Empty(t, w.Header()["Www-Authenticate"])
			require.Empty(t, w.Header()["Retry-After"])
			if row.reason == "" {
				require.Empty(t, seen)
				require.Empty(t, failed)
				require.Len(t, log.String(), before)
				return
			}
			if row.path == "/open" {
				require.Len(t, seen, 1)
			}
			e := seen[len(seen)-1]
			require.Equal(t, row.reason, e.Reason)
			require.Equal(t, row.cause, e.Cause)
			require.True(t, e.Reported)
			require.Equal(t, row.served != "<nil>", e.Principal != nil)
			last := failed[len(failed)-1]
			require.Equal(t, row.code, last.Kind.Code())
			require.True(t, last.Reported)
			require.Contains(t, log.String()[before:], "code="+row.code)
		})
	}
}

// A Require without a Middleware, or behind one that enforces, still refuses.
func TestReportOnlyIsOfItsOwnMiddleware_AZ10(t *testing.T) {
	report := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}, InsecureReportOnly: true}))
	enforce := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{signed}, Optional: []string{"/a"}}))
	inner := auth.Require()(http.HandlerFunc(whoami))
	for name, h := range map[string]http.Handler{
		"no Middleware": inner,
		"a Middleware that enforces inside one that does not": report.Handler(enforce.Handler(inner)),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/a", nil))
		require.Equal(t, 401, w.Code, name)
	}
}
