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

// answer sets the headers of a preflight's response. A failed one has none but
// Vary, so that no cache hands it to an origin that is allowed.
func (p *policy) answer(h http.Header, r *http.Request) Reason {
	row := p.preflight.Take()
	addVary(h, row[rowVary:])
	// A browser asks for one method and has normalized it.
	method, names := r.Header["Access-Control-Request-Method"], r.Header["Access-Control-Request-Headers"]
	if len(method) != 1 || !p.allowsMethod(method[0]) {
		return MethodNotAllowed
	}
	if !p.headers.allows(names) {
		return HeaderNotAllowed
	}
	if reason := p.allowOrigin(h, r, row); reason != Listed {
		return reason
	}
	if p.credentials {
		h["Access-Control-Allow-Credentials"] = row[rowCredentials : rowCredentials+1 : rowCredentials+1]
	}
	if !simple(method[0]) {
		h["Access-Control-Allow-Methods"] = method[:1:1]
	}
	if len(names) > 0 { // allowed, and bounded by allows
		h["Access-Control-Allow-Headers"] = slices.Clip(names)
	}
	if p.maxAge {
		h["Access-Control-Max-Age"] = row[rowExpose : rowExpose+1 : rowExpose+1]
	}
	return Listed
}

func (p *policy) allowsMethod(method string) bool {
	return simple(method) || slices.Contains(p.methods, method)
}

// simple reports whether a method needs no permission (Fetch, CORS-safelisted
// method).
func simple(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
}
