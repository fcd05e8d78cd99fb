package cors

import (
	"net/http"
	"slices"
)

// isPreflight reports whether a request is a CORS-preflight request (Fetch,
// section 3.3.2): OPTIONS with Origin and Access-Control-Request-Method. Any
// other OPTIONS belongs to the application, and so does the asterisk form,
// which has no resource.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header["Origin"]) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0 && r.RequestURI != "*"
}

// answerPreflight sets the headers of the response. A failed preflight gets only
// Vary, so that a cache does not serve it to an allowed origin.
func (p *policy) answerPreflight(h http.Header, r *http.Request) Reason {
	from, method, names := r.Header["Origin"], r.Header["Access-Control-Request-Method"], r.Header["Access-Control-Request-Headers"]
	reason := p.checkPreflight(from, method, names)
	if reason != Listed {
		addVary(h, p.failed.Take(), preflightVary[:])
		return reason
	}
	row := addVary(h, p.preflight.Take(), preflightVary[:])
	row = p.allow(h, from, row)
	if !isSimple(method[0]) {
		h["Access-Control-Allow-Methods"] = method[:1:1]
	}
	switch {
	case p.headers.any:
		h["Access-Control-Allow-Headers"] = row[:1:1]
		row = row[1:]
	case len(names) > 0: // the names are allowed, and their length is bounded by allows
		h["Access-Control-Allow-Headers"] = slices.Clip(names)
	}
	if p.maxAge {
		h["Access-Control-Max-Age"] = row[:1:1]
	}
	return Listed
}

func (p *policy) checkPreflight(from, method, names []string) Reason {
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
	return isSimple(method) || slices.Contains(p.methods, method)
}

// isSimple reports whether a method needs no permission (Fetch, CORS-safelisted
// method).
func isSimple(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
}
