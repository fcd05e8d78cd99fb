package cors_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

func TestNewReportsInvalidOrigins(t *testing.T) {
	const generic = `is not an origin; did you mean one as in "https://app.example.com"?`
	const list = "is a list; did you mean one origin per entry?"
	const tls = "is an origin without TLS, so Credentials need InsecureOrigins; did you mean "
	silent := func(scheme string) string {
		return "has a scheme that is never part of an origin, " + scheme + `; did you mean one as in "https://app.example.com"?`
	}
	for origin, want := range map[string]string{
		"null":                     "is the origin of every sandboxed frame; did you mean the origin of the embedding page?",
		"NULL":                     "is the origin of every sandboxed frame; did you mean the origin of the embedding page?",
		"*":                        `must be the only origin; did you mean to remove the others?`,
		"":                         `must not be empty; did you mean "https://app.example.com"?`,
		"example.com":              `is not an origin; did you mean "https://example.com"?`,
		"example.com:8443":         `is not an origin; did you mean "https://example.com:8443"?`,
		"*.example.com":            `is not an origin; did you mean "https://*.example.com"?`,
		"//example.com":            `is not an origin; did you mean "https://example.com"?`,
		"https//example.com":       `is not an origin; did you mean "https://example.com"?`,
		"https:example.com":        `is not an origin; did you mean "https://example.com"?`,
		"https:/example.com":       `is not an origin; did you mean "https://example.com"?`,
		"https:://example.com":     `is not an origin; did you mean "https://example.com"?`,
		`https:\\example.com`:      `is not an origin; did you mean "https://example.com"?`,
		"https://Example.com/":     `is not an origin; did you mean "https://example.com"?`,
		"https://example.com:443":  `is not an origin; did you mean "https://example.com"?`,
		"https://example.com.":     `is not an origin; did you mean "https://example.com"?`,
		"https://example.com/a?b":  `is not an origin; did you mean "https://example.com"?`,
		"https://u:p@example.com":  `is not an origin; did you mean "https://example.com"?`,
		"localhost:3000":           `is not an origin; did you mean "http://localhost:3000"?`,
		"https://résumé.com":       "has characters that no origin has; did you mean its ASCII form, xn--...?",
		"https://*":                generic,
		"https://*.com":            `has a wildcard before a single label; did you mean "https://*.example.com"?`,
		"https://*.10.0.0.1":       `has a wildcard before an address; did you mean "https://10.0.0.1"?`,
		"https://*example.com":     generic,
		"https://a.*.example.com":  generic,
		"https://a.example:1:*":    generic,
		"*://a.example":            generic,
		"https://a.0x1f":           generic,
		"https://a.12":             generic,
		"https://10.0.0.0.1":       generic,
		"https://[::1%25eth0]":     generic,
		"https://":                 generic,
		"tauri://*.example.com":    "has a wildcard, which needs the scheme https or http; did you mean each origin by its name?",
		"http://a.example":         `is an origin without TLS, so Credentials need InsecureOrigins; did you mean "https://a.example"?`,
		"http://*.a.example:*":     tls + `"https://*.a.example:*"?`,
		"http://192.168.1.10:3000": tls + `"https://192.168.1.10:3000"?`,
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop": "is an origin without TLS, so Credentials need InsecureOrigins",
		// FC2: origins that no browser sends.
		"wss://a.example":                `is not an origin; did you mean "https://a.example"?`,
		"wss://*.a.example:8443":         `is not an origin; did you mean "https://*.a.example:8443"?`,
		"ws://a.example":                 `is not an origin; did you mean "https://a.example"?`,
		"ws://localhost:3000":            `is not an origin; did you mean "http://localhost:3000"?`,
		"htps://a.example":               `is not an origin; did you mean "https://a.example"?`,
		"httpss://a.example":             `is not an origin; did you mean "https://a.example"?`,
		"htpps://a.example":              `is not an origin; did you mean "https://a.example"?`,
		"htp://localhost":                `is not an origin; did you mean "http://localhost"?`,
		"file://":                        silent("file"),
		"file:///home/index.html":        silent("file"),
		"data:text/html":                 silent("data"),
		"blob:https://a.example":         silent("blob"),
		"about:blank":                    silent("about"),
		"javascript:void(0)":             silent("javascript"),
		"ftp://a.example":                silent("ftp"),
		"https://xn--f":                  "has a label with invalid Punycode after xn-- (RFC 3492); did you mean the ASCII form of an international name?",
		"https://a.xn--.example":         "has a label with invalid Punycode after xn-- (RFC 3492); did you mean the ASCII form of an international name?",
		"https://*.xn--99999999.example": "has a label with invalid Punycode after xn-- (RFC 3492); did you mean the ASCII form of an international name?",
		"https://*." + labels(252):       "matches nothing, because a host name has at most 253 bytes; did you mean the host alone?",
		"https://*." + labels(253):       "matches nothing, because a host name has at most 253 bytes; did you mean the host alone?",
		// FC4: lists and blanks.
		"https://a.example,https://b.example":  list,
		"https://a.example, https://b.example": list,
		"https://a.example https://b.example":  list,
		"https://a.example;https://b.example":  list,
		"https://a b.com":                      list,
		" https://a.example":                   `is not an origin; did you mean "https://a.example"?`,
		"https://a.example\t":                  `is not an origin; did you mean "https://a.example"?`,
		" null":                                "is the origin of every sandboxed frame; did you mean the origin of the embedding page?",
	} {
		t.Run(origin, func(t *testing.T) {
			_, err := cors.New(cors.Options{Origins: []string{"https://ok.example", origin}, Credentials: true})
			require.EqualError(t, err, "cors: Origins[1] "+strconv.Quote(origin)+": "+want)
		})
	}
	for _, origin := range []string{
		"https://localhost", "http://foo.localhost:3000", "http://127.0.0.1:8080", "http://[::1]", "capacitor://localhost", "https://1.2.3.4",
		"https://xn--bcher-kva.example", "https://xn--p1ai.example", "https://*.xn--fiqs8s.example", "https://*." + labels(251),
	} {
		_, err := cors.New(cors.Options{Origins: []string{origin}, Credentials: true})
		require.NoError(t, err, origin)
	}
	_, err := cors.New(cors.Options{Origins: []string{"http://a.example", "moz-extension://a0b1"}, Credentials: true, InsecureOrigins: true})
	require.NoError(t, err)
}

