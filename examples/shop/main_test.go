package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// shop is a running shop, and a client of it.
type shop struct {
	t      *testing.T
	url    string
	greet  string
	log    *testlog.Log
	client *http.Client

	limited int // responses with 429
}

// testRounds are few, because 210,000 take 100 ms for each login.
const testRounds = 1000

// start runs a shop on a free port, and drains it at the end of the test.
func start(t *testing.T, args ...string) *shop {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	log, done := &testlog.Log{}, make(chan error, 1)
	go func() {
		done <- run(ctx, testRounds, append([]string{"-addr", "127.0.0.1:0"}, args...), in, log)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done, "a stop is no error")
	})
	s := &shop{t: t, log: log, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.greet += lines.Text() + "\n"
		if url, ok := strings.CutPrefix(lines.Text(), "The shop listens on "); ok {
			s.url = url
		}
		if strings.Contains(lines.Text(), "head -c 100000") { // the last line
			break
		}
	}
	require.NotEmpty(t, s.url, log)
	return s
}

// answer is a response. do checks that every error response has exactly three
// members, that all have the security headers, and that the log has the ID.
type answer struct {
	*http.Response
	raw  string
	body map[string]any
}

func (s *shop) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Host = r.Header.Get("Host") // "": that of the URL
	res, err := s.client.Do(r)
	require.NoError(s.t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	a := answer{Response: res, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
		require.Contains(s.t, res.Header.Get(key), want, "%s %s", method, path)
	}
	if res.StatusCode >= 400 && method != http.MethodHead {
		require.Len(s.t, a.body, 3, a.raw)
		id, _ := a.body["correlation_id"].(string)
		require.Len(s.t, id, 32)
		require.Equal(s.t, id, res.Header.Get("X-Correlation-Id"))
		require.Contains(s.t, a.body, "code")
		require.Contains(s.t, a.body, "message")
		if a.body["code"] == "rate_limited" { // floods are logged once in 10 s
			if s.limited++; s.limited > 1 {
				return a
			}
		}
		require.Eventually(s.t, func() bool { return strings.Contains(s.log.String(), id) }, time.Second, time.Millisecond, "the log knows the ID")
	}
	return a
}

// expect also checks status and code; "" is for responses without a code.
func (s *shop) expect(status int, code, method, path, body string, header ...string) answer {
	s.t.Helper()
	a := s.do(method, path, body, header...)
	require.Equal(s.t, status, a.StatusCode, a.raw)
	if code != "" {
		require.Equal(s.t, code, a.body["code"])
	}
	return a
}

// cookie returns the refresh cookie of a response as a Cookie header.
func (a answer) cookie(t *testing.T) string {
	t.Helper()
	for _, c := range a.Cookies() {
		if c.Name == "refresh" || c.Name == "__Host-refresh" {
			require.True(t, c.HttpOnly && c.SameSite == http.SameSiteStrictMode && c.Path == "/" && c.Domain == "")
			return c.Name + "=" + c.Value
		}
	}
	require.Fail(t, "no refresh cookie", a.raw)
	return ""
}

func (a answer) bearer() string { return "Bearer " + a.body["access_token"].(string) }

func credentials(i int) string {
	return `{"email":"` + demoUsers[i].email + `","password":"` + demoUsers[i].password + `"}`
}

const orderBody = `{"items":[{"sku":"RAM1","qty":2}],"note":"","ship_to":{"name":"Ada","street":"Wall 1","city":"Bath","postcode":"BA11","country":"GB"}}`

