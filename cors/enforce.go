package cors

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/sameorigin"
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
var ErrOriginDenied = errors.Define(403, "origin_denied", "Requests from this origin are not allowed.")

// checkEnforced reports whether Enforce refuses a request, and why.
func (p *policy) checkEnforced(r *http.Request) (reason Reason, refused bool) {
	if p.enforce == InsecureEnforceOff || p.enforce == EnforceUnsafe && safe(r.Method) || r.Method == http.MethodOptions {
		return Listed, false
	}
	verdict := p.own.Check(r)
	if verdict.IsAllowed() {
		return reasonOf(verdict), false
	}
	if _, ok := p.exempt.Find(r); ok {
		return Exempted, false
	}
	return reasonOf(verdict), true
}

// reasonOf names a verdict of internal/sameorigin in this package's words.
func reasonOf(verdict sameorigin.Verdict) Reason {
	switch verdict {
	case sameorigin.NoBrowser:
		return NoOrigin
	case sameorigin.OwnPage, sameorigin.ListedPage:
		return Listed
	case sameorigin.SeveralOrigins:
		return SeveralOrigins
	case sameorigin.UnlistedPage:
		return Unlisted
	}
	return ForeignSite
}

// deniedError is the error for a refused request.
func deniedError(r *http.Request, reason Reason) error {
	return ErrOriginDenied.With("reason", string(reason), "origin", clipLines(r.Header["Origin"]), "sec_fetch_site", clipLines(r.Header["Sec-Fetch-Site"]))
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// clipLines is what the log gets of a header that anybody can fill.
func clipLines(lines []string) string {
	s := strings.Join(lines[:min(len(lines), 2)], " | ")
	return clip(s, 100)
}

func clip(s string, most int) string { return s[:min(len(s), most)] }