// labels returns a host name of n bytes.
func labels(n int) string {
	name := strings.Repeat(strings.Repeat("a", 60)+".", 6)
	return name[:n-len(".example")-1] + "a.example"
}

func TestWildcardsMatchLoopback_FC4(t *testing.T) {
	m := compile(t, cors.Options{Origins: []string{"http://*.localhost:3000", "https://*.localhost:*", "http://*.app.localhost:8080"}, Credentials: true})
	for origin, want := range map[string]bool{
		"http://localhost:3000": false, "http://a.localhost": false, "http://a.localhost:3001": false, "http://evil.tld.localhost.evil.tld:3000": false, "http://alocalhost:3000": false,
		"http://localhost.evil.tld:3000": false, "http://a.localhost.:3000": false, "http://app.localhost:8080": false,
		"http://a.localhost:3000": true, "http://a.b.localhost:3000": true, "https://a.localhost:8443": true, "http://x.app.localhost:8080": true,
	} {
		require.Equal(t, want, m.AllowsOrigin(from(origin)), origin)
	}
}

func TestNewReportsInvalidOptions(t *testing.T) {
	for _, row := range []struct {
		name    string
		options cors.Options
		want    string
	}{
		{name: "nothing", options: cors.Options{}, want: `cors: Origins: must not be empty; did you mean "https://app.example.com" or "*"?`},
		{
			name:    "any origin with Credentials",
			options: cors.Options{Origins: []string{"*"}, Credentials: true},
			want:    `cors: Origins[0] "*": lets every page use the visitor's Credentials; did you mean to list the origins?`,
		},
		{
			name:    "any origin with EnforceAll",
			options: cors.Options{Origins: []string{"*"}, Enforce: cors.EnforceAll},
			want:    `cors: Enforce: EnforceAll has no effect with Origins "*"; did you mean one of them?`,
		},
		{
			name:    "twice",
			options: cors.Options{Origins: []string{"https://a.example", "https://a.example"}},
			want:    `cors: Origins[1] "https://a.example": is listed twice`,
		},
		{
			name:    "methods",
			options: cors.Options{Origins: []string{"*"}, Methods: []string{"patch", "TRACE", "*", "a b"}},
			want:    "cors: Methods[0] \"patch\": is not in upper case; did you mean \"PATCH\"?\ncors: Methods[1] \"TRACE\": is a method that browsers forbid (Fetch, forbidden method)\ncors: Methods[2] \"*\": lets a page use any method; did you mean the methods by their names?\ncors: Methods[3] \"a b\": is not a method",
		},
		{
			name:    "headers",
			options: cors.Options{Origins: []string{"*"}, Headers: []string{"a b", "Cookie", "Sec-X", "Proxy-X"}},
			want:    "cors: Headers[0] \"a b\": is not a header name of at most 128 bytes\ncors: Headers[1] \"Cookie\": is a header that no page can set (Fetch, forbidden request-header)\ncors: Headers[2] \"Sec-X\": is a header that no page can set (Fetch, forbidden request-header)\ncors: Headers[3] \"Proxy-X\": is a header that no page can set (Fetch, forbidden request-header)",
		},
		{
			name:    "FC5 any header with credentials",
			options: cors.Options{Origins: []string{"https://a.example"}, Credentials: true, Headers: []string{"*"}},
			want:    `cors: Headers[0] "*": lets a page set any header, which needs Origins "*" without Credentials; did you mean the headers by their names?`,
		},
		{
			name:    "FC5 any header from one origin",
			options: cors.Options{Origins: []string{"https://a.example"}, Headers: []string{"*"}},
			want:    `cors: Headers[0] "*": lets a page set any header, which needs Origins "*" without Credentials; did you mean the headers by their names?`,
		},
		{
			name:    "FC5 any header and another",
			options: cors.Options{Origins: []string{"*"}, Headers: []string{"X-A", "*", "Authorization"}},
			want:    `cors: Headers[0] "X-A": is covered by "*"; did you mean one of them?`,
		},
		{
			name:    "expose",
			options: cors.Options{Origins: []string{"*"}, Expose: []string{"*", "", "set-cookie"}},
			want:    "cors: Expose[0] \"*\": exposes every header; did you mean the headers by their names?\ncors: Expose[1] \"\": is not a header name\ncors: Expose[2] \"set-cookie\": is a header that no page can read (Fetch, forbidden response-header name)",
		},
		{
			name:    "ages",
			options: cors.Options{Origins: []string{"*"}, MaxAge: 25 * time.Hour},
			want:    "cors: MaxAge 25h0m0s: must be whole seconds up to 24h, 0 or NoCache; did you mean 24h0m0s?",
		},
		{name: "a negative age", options: cors.Options{Origins: []string{"*"}, MaxAge: -time.Second}, want: "cors: MaxAge -1s: is negative; did you mean cors.NoCache?"},
		{
			name:    "a number of seconds",
			options: cors.Options{Origins: []string{"*"}, MaxAge: 600},
			want:    "cors: MaxAge 600ns: must be whole seconds up to 24h, 0 or NoCache; did you mean 10m0s?",
		},
		{
			name:    "milliseconds",
			options: cors.Options{Origins: []string{"*"}, MaxAge: 600 * time.Millisecond},
			want:    "cors: MaxAge 600ms: must be whole seconds up to 24h, 0 or NoCache",
		},
		{name: "status", options: cors.Options{Origins: []string{"*"}, PreflightStatus: 201}, want: "cors: PreflightStatus 201: must be 200 or 204"},
		{
			name:    "enforcement",
			options: cors.Options{Origins: []string{"*"}, Enforce: 9},
			want:    "cors: Enforce 9: is unknown; did you mean EnforceUnsafe, EnforceAll or InsecureEnforceOff?",
		},
		{
			name:    "exempt from nothing",
			options: cors.Options{Origins: []string{"*"}, Enforce: cors.InsecureEnforceOff, Exempt: []string{"/x"}},
			want:    "cors: Exempt: InsecureEnforceOff exempts every request; did you mean one of them?",
		},
		{
			name:    "all exempt",
			options: cors.Options{Origins: []string{"https://a.example"}, Exempt: []string{"/"}},
			want:    `cors: Exempt[0] "/": opens every path; did you mean "/{$}"?`,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := cors.New(row.options)
			require.EqualError(t, err, row.want)
		})
	}
}