// The story of the shop, a step for each of its routes.
func TestPrintedStoryHappens(t *testing.T) {
	s := start(t, "-demo", "-origin", "https://app.example.com")
	var ada, eve, root answer
	var id string
	step := func(name string, f func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, func(t *testing.T) { s.t = t; f(t) }), "the story ends here")
	}

	step("GET /", func(t *testing.T) {
		a := s.expect(200, "", "GET", "/", "")
		for _, u := range demoUsers {
			require.Contains(t, a.raw, `data-email="`+u.email+`" data-password="`+u.password+`"`)
		}
		require.NotContains(t, a.raw, "<script>", "no inline script")
		require.NotContains(t, a.raw, "style=")
		require.Contains(t, a.Header.Get("Content-Security-Policy"), "require-trusted-types-for 'script'; trusted-types 'none'")
		require.NotContains(t, a.Header.Get("Content-Security-Policy"), "unsafe")
	})
	step("GET /page/{file}", func(t *testing.T) {
		for name, kind := range map[string]string{"main.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
			require.Equal(t, kind, s.expect(200, "", "GET", "/page/"+name, "").Header.Get("Content-Type"))
		}
		s.expect(404, "not_found", "GET", "/page/nowhere.js", "")
		s.expect(401, "auth_required", "GET", "/page/..%2fpage.go", "") // public are clean paths alone
		s.expect(401, "auth_required", "GET", "/page/", "")
	})
	step("GET /healthz", func(t *testing.T) { require.JSONEq(t, `{"status":"ok"}`, s.expect(200, "", "GET", "/healthz", "").raw) })
	step("GET /products", func(t *testing.T) {
		require.JSONEq(t, `{"products":[{"sku":"TOW1","name":"Tower"}]}`, s.expect(200, "", "GET", "/products?q=tow&limit=1", "").raw)
		s.expect(422, "invalid_input", "GET", "/products?admin=1", "")
		s.expect(400, "malformed_input", "GET", "/products?limit=1;x", "")
		require.NotEmpty(t, s.do("GET", "/products", "").Header.Get("RateLimit"))
	})
	step("GET /.well-known/jwks.json", func(t *testing.T) {
		a := s.expect(200, "", "GET", "/.well-known/jwks.json", "")
		require.NotContains(t, a.raw, `"d"`)
		require.Equal(t, "public, max-age=300", a.Header.Get("Cache-Control"))
	})
	step("a stranger's origin", func(t *testing.T) {
		a := s.expect(204, "", "OPTIONS", "/orders", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		require.Equal(t, "https://app.example.com", a.Header.Get("Access-Control-Allow-Origin"))
		a = s.do("GET", "/products", "", "Origin", "https://evil.example")
		require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))
		s.expect(403, "origin_denied", "POST", "/auth/login", credentials(0), "Origin", "https://evil.example")
	})
	step("hostile bodies", func(t *testing.T) {
		s.expect(413, "input_too_large", "POST", "/auth/login", strings.Repeat("[", 100_000))
	})
	step("POST /auth/login", func(t *testing.T) {
		ada = s.expect(200, "", "POST", "/auth/login", credentials(0))
		require.Equal(t, []any{"Bearer", "orders:read orders:write"}, []any{ada.body["token_type"], ada.body["scope"]})
		require.InDelta(t, 299, ada.body["expires_in"], 2)
		eve = s.expect(200, "", "POST", "/auth/login", credentials(1))
		s.expect(401, "bad_credentials", "POST", "/auth/login", `{"email":"nobody@example.com","password":"x"}`)
		root = s.expect(200, "", "POST", "/auth/login", credentials(2))
	})
	step("the sixth login in a minute", func(t *testing.T) {
		a := s.expect(429, "rate_limited", "POST", "/auth/login", credentials(0))
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		s.expect(429, "rate_limited", "POST", "//auth/login/", credentials(0))
	})
	step("GET /me", func(t *testing.T) {
		require.JSONEq(t, `{"subject":"ada","scopes":["orders:read","orders:write"]}`, s.expect(200, "", "GET", "/me", "", "Authorization", ada.bearer()).raw)
		a := s.expect(401, "auth_required", "GET", "/me", "")
		require.Equal(t, `Bearer realm="api"`, a.Header.Get("Www-Authenticate"))
		s.expect(401, "auth_invalid", "GET", "/me", "", "Authorization", ada.bearer()+"x")
	})
	step("POST /orders", func(t *testing.T) {
		a := s.expect(201, "", "POST", "/orders", orderBody, "Authorization", ada.bearer())
		id = a.body["id"].(string)
		require.Equal(t, "/orders/"+id, a.Header.Get("Location"))
		a = s.expect(422, "invalid_input", "POST", "/orders", strings.Replace(orderBody, `"note"`, `"price":0,"note"`, 1), "Authorization", ada.bearer())
		require.Equal(t, "/price is unknown", a.body["message"])
		s.expect(422, "product_unknown", "POST", "/orders", strings.Replace(orderBody, "RAM1", "NONE1", 1), "Authorization", ada.bearer())
		s.expect(403, "access_denied", "POST", "/orders", orderBody, "Authorization", eve.bearer())
		s.expect(413, "input_too_large", "POST", "/orders", strings.Repeat("[", 100_000), "Authorization", ada.bearer())
	})
	step("GET /orders", func(t *testing.T) {
		require.Len(t, s.expect(200, "", "GET", "/orders?limit=5", "", "Authorization", ada.bearer()).body["orders"], 1)
		require.Empty(t, s.expect(200, "", "GET", "/orders", "", "Authorization", eve.bearer()).body["orders"])
	})
	step("GET /orders/{id}", func(t *testing.T) {
		require.Equal(t, id, s.expect(200, "", "GET", "/orders/"+id, "", "Authorization", ada.bearer()).body["id"])
		s.expect(404, "order_not_found", "GET", "/orders/"+id, "", "Authorization", eve.bearer())
		s.expect(404, "order_not_found", "GET", "/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA", "", "Authorization", eve.bearer())
		s.expect(422, "invalid_input", "GET", "/orders/1", "", "Authorization", ada.bearer())
	})
	step("PATCH /orders/{id}", func(t *testing.T) {
		note := func(body string, bearer string) answer {
			return s.do("PATCH", "/orders/"+id, body, "Authorization", bearer)
		}
		require.Equal(t, "ring twice", note(`{"note":"ring twice"}`, ada.bearer()).body["note"])
		require.Equal(t, "ring twice", note(`{}`, ada.bearer()).body["note"], "absent stays")
		require.Empty(t, note(`{"note":null}`, ada.bearer()).body["note"], "null removes")
		s.expect(422, "invalid_input", "PATCH", "/orders/"+id, `{"note":1}`, "Authorization", ada.bearer())
		s.expect(422, "invalid_input", "PATCH", "/orders/"+id, `{"refunded":true}`, "Authorization", ada.bearer())
		s.expect(422, "invalid_input", "PATCH", "/orders/"+id, `{"note":"`+strings.Repeat("x", 501)+`"}`, "Authorization", ada.bearer())
		s.expect(403, "access_denied", "PATCH", "/orders/"+id, `{"note":"x"}`, "Authorization", eve.bearer())
		s.expect(404, "order_not_found", "PATCH", "/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA", `{"note":"x"}`, "Authorization", ada.bearer())
	})
	step("POST /admin/refund/{id}", func(t *testing.T) {
		s.expect(403, "access_denied", "POST", "/admin/refund/"+id, "", "Authorization", ada.bearer())
		s.expect(200, "", "POST", "/admin/refund/"+id, "", "Authorization", root.bearer())
		require.Equal(t, true, s.expect(200, "", "GET", "/orders/"+id, "", "Authorization", ada.bearer()).body["refunded"])
		s.expect(409, "order_refunded", "POST", "/admin/refund/"+id, "", "Authorization", root.bearer())
	})
	step("PUT and GET /products/{sku}/picture", func(t *testing.T) {
		form, kind := pictureForm(t, "image/png", drawing(t, 8))
		put := func(sku, body, kind string, who answer) answer {
			return s.do("PUT", "/products/"+sku+"/picture", body, "Content-Type", kind, "Authorization", who.bearer())
		}
		s.expect(404, "picture_not_found", "GET", "/products/RAM1/picture", "")
		require.Equal(t, 403, put("RAM1", form, kind, ada).StatusCode)
		require.Equal(t, 204, put("RAM1", form, kind, root).StatusCode)
		a := s.expect(200, "", "GET", "/products/RAM1/picture", "")
		require.Equal(t, "image/png", a.Header.Get("Content-Type"))
		require.Equal(t, []string{"cross-origin"}, a.Header["Cross-Origin-Resource-Policy"], "FD4: pages of -origin show it")
		require.Equal(t, []string{"same-origin"}, s.do("GET", "/products", "").Header["Cross-Origin-Resource-Policy"])
		require.Equal(t, drawing(t, 8), []byte(a.raw))
		require.Contains(t, s.do("GET", "/products?q=ramp", "").raw, `"picture":"/products/RAM1/picture","alt":"A wall"`)
		require.Equal(t, "product_not_found", put("NONE1", form, kind, root).body["code"])

		page := []byte("<script>alert(1)</script>")
		for name, content := range map[string][]byte{"a page": page, "an SVG": []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "a JPEG that says PNG": {0xff, 0xd8, 0xff, 0xe0}} {
			form, kind := pictureForm(t, "image/png", content)
			require.Equal(t, "invalid_input", put("RAM1", form, kind, root).body["code"], name)
		}
		form, kind = pictureForm(t, "text/html", page)
		require.Equal(t, "invalid_input", put("RAM1", form, kind, root).body["code"])
		form, kind = pictureForm(t, "image/png", drawing(t, 5000))
		require.Equal(t, "picture_unreadable", put("RAM1", form, kind, root).body["code"], "too many pixels")
		form, kind = pictureForm(t, "image/png", append(drawing(t, 8), make([]byte, 1<<20)...))
		require.Equal(t, "input_too_large", put("RAM1", form, kind, root).body["code"])
		form, kind = pictureForm(t, "image/png", drawing(t, 8))
		require.Equal(t, "malformed_input", put("RAM1", form[:len(form)-10], kind, root).body["code"], "cut short")
		require.Equal(t, drawing(t, 8), []byte(s.do("GET", "/products/RAM1/picture", "").raw), "what was refused changed nothing")
	})
	step("GET /partner/stock, POST /partner/keys/rotate", func(t *testing.T) {
		_, key, _ := strings.Cut(s.greet, "alone:\n  ")
		key, _, _ = strings.Cut(key, "\n")
		require.Contains(t, s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", key).raw, `"RAM1":10`)
		s.expect(401, "auth_invalid", "GET", "/partner/stock", "", "X-API-Key", key+"x")
		s.expect(401, "auth_required", "GET", "/me", "", "X-API-Key", key) // no credential there
		s.expect(403, "access_denied", "GET", "/partner/stock", "", "Authorization", ada.bearer())
		s.expect(400, "auth_malformed", "GET", "/partner/stock", "", "X-API-Key", key, "Authorization", ada.bearer())

		local := s.client.Transport
		s.client.Transport = &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}
		s.expect(403, "network_denied", "GET", "/partner/stock", "", "X-API-Key", key)
		s.client.Transport = local

		young, _ := s.expect(200, "", "POST", "/partner/keys/rotate", "", "X-API-Key", key).body["api_key"].(string)
		s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", young)
		s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", key) // for another day
	})
	step("the router's own 404 and 405", func(t *testing.T) {
		s.expect(404, "not_found", "GET", "/nowhere", "", "Authorization", ada.bearer())
		s.expect(401, "auth_required", "GET", "/nowhere", "")
		a := s.expect(405, "method_not_allowed", "GET", "/auth/login", "")
		require.Equal(t, "POST", a.Header.Get("Allow"))
		s.expect(405, "method_not_allowed", "GET", "/auth/refresh", "")
	})
	step("GET /boom, GET /leak", func(t *testing.T) {
		for _, path := range []string{"/boom", "/leak"} {
			a := s.expect(500, "", "GET", path, "")
			require.NotContains(t, a.raw, "orders.go")
			require.NotContains(t, a.raw, "10.0.0.7")
		}
		require.Contains(t, s.log.String(), "index out of range [7] in orders.go")
		require.Contains(t, s.log.String(), "does not exist at 10.0.0.7")
	})
	step("GET and DELETE /auth/sessions", func(t *testing.T) {
		list := s.expect(200, "", "GET", "/auth/sessions", "", "Authorization", eve.bearer()).body["sessions"].([]any)
		require.Len(t, list, 1)
		mine := list[0].(map[string]any)
		require.Equal(t, true, mine["current"])
		s.expect(204, "", "DELETE", "/auth/sessions/"+mine["id"].(string), "", "Authorization", ada.bearer())
		s.expect(200, "", "GET", "/me", "", "Authorization", eve.bearer()) // not ada's to end
		s.expect(204, "", "DELETE", "/auth/sessions/"+mine["id"].(string), "", "Authorization", eve.bearer())
		s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", eve.bearer())
	})
	step("POST /auth/logout-all", func(t *testing.T) {
		s.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", root.bearer())
		s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", root.bearer())
		require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", root.cookie(t)).StatusCode)
	})
	step("POST /auth/refresh", func(t *testing.T) {
		first := ada.cookie(t)
		attempt := []string{"Cookie", first, "Refresh-Attempt", "0123456789abcdef"}
		second := s.expect(200, "", "POST", "/auth/refresh", "", append(attempt, "Authorization", "Bearer expired")...)
		again := s.expect(200, "", "POST", "/auth/refresh", "", attempt...)
		require.Equal(t, second.cookie(t), again.cookie(t), "the same attempt gets the same successor")
		s.expect(200, "", "GET", "/me", "", "Authorization", second.bearer())
		require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", first).StatusCode, "a replay")
		require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", second.cookie(t)).StatusCode, "and the new one is dead too")
		s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", second.bearer())
		require.Regexp(t, `"level":"WARN","msg":"suspicious refresh".*"correlation_id":"[0-9a-f]{32}"`, s.log.String())
	})
}

