package headers

import (
	"net/netip"
	"strconv"
	"strings"
)

// hostname returns a host in lower case, without its port and trailing dot.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isHost reports whether host is a host name or an address, with or without a port.
// Such a text cannot change the other parts of a URL that contains it.
func isHost(host string) bool {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		var port string
		name, port = host[:i], host[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return false
		}
	}
	if strings.HasPrefix(name, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
		return err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(name, "]")
	}
	if name == "" || len(name) > 254 || name[0] == '.' || strings.Contains(name, "..") {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// mayHaveHSTS reports whether a host is neither localhost, which other programs
// share, nor an address (RFC 6797, section 8.1.1).
func mayHaveHSTS(host string) bool {
	if n := len(host); n > 0 && 'a' <= host[n-1] && host[n-1] <= 'z' && host[n-1] != 't' {
		return true // ports, addresses and localhost end otherwise
	}
	name := hostname(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return false
	}
	if last := name[len(name)-1]; last != ']' && (last < '0' || last > '9') {
		return true // avoids the error that ParseAddr allocates
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err != nil
}
