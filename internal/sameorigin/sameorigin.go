// Package sameorigin decides whether a request comes from a page of the
// service's own origin or of a listed one. It is the one decision of cors and
// auth/session against cross-site request forgery (CWE-352, ASVS 5.0 3.5.1).
package sameorigin

import (
	"net/http"
	"strings"
)

// A Verdict is the decision on one request.
type Verdict uint8

const (
	// NoBrowser is a request with neither Sec-Fetch-Site nor Origin. It does
	// not come from a page, so it carries no cookies of a victim.
	NoBrowser Verdict = iota
	// OwnPage is a request of a page of the service's own origin, or one that
	// the user made without any page.
	OwnPage
	// ListedPage is a request of a page whose origin is listed.
	ListedPage
	// SeveralOrigins is a request with more than one Origin line, which no
	// browser sends.
	SeveralOrigins
	// SeveralSites is a request with more than one Sec-Fetch-Site line, which
	// no browser sends.
	SeveralSites
	// OtherSite is a request that Sec-Fetch-Site does not vouch for, and that
	// has no Origin.
	OtherSite
	// UnlistedPage is a request of a page whose origin is neither the service's
	// own nor listed.
	UnlistedPage
)

// IsAllowed reports whether a verdict lets the request pass.
func (v Verdict) IsAllowed() bool { return v <= ListedPage }

// A Service has the functions that the decision needs.
type Service struct {
	// Scheme and Host return the scheme and the host that the client used. nil
	// means TLS of this process and the Host header.
	Scheme, Host func(*http.Request) string
	// Lists reports whether the one Origin of a request is listed. It is called
	// with an origin that is neither empty nor null. nil lists none.
	Lists func(*http.Request) bool
}

// Check decides on a request.
//
// Sec-Fetch-Site is read first, since no page can set it, and since a form on
// an own page that sends no referrer has "Origin: null". same-origin and none,
// which is a request of the user without a page, are allowed, as
// net/http.CrossOriginProtection allows them. same-site and cross-site need a
// listed Origin. A value that is unknown or empty counts as missing, so that the
// Origin decides (W3C Fetch Metadata: servers should ignore an invalid
// Sec-Fetch-Site); but without an Origin it is refused, since a client that
// sends the header is a browser, and nothing vouches for the page.
func (s *Service) Check(r *http.Request) Verdict {
	sites, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	switch {
	case len(origins) > 1:
		return SeveralOrigins
	case len(sites) > 1:
		return SeveralSites
	case len(sites) == 0 && len(origins) == 0:
		return NoBrowser
	}
	foreign := false
	if len(sites) == 1 {
		switch sites[0] {
		case "same-origin", "none":
			return OwnPage
		case "same-site", "cross-site":
			foreign = true
		}
	}
	switch {
	case len(origins) == 0:
		return OtherSite
	case origins[0] == "" || origins[0] == "null":
		return UnlistedPage
	case s.Lists != nil && s.Lists(r):
		return ListedPage
	case !foreign && s.isOwn(r, origins[0]):
		return OwnPage
	}
	return UnlistedPage
}

// isOwn reports whether an origin is the service's own, as a browser serializes it (RFC
// 6454, section 6.2). They are compared as text, because a parser may read
// "https://evil@api.example.com" as the service's origin (golang/go#78563). It
// allocates nothing.
func (s *Service) isOwn(r *http.Request, origin string) bool {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if s.Scheme != nil {
		scheme = s.Scheme(r)
	}
	if s.Host != nil {
		host = s.Host(r)
	}
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return false
	}
	n := len(scheme) + len("://")
	if host == "" || len(origin) != n+len(host) || origin[:len(scheme)] != scheme || origin[len(scheme):n] != "://" {
		return false
	}
	for i, c := range []byte(host) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if origin[n+i] != c {
			return false
		}
	}
	return true
}