func TestLogoutRevokesTheAccessToken(t *testing.T) {
	s := start(t, "-tls")
	s.client.Transport = insecureTransport()
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	require.Contains(t, in.cookie(t), "__Host-refresh=")
	s.expect(204, "", "POST", "/auth/logout", "", "Cookie", in.cookie(t))
	require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", in.cookie(t)).StatusCode)
	s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", in.bearer())
}

// Each of the five commands works as it is printed.
func TestPrintedCommands(t *testing.T) {
	s := start(t)
	_, commands, _ := strings.Cut(s.greet, "Try:\n")
	want := []string{`{"access_token":"ey`, `{"access_token":"ey`, `{"orders":[]}`, `{"stock":{"GAT1"`, `{"code":"input_too_large"`}
	dir := t.TempDir()
	lines := strings.Split(strings.TrimSpace(commands), "\n")
	require.Len(t, lines, len(want))
	for i, line := range lines {
		command := exec.Command("sh", "-c", line)
		command.Dir = dir
		out, err := command.Output()
		require.NoError(t, err, line)
		require.True(t, strings.HasPrefix(string(out), want[i]), "%s\n%s", line, out)
	}
}

// Without -origin no page but the shop's own may call.
func TestNoOtherOriginByDefault(t *testing.T) {
	s := start(t)
	for _, origin := range []string{"http://localhost:3000", "https://app.example.com", "null"} {
		require.Empty(t, s.do("GET", "/products", "", "Origin", origin).Header.Get("Access-Control-Allow-Origin"), origin)
		s.expect(403, "origin_denied", "POST", "/auth/login", credentials(0), "Origin", origin)
	}
	s.expect(200, "", "POST", "/auth/login", credentials(0), "Origin", s.url)
}

