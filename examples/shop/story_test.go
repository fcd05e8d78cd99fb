package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A story is a shop with three users who are logged in, and the ID of an order.
type story struct {
	*shop
	whole          *testing.T
	ada, eve, root answer
	id             string
}

// step runs a subtest. The steps depend on the earlier ones, so the story ends if one
// fails.
func (s *story) step(name string, f func(t *testing.T)) {
	s.whole.Helper()
	require.True(s.whole, s.whole.Run(name, func(t *testing.T) { s.t = t; f(t) }), "the story ends here")
}

// The story of the shop has a step for each of its routes.
func TestPrintedStoryHappens(t *testing.T) {
	s := &story{shop: start(t, "-demo", "-origin", "https://app.example.com"), whole: t}
	s.playPages()
	s.playLogins()
	s.playOrderRoutes()
	s.playPictureRoutes()
	s.playPartners()
	s.playSessions()
}

// playPages checks the page, the public routes and the refusals of the outer rings.
func (s *story) playPages() {
	s.step("GET /", func(t *testing.T) {
		a := s.expect(200, "", "GET", "/", "")
		for _, u := range demoUsers {
			require.Contains(t, a.raw, `data-email="`+u.email+`" data-password="`+u.password+`"`)
		}
		require.NotContains(t, a.raw, "<script>", "no inline script")
		require.NotContains(t, a.raw, "style=")
		require.Contains(t, a.Header.Get("Content-Security-Policy"), "require-trusted-types-for 'script'; trusted-types 'none'")
		require.NotContains(t, a.Header.Get("Content-Security-Policy"), "unsafe")
	})
	s.step("GET /page/{file}", func(t *testing.T) {
		for name, kind := range map[string]string{"main.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
			require.Equal(t, kind, s.expect(200, "", "GET", "/page/"+name, "").Header.Get("Content-Type"))
		}
		s.expect(404, "not_found", "GET", "/page/nowhere.js", "")
		s.expect(401, "auth_required", "GET", "/page/..%2fpage.go", "") // public are clean paths alone
		s.expect(401, "auth_required", "GET", "/page/", "")
	})
	s.step("GET /healthz", func(t *testing.T) { require.JSONEq(t, `{"status":"ok"}`, s.expect(200, "", "GET", "/healthz", "").raw) })
	s.step("GET /products", func(t *testing.T) {
		require.JSONEq(t, `{"products":[{"sku":"TOW1","name":"Tower"}]}`, s.expect(200, "", "GET", "/products?q=tow&limit=1", "").raw)
		s.expect(422, "invalid_input", "GET", "/products?admin=1", "")
		s.expect(400, "malformed_input", "GET", "/products?limit=1;x", "")
		require.NotEmpty(t, s.do("GET", "/products", "").Header.Get("RateLimit"))
	})
	s.step("GET /.well-known/jwks.json", func(t *testing.T) {
		a := s.expect(200, "", "GET", "/.well-known/jwks.json", "")
		require.NotContains(t, a.raw, `"d"`)
		require.Equal(t, "public, max-age=300", a.Header.Get("Cache-Control"))
	})
	s.step("a stranger's origin", func(t *testing.T) {
		a := s.expect(204, "", "OPTIONS", "/orders", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		require.Equal(t, "https://app.example.com", a.Header.Get("Access-Control-Allow-Origin"))
		a = s.do("GET", "/products", "", "Origin", "https://evil.example")
		require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"))
		s.expect(403, "origin_denied", "POST", "/auth/login", credentials(0), "Origin", "https://evil.example")
	})
	s.step("hostile bodies", func(t *testing.T) {
		s.expect(413, "input_too_large", "POST", "/auth/login", strings.Repeat("[", 100_000))
	})
}

// playLogins logs three users in.
func (s *story) playLogins() {
	s.step("POST /auth/login", func(t *testing.T) {
		s.ada = s.expect(200, "", "POST", "/auth/login", credentials(0))
		require.Equal(t, []any{"Bearer", "orders:read orders:write"}, []any{s.ada.body["token_type"], s.ada.body["scope"]})
		require.InDelta(t, 299, s.ada.body["expires_in"], 2)
		s.eve = s.expect(200, "", "POST", "/auth/login", credentials(1))
		s.expect(401, "bad_credentials", "POST", "/auth/login", `{"email":"nobody@example.com","password":"x"}`)
		s.root = s.expect(200, "", "POST", "/auth/login", credentials(2))
	})
	s.step("the sixth login in a minute", func(t *testing.T) {
		a := s.expect(429, "rate_limited", "POST", "/auth/login", credentials(0))
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		s.expect(429, "rate_limited", "POST", "//auth/login/", credentials(0))
	})
	s.step("GET /me", func(t *testing.T) {
		require.JSONEq(t, `{"subject":"ada","scopes":["orders:read","orders:write"]}`, s.expect(200, "", "GET", "/me", "", "Authorization", s.ada.bearer()).raw)
		a := s.expect(401, "auth_required", "GET", "/me", "")
		require.Equal(t, `Bearer realm="api"`, a.Header.Get("Www-Authenticate"))
		s.expect(401, "auth_invalid", "GET", "/me", "", "Authorization", s.ada.bearer()+"x")
	})
}

// playOrderRoutes plays the life of an order.
func (s *story) playOrderRoutes() {
	s.step("POST /orders", func(t *testing.T) {
		a := s.expect(201, "", "POST", "/orders", orderBody, "Authorization", s.ada.bearer())
		s.id = a.body["id"].(string)
		require.Equal(t, "/orders/"+s.id, a.Header.Get("Location"))
		a = s.expect(422, "invalid_input", "POST", "/orders", strings.Replace(orderBody, `"note"`, `"price":0,"note"`, 1), "Authorization", s.ada.bearer())
		require.Equal(t, "/price is unknown", a.body["message"])
		s.expect(422, "product_unknown", "POST", "/orders", strings.Replace(orderBody, "RAM1", "NONE1", 1), "Authorization", s.ada.bearer())
		s.expect(403, "access_denied", "POST", "/orders", orderBody, "Authorization", s.eve.bearer())
		s.expect(413, "input_too_large", "POST", "/orders", strings.Repeat("[", 100_000), "Authorization", s.ada.bearer())
	})
	s.step("GET /orders", func(t *testing.T) {
		require.Len(t, s.expect(200, "", "GET", "/orders?limit=5", "", "Authorization", s.ada.bearer()).body["orders"], 1)
		require.Empty(t, s.expect(200, "", "GET", "/orders", "", "Authorization", s.eve.bearer()).body["orders"])
	})
	s.step("GET /orders/{id}", func(t *testing.T) {
		require.Equal(t, s.id, s.expect(200, "", "GET", "/orders/"+s.id, "", "Authorization", s.ada.bearer()).body["id"])
		s.expect(404, "order_not_found", "GET", "/orders/"+s.id, "", "Authorization", s.eve.bearer())
		s.expect(404, "order_not_found", "GET", "/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA", "", "Authorization", s.eve.bearer())
		s.expect(422, "invalid_input", "GET", "/orders/1", "", "Authorization", s.ada.bearer())
	})
	s.step("PATCH /orders/{id}", func(t *testing.T) {
		note := func(body string, bearer string) answer {
			return s.do("PATCH", "/orders/"+s.id, body, "Authorization", bearer)
		}
		require.Equal(t, "ring twice", note(`{"note":"ring twice"}`, s.ada.bearer()).body["note"])
		require.Equal(t, "ring twice", note(`{}`, s.ada.bearer()).body["note"], "absent stays")
		require.Empty(t, note(`{"note":null}`, s.ada.bearer()).body["note"], "null removes")
		s.expect(422, "invalid_input", "PATCH", "/orders/"+s.id, `{"note":1}`, "Authorization", s.ada.bearer())
		s.expect(422, "invalid_input", "PATCH", "/orders/"+s.id, `{"refunded":true}`, "Authorization", s.ada.bearer())
		s.expect(422, "invalid_input", "PATCH", "/orders/"+s.id, `{"note":"`+strings.Repeat("x", 501)+`"}`, "Authorization", s.ada.bearer())
		s.expect(403, "access_denied", "PATCH", "/orders/"+s.id, `{"note":"x"}`, "Authorization", s.eve.bearer())
		s.expect(404, "order_not_found", "PATCH", "/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA", `{"note":"x"}`, "Authorization", s.ada.bearer())
	})
	s.step("POST /admin/refund/{id}", func(t *testing.T) {
		s.expect(403, "access_denied", "POST", "/admin/refund/"+s.id, "", "Authorization", s.ada.bearer())
		s.expect(200, "", "POST", "/admin/refund/"+s.id, "", "Authorization", s.root.bearer())
		require.Equal(t, true, s.expect(200, "", "GET", "/orders/"+s.id, "", "Authorization", s.ada.bearer()).body["refunded"])
		s.expect(409, "order_refunded", "POST", "/admin/refund/"+s.id, "", "Authorization", s.root.bearer())
	})
}

// playPictureRoutes uploads pictures.
func (s *story) playPictureRoutes() {
	s.step("PUT and GET /products/{sku}/picture", func(t *testing.T) {
		form, kind := pictureForm(t, "image/png", drawing(t, 8))
		put := func(sku, body, kind string, who answer) answer {
			return s.do("PUT", "/products/"+sku+"/picture", body, "Content-Type", kind, "Authorization", who.bearer())
		}
		s.expect(404, "picture_not_found", "GET", "/products/RAM1/picture", "")
		require.Equal(t, 403, put("RAM1", form, kind, s.ada).StatusCode)
		require.Equal(t, 204, put("RAM1", form, kind, s.root).StatusCode)
		a := s.expect(200, "", "GET", "/products/RAM1/picture", "")
		require.Equal(t, "image/png", a.Header.Get("Content-Type"))
		require.Equal(t, []string{"cross-origin"}, a.Header["Cross-Origin-Resource-Policy"], "FD4: pages of -origin show it")
		require.Equal(t, []string{"same-origin"}, s.do("GET", "/products", "").Header["Cross-Origin-Resource-Policy"])
		require.Equal(t, drawing(t, 8), []byte(a.raw))
		require.Contains(t, s.do("GET", "/products?q=ramp", "").raw, `"picture":"/products/RAM1/picture","alt":"A wall"`)
		require.Equal(t, "product_not_found", put("NONE1", form, kind, s.root).body["code"])

		page := []byte("<script>alert(1)</script>")
		for name, content := range map[string][]byte{"a page": page, "an SVG": []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "a JPEG that says PNG": {0xff, 0xd8, 0xff, 0xe0}} {
			form, kind := pictureForm(t, "image/png", content)
			require.Equal(t, "invalid_input", put("RAM1", form, kind, s.root).body["code"], name)
		}
		form, kind = pictureForm(t, "text/html", page)
		require.Equal(t, "invalid_input", put("RAM1", form, kind, s.root).body["code"])
		form, kind = pictureForm(t, "image/png", drawing(t, 5000))
		require.Equal(t, "picture_unreadable", put("RAM1", form, kind, s.root).body["code"], "too many pixels")
		form, kind = pictureForm(t, "image/png", append(drawing(t, 8), make([]byte, 1<<20)...))
		require.Equal(t, "input_too_large", put("RAM1", form, kind, s.root).body["code"])
		form, kind = pictureForm(t, "image/png", drawing(t, 8))
		require.Equal(t, "malformed_input", put("RAM1", form[:len(form)-10], kind, s.root).body["code"], "cut short")
		require.Equal(t, drawing(t, 8), []byte(s.do("GET", "/products/RAM1/picture", "").raw), "what was refused changed nothing")
	})
}

// playPartners sends API keys, and requests that no handler serves.
func (s *story) playPartners() {
	s.step("GET /partner/stock, POST /partner/keys/rotate", func(t *testing.T) {
		_, key, _ := strings.Cut(s.greet, "alone:\n  ")
		key, _, _ = strings.Cut(key, "\n")
		require.Contains(t, s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", key).raw, `"RAM1":10`)
		s.expect(401, "auth_invalid", "GET", "/partner/stock", "", "X-API-Key", key+"x")
		s.expect(401, "auth_required", "GET", "/me", "", "X-API-Key", key) // no credential there
		s.expect(403, "access_denied", "GET", "/partner/stock", "", "Authorization", s.ada.bearer())
		s.expect(400, "auth_malformed", "GET", "/partner/stock", "", "X-API-Key", key, "Authorization", s.ada.bearer())

		local := s.client.Transport
		s.client.Transport = &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}
		s.expect(403, "network_denied", "GET", "/partner/stock", "", "X-API-Key", key)
		s.client.Transport = local

		young, _ := s.expect(200, "", "POST", "/partner/keys/rotate", "", "X-API-Key", key).body["api_key"].(string)
		s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", young)
		s.expect(200, "", "GET", "/partner/stock", "", "X-API-Key", key) // for another day
	})
	s.step("the router's own 404 and 405", func(t *testing.T) {
		s.expect(404, "not_found", "GET", "/nowhere", "", "Authorization", s.ada.bearer())
		s.expect(401, "auth_required", "GET", "/nowhere", "")
		a := s.expect(405, "method_not_allowed", "GET", "/auth/login", "")
		require.Equal(t, "POST", a.Header.Get("Allow"))
		s.expect(405, "method_not_allowed", "GET", "/auth/refresh", "")
	})
	s.step("GET /boom, GET /leak", func(t *testing.T) {
		for _, path := range []string{"/boom", "/leak"} {
			a := s.expect(500, "", "GET", path, "")
			require.NotContains(t, a.raw, "orders.go")
			require.NotContains(t, a.raw, "10.0.0.7")
		}
		require.Contains(t, s.log.String(), "index out of range [7] in orders.go")
		require.Contains(t, s.log.String(), "does not exist at 10.0.0.7")
	})
}

// playSessions ends the sessions of all three users.
func (s *story) playSessions() {
	s.step("GET and DELETE /auth/sessions", func(t *testing.T) {
		list := s.expect(200, "", "GET", "/auth/sessions", "", "Authorization", s.eve.bearer()).body["sessions"].([]any)
		require.Len(t, list, 1)
		mine := list[0].(map[string]any)
		require.Equal(t, true, mine["current"])
		s.expect(204, "", "DELETE", "/auth/sessions/"+mine["id"].(string), "", "Authorization", s.ada.bearer())
		s.expect(200, "", "GET", "/me", "", "Authorization", s.eve.bearer()) // not s.ada's to end
		s.expect(204, "", "DELETE", "/auth/sessions/"+mine["id"].(string), "", "Authorization", s.eve.bearer())
		s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", s.eve.bearer())
	})
	s.step("POST /auth/logout-all", func(t *testing.T) {
		s.expect(204, "", "POST", "/auth/logout-all", "", "Authorization", s.root.bearer())
		s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", s.root.bearer())
		require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", s.root.cookie(t)).StatusCode)
	})
	s.step("POST /auth/refresh", func(t *testing.T) {
		first := s.ada.cookie(t)
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
