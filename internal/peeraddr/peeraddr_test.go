package peeraddr_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/peeraddr"
	"github.com/ringwall/ringwall/internal/peeraddr/addrcases"
)

func TestAddressesWithAndWithoutPorts_FR1(t *testing.T) {
	for _, c := range addrcases.Table {
		t.Run(c.Text, func(t *testing.T) {
			addr, ok := peeraddr.Parse(c.Text)
			require.Equal(t, c.Want != "", ok)
			if ok {
				require.Equal(t, netip.MustParseAddr(c.Want), addr)
			}
		})
	}
	for text, want := range map[string]string{"[fe80::1%eth0]:1": "fe80::1%eth0", "fe80::1%eth0": "fe80::1%eth0"} {
		addr, ok := peeraddr.Parse(text)
		require.True(t, ok, "a zone is the caller's to refuse")
		require.Equal(t, netip.MustParseAddr(want), addr)
	}
	for _, text := range []string{"[ff02::1%eth0]:1", "[::%eth0]:1", "[::ffff:0.0.0.0%eth0]:1"} {
		_, ok := peeraddr.Parse(text)
		require.False(t, ok, text)
	}
}

// FuzzParse compares Parse with netip: Parse reads what netip reads, except ports
// of more than five digits, very long zones, and addresses that no client has.
func FuzzParse(f *testing.F) {
	for _, c := range addrcases.Table {
		f.Add(c.Text)
	}
	f.Add("[fe80::1%eth0]:1")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := peeraddr.Parse(s)
		want, wantOK := naiveParse(s)
		require.Equal(t, wantOK, ok, "%q", s)
		if ok {
			require.Equal(t, want, got, "%q", s)
		}
	})
}

var longPort = regexp.MustCompile(`:[0-9]{6,}$`)

func naiveParse(s string) (netip.Addr, bool) {
	inside, bracketed := strings.CutPrefix(s, "[")
	inside, closed := strings.CutSuffix(inside, "]")
	addr, err := netip.ParseAddr(inside)
	if err != nil || bracketed != closed || bracketed && !addr.Is6() {
		pair, err := netip.ParseAddrPort(s)
		if err != nil || longPort.MatchString(s) {
			return netip.Addr{}, false
		}
		addr = pair.Addr()
	}
	if addr.Zone() == "" {
		addr = addr.Unmap()
	}
	plain := addr.WithZone("").Unmap()
	special := plain.IsUnspecified() || plain.IsMulticast() || plain == netip.MustParseAddr("255.255.255.255")
	return addr, !special && len(s) <= 69 && !strings.ContainsAny(addr.Zone(), "[]")
}

// TestParseDoesNotAllocate_FR1 checks the addresses of every request, and a Unix
// socket.
func TestParseDoesNotAllocate_FR1(t *testing.T) {
	for _, s := range []string{"192.0.2.1:1234", "192.0.2.1", "[2001:db8::1]:1234", "2001:db8::1", "@", "", "unknown", "0.0.0.0:0"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { peeraddr.Parse(s) }), s)
	}
}

func BenchmarkParse(b *testing.B) {
	const remote = "192.0.2.123:54321"
	b.Run("who=ringwall", func(b *testing.B) {
		for b.Loop() {
			peeraddr.Parse(remote)
		}
	})
	b.Run("who=netip", func(b *testing.B) {
		for b.Loop() {
			_, _ = netip.ParseAddrPort(remote)
		}
	})
}
