package sameorigin_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/sameorigin"
	"github.com/ringwall/ringwall/internal/sameorigin/origincases"
)

func lists(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == origincases.Listed || origin == "null" || origin == "" // Check must not ask for the last two
}

func TestRequestsOfOwnAndListedPagesPass_FC7(t *testing.T) {
	s := sameorigin.Service{Lists: lists}
	for _, c := range origincases.Table {
		t.Run(c.Name, func(t *testing.T) { require.Equal(t, c.Allowed, s.Check(c.Request("/")).IsAllowed()) })
	}
}

// TestVerdictsNameTheCause_FC7 holds one verdict of each kind.
func TestVerdictsNameTheCause_FC7(t *testing.T) {
	s := sameorigin.Service{Lists: lists}
	for _, row := range []struct {
		sites, origins []string
		want           sameorigin.Verdict
	}{
		{origins: []string{origincases.Own, origincases.Own}, want: sameorigin.SeveralOrigins},
		{sites: []string{"none", "none"}, want: sameorigin.SeveralSites},
		{sites: []string{"cross-site"}, want: sameorigin.OtherSite},
		{origins: []string{origincases.Evil}, want: sameorigin.UnlistedPage},
		{origins: []string{origincases.Listed}, want: sameorigin.ListedPage},
		{origins: []string{origincases.Own}, want: sameorigin.OwnPage},
		{want: sameorigin.NoBrowser},
	} {
		require.Equal(t, row.want, s.Check(origincases.Case{Sites: row.sites, Origins: row.origins}.Request("/")), row)
	}
}

// TestOwnOriginComesFromSchemeAndHost_FC7 holds the two functions behind a proxy.
func TestOwnOriginComesFromSchemeAndHost_FC7(t *testing.T) {
	fixed := func(s string) func(*http.Request) string { return func(*http.Request) string { return s } }
	for _, row := range []struct {
		name, origin string
		tls          bool
		scheme, host func(*http.Request) string
		own          bool
	}{
		{name: "plain HTTP, origin with TLS", origin: "https://api.example.com"},
		{name: "the host inside", origin: "https://api.example.com", scheme: fixed("https"), host: fixed("shop.example")},
		{name: "an unknown scheme", origin: "ftp://api.example.com", scheme: fixed("ftp")},
		{name: "no host", origin: "https://", tls: true, host: fixed("")},
		{name: "plain HTTP", origin: "http://api.example.com", own: true},
		{name: "TLS", origin: "https://api.example.com", tls: true, own: true},
		{name: "behind a proxy", origin: "https://api.example.com", scheme: fixed("https"), own: true},
		{name: "behind a proxy that changes the host", origin: "https://shop.example", scheme: fixed("https"), host: fixed("shop.example"), own: true},
		{name: "port 80 over plain HTTP", origin: "http://shop.example", host: fixed("shop.example:80"), own: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://api.example.com/", nil)
			r.Header.Set("Origin", row.origin)
			if row.tls {
				r.TLS = new(tls.ConnectionState)
			}
			s := sameorigin.Service{Scheme: row.scheme, Host: row.host}
			require.Equal(t, row.own, s.Check(r) == sameorigin.OwnPage)
		})
	}
}

func TestCheckDoesNotAllocate_FC7(t *testing.T) {
	s := sameorigin.Service{Lists: lists}
	for _, c := range origincases.Table {
		r := c.Request("/")
		require.Zero(t, testing.AllocsPerRun(10, func() { s.Check(r) }), c.Name)
	}
}
