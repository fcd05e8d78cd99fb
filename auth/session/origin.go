package session

import (
	"net/http"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/internal/sameorigin"
)

// checkOrigin refuses a request that a page of another origin made (ASVS 5.0
// 3.5.1). SameSite alone is not enough: a sibling domain is the same site.
// Package cors decides in the same way.
func (m *Manager) checkOrigin(r *http.Request) error {
	service := sameorigin.Service{Scheme: m.scheme, Host: m.host, Lists: m.allowsOrigin}
	switch verdict := service.Check(r); {
	case verdict.IsAllowed():
		return nil
	case verdict == sameorigin.SeveralOrigins || verdict == sameorigin.SeveralSites:
		return auth.ErrDenied.With("reason", "Sec-Fetch-Site or Origin is repeated")
	}
	return auth.ErrDenied.With("reason", "the request comes from another origin")
}