// A page of another name that was led to the loopback address is not taken for
// the shop's own: its Origin and its Host are the same (DNS rebinding).
func TestOtherHostsAreRefused(t *testing.T) {
	s := start(t, "-self", "https://shop.example.com", "-trust", "127.0.0.1/32")
	for _, row := range []struct {
		host   string
		status int
		code   string
	}{
		{host: "evil.example", status: 421, code: "misdirected_request"},
		{host: "evil.example:8080", status: 421, code: "misdirected_request"},
		{host: "shop.example.com.evil.example", status: 421, code: "misdirected_request"},
		{host: "localhost.evil.example", status: 421, code: "misdirected_request"},
		{host: "shop.example.com", status: 200},
		{host: "127.0.0.1", status: 200},
		{host: "localhost:8080", status: 200},
	} {
		t.Run(row.host, func(t *testing.T) {
			s.t = t
			s.expect(row.status, row.code, "GET", "/products", "", "Host", row.host, "Origin", "https://"+row.host, "X-Forwarded-Proto", "https")
		})
	}
}

// A wrong command line is reported in a line, without a panic.
func TestWrongCommandLinesAreReported(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop() // a shop that starts nevertheless ends at once
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{name: "open to the network in clear", args: []string{"-addr", "0.0.0.0:0"}, want: "plain HTTP is for a loopback address; add -tls, or -cert and -key"},
		{name: "seen in clear", args: []string{"-self", "http://shop.example.com"}, want: "plain HTTP is for a loopback address; add -tls, or -cert and -key"},
		{name: "seen at no address", args: []string{"-self", "shop.example.com"}, want: `"shop.example.com" is not an address such as https://shop.example.com`},
		{
			name: "seen at a path",
			args: []string{"-self", "https://shop.example.com/"},
			want: `"https://shop.example.com/" is not an address such as https://shop.example.com`,
		},
		{
			name: "an origin without a scheme",
			args: []string{"-origin", "app.example.com"},
			want: `cors: Origins[0] "app.example.com": is not an origin; did you mean "https://app.example.com"?`,
		},
		{
			name: "everybody trusted",
			args: []string{"-trust", "0.0.0.0/0"},
			want: `headers: Trusted[0] "0.0.0.0/0": trusts every address; did you mean the networks of your proxies?`,
		},
		{name: "a Redis without keys", args: []string{"-redis", "redis://127.0.0.1:1"}, want: "-redis needs -keys: shops that share their state share their keys too"},
		{
			name: "a Redis at no address",
			args: []string{"-redis", "redis://:hunter2@127.0.0.1:port", "-keys", filepath.Join(t.TempDir(), "keys")},
			want: "-redis is not a URL such as redis://127.0.0.1:6379",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.EqualError(t, run(ctx, testRounds, append([]string{"-addr", "127.0.0.1:0"}, row.args...), io.Discard, io.Discard), row.want)
		})
	}
}
