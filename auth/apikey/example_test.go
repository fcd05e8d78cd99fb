package apikey_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

func Example() {
	partners := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: apikey.NewMemory(), ClientIP: headers.PeerIP, Routes: []string{"/partner/"}}))
	_, text, _ := partners.Create(context.Background(), apikey.Key{Name: "warehouse", Subject: "warehouse", Networks: nets("192.0.2.0/24")})

	for _, remote := range []string{"192.0.2.7:1", "198.51.100.7:1"} {
		r := httptest.NewRequest("GET", "/partner/stock", nil)
		r.Header.Set("X-API-Key", text)
		r.RemoteAddr = remote
		p, err := partners.Authenticate(r)
		fmt.Println(p, errors.Is(err, apikey.ErrNetworkDenied))
	}
	// Output:
	// program warehouse false
	// anonymous true
}

// The classic mistake: an allowlist on an address that the client wrote.
func Example_incorrect() {
	forwarded := func(r *http.Request) (netip.Addr, bool) {
		addr, err := netip.ParseAddr(r.Header.Get("X-Forwarded-For"))
		return addr, err == nil
	}
	for name, clientIP := range map[string]func(*http.Request) (netip.Addr, bool){"wrong": forwarded, "right": headers.PeerIP} {
		partners := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: apikey.NewMemory(), ClientIP: clientIP, Routes: []string{"/partner/"}}))
		_, text, _ := partners.Create(context.Background(), apikey.Key{Name: "warehouse", Subject: "warehouse", Networks: nets("192.0.2.0/24")})
		thief := httptest.NewRequest("GET", "/partner/stock", nil)
		thief.RemoteAddr = "198.51.100.7:1"
		thief.Header.Set("X-API-Key", text)
		thief.Header.Set("X-Forwarded-For", "192.0.2.7")
		var p *auth.Principal
		p, _ = partners.Authenticate(thief)
		fmt.Println(name, p)
	}
	// Unordered output:
	// wrong program warehouse
	// right anonymous
}
