package ratelimit_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/peeraddr/addrcases"
	"github.com/ringwall/ringwall/ratelimit"
)

// Lambda adapters, chi's RealIP and gorilla's ProxyHeaders set a RemoteAddr without a
// port.
func TestAddressesWithoutAPortAreSeparateClients_FR1(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	for _, remote := range []string{"203.0.113.1", "203.0.113.2", "2001:db8::1", "[2001:db8:1::1]", "[fe80::1%eth0]:1"} {
		require.Equal(t, 200, call(l, "GET", "/", remote, 200).Code, remote)
		require.Equal(t, 429, call(l, "GET", "/", remote, 200).Code, remote)
	}
	require.Equal(t, 429, call(l, "GET", "/", "203.0.113.1:4711", 200).Code, "a port must not make another client")
	require.Equal(t, 429, call(l, "GET", "/", "[::ffff:203.0.113.2]:1", 200).Code)
}

// The table is that of internal/peeraddr, which headers.PeerIP uses too.
func TestRemoteAddrWithAnAddressIsAClient_FR1(t *testing.T) {
	previous := slog.Default()
	defer slog.SetDefault(previous)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for _, c := range addrcases.Table {
		t.Run(c.Text, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
			require.Equal(t, 200, call(l, "GET", "/", "@", 200).Code)
			require.Equal(t, c.Want != "", call(l, "GET", "/", c.Text, 200).Code == 200, "a RemoteAddr without an address must count with @")
			if c.Want != "" {
				require.Equal(t, 429, call(l, "GET", "/", netip.AddrPortFrom(netip.MustParseAddr(c.Want), 9).String(), 200).Code)
			}
		})
	}
}

func TestRequestsWithoutAnAddressAreLoggedOnceAMinute_FR1(t *testing.T) {
	for _, remote := range []string{"@", "", "unknown", "0.0.0.0:0", strings.Repeat("x", 1<<16)} {
		var log bytes.Buffer
		previous := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		l := newLimiter(t, ratelimit.Options{
			Tiers:    []ratelimit.Tier{tierPerMinute("a", 9)},
			ClientIP: func(*http.Request) (netip.Addr, bool) { return netip.Addr{}, false },
		})
		call(l, "GET", "/", "203.0.113.1", 200)
		require.Empty(t, log.String(), "a client with an address must not be logged")
		for range 3 {
			call(l, "GET", "/", remote, 200)
		}
		slog.SetDefault(previous)
		require.Contains(t, log.String(), "no client address; such requests count as one client")
		require.Contains(t, log.String(), "remote_addr="+map[bool]string{true: `""`, false: remote[:min(len(remote), 64)]}[remote == ""])
		require.Less(t, log.Len(), 1000)
		require.LessOrEqual(t, strings.Count(log.String(), "\n"), 2, "a minute may end between the requests")
	}
}
