package headers_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// with returns the headers of a browser and one more.
func with(key, value string) http.Header {
	h := html.Clone()
	h.Set(key, value)
	return h
}

func strict() *headers.Policy {
	return errors.Must(headers.New(headers.Options{
		AllowedHosts: []string{"api.example.com", "localhost", "a.localhost", "127.0.0.1", "[::1]"}, Exempt: []string{"/healthz", "/.well-known/acme-challenge/{token}"}, CredentialHeaders: []string{"X-Own-Key"},
		Logger: slog.New(slog.DiscardHandler), ErrorHandler: refuse,
	}))
}

func TestPlainHTTPIsRefusedOrRedirected(t *testing.T) {
	p := strict()
	for _, tt := range []struct {
		name, scheme, method, url string
		header                    http.Header
		status                    int
		more                      []string
	}{
		{"Authorization over plain HTTP", "http", "GET", "http://api.example.com/a", with("Authorization", "Bearer x"), 403, nil},
		{"cookie over plain HTTP", "http", "GET", "http://api.example.com/a", with("Cookie", "a=b"), 403, nil},
		{"configured credential", "http", "GET", "http://api.example.com/a", with("X-Own-Key", "x"), 403, nil},
		{"API key over plain HTTP", "http", "GET", "http://api.example.com/a", with("X-API-Key", "x"), 403, nil},
		{"token in the query", "http", "GET", "http://api.example.com/a?b=c&Access%5Ftoken=x", html, 403, nil},
		{"password in the query", "http", "GET", "http://api.example.com/login?user=a&password=x", html, 403, nil},
		{"HEAD with DPoP", "http", "HEAD", "http://api.example.com/a", with("DPoP", "x"), 403, nil},
		{"userinfo", "http", "GET", "http://user:pass@api.example.com/a", html, 403, nil},
		{"PUT", "http", "PUT", "http://api.example.com/a", html, 403, nil},
		{"DELETE", "http", "DELETE", "http://api.example.com/a", html, 403, nil},
		{"POST", "http", "POST", "http://api.example.com/a", html, 403, nil},
		{"preflight", "http", "OPTIONS", "http://api.example.com/a", html, 403, nil},
		{"not a browser's navigation", "http", "GET", "http://api.example.com/a", http.Header{"Accept": {"*/*"}}, 403, nil},
		{"JSON", "http", "GET", "http://api.example.com/a", http.Header{"Accept": {"application/json"}}, 403, nil},
		{"HTML of weight 0", "http", "GET", "http://api.example.com/a", http.Header{"Accept": {"text/html; charset=utf-8 ;Q=0.000, */*"}}, 403, nil},
		{"no Accept", "http", "GET", "http://api.example.com/a", nil, 403, nil},
		{"spoofed X-Forwarded-Proto", "http", "GET", "http://api.example.com/a", http.Header{"X-Forwarded-Proto": {"https"}}, 403, nil},
		{"unlisted host", "http", "GET", "http://evil.tld/a", html, 403, nil},
		{"unlisted X-Forwarded-Host", "http", "GET", "http://api.example.com/a", with("X-Forwarded-Host", "evil.tld"), 308, []string{"Location", "https://api.example.com/a"}},
		{"double slash", "http", "GET", "http://api.example.com//evil.tld/x", html, 308, []string{"Location", "https://api.example.com//evil.tld/x"}},
		{"backslash", "http", "GET", `http://api.example.com/\evil.tld`, html, 308, []string{"Location", "https://api.example.com/%5Cevil.tld"}},
		{"characters invalid in a query", "http", "GET", "http://api.example.com/a?b=\xc3\xa4<\\", html, 308, []string{"Location", "https://api.example.com/a?b=%C3%A4%3C%5C"}},
		{"IPv6 host with a port", "http", "GET", "http://[::1]:8080/a", html, 308, []string{"Location", "https://[::1]/a"}},
		{"no path", "http", "GET", "http://api.example.com", html, 308, []string{"Location", "https://api.example.com/"}},
		{"unlisted host over HTTPS", "https", "GET", "https://evil.tld/", nil, 421, []string{"Strict-Transport-Security", hsts}},
		{"unlisted host, longer", "https", "GET", "https://api.example.com.evil.tld/", nil, 421, []string{"Strict-Transport-Security", hsts}},
		{"exempt for every host", "https", "GET", "https://10.0.0.1/healthz", nil, 204, nil},
		{"the port is not compared", "https", "GET", "https://API.example.com.:8443/", nil, 204, []string{"Strict-Transport-Security", hsts}},
		{"escaped line break", "http", "GET", "http://api.example.com/%0d%0aa", html, 308, []string{"Location", "https://api.example.com/%0d%0aa"}},
		{"an exempt path matches exactly", "http", "GET", "http://api.example.com/healthz/", nil, 403, nil},
		{"an ACME challenge", "http", "GET", "http://api.example.com/.well-known/acme-challenge/x", nil, 204, nil},
		{"next to an ACME challenge", "http", "GET", "http://api.example.com/.well-known/acme-challenge/x/y", nil, 403, nil},
		{"exempt, escaped", "http", "GET", "http://api.example.com/%68ealthz/../a", nil, 403, nil},
		{"exempt", "http", "GET", "http://api.example.com/healthz", nil, 204, nil},
		{"navigation", "http", "GET", "http://api.example.com:80/a?b=c", html, 308, []string{"Location", "https://api.example.com/a?b=c"}},
		{"no HSTS for localhost", "https", "GET", "https://localhost/", nil, 204, nil},
		{"no HSTS for *.localhost", "https", "GET", "https://a.LOCALHOST.:8443/", nil, 204, nil},
		{"no HSTS for IPv4", "https", "GET", "https://127.0.0.1:8443/", nil, 204, nil},
		{"no HSTS for IPv6", "https", "GET", "https://[::1]/", nil, 204, nil},
		{"HSTS", "https", "POST", "https://api.example.com/", with("Cookie", "a=b"), 204, []string{"Strict-Transport-Security", hsts}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := over(tt.scheme, tt.method, tt.url, tt.header)
			p.Handler(served).ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, api(tt.more...), w.Header())
			err := p.Check(r)
			require.Equal(t, tt.status == 403 || tt.status == 308, errors.Is(err, headers.ErrHTTPSRequired))
			require.Equal(t, tt.status == 421, errors.Is(err, headers.ErrMisdirected))
		})
	}
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	kind, _ := errors.AsType[*errors.Kind](err)
	w.WriteHeader(kind.Status())
}

