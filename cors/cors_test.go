package cors_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

// options are those that most tests share.
func options() cors.Options {
	return cors.Options{
		Origins:     []string{"https://app.example.com", "https://*.wild.example", "http://localhost:3000", "https://[::1]:8443", "https://*.ports.example:*", "http://localhost:*"},
		Credentials: true,
		Methods:     []string{"PUT", "DELETE"},
		Headers:     []string{"Authorization", "Content-Type", "X-A"},
		MaxAge:      10 * time.Minute,
		Expose:      []string{"X-Request-Id"},
		Enforce:     cors.InsecureEnforceOff,
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
	allowedOrigin = "https://app.example.com"
)

func actual(method string) http.Header {
	return http.Header{
		"X-Next": {method}, "Vary": {varyOrigin}, "Access-Control-Allow-Origin": {allowedOrigin},
		"Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"X-Request-Id"},
	}
}

func none(method string) http.Header { return http.Header{"X-Next": {method}, "Vary": {varyOrigin}} }

func failed() http.Header { return http.Header{"Vary": {"Origin", acrm, acrh}} }

// Fetch, section 3.3.
func TestClassification(t *testing.T) {
	h := compile(t, options()).Handler(next)
	allowed := []string{allowedOrigin}
	for _, row := range []struct {
		name, method, target string
		header               http.Header
		status               int
		want                 http.Header
	}{
		{"two origins", "GET", "/", http.Header{"Origin": {allowedOrigin, "https://evil.example"}}, 200, none("GET")},
		{"two equal origins", "GET", "/", http.Header{"Origin": {allowedOrigin, allowedOrigin}}, 200, none("GET")},
		{"a preflight with two origins", "OPTIONS", "/", http.Header{"Origin": {allowedOrigin, allowedOrigin}, acrm: {"PUT"}}, 403, failed()},
		{"a preflight with an empty method", "OPTIONS", "/", http.Header{"Origin": allowed, acrm: {""}}, 403, failed()},
		{"a preflight with two methods", "OPTIONS", "/", http.Header{"Origin": allowed, acrm: {"PUT", "PUT"}}, 403, failed()},
		{"no origin", "GET", "/", nil, 200, none("GET")},
		{"not allowed", "GET", "/", http.Header{"Origin": {"https://evil.example"}}, 200, none("GET")},
		{"allowed", "GET", "/", http.Header{"Origin": allowed}, 200, actual("GET")},
		{"HEAD", "HEAD", "/", http.Header{"Origin": allowed}, 200, actual("HEAD")},
		{"OPTIONS without a requested method", "OPTIONS", "/", http.Header{"Origin": allowed}, 200, actual("OPTIONS")},
		{"OPTIONS without an origin", "OPTIONS", "/", http.Header{acrm: {"PUT"}}, 200, none("OPTIONS")},
		{"PUT with a requested method", "PUT", "/", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("PUT")},
		{"options in lower case", "options", "/", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("options")},
		{"the asterisk form", "OPTIONS", "*", http.Header{"Origin": allowed, acrm: {"PUT"}}, 200, actual("OPTIONS")},
	} {
		t.Run(row.name, func(t *testing.T) {
			res := do(h, row.method, row.target, row.header)
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.want, res.Header)
		})
	}
}

