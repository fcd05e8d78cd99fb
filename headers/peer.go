package headers

import (
	"net/http"
	"net/netip"
	"strings"
)

// PeerIP returns the address of the TCP peer: the client, when clients connect
// directly. An IPv4-mapped address is unmapped. It reports false when
// RemoteAddr is no address, as on a Unix socket, or has a zone.
func PeerIP(r *http.Request) (netip.Addr, bool) { return parseHop(r.RemoteAddr) }

// longestHop is the length of the longest address with brackets and a port.
const longestHop = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535")

// parseHop parses an address with or without a port. netip refuses leading
// zeros, which other parsers read as octal (CVE-2021-29923).
func parseHop(s string) (netip.Addr, bool) {
	if len(s) > longestHop {
		return netip.Addr{}, false
	}
	switch {
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		s = s[1 : len(s)-1]
		if !strings.Contains(s, ":") {
			return netip.Addr{}, false
		}
	case strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1:
		ap, err := netip.ParseAddrPort(s)
		if err != nil || ap.Addr().Zone() != "" {
			return netip.Addr{}, false
		}
		return ap.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isUnix reports whether a RemoteAddr is what net/http gives for a Unix socket.
func isUnix(remote string) bool { return remote == "" || remote == "@" || remote[0] == '/' }

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
