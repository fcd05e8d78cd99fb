package headers_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
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

// 128 concurrent handlers modify all their headers; no other response changes
// (rs/cors issue 198).
func TestHandlersMayModifyHeaders(t *testing.T) {
	p := errors.Must(headers.New(headers.Options{Extra: http.Header{"X-Robots-Tag": {"noindex", "nofollow"}}}))
	want := api("Strict-Transport-Security", hsts)
	want["X-Robots-Tag"] = []string{"noindex", "nofollow"}
	h := p.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !reflect.DeepEqual(want, w.Header()) {
			t.Errorf("another response changed: %v", w.Header())
		}
		for key, lines := range w.Header() {
			for i := range lines {
				lines[i] = "spoiled"
			}
			w.Header()[key] = append(lines, "more")
		}
	}))
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			for range 50 {
				h.ServeHTTP(httptest.NewRecorder(), over("https", "GET", "https://a.example/", nil))
			}
		})
	}
	all.Wait()
}

// A handler that sets HSTS replaces it.
func TestInnerPolicyWins(t *testing.T) {
	outer := errors.Must(headers.New(headers.Options{}))
	inner := errors.Must(headers.New(headers.Options{
		Profile: headers.Documents, FrameOptions: headers.InsecureOmit, InsecureCSP: true, CSP: "style-src 'unsafe-inline'",
		Extra: http.Header{"Cross-Origin-Embedder-Policy": {"credentialless"}},
	}))
	w := httptest.NewRecorder()
	outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
	}))).ServeHTTP(w, over("https", "GET", "https://a.example/", nil))
	require.Equal(t, api("Strict-Transport-Security", "max-age=1", "Content-Security-Policy", "style-src 'unsafe-inline'",
		"Cross-Origin-Embedder-Policy", "credentialless", "Cross-Origin-Opener-Policy", "same-origin",
		"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"), w.Header())
}

func TestClearSiteDataWritesKinds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kinds []string
		want  http.Header
	}{
		{"a quote", []string{`cookies", "x`}, http.Header{}},
		{"a line break", []string{"cookies\r\nA: b", ""}, http.Header{}},
		{"none named", nil, http.Header{"Clear-Site-Data": {`"cache", "cookies", "storage"`}}},
		{"named", []string{"executionContexts", "*"}, http.Header{"Clear-Site-Data": {`"executionContexts", "*"`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			headers.ClearSiteData(w, tt.kinds...)
			require.Equal(t, tt.want, w.Header())
		})
	}
}

// A Go map with more than eight keys must grow.
func TestHeaderMapStaysSmall(t *testing.T) {
	w := httptest.NewRecorder()
	errors.Must(headers.New(headers.Options{})).Handler(served).ServeHTTP(w, over("https", "GET", "https://a.example/", nil))
	require.LessOrEqual(t, len(w.Header()), 7, "one key must remain for Content-Type")
}

func TestPolicyDoesNotAllocate(t *testing.T) {
	h := errors.Must(headers.New(headers.Options{})).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := httptest.NewRecorder(), over("https", "GET", "https://a.example/", nil)
	require.Zero(t, testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }))
}