// The whole header map is compared, over HTTP/1.1 and HTTP/2.
func TestEveryResponseHasTheHeaders(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /limited", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) })
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	mux.HandleFunc("GET /unchanged", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	mux.HandleFunc("GET /cached", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Cache-Control", "max-age=60") })
	mux.Handle("GET /files/", http.FileServer(http.Dir(t.TempDir())))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	secure := errors.Must(headers.New(headers.Options{Host: func(*http.Request) string { return "api.example.com" }}))
	origins := errors.Must(cors.New(cors.Options{Origins: []string{"https://app.example.com"}}))
	for _, http2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(failures.Handler(secure.Handler(origins.Handler(mux))))
		s.EnableHTTP2 = http2
		s.StartTLS()
		t.Cleanup(s.Close)
		client := s.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, tt := range []struct {
			name, method, path string
			status             int
			more               []string
		}{
			{"nothing there", "GET", "/nothing", 404, nil},
			{"a method that is not taken", "POST", "/boom", 405, nil},
			{"a preflight", "OPTIONS", "/boom", 204, nil},
			{"a panic", "GET", "/boom", 500, nil},
			{"a limit", "GET", "/limited", 429, nil},
			{"a redirect", "GET", "/moved", 302, nil},
			{"not modified", "GET", "/unchanged", 304, nil},
			{"a handler's own Cache-Control", "GET", "/cached", 200, []string{"Cache-Control", "max-age=60"}},
			{"a file server's error, which deletes Cache-Control", "GET", "/files/nothing", 404, nil},
		} {
			t.Run(tt.name, func(t *testing.T) {
				r, err := http.NewRequest(tt.method, s.URL+tt.path, nil)
				require.NoError(t, err)
				if tt.method == "OPTIONS" {
					r.Header.Set("Origin", "https://app.example.com")
					r.Header.Set("Access-Control-Request-Method", "GET")
				}
				res, err := client.Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http2, res.ProtoMajor == 2)
				require.Equal(t, tt.status, res.StatusCode)
				for _, key := range []string{"Date", "Content-Length", "Content-Type", "X-Correlation-Id", "Allow", "Location", "Vary", "Access-Control-Allow-Origin"} {
					res.Header.Del(key)
				}
				require.Equal(t, api(append(tt.more, "Strict-Transport-Security", hsts)...), res.Header)
			})
		}
	}
}

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
		{"refused", http.Header{"X-Forwarded-Proto": {"https"}}, 403},
		{"redirected in a loop", with("X-Forwarded-Proto", "https"), 308},
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

func TestPolicyBehindProxyUsesForwarded(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Proto: "X-Forwarded-Proto", Host: "X-Forwarded-Host"}))
	var reasons []headers.Reason
	p := errors.Must(headers.New(headers.Options{
		Scheme: proxy.Scheme, Host: proxy.Host, AllowedHosts: []string{"api.example.com"}, ErrorHandler: refuse,
		OnEvent: func(_ context.Context, e headers.Event) { reasons = append(reasons, e.Reason) },
	}))
	serve := func(pairs ...string) *httptest.ResponseRecorder {
		r := sent("10.0.0.1:1", false, append(pairs, "X-Forwarded-For", "1.1.1.1")...)
		r.Method, r.URL = "GET", &url.URL{Path: "/a"}
		w := httptest.NewRecorder()
		p.Handler(served).ServeHTTP(w, r)
		return w
	}
	w := serve("X-Forwarded-Proto", "https", "X-Forwarded-Host", "api.example.com")
	require.Equal(t, 204, w.Code)
	require.Equal(t, api("Strict-Transport-Security", hsts), w.Header())
	w = serve("X-Forwarded-Proto", "http", "X-Forwarded-Host", "api.example.com", "Accept", "text/html")
	require.Equal(t, 308, w.Code)
	require.Equal(t, api("Location", "https://api.example.com/a"), w.Header())
	w = serve("X-Forwarded-Proto", "http", "X-Forwarded-Host", "evil.tld", "Accept", "text/html")
	require.Equal(t, 403, w.Code)
	require.Equal(t, []headers.Reason{headers.PlainHTTP, headers.PlainHTTP}, reasons)
	w = serve("X-Forwarded-Proto", "http", "X-Forwarded-Host", "api.example.com", "Authorization", "Bearer x")
	require.Equal(t, 403, w.Code)
	require.Equal(t, headers.CredentialInHeader, reasons[2], "the proxy is trusted, so its scheme must count")
}

