package headers_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

func TestPlaintextCredentialsAreReported(t *testing.T) {
	var reasons []headers.Reason
	hook := func(_ context.Context, e headers.Event) { reasons = append(reasons, e.Reason); panic("hook") }
	p := errors.Must(headers.New(headers.Options{OnEvent: hook, Logger: slog.New(slog.DiscardHandler), ErrorHandler: refuse}))
	h := p.Handler(served)
	h.ServeHTTP(httptest.NewRecorder(), over("http", "GET", "http://a.example/", nil))
	h.ServeHTTP(httptest.NewRecorder(), over("http", "GET", "http://a.example/", http.Header{"Authorization": {"x"}, "Forwarded": {"for=1"}}))
	require.Equal(t, []headers.Reason{headers.PlainHTTP, headers.PlainHTTP}, reasons)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, over("http", "GET", "http://a.example/", http.Header{"Authorization": {"x"}}))
	require.Equal(t, headers.CredentialInHeader, reasons[2])
	require.Equal(t, 403, w.Code)
}

// The warning is also logged for a redirect, which loops behind a proxy that
// terminates TLS.
func TestMissingSchemeIsLoggedOncePerMinute(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		status int
	}{
		{name: "refused", header: http.Header{"X-Forwarded-Proto": {"https"}}, status: 403},
		{name: "redirected in a loop", header: with("X-Forwarded-Proto", "https"), status: 308},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			p := errors.Must(headers.New(headers.Options{CanonicalHost: "a.example", Logger: slog.New(slog.NewTextHandler(&log, nil)), ErrorHandler: refuse}))
			for range 3 {
				w := httptest.NewRecorder()
				p.Handler(served).ServeHTTP(w, over("http", "GET", "http://a.example/", tt.header))
				require.Equal(t, tt.status, w.Code)
			}
			require.Contains(t, log.String(), "Options.Scheme")
			require.Contains(t, log.String(), "peer=192.0.2.1:1234")
			require.LessOrEqual(t, strings.Count(log.String(), "\n"), 2) // a minute may end in between
		})
	}
}

func TestRefusalsOfPlainHTTPHaveAReason_FH4(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Proto: "X-Forwarded-Proto"}))
	const untrusted, silent, plain = "the peer is not trusted: its header says https, but Scheme does not accept it", "no forwarding header with a scheme", "the forwarding header does not say https"
	for _, tt := range []struct {
		name, peer string
		scheme     func(*http.Request) string
		pairs      []string
		want       string
	}{
		{name: "an untrusted peer", peer: "172.16.0.1:1", scheme: proxy.Scheme, pairs: []string{"X-Forwarded-Proto", "https"}, want: untrusted},
		{
			name:   "an untrusted peer, two lines",
			peer:   "172.16.0.1:1",
			scheme: proxy.Scheme,
			pairs:  []string{"X-Forwarded-Proto", "http", "X-Forwarded-Proto", "http, HTTPS"},
			want:   untrusted,
		},
		{name: "an untrusted peer, RFC 7239", peer: "172.16.0.1:1", scheme: proxy.Scheme, pairs: []string{"Forwarded", "for=1.1.1.1;proto=https"}, want: untrusted},
		{name: "a trusted peer, header missing", peer: "10.0.0.1:1", scheme: proxy.Scheme, pairs: []string{"X-Forwarded-For", "1.1.1.1"}, want: silent},
		{name: "a trusted peer that sends http", peer: "10.0.0.1:1", scheme: proxy.Scheme, pairs: []string{"X-Forwarded-Proto", "https, http"}, want: plain},
		{name: "a trusted peer, garbage", peer: "10.0.0.1:1", scheme: proxy.Scheme, pairs: []string{"Forwarded", ";;=,\""}, want: plain},
		{name: "no header at all", peer: "203.0.113.1:1", scheme: proxy.Scheme, want: silent},
		{name: "a long peer", peer: strings.Repeat("x", 1<<16), scheme: proxy.Scheme, want: silent},
		{name: "no Scheme", peer: "203.0.113.1:1", want: "no TLS: set Scheme behind a proxy, or HTTPS to InsecureAllowHTTP for local development"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			responder := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
			r := over("http", "GET", "http://api.example.com/", nil)
			r.RemoteAddr = tt.peer
			for i := 0; i < len(tt.pairs); i += 2 {
				r.Header.Add(tt.pairs[i], tt.pairs[i+1])
			}
			w := httptest.NewRecorder()
			responder.Handler(errors.Must(headers.New(headers.Options{Scheme: tt.scheme})).Handler(served)).ServeHTTP(w, r)
			require.Equal(t, 403, w.Code)
			require.Contains(t, log.String(), `reason="`+tt.want+`"`)
			if tt.scheme != nil && len(tt.peer) < 64 {
				require.Contains(t, log.String(), "peer="+tt.peer)
			}
			require.Less(t, log.Len(), 2000)
		})
	}
}

