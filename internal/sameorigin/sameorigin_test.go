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
		{nil, []string{origincases.Own, origincases.Own}, sameorigin.SeveralOrigins},
		{[]string{"none", "none"}, nil, sameorigin.SeveralSites},
		{[]string{"cross-site"}, nil, sameorigin.OtherSite},
		{nil, []string{origincases.Evil}, sameorigin.UnlistedPage},
		{nil, []string{origincases.Listed}, sameorigin.ListedPage},
		{nil, []string{origincases.Own}, sameorigin.OwnPage},
		{nil, nil, sameorigin.NoBrowser},
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
		{"plain HTTP, origin with TLS", "https://api.example.com", false, nil, nil, false},
		{"the host inside", "https://api.example.com", false, fixed("https"), fixed("shop.example"), false},
		{"an unknown scheme", "ftp://api.example.com", false, fixed("ftp"), nil, false},
		{"no host", "https://", true, nil, fixed(""), false},
		{"plain HTTP", "http://api.example.com", false, nil, nil, true},
		{"TLS", "https://api.example.com", true, nil, nil, true},
		{"behind a proxy", "https://api.example.com", false, fixed("https"), nil, true},
		{"behind a proxy that changes the host", "https://shop.example", false, fixed("https"), fixed("shop.example"), true},
		{"port 80 over plain HTTP", "http://shop.example", false, nil, fixed("shop.example:80"), true},
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
