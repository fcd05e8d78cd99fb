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

// checkEnforced reports whether Enforce refuses a request, and why.
func (p *policy) checkEnforced(r *http.Request) (reason Reason, refused bool) {
	if p.enforce == InsecureEnforceOff || p.enforce == EnforceUnsafe && safe(r.Method) || r.Method == http.MethodOptions {
		return Listed, false
	}
	sites, from := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(sites) == 0 && len(from) == 0 {
		return NoOrigin, false
	}
	if reason = p.checkSite(r, sites, from); reason == Listed {
		return Listed, false
	}
	if _, ok := p.exempt.Find(r); ok {
		return Exempted, false
	}
	return reason, true
}

// checkSite returns Listed for a request from our own origin or a listed one,
// else what speaks against it. Sec-Fetch-Site is read first: a form on our own
// page that sends no referrer has "Origin: null".
func (p *policy) checkSite(r *http.Request, sites, from []string) Reason {
	switch {
	case len(from) > 1:
		return SeveralOrigins
	case len(sites) > 1:
		return ForeignSite
	case len(sites) == 1 && (sites[0] == "same-origin" || sites[0] == "none"):
		return Listed
	case len(sites) == 1 && sites[0] != "same-site" && sites[0] != "cross-site":
		return ForeignSite
	case len(from) == 0:
		return ForeignSite
	case p.origins.allowsOrigin(from[0]) || len(sites) == 0 && p.isOwnOrigin(r, from[0]):
		return Listed
	}
	return Unlisted
}

// deniedError is the error for a refused request.
func deniedError(r *http.Request, reason Reason) error {
	return ErrOriginDenied.With("reason", reason.String(), "origin", clipLines(r.Header["Origin"]), "sec_fetch_site", clipLines(r.Header["Sec-Fetch-Site"]))
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isOwnOrigin reports whether an origin is the one that the request was sent to. Both
// sides are parsed: "https://evil@host" is not host.
func (p *policy) isOwnOrigin(r *http.Request, from string) bool {
	o, ok := parseOrigin(from)
	if !ok || o.Scheme != p.scheme(r) {
		return false
	}
	host := p.host(r)
	if port := defaultPort(o.Scheme); port != "" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	want := from[len(o.Scheme)+len("://"):]
	return strings.EqualFold(host, want)
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func hostOf(r *http.Request) string { return r.Host }

// clipLines is what the log gets of a header that anybody can fill.
func clipLines(lines []string) string {
	s := strings.Join(lines[:min(len(lines), 2)], " | ")
	return s[:min(len(s), 100)]
}
