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
		{"two origins", "GET", "/", http.Header{"Origin": {allowedOrigin, "https://evil.example"}}, 200, none("GET")},
		{"two origins, the listed one second", "GET", "/", http.Header{"Origin": {"https://evil.example", allowedOrigin}}, 200, none("GET")},
		{"two equal origins", "GET", "/", http.Header{"Origin": {allowedOrigin, allowedOrigin}}, 200, none("GET")},
		{"a preflight with two origins", "OPTIONS", "/", http.Header{"Origin": {allowedOrigin, allowedOrigin}, acrm: {"PUT"}}, 403, failed()},
		{"a preflight with an empty method", "OPTIONS", "/", http.Header{"Origin": allowed, acrm: {""}}, 403, failed()},
		{"a preflight for another network (Private Network Access)", "OPTIONS", "/", http.Header{"Origin": allowed, acrm: {"GET"}, "Access-Control-Request-Private-Network": {"true"}}, 204, http.Header{
			"Access-Control-Allow-Origin": {allowedOrigin}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"600"}, "Vary": {varyPreflight},
		}},
		{"a preflight with two methods", "OPTIONS", "/", http.Header{"Origin": allowed, acrm: {"PUT", "PUT"}}, 403, failed()},
		{"no origin", "GET", "/", nil, 200, none("GET")},
		{"not allowed", "GET", "/", http.Header{"Origin": {"https://evil.example"}}, 200, none("GET")},
		{"allowed", "GET", "/", http.Header{"Origin": allowed}, 200, actual("GET")},
		{"HEAD", "HEAD", "/", http.Header{"Origin": allowed}, 200, actual("HEAD")},
		{"OPTIONS without a requested method", "OPTIONS", "/", http.Header{"Origin": allowed}, 200, actual("OPTIONS")},
		{"OPTIONS without an origin", "OPTIONS", "/", http.Header{acrm: {"PUT"}}, 200, none("OPTIONS")},
		{"GET with a requested method", "GET", "/", http.Header{"Origin": allowed, acrm: {"PUT"}, acrh: {"x-evil"}}, 200, actual("GET")},
		{"PUT with a requested method", "PUT", "/", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("PUT")},
		{"options in lower case", "options", "/", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("options")},
		{"the asterisk form", "OPTIONS", "*", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("OPTIONS")},
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
		{"an origin that is not listed", "https://evil.example", "PUT", nil, false, false},
		{"null", "null", "PUT", nil, false, false},
		{"PATCH", allowedOrigin, "PATCH", nil, false, false},
		{"put", allowedOrigin, "put", nil, false, false},
		{"*", allowedOrigin, "*", nil, false, false},
		{"TRACE", allowedOrigin, "TRACE", nil, false, false},
		{"CONNECT", allowedOrigin, "CONNECT", nil, false, false},
		{"a long method", allowedOrigin, long, nil, false, true},
		{"TRACK", allowedOrigin, "TRACK", nil, false, false},
		{"no method", allowedOrigin, "", nil, false, false},
		{"a method that is no token", allowedOrigin, "PUT, DELETE", nil, false, false},
		{"1 MiB in 1024 lines", allowedOrigin, "PUT", slices.Repeat([]string{strings.Repeat(",", 1023)}, 1024), false, true},
		{"a byte that no name has", allowedOrigin, "PUT", []string{"x-\xe4"}, false, false},
		{"a header that is not listed", allowedOrigin, "PUT", []string{"x-evil"}, false, false},
		{"the same, in the second line", allowedOrigin, "PUT", []string{"authorization", "x-evil"}, false, false},
		{"the same, last", allowedOrigin, "PUT", []string{"authorization,x-evil"}, false, false},
		{"* as a header", allowedOrigin, "PUT", []string{"*"}, false, false},
		{"1 MiB of a name", allowedOrigin, "PUT", []string{long}, false, true},
		{"1 MiB of commas", allowedOrigin, "PUT", []string{strings.Repeat(",", 1<<20)}, false, true},
		{"65 536 empty lines", allowedOrigin, "PUT", make([]string, 1<<16), false, true},
		{"GET", allowedOrigin, "GET", nil, true, false},
		{"HEAD", allowedOrigin, "HEAD", nil, true, false},
		{"POST", allowedOrigin, "POST", []string{"content-type"}, true, false},
		{"PUT", allowedOrigin, "PUT", []string{"authorization,content-type"}, true, false},
		{"DELETE from a wildcard", "https://a.wild.example", "DELETE", nil, true, false},
		{"another order, case and spaces", allowedOrigin, "PUT", []string{"X-A ,\tContent-Type, authorization"}, true, false},
		{"several lines, doubles, empty elements", allowedOrigin, "PUT", []string{"x-a,,x-a,", "", "authorization"}, true, false},
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
		{"other names", []string{"Accept-Encoding"}, []string{"Accept-Encoding", "Origin"}},
		{"ours, in another case", []string{"accept, origin"}, []string{"accept, origin"}},
		{"*", []string{"*"}, []string{"*"}},
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
		}{{"OPTIONS", allowedOrigin, 204, allowedOrigin}, {"OPTIONS", "https://evil.example", 403, ""}, {"PUT", allowedOrigin, 200, allowedOrigin}} {
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
