package headers_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

const csp = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func api(more ...string) http.Header {
	h := http.Header{
		"X-Content-Type-Options": {"nosniff"}, "Content-Security-Policy": {csp}, "X-Frame-Options": {"DENY"},
		"Referrer-Policy": {"no-referrer"}, "Cross-Origin-Resource-Policy": {"same-origin"}, "Cache-Control": {"no-store"},
	}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = []string{more[i+1]}
	}
	return h
}

func over(scheme, method, url string, header http.Header) *http.Request {
	r := httptest.NewRequest(method, url, nil)
	r.TLS = nil
	if scheme == "https" {
		r.TLS = new(tls.ConnectionState)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r
}

var (
	html   = http.Header{"Accept": {"text/html,application/xhtml+xml"}}
	served = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	hsts   = "max-age=63072000; includeSubDomains"
)

// TestHTTPS holds H1 to H5 and H9 to H12.
func TestHTTPS(t *testing.T) {
	with := func(key, value string) http.Header {
		h := html.Clone()
		h.Set(key, value)
		return h
	}
	for _, tt := range []struct {
		name, scheme, method, url string
		header                    http.Header
		status                    int
		more                      []string
	}{
		{"H2 Authorization in clear", "http", "GET", "http://api.example.com/a", with("Authorization", "Bearer x"), 403, nil},
		{"H2 cookie in clear", "http", "GET", "http://api.example.com/a", with("Cookie", "a=b"), 403, nil},
		{"H2 configured credential", "http", "GET", "http://api.example.com/a", with("X-Own-Key", "x"), 403, nil},
		{"H3 POST", "http", "POST", "http://api.example.com/a", html, 403, nil},
		{"H3 preflight", "http", "OPTIONS", "http://api.example.com/a", html, 403, nil},
		{"H4 not a browser's navigation", "http", "GET", "http://api.example.com/a", http.Header{"Accept": {"*/*"}}, 403, nil},
		{"H5 spoofed X-Forwarded-Proto", "http", "GET", "http://api.example.com/a", http.Header{"X-Forwarded-Proto": {"https"}}, 403, nil},
		{"H9 foreign host", "http", "GET", "http://evil.tld/a", html, 403, nil},
		{"H9 foreign X-Forwarded-Host", "http", "GET", "http://api.example.com/a", with("X-Forwarded-Host", "evil.tld"), 308, []string{"Location", "https://api.example.com/a"}},
		{"H10 double slash", "http", "GET", "http://api.example.com//evil.tld/x", html, 308, []string{"Location", "https://api.example.com//evil.tld/x"}},
		{"H10 escaped line break", "http", "GET", "http://api.example.com/%0d%0aa", html, 308, []string{"Location", "https://api.example.com/%0d%0aa"}},
		{"H11 exempt is exact", "http", "GET", "http://api.example.com/healthz/", nil, 403, nil},
		{"H11 exempt", "http", "GET", "http://api.example.com/healthz", nil, 204, nil},
		{"H1 navigation", "http", "GET", "http://api.example.com:80/a?b=c", html, 308, []string{"Location", "https://api.example.com/a?b=c"}},
		{"H12 no HSTS for localhost", "https", "GET", "https://localhost/", nil, 204, nil},
		{"H12 no HSTS for *.localhost", "https", "GET", "https://a.LOCALHOST.:8443/", nil, 204, nil},
		{"H12 no HSTS for IPv4", "https", "GET", "https://127.0.0.1:8443/", nil, 204, nil},
		{"H12 no HSTS for IPv6", "https", "GET", "https://[::1]/", nil, 204, nil},
		{"H12 HSTS", "https", "POST", "https://api.example.com/", with("Cookie", "a=b"), 204, []string{"Strict-Transport-Security", hsts}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := errors.Must(headers.New(headers.Options{
				AllowedHosts: []string{"api.example.com"}, ExemptPaths: []string{"/healthz"}, CredentialHeaders: []string{"X-Own-Key"},
				Logger: slog.New(slog.DiscardHandler), ErrorHandler: refuse,
			}))
			w := httptest.NewRecorder()
			r := over(tt.scheme, tt.method, tt.url, tt.header)
			p.Handler(served).ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, api(tt.more...), w.Header())
			require.Equal(t, tt.status != 204, errors.Is(p.Check(r), headers.ErrHTTPSRequired))
		})
	}
}

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	kind, _ := errors.AsType[*errors.Kind](err)
	w.WriteHeader(kind.Status())
}

