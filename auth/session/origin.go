package session

import (
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/auth"
)

// checkOrigin refuses a request that another site's page made (ASVS 5.0
// 3.5.1). SameSite alone does not do: a sibling domain is the same site.
//
// Browsers say where a request comes from, first in Sec-Fetch-Site, older ones
// and those on plain HTTP in Origin. A request with neither is no browser's,
// so nobody is tricked into sending it.
func (m *Manager) checkOrigin(r *http.Request) error {
	sites, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(sites) > 1 || len(origins) > 1 {
		return auth.ErrDenied.With("reason", "Sec-Fetch-Site or Origin is there twice")
	}
	switch {
	case len(sites) == 0 && len(origins) == 0:
		return nil
	case len(sites) == 1 && sites[0] == "same-origin":
		return nil
	case len(sites) == 0 && origins[0] == m.ownOrigin(r):
		return nil
	case len(origins) == 1 && origins[0] != "" && origins[0] != "null" && m.allowsOrigin != nil && m.allowsOrigin(r):
		return nil
	}
	return auth.ErrDenied.With("reason", "the request comes from another origin")
}

// ownOrigin returns our origin as a browser writes it (RFC 6454, section 6.2).
// It is compared as text: a parser would have to be as strict as "https://evil@api.example.com"
// is inventive (golang/go#78563).
func (m *Manager) ownOrigin(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if m.scheme != nil {
		scheme = m.scheme(r)
	}
	if m.host != nil {
		host = m.host(r)
	}
	if scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return scheme + "://" + strings.ToLower(host)
}