func TestNewReportsInvalidOptions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options headers.Options
		want    string
	}{
		{"preload without subdomains", headers.Options{HSTS: headers.HSTS{Preload: true, ExcludeSubdomains: true}}, "headers: HSTS.Preload true: requires subdomains and a max-age of at least one year; did you mean HSTS{Preload: true}?"},
		{"preload under a year", headers.Options{HSTS: headers.HSTS{Preload: true, MaxAge: time.Hour}}, "HSTS.Preload"},
		{"Clear with other fields", headers.Options{HSTS: headers.HSTS{Clear: true, MaxAge: time.Hour}}, "headers: HSTS.Clear true: contradicts the other fields; did you mean HSTS{Clear: true}?"},
		{"a number of seconds", headers.Options{HSTS: headers.HSTS{MaxAge: 31536000}}, "HSTS.MaxAge 31.536ms: must be whole seconds; did you mean 8760h0m0s?"},
		{"negative", headers.Options{HSTS: headers.HSTS{MaxAge: -1}}, "headers: HSTS.MaxAge -1ns: is negative; did you mean Clear?"},
		{"line break", headers.Options{CacheControl: "a\r\nb: c"}, "CacheControl"},
		{"unknown token", headers.Options{ReferrerPolicy: "never"}, `did you mean "no-referrer"?`},
		{"HTTPS above its values", headers.Options{HTTPS: headers.InsecureAllowHTTP + 1}, "headers: HTTPS 3: is unknown; did you mean RejectOrRedirect, RejectAll or InsecureAllowHTTP?"},
		{"part of a second", headers.Options{HSTS: headers.HSTS{MaxAge: 1500 * time.Millisecond}}, "HSTS.MaxAge 1.5s: must be whole seconds"},
		{"line break in CSP", headers.Options{CSP: "default-src 'none'\r\nSet-Cookie: a=b"}, "CSP"},
		{"a blank Cache-Control", headers.Options{CacheControl: " "}, `headers: CacheControl " "`},
		{"a port that no host has", headers.Options{CanonicalHost: "api.example.com:99999"}, `headers: CanonicalHost "api.example.com:99999": is not a host; did you mean "api.example.com"?`},
		{"port 0", headers.Options{AllowedHosts: []string{"api.example.com:0"}}, "is not a host"},
		{"port 00443", headers.Options{AllowedHosts: []string{"api.example.com:00443"}}, "is not a host"},
		{"misspelt token", headers.Options{ReferrerPolicy: "strict-orgin"}, `did you mean "strict-origin"?`},
		{"a token of another header", headers.Options{ResourcePolicy: "require-corp"}, `ResourcePolicy "require-corp": is unknown`},
		{"frame options in lower case", headers.Options{FrameOptions: "deny"}, `headers: FrameOptions "deny": is unknown; did you mean "DENY"?`},
		{"FH7 the other frame options in lower case", headers.Options{FrameOptions: "sameorigin"}, `headers: FrameOptions "sameorigin": is unknown; did you mean "SAMEORIGIN"?`},
		{"FH7 frame options with a hyphen", headers.Options{FrameOptions: "Same-Origin"}, `headers: FrameOptions "Same-Origin": is unknown; did you mean "SAMEORIGIN"?`},
		{"FH7 frame options that browsers dropped", headers.Options{FrameOptions: "ALLOW-FROM https://a.example"}, `headers: FrameOptions "ALLOW-FROM https://a.example": is unknown; did you mean "DENY"?`},
		{"FH7 an unknown profile", headers.Options{Profile: 7}, `headers: Profile 7: is unknown; did you mean API or Documents?`},
		{"FH7 an unknown rule for plain HTTP", headers.Options{HTTPS: 7}, `headers: HTTPS 7: is unknown; did you mean RejectOrRedirect, RejectAll or InsecureAllowHTTP?`},
		{"allowed host with a path", headers.Options{AllowedHosts: []string{"api.example.com", "a/b"}}, `AllowedHosts[1] "a/b": is not a host; did you mean "api.example.com"?`},
		{"credential header", headers.Options{CredentialHeaders: []string{"a b"}}, `CredentialHeaders[0] "a b": is not a header name`},
		{"extra that is managed", headers.Options{Extra: http.Header{"Content-Security-Policy": {"x"}}}, `headers: Extra "Content-Security-Policy": is set by CSP`},
		{"extra of cors", headers.Options{Extra: http.Header{"Access-Control-Allow-Origin": {"*"}}}, `is set by package cors`},
		{"extra that did harm", headers.Options{Extra: http.Header{"X-Xss-Protection": {"1"}}}, `is obsolete and harmful`},
		{"extra not canonical", headers.Options{Extra: http.Header{"x-robots-tag": {"none"}}}, `is not in canonical form; did you mean "X-Robots-Tag"?`},
		{"extra with a line break", headers.Options{Extra: http.Header{"X-A": {"a\nb"}}}, `headers: Extra "X-A": has an empty or invalid value`},
		{"extra without a value", headers.Options{Extra: http.Header{"X-A": nil}}, `headers: Extra "X-A": must not be empty`},
		{"extra without a name", headers.Options{Extra: http.Header{"X A": {"a"}}}, `headers: Extra "X A": is not a header name`},
		{"extra with an unknown token", headers.Options{Extra: http.Header{"Cross-Origin-Opener-Policy": {"same-orgin"}}}, `did you mean "same-origin"?`},
		{"a URL for a host", headers.Options{CanonicalHost: "https://a"}, "is not a host"},
		{"everything exempt", headers.Options{Exempt: []string{"/"}}, `Exempt[0]`},
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
