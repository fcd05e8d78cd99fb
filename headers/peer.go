package headers

import (
	"net/http"
	"net/netip"

	"github.com/ringwall/ringwall/internal/peeraddr"
)

// PeerIP returns the address of the peer in RemoteAddr, with or without a port:
// the client, if clients connect directly. An IPv4-mapped address is unmapped.
// PeerIP reports false if RemoteAddr is not an address, as on a Unix socket, if
// it has a zone, and for an address that no client has: unspecified, multicast
// or broadcast.
func PeerIP(r *http.Request) (netip.Addr, bool) { return parseHop(r.RemoteAddr) }

// parseHop parses an address with or without a port. It refuses zones, because no
// network contains an address with a zone.
func parseHop(s string) (netip.Addr, bool) {
	addr, ok := peeraddr.Parse(s)
	if !ok || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr, true
}

// isUnix reports whether net/http sets such a RemoteAddr for a Unix socket.
func isUnix(remote string) bool { return remote == "" || remote == "@" || remote[0] == '/' }

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
