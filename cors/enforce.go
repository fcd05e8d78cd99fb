package cors

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// Enforcement says which requests from origins that are not listed the server
// refuses. CORS alone only keeps a page from reading an answer: a simple POST
// has acted by then.
type Enforcement int

const (
	// EnforceUnsafe refuses methods other than GET, HEAD and OPTIONS.
	EnforceUnsafe Enforcement = iota
	// EnforceAll refuses every method but OPTIONS.
	EnforceAll
	// InsecureEnforceOff refuses nothing: for services that have another
	// protection from cross-site request forgery, or no cookies.
	InsecureEnforceOff
)

// ErrOriginDenied answers a request that a page of a foreign origin sent: 403
// origin_denied.
var ErrOriginDenied = errors.Define(403, "origin_denied", "This origin may not do this.")

// Check returns [ErrOriginDenied] for a request that Handler would not serve
// by its origin. Browsers tell where a request comes from in Sec-Fetch-Site,
// which pages cannot set, and in Origin. A request with neither does not come
// from a browser of this decade, and passes: it has no cookies of a victim.
func (m *Middleware) Check(r *http.Request) error {
	if m.enforce == InsecureEnforceOff || m.enforce == EnforceUnsafe && safe(r.Method) || r.Method == http.MethodOptions {
		return nil
	}
	sites, from := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(sites) == 0 && len(from) == 0 || m.friendly(r, sites, from) {
		return nil
	}
	if _, ok := m.exempt.Find(r); ok {
		return nil
	}
	return ErrOriginDenied.With("origin", clipped(from), "sec_fetch_site", clipped(sites))
}

// friendly reports whether a request comes from our own origin or a listed
// one. Sec-Fetch-Site is read first: a form on our own page that sends no
// referrer has "Origin: null".
func (m *Middleware) friendly(r *http.Request, sites, from []string) bool {
	switch {
	case len(sites) > 1 || len(from) > 1:
		return false
	case len(sites) == 1 && (sites[0] == "same-origin" || sites[0] == "none"):
		return true
	case len(sites) == 1 && sites[0] != "same-site" && sites[0] != "cross-site":
		return false
	case len(from) == 0:
		return false
	case m.origins.has(from[0]):
		return true
	}
	return len(sites) == 0 && m.own(r, from[0])
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// own reports whether an origin is the one that the request was sent to. Both
// sides are parsed: "https://evil@host" is not host.
func (m *Middleware) own(r *http.Request, from string) bool {
	o, ok := parseOrigin(from)
	if !ok || o.scheme != m.scheme(r) {
		return false
	}
	host := m.host(r)
	if port := defaultPort(o.scheme); port != "" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	want := from[len(o.scheme)+len("://"):]
	return strings.EqualFold(host, want)
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func hostOf(r *http.Request) string { return r.Host }

// clipped is what the log gets of a header that anybody can fill.
func clipped(lines []string) string {
	s := strings.Join(lines[:min(len(lines), 2)], " | ")
	return s[:min(len(s), 100)]
}
