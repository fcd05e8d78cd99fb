package headers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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
		{
			name:   "Authorization over plain HTTP",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/a",
			header: with("Authorization", "Bearer x"),
			status: 403,
		},
		{name: "cookie over plain HTTP", scheme: "http", method: "GET", url: "http://api.example.com/a", header: with("Cookie", "a=b"), status: 403},
		{name: "configured credential", scheme: "http", method: "GET", url: "http://api.example.com/a", header: with("X-Own-Key", "x"), status: 403},
		{name: "API key over plain HTTP", scheme: "http", method: "GET", url: "http://api.example.com/a", header: with("X-API-Key", "x"), status: 403},
		{name: "token in the query", scheme: "http", method: "GET", url: "http://api.example.com/a?b=c&Access%5Ftoken=x", header: html, status: 403},
		{name: "password in the query", scheme: "http", method: "GET", url: "http://api.example.com/login?user=a&password=x", header: html, status: 403},
		{name: "HEAD with DPoP", scheme: "http", method: "HEAD", url: "http://api.example.com/a", header: with("DPoP", "x"), status: 403},
		{name: "userinfo", scheme: "http", method: "GET", url: "http://user:pass@api.example.com/a", header: html, status: 403},
		{name: "PUT", scheme: "http", method: "PUT", url: "http://api.example.com/a", header: html, status: 403},
		{name: "DELETE", scheme: "http", method: "DELETE", url: "http://api.example.com/a", header: html, status: 403},
		{name: "POST", scheme: "http", method: "POST", url: "http://api.example.com/a", header: html, status: 403},
		{name: "preflight", scheme: "http", method: "OPTIONS", url: "http://api.example.com/a", header: html, status: 403},
		{name: "not a browser's navigation", scheme: "http", method: "GET", url: "http://api.example.com/a", header: http.Header{"Accept": {"*/*"}}, status: 403},
		{name: "JSON", scheme: "http", method: "GET", url: "http://api.example.com/a", header: http.Header{"Accept": {"application/json"}}, status: 403},
		{
			name:   "HTML of weight 0",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/a",
			header: http.Header{"Accept": {"text/html; charset=utf-8 ;Q=0.000, */*"}},
			status: 403,
		},
		{name: "no Accept", scheme: "http", method: "GET", url: "http://api.example.com/a", status: 403},
		{
			name:   "spoofed X-Forwarded-Proto",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/a",
			header: http.Header{"X-Forwarded-Proto": {"https"}},
			status: 403,
		},
		{name: "unlisted host", scheme: "http", method: "GET", url: "http://evil.tld/a", header: html, status: 403},
		{
			name:   "unlisted X-Forwarded-Host",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/a",
			header: with("X-Forwarded-Host", "evil.tld"),
			status: 308,
			more:   []string{"Location", "https://api.example.com/a"},
		},
		{
			name:   "double slash",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com//evil.tld/x",
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com//evil.tld/x"},
		},
		{
			name:   "backslash",
			scheme: "http",
			method: "GET",
			url:    `http://api.example.com/\evil.tld`,
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com/%5Cevil.tld"},
		},
		{
			name:   "characters invalid in a query",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/a?b=\xc3\xa4<\\",
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com/a?b=%C3%A4%3C%5C"},
		},
		{
			name:   "IPv6 host with a port",
			scheme: "http",
			method: "GET",
			url:    "http://[::1]:8080/a",
			header: html,
			status: 308,
			more:   []string{"Location", "https://[::1]/a"},
		},
		{
			name:   "no path",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com",
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com/"},
		},
		{name: "unlisted host over HTTPS", scheme: "https", method: "GET", url: "https://evil.tld/", status: 421, more: []string{"Strict-Transport-Security", hsts}},
		{
			name:   "unlisted host, longer",
			scheme: "https",
			method: "GET",
			url:    "https://api.example.com.evil.tld/",
			status: 421,
			more:   []string{"Strict-Transport-Security", hsts},
		},
		{name: "exempt for every host", scheme: "https", method: "GET", url: "https://10.0.0.1/healthz", status: 204},
		{
			name:   "the port is not compared",
			scheme: "https",
			method: "GET",
			url:    "https://API.example.com.:8443/",
			status: 204,
			more:   []string{"Strict-Transport-Security", hsts},
		},
		{
			name:   "escaped line break",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com/%0d%0aa",
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com/%0d%0aa"},
		},
		{name: "an exempt path matches exactly", scheme: "http", method: "GET", url: "http://api.example.com/healthz/", status: 403},
		{name: "an ACME challenge", scheme: "http", method: "GET", url: "http://api.example.com/.well-known/acme-challenge/x", status: 204},
		{name: "next to an ACME challenge", scheme: "http", method: "GET", url: "http://api.example.com/.well-known/acme-challenge/x/y", status: 403},
		{name: "exempt, escaped", scheme: "http", method: "GET", url: "http://api.example.com/%68ealthz/../a", status: 403},
		{name: "exempt", scheme: "http", method: "GET", url: "http://api.example.com/healthz", status: 204},
		{
			name:   "navigation",
			scheme: "http",
			method: "GET",
			url:    "http://api.example.com:80/a?b=c",
			header: html,
			status: 308,
			more:   []string{"Location", "https://api.example.com/a?b=c"},
		},
		{name: "no HSTS for localhost", scheme: "https", method: "GET", url: "https://localhost/", status: 204},
		{name: "no HSTS for *.localhost", scheme: "https", method: "GET", url: "https://a.LOCALHOST.:8443/", status: 204},
		{name: "no HSTS for IPv4", scheme: "https", method: "GET", url: "https://127.0.0.1:8443/", status: 204},
		{name: "no HSTS for IPv6", scheme: "https", method: "GET", url: "https://[::1]/", status: 204},
		{
			name:   "HSTS",
			scheme: "https",
			method: "POST",
			url:    "https://api.example.com/",
			header: with("Cookie", "a=b"),
			status: 204,
			more:   []string{"Strict-Transport-Security", hsts},
		},
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
			{name: "nothing there", method: "GET", path: "/nothing", status: 404},
			{name: "a method that is not taken", method: "POST", path: "/boom", status: 405},
			{name: "a preflight", method: "OPTIONS", path: "/boom", status: 204},
			{name: "a panic", method: "GET", path: "/boom", status: 500},
			{name: "a limit", method: "GET", path: "/limited", status: 429},
			{name: "a redirect", method: "GET", path: "/moved", status: 302},
			{name: "not modified", method: "GET", path: "/unchanged", status: 304},
			{name: "a handler's own Cache-Control", method: "GET", path: "/cached", status: 200, more: []string{"Cache-Control", "max-age=60"}},
			{name: "a file server's error, which deletes Cache-Control", method: "GET", path: "/files/nothing", status: 404},
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
