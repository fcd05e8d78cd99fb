package cors

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/sameorigin"
)

// Enforcement selects the requests from unlisted origins that are refused.
// Without it, a simple POST takes effect although the page cannot read the
// response. OPTIONS is never refused.
type Enforcement int

const (
	// EnforceUnsafe refuses methods other than GET, HEAD and OPTIONS.
	EnforceUnsafe Enforcement = iota
	// EnforceAll refuses every method except OPTIONS.
	EnforceAll
	// InsecureEnforceOff refuses nothing. It is for services without cookies,
	// or with another protection against cross-site request forgery.
	InsecureEnforceOff
)

// ErrOriginDenied is the response to a request from a page of an unlisted
// origin: 403 origin_denied.
var ErrOriginDenied = errors.Define(403, "origin_denied", "Requests from this origin are not allowed.")

// checkEnforced reports whether Enforce refuses a request, and the reason.
func (p *policy) checkEnforced(r *http.Request) (reason Reason, refused bool) {
	if p.enforce == InsecureEnforceOff || p.enforce == EnforceUnsafe && isSafe(r.Method) || r.Method == http.MethodOptions {
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

func deniedError(r *http.Request, reason Reason) error {
	return ErrOriginDenied.With("reason", string(reason), "origin", clipLines(r.Header["Origin"]), "sec_fetch_site", clipLines(r.Header["Sec-Fetch-Site"]))
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// clipLines returns at most 100 bytes of a client-controlled header, for the
// log.
func clipLines(lines []string) string {
	s := strings.Join(lines[:min(len(lines), 2)], " | ")
	return clip(s, 100)
}

func clip(s string, maximum int) string { return s[:min(len(s), maximum)] }