// Response headers are refused in Headers, and request headers in Expose.
func TestNewReportsHeadersInWrongList_FC5(t *testing.T) {
	for _, name := range []string{
		"Access-Control-Allow-Origin", "access-control-allow-headers", "Access-Control-Expose-Headers", "Access-Control-Max-Age",
		"Location", "Retry-After", "Server", "Strict-Transport-Security", "Vary", "WWW-Authenticate", "Content-Security-Policy", "X-Frame-Options",
	} {
		_, err := cors.New(cors.Options{Origins: []string{allowedOrigin}, Headers: []string{name}})
		require.EqualError(t, err, `cors: Headers[0] "`+name+`": is a response header; did you mean Expose, or no entry at all?`)
	}
	for _, name := range []string{
		"Origin", "Referer", "Host", "Cookie", "Authorization", "User-Agent", "If-Match", "If-None-Match", "If-Modified-Since", "Range", "DPoP", "X-Requested-With", "Sec-Fetch-Site",
		"Access-Control-Request-Headers",
	} {
		_, err := cors.New(cors.Options{Origins: []string{allowedOrigin}, Expose: []string{name}})
		require.EqualError(t, err, `cors: Expose[0] "`+name+`": is a request header; did you mean Headers?`)
	}
	_, err := cors.New(cors.Options{Origins: []string{allowedOrigin}, Expose: []string{"Access-Control-Allow-Origin"}})
	require.EqualError(t, err, `cors: Expose[0] "Access-Control-Allow-Origin": is read by the browser itself; did you mean to leave it out?`)
	compile(t, cors.Options{
		Origins: []string{allowedOrigin}, Headers: []string{"Authorization", "Content-Type", "If-Match", "Idempotency-Key", "X-Requested-With", "DPoP", "Range"},
		Expose: []string{"ETag", "Location", "Retry-After", "Link", "DPoP-Nonce", "WWW-Authenticate", "Accept-Ranges", "Date"},
	})
}

