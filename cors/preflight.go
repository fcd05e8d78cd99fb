package cors

import (
	"net/http"
	"slices"
)

// preflight reports whether a request is a CORS-preflight request (Fetch,
// section 3.3.2): OPTIONS, Origin and Access-Control-Request-Method together.
// Any other OPTIONS is the application's, and so is the asterisk form, which
// has no resource.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0 && r.RequestURI != "*"
}

// answer sets the headers of a preflight's response and returns its status. A
// failed one has none but Vary, so that no cache hands it to an origin that is
// allowed.
func (m *Middleware) answer(h http.Header, r *http.Request) int {
	for _, name := range [...]string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		addVary(h, name)
	}
	// A browser asks for one method and has normalized it.
	method, names := r.Header["Access-Control-Request-Method"], r.Header["Access-Control-Request-Headers"]
	if len(method) != 1 || !m.allowsMethod(method[0]) || !m.headers.allows(names) || !m.allowOrigin(h, r) {
		return http.StatusForbidden
	}
	if m.credentials {
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	}
	if !simple(method[0]) {
		h["Access-Control-Allow-Methods"] = method[:1:1]
	}
	if len(names) > 0 { // allowed, and bounded by allows
		h["Access-Control-Allow-Headers"] = slices.Clip(names)
	}
	if m.maxAge != "" {
		h["Access-Control-Max-Age"] = []string{m.maxAge}
	}
	return m.status
}

func (m *Middleware) allowsMethod(method string) bool {
	return simple(method) || slices.Contains(m.methods, method)
}

// simple reports whether a method needs no permission (Fetch, CORS-safelisted
// method).
func simple(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
}
