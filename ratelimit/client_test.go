package ratelimit_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// FuzzPeer compares the address of a RemoteAddr with what netip says.
func FuzzPeer(f *testing.F) {
	for _, s := range []string{
		"192.0.2.1:1234", "255.255.255.255:65535", "0.0.0.0:0", "1.2.3.4:65536", "1.2.3.4:00080", "1.2.3.4:99999", "1.2.3.4:123456",
		"01.2.3.4:1", "1.2.3.04:1", "1.2.3.256:1", "1.2.3.1000:1", "1.2.3.4:", "1.2.3.4", "1.2.3:4", "1.2.3.4.5:6", "1.2.3.4:+1", "1.2.3.4: 1", " 1.2.3.4:1",
		"1..3.4:5", ".2.3.4:5", ":1", "", "@", "[2001:db8::1]:443", "[::ffff:1.2.3.4]:5", "[fe80::1%eth0]:1", "[1.2.3.4]:5", "1.2.3.4:\xff", "1.2.3.4:65535x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ratelimit.Peer(s)
		want, err := netip.ParseAddrPort(s)
		require.Equal(t, err == nil, ok)
		require.Equal(t, want.Addr(), got)
	})
}

// The way without netip is taken, or it would be of no use.
func TestPeerIPv4(t *testing.T) {
	for _, s := range []string{"192.0.2.1:1234", "255.255.255.255:65535", "0.0.0.0:0", "10.20.30.40:9"} {
		addr, ok := ratelimit.PeerIPv4(s)
		require.True(t, ok, s)
		require.Equal(t, netip.MustParseAddrPort(s).Addr(), addr)
	}
}

func BenchmarkPeer(b *testing.B) {
	const remote = "192.0.2.123:54321"
	b.Run("who=ringwall", func(b *testing.B) {
		for b.Loop() {
			ratelimit.Peer(remote)
		}
	})
	b.Run("who=netip", func(b *testing.B) {
		for b.Loop() {
			_, _ = netip.ParseAddrPort(remote)
		}
	})
}
