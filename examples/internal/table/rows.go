package table

import "strings"

const (
	ada     = `{"email":"ada@example.com","password":"correct horse battery staple"}`
	eve     = `{"email":"eve@example.com","password":"correct horse battery staple"}`
	nobody  = `{"email":"nobody@example.com","password":"x"}`
	granted = `{"access_token":"a token","token_type":"Bearer","expires_in":"5 minutes","scope":"orders:read orders:write"}`
	readers = `{"access_token":"a token","token_type":"Bearer","expires_in":"5 minutes","scope":"orders:read"}`
	fields  = `"sku":"RAM1","qty":2,"note":"by the gate"`
)

// crowd is an address that many requests come from.
const crowd = "198.51.100.1"

func rows() []row {
	limited := []string{"Ratelimit", "Ratelimit-Policy", "Vary"}
	challenged := append([]string{"Www-Authenticate"}, limited...)
	notAllowed := append([]string{"Allow"}, limited...)
	quiet := []string{"Vary"} // the limits of the login do not send the remaining requests
	loggedIn := []string{"Set-Cookie", "Vary"}
	refreshed := append([]string{"Set-Cookie"}, limited...)
	foreign := map[string]string{"Origin": "https://evil.example"}
	return []row{
		// Refusals of the rings, equal for all routers.
		{name: "in clear", method: "POST", path: "/auth/login", body: ada, header: map[string]string{"X-Forwarded-Proto": ""}, status: 403, want: "https_required", extra: []string{"-Strict-Transport-Security"}},
		{name: "FD6 a foreign host", method: "GET", path: "/.well-known/jwks.json", header: map[string]string{"Host": "evil.example"}, status: 421, want: "misdirected_request"},
		{name: "FD6 an address for a host, as by DNS rebinding", method: "POST", path: "/auth/login", body: ada, header: map[string]string{"Host": "127.0.0.1:8081"}, status: 421, want: "misdirected_request", extra: []string{"-Strict-Transport-Security"}},
		{name: "FD6 a host that ends with ours", method: "GET", path: "/orders/1", header: map[string]string{"Host": "evil-api.example.com"}, status: 421, want: "misdirected_request"},
		{name: "FD6 a foreign X-Forwarded-Host is not read", method: "GET", path: "/orders/1", header: map[string]string{"X-Forwarded-Host": "evil.example"}, status: 401, want: "auth_required", extra: challenged},
		{name: "a page of a stranger", method: "POST", path: "/auth/login", body: ada, header: foreign, status: 403, want: "origin_denied", extra: []string{"Vary"}},
		{name: "anonymous", method: "GET", path: "/orders/1", status: 401, want: "auth_required", extra: challenged},
		{name: "anonymous, no such route", method: "GET", path: "/nowhere", status: 401, want: "auth_required", extra: challenged},
		{name: "anonymous, no such method", method: "DELETE", path: "/orders/1", status: 401, want: "auth_required", extra: challenged},
		{name: "a public path, spelled otherwise", method: "GET", path: "/auth/%6Cogin", status: 401, want: "auth_required", extra: challenged},
		{name: "a public path with a slash", method: "GET", path: "/auth/login/", status: 401, want: "auth_required", extra: challenged},
		{name: "a credential of another kind", method: "GET", path: "/orders/1", header: map[string]string{"Authorization": "Basic YWRhOmFkYQ=="}, status: 401, want: "auth_required", extra: challenged},
		{name: "a forged token", method: "GET", path: "/orders/1", header: map[string]string{"Authorization": "Bearer a.b.c"}, status: 401, want: "auth_invalid", extra: challenged},

		// Preflights.
		{name: "a preflight of our page", method: "OPTIONS", path: "/orders", header: map[string]string{"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}, status: 204, extra: []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Origin", "Vary"}},
		{name: "a preflight of our page, no such route", method: "OPTIONS", path: "/nowhere", header: map[string]string{"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}, status: 204, extra: []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Origin", "Vary"}},
		{name: "a preflight of a stranger", method: "OPTIONS", path: "/orders", header: map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, status: 403, extra: []string{"Vary"}},

		// Logins.
		{name: "the login takes no GET", method: "GET", path: "/auth/login", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "the login takes no PUT", method: "PUT", path: "/auth/login", body: ada, status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "a login that is no JSON", method: "POST", path: "/auth/login", body: "a=b", header: map[string]string{"Content-Type": "text/plain"}, status: 415, want: "unsupported_media_type", extra: append([]string{"Accept"}, quiet...)},
		{name: "a login with an unknown member", method: "POST", path: "/auth/login", body: `{"email":"a@example.com","password":"x","admin":true}`, status: 422, want: "invalid_input", extra: quiet},
		{name: "a login with a doubled member", method: "POST", path: "/auth/login", body: `{"email":"a@example.com","password":"x","password":"y"}`, status: 400, want: "malformed_input", extra: quiet},
		{name: "a login that is deep", method: "POST", path: "/auth/login", body: strings.Repeat("[", 100_000), status: 413, want: "input_too_large", extra: quiet},
		{name: "a login of 3 MiB", method: "POST", path: "/auth/login", body: `{"email":"` + strings.Repeat("a", 3<<20) + `"}`, status: 413, want: "input_too_large", extra: quiet},
		{name: "a login of nobody", method: "POST", path: "/auth/login", body: nobody, status: 401, want: "bad_credentials", extra: quiet},
		{name: "ada's login", method: "POST", path: "/auth/login", body: ada, status: 200, want: granted, keep: "ada", extra: loggedIn},
		{name: "eve's login", method: "POST", path: "/auth/login", body: eve, status: 200, want: readers, keep: "eve", extra: loggedIn},

		// Orders.
		{name: "an order by a reader", method: "POST", path: "/orders", body: `{` + fields + `}`, as: "eve", status: 403, want: "access_denied", extra: challenged},
		{name: "an order of nothing", method: "POST", path: "/orders", as: "ada", status: 400, want: "malformed_input", extra: limited},
		{name: "an order of too many", method: "POST", path: "/orders", body: `{"sku":"RAM1","qty":11,"note":""}`, as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order with a query", method: "POST", path: "/orders?admin=1", body: `{` + fields + `}`, as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order", method: "POST", path: "/orders", body: `{` + fields + `}`, as: "ada", status: 201, want: `{"id":"{order}",` + fields + `}`, keep: "order", extra: append([]string{"Location"}, limited...)},
		{name: "one's own order", method: "GET", path: "/orders/{order}", as: "ada", status: 200, want: `{"id":"{order}",` + fields + `}`, extra: limited},
		{name: "one's own order, a letter escaped", method: "GET", path: "/orders/%{hex}{rest}", as: "ada", status: 200, want: `{"id":"{order}",` + fields + `}`, extra: limited},
		{name: "one's own order, an escape escaped", method: "GET", path: "/orders/%25{hex}{rest}", as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order with a slash inside", method: "GET", path: "/orders/{order}%2Fx", as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order with dots inside", method: "GET", path: "/orders/%2e%2e%2f{order}", as: "ada", status: 400, want: "malformed_input", extra: limited},
		{name: "an order with a zero byte", method: "GET", path: "/orders/{order}%00", as: "ada", status: 400, want: "malformed_input", extra: limited},
		{name: "an order with a byte that is no text", method: "GET", path: "/orders/%FF", as: "ada", status: 400, want: "malformed_input", extra: limited},
		{name: "an order with a plus", method: "GET", path: "/orders/{order}+", as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order with a semicolon", method: "GET", path: "/orders/{order};a=b", as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "an order with a body", method: "GET", path: "/orders/{order}", body: `{}`, as: "ada", status: 400, want: "unexpected_body", extra: limited},
		{name: "an order with a query, read", method: "GET", path: "/orders/{order}?full=1", as: "ada", status: 422, want: "invalid_input", extra: limited},
		{name: "another's order", method: "GET", path: "/orders/{order}", as: "eve", status: 404, want: "order_not_found", extra: limited},
		{name: "no order", method: "GET", path: "/orders/AAAAAAAAAAAAAAAAAAAAAAAAAA", as: "eve", status: 404, want: "order_not_found", extra: limited},
		{name: "no ID", method: "GET", path: "/orders/1", as: "eve", status: 422, want: "invalid_input", extra: limited},

		// Responses of the routers.
		{name: "no route", method: "GET", path: "/nowhere", as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "no route, with a body", method: "POST", path: "/nowhere", body: `{}`, as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "the root", method: "GET", path: "/", as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "a slash at the end", method: "GET", path: "/orders/", as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "a slash at the end of an order", method: "GET", path: "/orders/{order}/", as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "another case", method: "GET", path: "/Orders/{order}", as: "ada", status: 404, want: "not_found", extra: limited},
		{name: "no list of orders", method: "GET", path: "/orders", as: "ada", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "no DELETE of an order", method: "DELETE", path: "/orders/{order}", as: "ada", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "no POST to an order", method: "POST", path: "/orders/{order}", body: `{}`, as: "ada", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "OPTIONS without an origin", method: "OPTIONS", path: "/orders", as: "ada", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "a method of WebDAV", method: "PROPFIND", path: "/orders", as: "ada", status: 405, want: "method_not_allowed", extra: append([]string{"?Allow"}, limited...)}, // chi has none here

		// Sessions.
		{name: "a refresh takes no GET", method: "GET", path: "/auth/refresh", status: 405, want: "method_not_allowed", extra: notAllowed},
		{name: "a refresh without a cookie", method: "POST", path: "/auth/refresh", status: 401, want: "auth_required", extra: challenged},
		{name: "eve's refresh", method: "POST", path: "/auth/refresh", header: map[string]string{"Cookie": "{cookie of eve}"}, status: 200, want: readers, keep: "eve again", extra: refreshed},
		{name: "a replay", method: "POST", path: "/auth/refresh", header: map[string]string{"Cookie": "{cookie of eve}"}, status: 401, want: "auth_revoked", extra: challenged},
		{name: "what the thief got is dead", method: "GET", path: "/orders/1", as: "eve again", status: 401, want: "auth_revoked", extra: challenged},
		{name: "a logout", method: "POST", path: "/auth/logout", header: map[string]string{"Cookie": "{cookie of ada}"}, status: 204, extra: refreshed},
		{name: "after the logout", method: "GET", path: "/orders/{order}", as: "ada", status: 401, want: "auth_revoked", extra: challenged},

		// Limits: the sixth login in a minute, and another spelling of it.
		{name: "login 1", method: "POST", path: "/auth/login", body: `{}`, from: crowd, status: 422, want: "invalid_input", extra: quiet},
		{name: "login 2", method: "POST", path: "/auth/login", body: `{}`, from: crowd, status: 422, want: "invalid_input", extra: quiet},
		{name: "login 3", method: "POST", path: "/auth/login", body: `{}`, from: crowd, status: 422, want: "invalid_input", extra: quiet},
		{name: "login 4", method: "POST", path: "/auth/login", body: `{}`, from: crowd, status: 422, want: "invalid_input", extra: quiet},
		{name: "login 5", method: "POST", path: "/auth/login", body: `{}`, from: crowd, status: 422, want: "invalid_input", extra: quiet},
		{name: "login 6", method: "POST", path: "/auth/login", body: ada, from: crowd, status: 429, want: "rate_limited", extra: append([]string{"Retry-After"}, quiet...)},
		{name: "login 6, spelled otherwise", method: "POST", path: "/auth/%6Cogin/", body: ada, from: crowd, status: 429, want: "rate_limited", extra: append([]string{"Retry-After"}, quiet...)},
		{name: "login 6, with an address of its own making", method: "POST", path: "/auth/login", body: ada, from: "192.0.2.1, " + crowd, status: 429, want: "rate_limited", extra: append([]string{"Retry-After"}, quiet...)},
		{name: "a login from elsewhere", method: "POST", path: "/auth/login", body: ada, status: 200, want: granted, keep: "ada again", extra: loggedIn},
	}
}
