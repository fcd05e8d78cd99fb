package cors_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

// options returns the options that most tests share.
func options() cors.Options {
	return cors.Options{
		Origins:     []string{"https://app.example.com", "https://*.wild.example", "http://localhost:3000", "https://[::1]:8443", "https://*.ports.example:*", "http://localhost:*"},
		Credentials: true,
		Methods:     []string{"PUT", "DELETE"},
		Headers:     []string{"Authorization", "Content-Type", "X-A"},
		MaxAge:      10 * time.Minute,
		Expose:      []string{"X-Request-Id"},
		Enforce:     cors.InsecureEnforceOff,
		Logger:      slog.New(slog.DiscardHandler),
	}
}

func compile(t testing.TB, o cors.Options) *cors.Middleware {
	t.Helper()
	m, err := cors.New(o)
	require.NoError(t, err)
	return m
}

// next marks what reached the handler.
var next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header()["X-Next"] = []string{r.Method} })

func do(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

const (
	varyOrigin    = "Origin"
	acrm, acrh    = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	varyPreflight = "Origin, " + acrm + ", " + acrh
	allowedOrigin = "https://app.example.com"
)

func actual(method string) http.Header {
	return http.Header{
		"X-Next": {method}, "Vary": {varyOrigin}, "Access-Control-Allow-Origin": {allowedOrigin},
		"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"X-Request-Id"},
	}
}

func none(method string) http.Header { return http.Header{"X-Next": {method}, "Vary": {varyOrigin}} }

func failed() http.Header { return http.Header{"Vary": {varyPreflight}} }

// Fetch, section 3.3.
func TestEachKindOfRequestGetsItsHeaders(t *testing.T) {
	ways := transports(t, compile(t, options()).Handler(next))
	allowed := []string{allowedOrigin}
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		status               int
		want                 http.Header
	}{
		{name: "two origins", method: "GET", target: "/", header: http.Header{"Origin": {allowedOrigin, "https://evil.example"}}, status: 200, want: none("GET")},
		{
			name:   "two origins, the listed one second",
			method: "GET",
			target: "/",
			header: http.Header{"Origin": {"https://evil.example", allowedOrigin}},
			status: 200,
			want:   none("GET"),
		},
		{name: "two equal origins", method: "GET", target: "/", header: http.Header{"Origin": {allowedOrigin, allowedOrigin}}, status: 200, want: none("GET")},
		{
			name:   "a preflight with two origins",
			method: "OPTIONS",
			target: "/",
			header: http.Header{"Origin": {allowedOrigin, allowedOrigin}, acrm: {"PUT"}},
			status: 403,
			want:   failed(),
		},
		{name: "a preflight with an empty method", method: "OPTIONS", target: "/", header: http.Header{"Origin": allowed, acrm: {""}}, status: 403, want: failed()},
		{name: "a preflight for another network (Private Network Access)", method: "OPTIONS", target: "/", header: http.Header{"Origin": allowed, acrm: {"GET"}, "Access-Control-Request-Private-Network": {"true"}}, status: 204, want: http.Header{
			"Access-Control-Allow-Origin": {allowedOrigin}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"600"}, "Vary": {varyPreflight},
		}},
		{name: "a preflight with two methods", method: "OPTIONS", target: "/", header: http.Header{"Origin": allowed, acrm: {"PUT", "PUT"}}, status: 403, want: failed()},
		{name: "no origin", method: "GET", target: "/", status: 200, want: none("GET")},
		{name: "not allowed", method: "GET", target: "/", header: http.Header{"Origin": {"https://evil.example"}}, status: 200, want: none("GET")},
		{name: "allowed", method: "GET", target: "/", header: http.Header{"Origin": allowed}, status: 200, want: actual("GET")},
		{name: "HEAD", method: "HEAD", target: "/", header: http.Header{"Origin": allowed}, status: 200, want: actual("HEAD")},
		{name: "OPTIONS without a requested method", method: "OPTIONS", target: "/", header: http.Header{"Origin": allowed}, status: 200, want: actual("OPTIONS")},
		{name: "OPTIONS without an origin", method: "OPTIONS", target: "/", header: http.Header{acrm: {"PUT"}}, status: 200, want: none("OPTIONS")},
		{
			name:   "GET with a requested method",
			method: "GET",
			target: "/",
			header: http.Header{"Origin": allowed, acrm: {"PUT"}, acrh: {"x-evil"}},
			status: 200,
			want:   actual("GET"),
		},
		{name: "PUT with a requested method", method: "PUT", target: "/", header: http.Header{"Origin": allowed, acrm: {"PUT"}}, status: 200, want: actual("PUT")},
		{name: "options in lower case", method: "options", target: "/", header: http.Header{"Origin": allowed, acrm: {"PUT"}}, status: 200, want: actual("options")},
		{name: "the asterisk form", method: "OPTIONS", target: "*", header: http.Header{"Origin": allowed, acrm: {"PUT"}}, status: 200, want: actual("OPTIONS")},
	} {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, ways, row.method, row.target, row.header, row.status, row.want)
		})
	}
}