// An application can watch before it enforces.
func TestPlaintextCredentialsOfServedRequestsAreReported_FH3(t *testing.T) {
	secret := http.Header{"Authorization": {"x"}}
	for _, tt := range []struct {
		name, scheme, path string
		options            headers.Options
		header             http.Header
		called, status     int
	}{
		{name: "no credential, InsecureAllowHTTP", scheme: "http", path: "/a", options: headers.Options{HTTPS: headers.InsecureAllowHTTP}, called: 0, status: 204},
		{name: "no credential, exempt", scheme: "http", path: "/healthz", options: headers.Options{}, called: 0, status: 204},
		{name: "HTTPS", scheme: "https", path: "/a", options: headers.Options{HTTPS: headers.InsecureAllowHTTP}, header: secret, called: 0, status: 204},
		{
			name:    "an unknown proxy may have used HTTPS",
			scheme:  "http",
			path:    "/a",
			options: headers.Options{HTTPS: headers.InsecureAllowHTTP},
			header:  http.Header{"Authorization": {"x"}, "X-Forwarded-For": {"1.1.1.1"}},
			called:  0,
			status:  204,
		},
		{name: "InsecureAllowHTTP", scheme: "http", path: "/a", options: headers.Options{HTTPS: headers.InsecureAllowHTTP}, header: secret, called: 1, status: 204},
		{
			name:    "InsecureAllowHTTP, in the query",
			scheme:  "http",
			path:    "/a?access_token=x",
			options: headers.Options{HTTPS: headers.InsecureAllowHTTP},
			called:  1,
			status:  204,
		},
		{name: "exempt", scheme: "http", path: "/healthz", options: headers.Options{}, header: secret, called: 1, status: 204},
		{
			name:    "exempt, behind a proxy",
			scheme:  "http",
			path:    "/healthz",
			options: headers.Options{Scheme: func(*http.Request) string { return "http" }},
			header:  http.Header{"Authorization": {"x"}, "X-Forwarded-For": {"1.1.1.1"}},
			called:  1,
			status:  204,
		},
		{
			name:    "another host",
			scheme:  "http",
			path:    "/a",
			options: headers.Options{HTTPS: headers.InsecureAllowHTTP, AllowedHosts: []string{"b.example"}},
			header:  secret,
			called:  1,
			status:  421,
		},
		{name: "refused", scheme: "http", path: "/a", options: headers.Options{}, header: secret, called: 1, status: 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var called []headers.Event
			o := tt.options
			o.OnEvent = func(_ context.Context, e headers.Event) { called = append(called, e); panic("hook") }
			o.Exempt, o.ErrorHandler, o.Logger = []string{"/healthz"}, refuse, slog.New(slog.DiscardHandler)
			w, r := httptest.NewRecorder(), over(tt.scheme, "GET", tt.scheme+"://a.example"+tt.path, tt.header)
			errors.Must(headers.New(o)).Handler(served).ServeHTTP(w, r)
			require.Len(t, called, tt.called)
			for _, e := range called {
				reason := headers.CredentialInURL
				if len(tt.header) > 0 {
					reason = headers.CredentialInHeader
				}
				require.Equal(t, reason, e.Reason)
				require.Equal(t, tt.status >= 400, e.Refused)
				require.Same(t, r, e.Request)
			}
			require.Equal(t, tt.status, w.Code)
		})
	}
}
