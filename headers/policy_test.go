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
		{name: "a quote", kinds: []string{`cookies", "x`}, want: http.Header{}},
		{name: "a line break", kinds: []string{"cookies\r\nA: b", ""}, want: http.Header{}},
		{name: "none named", want: http.Header{"Clear-Site-Data": {`"cache", "cookies", "storage"`}}},
		{name: "named", kinds: []string{"executionContexts", "*"}, want: http.Header{"Clear-Site-Data": {`"executionContexts", "*"`}}},
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
		{
			name:    "preload without subdomains",
			options: headers.Options{HSTS: headers.HSTS{Preload: true, ExcludeSubdomains: true}},
			want:    "headers: HSTS.Preload true: requires subdomains and a max-age of at least one year; did you mean HSTS{Preload: true}?",
		},
		{name: "preload under a year", options: headers.Options{HSTS: headers.HSTS{Preload: true, MaxAge: time.Hour}}, want: "HSTS.Preload"},
		{
			name:    "Clear with other fields",
			options: headers.Options{HSTS: headers.HSTS{Clear: true, MaxAge: time.Hour}},
			want:    "headers: HSTS.Clear true: contradicts the other fields; did you mean HSTS{Clear: true}?",
		},
		{
			name:    "a number of seconds",
			options: headers.Options{HSTS: headers.HSTS{MaxAge: 31536000}},
			want:    "HSTS.MaxAge 31.536ms: must be whole seconds; did you mean 8760h0m0s?",
		},
		{name: "negative", options: headers.Options{HSTS: headers.HSTS{MaxAge: -1}}, want: "headers: HSTS.MaxAge -1ns: is negative; did you mean Clear?"},
		{name: "line break", options: headers.Options{CacheControl: "a\r\nb: c"}, want: "CacheControl"},
		{name: "unknown token", options: headers.Options{ReferrerPolicy: "never"}, want: `did you mean "no-referrer"?`},
		{
			name:    "HTTPS above its values",
			options: headers.Options{HTTPS: headers.InsecureAllowHTTP + 1},
			want:    "headers: HTTPS 3: is unknown; did you mean RejectOrRedirect, RejectAll or InsecureAllowHTTP?",
		},
		{name: "part of a second", options: headers.Options{HSTS: headers.HSTS{MaxAge: 1500 * time.Millisecond}}, want: "HSTS.MaxAge 1.5s: must be whole seconds"},
		{name: "line break in CSP", options: headers.Options{CSP: "default-src 'none'\r\nSet-Cookie: a=b"}, want: "CSP"},
		{name: "a blank Cache-Control", options: headers.Options{CacheControl: " "}, want: `headers: CacheControl " "`},
		{
			name:    "a port that no host has",
			options: headers.Options{CanonicalHost: "api.example.com:99999"},
			want:    `headers: CanonicalHost "api.example.com:99999": is not a host; did you mean "api.example.com"?`,
		},
		{name: "port 0", options: headers.Options{AllowedHosts: []string{"api.example.com:0"}}, want: "is not a host"},
		{name: "port 00443", options: headers.Options{AllowedHosts: []string{"api.example.com:00443"}}, want: "is not a host"},
		{name: "misspelt token", options: headers.Options{ReferrerPolicy: "strict-orgin"}, want: `did you mean "strict-origin"?`},
		{name: "a token of another header", options: headers.Options{ResourcePolicy: "require-corp"}, want: `ResourcePolicy "require-corp": is unknown`},
		{name: "frame options in lower case", options: headers.Options{FrameOptions: "deny"}, want: `headers: FrameOptions "deny": is unknown; did you mean "DENY"?`},
		{
			name:    "FH7 the other frame options in lower case",
			options: headers.Options{FrameOptions: "sameorigin"},
			want:    `headers: FrameOptions "sameorigin": is unknown; did you mean "SAMEORIGIN"?`,
		},
		{
			name:    "FH7 frame options with a hyphen",
			options: headers.Options{FrameOptions: "Same-Origin"},
			want:    `headers: FrameOptions "Same-Origin": is unknown; did you mean "SAMEORIGIN"?`,
		},
		{
			name:    "FH7 frame options that browsers dropped",
			options: headers.Options{FrameOptions: "ALLOW-FROM https://a.example"},
			want:    `headers: FrameOptions "ALLOW-FROM https://a.example": is unknown; did you mean "DENY"?`,
		},
		{name: "FH7 an unknown profile", options: headers.Options{Profile: 7}, want: `headers: Profile 7: is unknown; did you mean API or Documents?`},
		{
			name:    "FH7 an unknown rule for plain HTTP",
			options: headers.Options{HTTPS: 7},
			want:    `headers: HTTPS 7: is unknown; did you mean RejectOrRedirect, RejectAll or InsecureAllowHTTP?`,
		},
		{
			name:    "allowed host with a path",
			options: headers.Options{AllowedHosts: []string{"api.example.com", "a/b"}},
			want:    `AllowedHosts[1] "a/b": is not a host; did you mean "api.example.com"?`,
		},
		{name: "credential header", options: headers.Options{CredentialHeaders: []string{"a b"}}, want: `CredentialHeaders[0] "a b": is not a header name`},
		{
			name:    "extra that is managed",
			options: headers.Options{Extra: http.Header{"Content-Security-Policy": {"x"}}},
			want:    `headers: Extra "Content-Security-Policy": is set by CSP`,
		},
		{name: "extra of cors", options: headers.Options{Extra: http.Header{"Access-Control-Allow-Origin": {"*"}}}, want: `is set by package cors`},
		{name: "extra that did harm", options: headers.Options{Extra: http.Header{"X-Xss-Protection": {"1"}}}, want: `is obsolete and harmful`},
		{
			name:    "extra not canonical",
			options: headers.Options{Extra: http.Header{"x-robots-tag": {"none"}}},
			want:    `is not in canonical form; did you mean "X-Robots-Tag"?`,
		},
		{name: "extra with a line break", options: headers.Options{Extra: http.Header{"X-A": {"a\nb"}}}, want: `headers: Extra "X-A": has an empty or invalid value`},
		{name: "extra without a value", options: headers.Options{Extra: http.Header{"X-A": nil}}, want: `headers: Extra "X-A": must not be empty`},
		{name: "extra without a name", options: headers.Options{Extra: http.Header{"X A": {"a"}}}, want: `headers: Extra "X A": is not a header name`},
		{
			name:    "extra with an unknown token",
			options: headers.Options{Extra: http.Header{"Cross-Origin-Opener-Policy": {"same-orgin"}}},
			want:    `did you mean "same-origin"?`,
		},
		{name: "a URL for a host", options: headers.Options{CanonicalHost: "https://a"}, want: "is not a host"},
		{name: "everything exempt", options: headers.Options{Exempt: []string{"/"}}, want: `Exempt[0]`},
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