func TestPreflightResponsesAreExact(t *testing.T) {
	ways := transports(t, compile(t, options()).Handler(next))
	long := strings.Repeat("a", 1<<20)
	for _, row := range []struct {
		name, origin, method string
		headers              []string
		want, oversized      bool
	}{
		{name: "an origin that is not listed", origin: "https://evil.example", method: "PUT"},
		{name: "null", origin: "null", method: "PUT"},
		{name: "PATCH", origin: allowedOrigin, method: "PATCH"},
		{name: "put", origin: allowedOrigin, method: "put"},
		{name: "*", origin: allowedOrigin, method: "*"},
		{name: "TRACE", origin: allowedOrigin, method: "TRACE"},
		{name: "CONNECT", origin: allowedOrigin, method: "CONNECT"},
		{name: "a long method", origin: allowedOrigin, method: long, oversized: true},
		{name: "TRACK", origin: allowedOrigin, method: "TRACK"},
		{name: "no method", origin: allowedOrigin},
		{name: "a method that is no token", origin: allowedOrigin, method: "PUT, DELETE"},
		{name: "1 MiB in 1024 lines", origin: allowedOrigin, method: "PUT", headers: slices.Repeat([]string{strings.Repeat(",", 1023)}, 1024), oversized: true},
		{name: "a byte that no name has", origin: allowedOrigin, method: "PUT", headers: []string{"x-\xe4"}},
		{name: "a header that is not listed", origin: allowedOrigin, method: "PUT", headers: []string{"x-evil"}},
		{name: "the same, in the second line", origin: allowedOrigin, method: "PUT", headers: []string{"authorization", "x-evil"}},
		{name: "the same, last", origin: allowedOrigin, method: "PUT", headers: []string{"authorization,x-evil"}},
		{name: "* as a header", origin: allowedOrigin, method: "PUT", headers: []string{"*"}},
		{name: "1 MiB of a name", origin: allowedOrigin, method: "PUT", headers: []string{long}, oversized: true},
		{name: "1 MiB of commas", origin: allowedOrigin, method: "PUT", headers: []string{strings.Repeat(",", 1<<20)}, oversized: true},
		{name: "65 536 empty lines", origin: allowedOrigin, method: "PUT", headers: make([]string, 1<<16), oversized: true},
		{name: "GET", origin: allowedOrigin, method: "GET", want: true},
		{name: "HEAD", origin: allowedOrigin, method: "HEAD", want: true},
		{name: "POST", origin: allowedOrigin, method: "POST", headers: []string{"content-type"}, want: true},
		{name: "PUT", origin: allowedOrigin, method: "PUT", headers: []string{"authorization,content-type"}, want: true},
		{name: "DELETE from a wildcard", origin: "https://a.wild.example", method: "DELETE", want: true},
		{name: "another order, case and spaces", origin: allowedOrigin, method: "PUT", headers: []string{"X-A ,\tContent-Type, authorization"}, want: true},
		{name: "several lines, doubles, empty elements", origin: allowedOrigin, method: "PUT", headers: []string{"x-a,,x-a,", "", "authorization"}, want: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := http.Header{"Origin": {row.origin}, acrm: {row.method}}
			want := http.Header{
				"Access-Control-Allow-Origin": {row.origin}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"600"},
				"Vary": {varyPreflight},
			}
			if row.headers != nil {
				header[acrh], want["Access-Control-Allow-Headers"] = row.headers, row.headers
			}
			if row.method == "PUT" || row.method == "DELETE" {
				want["Access-Control-Allow-Methods"] = []string{row.method}
			}
			status := 204
			if !row.want {
				status, want = 403, failed()
			}
			rowWays := ways
			if row.oversized { // net/http answers 431 or a reset to these; the middleware is called all the same
				rowWays = only(ways, "called")
			}
			everywhere(t, rowWays, "OPTIONS", "/", header, status, want)
		})
	}
}

