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
	// A browser asks for one method and has normalized it.
	from, method, names := r.Header["Origin"], r.Header["Access-Control-Request-Method"], r.Header["Access-Control-Request-Headers"]
	reason := p.judgePreflight(from, method, names)
	if reason != Listed {
		addVary(h, p.failed.Take(), preflightVary[:])
		return reason
	}
	row := addVary(h, p.preflight.Take(), preflightVary[:])
	row = p.allow(h, from, row)
	if !simple(method[0]) {
		h["Access-Control-Allow-Methods"] = method[:1:1]
	}
	switch {
	case p.headers.any:
		h["Access-Control-Allow-Headers"] = row[:1:1]
		row = row[1:]
	case len(names) > 0: // allowed, and bounded by allows
		h["Access-Control-Allow-Headers"] = slices.Clip(names)
	}
	if p.maxAge {
		h["Access-Control-Max-Age"] = row[:1:1]
	}
	return Listed
}

func (p *policy) judgePreflight(from, method, names []string) Reason {
	reason := p.checkOrigin(from)
	switch {
	case reason != Listed:
		return reason
	case len(method) != 1 || !p.allowsMethod(method[0]):
		return MethodNotAllowed
	case !p.headers.allows(names):
		return HeaderNotAllowed
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