// TestEveryAnswer holds H13: the headers are on a 404, and on a panic's 500.
func TestEveryAnswer(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /boom", func(http.ResponseWriter, *http.Request) { panic("boom") })
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	s := httptest.NewServer(failures.Handler(errors.Must(headers.New(headers.Options{InsecureAllowHTTP: true})).Handler(mux)))
	defer s.Close()
	for path, status := range map[string]int{"/nothing": 404, "/boom": 500} {
		res, err := s.Client().Get(s.URL + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, status, res.StatusCode)
		for key, lines := range api() {
			require.Equal(t, lines, res.Header[key], key)
		}
	}
}

func TestOnPlaintext(t *testing.T) {
	told := 0
	p := errors.Must(headers.New(headers.Options{OnPlaintext: func(*http.Request) { told++; panic("hook") }, Logger: slog.New(slog.DiscardHandler), ErrorHandler: refuse}))
	h := p.Handler(served)
	h.ServeHTTP(httptest.NewRecorder(), over("http", "GET", "http://a.example/", nil))
	require.Equal(t, 0, told)
	h.ServeHTTP(httptest.NewRecorder(), over("http", "GET", "http://a.example/", http.Header{"Authorization": {"x"}, "Forwarded": {"for=1"}}))
	require.Equal(t, 0, told)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, over("http", "GET", "http://a.example/", http.Header{"Authorization": {"x"}}))
	require.Equal(t, 1, told)
	require.Equal(t, 403, w.Code)
}

func TestWarnsOnceOfTLSTermination(t *testing.T) {
	var log strings.Builder
	p := errors.Must(headers.New(headers.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), ErrorHandler: refuse}))
	for range 3 {
		p.Handler(served).ServeHTTP(httptest.NewRecorder(), over("http", "GET", "http://a.example/", http.Header{"X-Forwarded-Proto": {"https"}}))
	}
	require.Contains(t, log.String(), "Options.Scheme")
	require.LessOrEqual(t, strings.Count(log.String(), "\n"), 2) // a minute may end in between
}

// TestHandlersMayMutate holds H18, and that of two policies the inner one wins.
func TestHandlersMayMutate(t *testing.T) {
	outer := errors.Must(headers.New(headers.Options{}))
	inner := errors.Must(headers.New(headers.Options{Profile: headers.Documents, FrameOptions: headers.InsecureOmit}))
	h := outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		require.Equal(t, []string{"require-corp"}, w.Header()["Cross-Origin-Embedder-Policy"])
		require.Equal(t, []string{"DENY"}, w.Header()["X-Frame-Options"])
		for key, lines := range w.Header() {
			lines[0] = "spoiled"
			w.Header()[key] = append(lines, "more")
		}
	})))
	for range 2 {
		h.ServeHTTP(httptest.NewRecorder(), over("https", "GET", "https://a.example/", nil))
	}
}

func TestPolicyAllocatesOnce(t *testing.T) {
	h := errors.Must(headers.New(headers.Options{})).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := httptest.NewRecorder(), over("https", "GET", "https://a.example/", nil)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }), 1.0)
}

// TestNewRefuses holds H14.
func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options headers.Options
		want    string
	}{
		{"preload without subdomains", headers.Options{HSTS: headers.HSTS{Preload: true, ExcludeSubdomains: true}}, "HSTS.Preload"},
		{"preload under a year", headers.Options{HSTS: headers.HSTS{Preload: true, MaxAge: time.Hour}}, "HSTS.Preload"},
		{"clear and more", headers.Options{HSTS: headers.HSTS{Clear: true, MaxAge: time.Hour}}, "HSTS.Clear"},
		{"negative", headers.Options{HSTS: headers.HSTS{MaxAge: -1}}, "HSTS.MaxAge"},
		{"line break", headers.Options{CacheControl: "a\r\nb: c"}, "CacheControl"},
		{"unquoted keyword", headers.Options{CSP: "default-src self"}, `did you mean "'self'"?`},
		{"directive twice", headers.Options{CSP: "img-src a; IMG-SRC b"}, `"img-src": is there twice`},
		{"unknown token", headers.Options{ReferrerPolicy: "never"}, `did you mean "no-referrer"?`},
		{"contradiction", headers.Options{InsecureAllowHTTP: true, HTTPS: headers.RejectAll}, "InsecureAllowHTTP"},
		{"a URL for a host", headers.Options{CanonicalHost: "https://a"}, "is not a host"},
		{"everything exempt", headers.Options{ExemptPaths: []string{"/"}}, `ExemptPaths[0]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := headers.New(tt.options)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "headers: ")
		})
	}
}

func ExampleNew() {
	secure := errors.Must(headers.New(headers.Options{}))
	w := httptest.NewRecorder()
	secure.Handler(served).ServeHTTP(w, over("https", "GET", "https://api.example.com/", nil))
	fmt.Println(w.Header().Get("Strict-Transport-Security"))
	fmt.Println(w.Header().Get("Content-Security-Policy"))
	// Output:
	// max-age=63072000; includeSubDomains
	// default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
}