func TestPreflight(t *testing.T) {
	h := compile(t, options()).Handler(next)
	long := strings.Repeat("a", 1<<20)
	for _, row := range []struct {
		name, origin, method string
		headers              []string
		want                 bool
	}{
		{"an origin that is not listed", "https://evil.example", "PUT", nil, false},
		{"null", "null", "PUT", nil, false},
		{"PATCH", allowedOrigin, "PATCH", nil, false},
		{"put", allowedOrigin, "put", nil, false},
		{"*", allowedOrigin, "*", nil, false},
		{"TRACE", allowedOrigin, "TRACE", nil, false},
		{"CONNECT", allowedOrigin, "CONNECT", nil, false},
		{"a long method", allowedOrigin, long, nil, false},
		{"a header that is not listed", allowedOrigin, "PUT", []string{"x-evil"}, false},
		{"the same, in the second line", allowedOrigin, "PUT", []string{"authorization", "x-evil"}, false},
		{"the same, last", allowedOrigin, "PUT", []string{"authorization,x-evil"}, false},
		{"* as a header", allowedOrigin, "PUT", []string{"*"}, false},
		{"1 MiB of a name", allowedOrigin, "PUT", []string{long}, false},
		{"1 MiB of commas", allowedOrigin, "PUT", []string{strings.Repeat(",", 1<<20)}, false},
		{"65 536 empty lines", allowedOrigin, "PUT", make([]string, 1<<16), false},
		{"GET", allowedOrigin, "GET", nil, true},
		{"POST", allowedOrigin, "POST", []string{"content-type"}, true},
		{"PUT", allowedOrigin, "PUT", []string{"authorization,content-type"}, true},
		{"DELETE from a wildcard", "https://a.wild.example", "DELETE", nil, true},
		{"another order, case and spaces", allowedOrigin, "PUT", []string{"X-A ,\tContent-Type, authorization"}, true},
		{"several lines, doubles, empty elements", allowedOrigin, "PUT", []string{"x-a,,x-a,", "", "authorization"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			header := http.Header{"Origin": {row.origin}, acrm: {row.method}}
			want := http.Header{
				"Access-Control-Allow-Origin": {row.origin}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Max-Age": {"600"},
				"Vary": {"Origin", acrm, acrh},
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
			res := do(h, "OPTIONS", "/", header)
			require.Equal(t, status, res.StatusCode)
			require.Equal(t, want, res.Header)
			require.Zero(t, res.ContentLength+1, "no body")
		})
	}
}

func TestOrigins(t *testing.T) {
	m := compile(t, options())
	denied := []string{
		"", "null", "*", "HTTPS://APP.EXAMPLE.COM", "https://App.example.com", "https://app.example.com.evil.tld", "https://evilapp.example.com",
		"https://app.example.com:443", "https://app.example.com:8443", "https://app.example.com:0443", "https://app.example.com:0",
		"https://app.example.com:65536", "https://app.example.com:", "http://app.example.com", "https://app.example.com.", "https://app.example.com/",
		"https://u@app.example.com", "https://app.example.com#", "https://app.example.com?", " https://app.example.com", "https://app.example.com ",
		"https://app.example.com, https://evil.tld", "https://app.example.com https://evil.tld", "https:/app.example.com", "https//app.example.com",
		"://app.example.com", "app.example.com", "//app.example.com", "https://app.example.com\x00", "https://\xc3\xa4pp.example.com",
		"https://" + strings.Repeat("a", 100_000) + ".wild.example", "https://" + strings.Repeat("a", 64) + ".wild.example",
		"https://wild.example", "https://.wild.example", "https://a..wild.example", "https://evilwild.example", "https://a.wild.example.evil.tld",
		"https://A.wild.example", "http://a.wild.example", "https://a.wild.example:8443", "https://evil.tld/.wild.example", "https://evil.tld#.wild.example",
		"https://evil.tld?.wild.example", `https://evil.tld\.wild.example`, "https://evil.tld@a.wild.example", "https://evil.tld{.wild.example",
		"https://evil.tld%00.wild.example", "https://evil.tld .wild.example", "https://evil.tld:1.wild.example", "https://evil.tld:1@a.wild.example",
		"http://localhost.evil.tld:80", "http://localhost:80", "http://localhost:03000", "http://a.localhost:3000",
		"https://[0:0:0:0:0:0:0:1]:8443", "https://[::ffff:127.0.0.1]:8443", "https://[::1%25eth0]:8443", "https://[::1]", "https://::1:8443", "https://[::1:8443",
		"https://a.ports.example:443", "https://a.ports.example:65536", "https://ports.example:1",
	}
	for _, origin := range denied {
		require.False(t, m.AllowsOrigin(from(origin)), "%.60q", origin)
	}
	for _, origin := range []string{
		"https://app.example.com", "https://a.wild.example", "https://a.b.wild.example", "https://x_y.wild.example", "http://localhost:3000",
		"http://localhost:1", "http://localhost", "https://[::1]:8443", "https://a.ports.example", "https://a.ports.example:8443",
	} {
		require.True(t, m.AllowsOrigin(from(origin)), "%q", origin)
	}
}

func from(origin string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Origin"] = []string{origin}
	return r
}

func TestEverybody(t *testing.T) {
	m := compile(t, cors.Options{Origins: []string{"*"}, Methods: []string{"PUT"}, Expose: []string{}, PreflightStatus: 200, MaxAge: cors.NoCache})
	h := m.Handler(next)
	require.Equal(t, http.Header{"X-Next": {"GET"}, "Access-Control-Allow-Origin": {"*"}}, do(h, "GET", "/", http.Header{"Origin": {"null"}}).Header)
	require.Equal(t, http.Header{"X-Next": {"GET"}}, do(h, "GET", "/", nil).Header)
	require.Equal(t, 200, do(h, "POST", "/", http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}}).StatusCode)
	res := do(h, "OPTIONS", "/", http.Header{"Origin": {"https://x.example"}, acrm: {"PUT"}})
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"PUT"}, "Access-Control-Max-Age": {"0"}, "Vary": {"Origin", acrm, acrh},
	}, res.Header)
	require.False(t, m.AllowsOrigin(from("https://x.example")), "everybody may read, nobody may act")
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

// Handlers own what they find in the header map (rs/cors issue 198).
func TestHandlersMayChangeWhatTheyFind(t *testing.T) {
	h := compile(t, options()).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, lines := range w.Header() {
			lines[0] = "changed"
			w.Header()[key] = append(lines, "more")
		}
	}))
	clean := compile(t, options()).Handler(next)
	var wg sync.WaitGroup
	for range 128 {
		wg.Go(func() {
			do(h, "GET", "/", http.Header{"Origin": {allowedOrigin}})
			if got := do(clean, "GET", "/", http.Header{"Origin": {allowedOrigin}}).Header; fmt.Sprint(got) != fmt.Sprint(actual("GET")) {
				t.Errorf("another response changed: %v", got)
			}
		})
	}
	wg.Wait()
}

func TestOptionsAreCopied(t *testing.T) {
	o := options()
	m := compile(t, o)
	o.Origins[0], o.Methods[0], o.Headers[0] = "https://evil.example", "PATCH", "X-Evil"
	require.False(t, m.AllowsOrigin(from("https://evil.example")))
	require.Equal(t, 403, do(m.Handler(next), "OPTIONS", "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PATCH"}}).StatusCode)
}

func TestAllocations(t *testing.T) {
	m := compile(t, options())
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	hostile := httptest.NewRequest("OPTIONS", "/", nil)
	hostile.Header = http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: {strings.Repeat("x-a,", 1<<18)}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, hostile)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { h.ServeHTTP(w, hostile) }), 1.0)
	smuggled := from("https://evil.tld%00.wild.example")
	require.Zero(t, testing.AllocsPerRun(100, func() { m.AllowsOrigin(smuggled) }))
}

// The same over HTTP/1.1 and HTTP/2: preflights never reach a router that has
// no OPTIONS.
func TestRealServers(t *testing.T) {
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