func TestAnyHeaderExcludesAuthorization_FC5(t *testing.T) {
	for _, row := range []struct {
		name      string
		listed    []string
		requested []string
		allowed   string // "": the preflight fails
	}{
		{name: "Authorization that is not listed", listed: []string{"*"}, requested: []string{"authorization"}},
		{name: "Authorization among others", listed: []string{"*"}, requested: []string{"x-a, AUTHORIZATION"}},
		{name: "more than any browser sends", listed: []string{"*"}, requested: []string{strings.Repeat("x-a,", 1<<12)}},
		{name: "any header", listed: []string{"*"}, requested: []string{"content-type,x-a", strings.Repeat("x", 200)}, allowed: "*"},
		{name: "no header", listed: []string{"*"}, allowed: "*"},
		{name: "Authorization that is listed", listed: []string{"*", "Authorization"}, requested: []string{"authorization,x-a"}, allowed: "*, Authorization"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := compile(t, cors.Options{Origins: []string{"*"}, Headers: row.listed, MaxAge: time.Minute})
			header := http.Header{"Origin": {"https://any.example"}, acrm: {"GET"}, acrh: row.requested}
			res := do(m.Handler(next), "OPTIONS", "/", header)
			if row.allowed == "" {
				require.Equal(t, 403, res.StatusCode)
				require.Equal(t, failed(), res.Header)
				return
			}
			require.Equal(t, 204, res.StatusCode)
			require.Equal(t, http.Header{
				"Vary": {varyPreflight}, "Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Headers": {row.allowed}, "Access-Control-Max-Age": {"60"},
			}, res.Header)
			w, r := &discard{header: http.Header{}}, httptest.NewRequest("OPTIONS", "/", nil)
			r.Header = header
			h := m.Handler(next)
			require.Zero(t, testing.AllocsPerRun(100, func() { clear(w.header); h.ServeHTTP(w, r) }))
		})
	}
}