// A cache must not serve a redirect to a request with a credential.
func TestRedirectIsNotCached(t *testing.T) {
	for _, cacheControl := range []string{"public, max-age=60", headers.InsecureOmit} {
		p := errors.Must(headers.New(headers.Options{CanonicalHost: "api.example.com", CacheControl: cacheControl}))
		w := httptest.NewRecorder()
		p.Handler(served).ServeHTTP(w, over("http", "GET", "http://api.example.com/a", html))
		require.Equal(t, 308, w.Code)
		require.Equal(t, api("Location", "https://api.example.com/a"), w.Header())
	}
}

// An HTTP/1.0 request may have no host.
func TestRedirectGoesToCanonicalHost(t *testing.T) {
	p := errors.Must(headers.New(headers.Options{CanonicalHost: "api.example.com:8443"}))
	r := over("http", "GET", "/a", html)
	r.Host = ""
	w := httptest.NewRecorder()
	p.Handler(served).ServeHTTP(w, r)
	require.Equal(t, 308, w.Code)
	require.Equal(t, api("Location", "https://api.example.com:8443/a"), w.Header())
	require.NoError(t, p.Check(over("https", "GET", "https://any.example/", nil)), "CanonicalHost alone refuses no host")
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
		{"an untrusted peer", "172.16.0.1:1", proxy.Scheme, []string{"X-Forwarded-Proto", "https"}, untrusted},
		{"an untrusted peer, two lines", "172.16.0.1:1", proxy.Scheme, []string{"X-Forwarded-Proto", "http", "X-Forwarded-Proto", "http, HTTPS"}, untrusted},
		{"an untrusted peer, RFC 7239", "172.16.0.1:1", proxy.Scheme, []string{"Forwarded", "for=1.1.1.1;proto=https"}, untrusted},
		{"a trusted peer, header missing", "10.0.0.1:1", proxy.Scheme, []string{"X-Forwarded-For", "1.1.1.1"}, silent},
		{"a trusted peer that sends http", "10.0.0.1:1", proxy.Scheme, []string{"X-Forwarded-Proto", "https, http"}, plain},
		{"a trusted peer, garbage", "10.0.0.1:1", proxy.Scheme, []string{"Forwarded", ";;=,\""}, plain},
		{"no header at all", "203.0.113.1:1", proxy.Scheme, nil, silent},
		{"a long peer", strings.Repeat("x", 1<<16), proxy.Scheme, nil, silent},
		{"no Scheme", "203.0.113.1:1", nil, nil, "no TLS: set Scheme behind a proxy, or HTTPS to InsecureAllowHTTP for local development"},
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
		{"no credential, InsecureAllowHTTP", "http", "/a", headers.Options{HTTPS: headers.InsecureAllowHTTP}, nil, 0, 204},
		{"no credential, exempt", "http", "/healthz", headers.Options{}, nil, 0, 204},
		{"HTTPS", "https", "/a", headers.Options{HTTPS: headers.InsecureAllowHTTP}, secret, 0, 204},
		{"an unknown proxy may have used HTTPS", "http", "/a", headers.Options{HTTPS: headers.InsecureAllowHTTP}, http.Header{"Authorization": {"x"}, "X-Forwarded-For": {"1.1.1.1"}}, 0, 204},
		{"InsecureAllowHTTP", "http", "/a", headers.Options{HTTPS: headers.InsecureAllowHTTP}, secret, 1, 204},
		{"InsecureAllowHTTP, in the query", "http", "/a?access_token=x", headers.Options{HTTPS: headers.InsecureAllowHTTP}, nil, 1, 204},
		{"exempt", "http", "/healthz", headers.Options{}, secret, 1, 204},
		{"exempt, behind a proxy", "http", "/healthz", headers.Options{Scheme: func(*http.Request) string { return "http" }}, http.Header{"Authorization": {"x"}, "X-Forwarded-For": {"1.1.1.1"}}, 1, 204},
		{"another host", "http", "/a", headers.Options{HTTPS: headers.InsecureAllowHTTP, AllowedHosts: []string{"b.example"}}, secret, 1, 421},
		{"refused", "http", "/a", headers.Options{}, secret, 1, 403},
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