func TestAnyOriginMayCall(t *testing.T) {
	m := compile(t, cors.Options{Origins: []string{"*"}, Methods: []string{"PUT"}, Expose: []string{}, PreflightStatus: 200, MaxAge: cors.NoCache})
	h := m.Handler(next)
	require.Equal(t, http.Header{"X-Next": {"GET"}, "Access-Control-Allow-Origin": {"*"}}, do(h, "GET", "/", http.Header{"Origin": {"null"}}).Header)
	require.Equal(t, http.Header{"X-Next": {"GET"}}, do(h, "GET", "/", nil).Header)
	require.Equal(t, 200, do(h, "POST", "/", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}).StatusCode)
	res := do(h, "OPTIONS", "/", http.Header{"Origin": {"https://x.example"}, acrm: {"PUT"}})
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"PUT"}, "Access-Control-Max-Age": {"0"}, "Vary": {varyPreflight},
	}, res.Header)
	require.False(t, m.AllowsOrigin(from("https://x.example")), "any origin may read, but AllowsOrigin must be false")
}

func TestMinimalOptionsAllowSimpleRequests(t *testing.T) {
	ways := transports(t, compile(t, cors.Options{Origins: []string{allowedOrigin}}).Handler(next))
	header := http.Header{"Origin": {allowedOrigin}}
	everywhere(t, ways, "GET", "/", header, 200, http.Header{
		"X-Next": {"GET"}, "Vary": {"Origin"}, "Access-Control-Allow-Origin": {allowedOrigin},
		"Access-Control-Expose-Headers": {"RateLimit, RateLimit-Policy, Retry-After, X-Correlation-ID"},
	})
	header[acrm] = []string{"POST"}
	everywhere(t, ways, "OPTIONS", "/", header, 204, http.Header{"Access-Control-Allow-Origin": {allowedOrigin}, "Vary": {varyPreflight}})
	header[acrm] = []string{"PUT"}
	everywhere(t, ways, "OPTIONS", "/", header, 403, failed())
}

func TestVaryIsExtended(t *testing.T) {
	h := compile(t, options()).Handler(next)
	for _, row := range []struct {
		name         string
		before, want []string
	}{
		{name: "other names", before: []string{"Accept-Encoding"}, want: []string{"Accept-Encoding", "Origin"}},
		{name: "ours, in another case", before: []string{"accept, origin"}, want: []string{"accept, origin"}},
		{name: "*", before: []string{"*"}, want: []string{"*"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			w.Header()["Vary"] = row.before
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, row.want, w.Result().Header["Vary"])
		})
	}
}

func TestVaryOfPreflightsIsExtended(t *testing.T) {
	h := compile(t, options()).Handler(next)
	for _, origin := range []string{allowedOrigin, "https://evil.example"} {
		w := httptest.NewRecorder()
		w.Header()["Vary"] = []string{"Accept-Encoding, " + acrm}
		r := httptest.NewRequest("OPTIONS", "/", nil)
		r.Header = http.Header{"Origin": {origin}, acrm: {"PUT"}}
		h.ServeHTTP(w, r)
		require.Equal(t, []string{"Accept-Encoding, " + acrm, "Origin", acrh}, w.Result().Header["Vary"], origin)
	}
}

func TestOptionsAreCopied(t *testing.T) {
	o := options()
	m := compile(t, o)
	o.Origins[0], o.Methods[0], o.Headers[0] = "https://evil.example", "PATCH", "X-Evil"
	require.False(t, m.AllowsOrigin(from("https://evil.example")))
	require.Equal(t, 403, do(m.Handler(next), "OPTIONS", "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PATCH"}}).StatusCode)
}

// Over HTTP/1.1 and HTTP/2, preflights do not reach a router without OPTIONS.
func TestRealServersSendTheSameHeaders(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("PUT /x", next)
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(compile(t, options()).Handler(mux))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for _, row := range []struct {
			method, origin string
			status         int
			allow          string
		}{{method: "OPTIONS", origin: allowedOrigin, status: 204, allow: allowedOrigin},
			{method: "OPTIONS", origin: "https://evil.example", status: 403},
			{method: "PUT", origin: allowedOrigin, status: 200, allow: allowedOrigin}} {
			r, err := http.NewRequest(row.method, srv.URL+"/x", nil)
			require.NoError(t, err)
			r.Header.Set("Origin", row.origin)
			r.Header.Set(acrm, "PUT")
			res, err := srv.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http2, res.ProtoMajor == 2)
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.allow, res.Header.Get("Access-Control-Allow-Origin"))
			require.LessOrEqual(t, res.ContentLength, int64(0))
		}
	}
}
