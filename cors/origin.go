package cors

import (
	"net/netip"
	"strings"
)

// longestOrigin is the maximum length of an origin in bytes: a scheme of 64, a
// host name of 253 (RFC 1035, section 2.3.4) and a port.
const longestOrigin = 64 + len("://") + longestHost + len(":65535")

const longestHost = 253

// An Origin is a parsed tuple origin (HTML, section 7.1.1).
type Origin struct {
	// Scheme is in lower case, such as https.
	Scheme string
	// Host is a name in lower case or an IP address. IPv6 addresses have
	// brackets.
	Host string
	// Port is "" if it is the default of the scheme.
	Port string

	address bool // the host is an IP address
}

// String returns the serialization that browsers send.
func (o Origin) String() string {
	if o.Port == "" {
		return o.Scheme + "://" + o.Host
	}
	return o.Scheme + "://" + o.Host + ":" + o.Port
}

// parseOrigin accepts only the serialization that browsers send: no upper case,
// userinfo, path, default port or trailing dot. It does not allocate.
func parseOrigin(s string) (Origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || len(s) > longestOrigin || !validScheme(scheme) {
		return Origin{}, false
	}
	o := Origin{Scheme: scheme, Host: rest}
	if end := strings.LastIndexByte(rest, ':'); end > strings.LastIndexByte(rest, ']') {
		o.Host, o.Port = rest[:end], rest[end+1:]
		if !validPort(scheme, o.Port) {
			return Origin{}, false
		}
	}
	o.address, ok = parseHost(scheme, o.Host)
	return o, ok
}

// validScheme reports whether s is a scheme (RFC 3986, section 3.1) in lower case.
func validScheme(s string) bool {
	if s == "https" || s == "http" {
		return true
	}
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// validPort reports whether port is between 1 and 65535, without leading zeros,
// and not the default of the scheme, which browsers do not serialize.
func validPort(scheme, port string) bool {
	if port == "" || len(port) > 5 || port[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n <= 65535 && port != defaultPort(scheme)
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// parseHost reports whether host is a name of letters, digits, hyphens and
// underscores, or an IP address as browsers serialize it, and whether it is an
// address.
func parseHost(scheme, host string) (address, ok bool) {
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		return true, err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" && host == "["+addr.String()+"]"
	}
	if len(host) > longestHost || !validLabels(host) {
		return false, false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if scheme != "https" && scheme != "http" || !isNumber(last) {
		return false, last != ""
	}
	// The host ends in a number, so it must be an IPv4 address (URL, section
	// 3.5).
	addr, err := netip.ParseAddr(host)
	return true, err == nil && addr.Is4()
}

// isNumber reports whether a label is a number to URL parsers: decimal, or
// hexadecimal after 0x.
func isNumber(label string) bool {
	if rest, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// validLabels reports whether all labels have 1 to 63 bytes (RFC 1035, section
// 2.3.4). It accepts a trailing dot; its callers do not.
func validLabels(s string) bool {
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case !hostByte[c]:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return s != ""
}

// hostByte has the bytes of a label: lower-case letters, digits, the hyphen, and
// the underscore, which browsers accept.
var hostByte = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789_-") {
		set[c] = true
	}
	return set
}()

// isLoopback reports whether the origin is this machine, which browsers trust
// without TLS.
func (o Origin) isLoopback() bool {
	if !o.address {
		return o.Host == "localhost" || strings.HasSuffix(o.Host, ".localhost")
	}
	addr, err := netip.ParseAddr(strings.Trim(o.Host, "[]"))
	return err == nil && addr.IsLoopback()
}
