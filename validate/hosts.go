package validate

import (
	"net/netip"
	"strconv"
	"strings"
)

// isHostname accepts a host name of RFC 1123, section 2.1: labels of letters,
// digits and inner hyphens, at most 253 bytes, without a dot at the end. A name
// that ends in a number is not a name. A-labels (xn--) are not decoded.
func isHostname(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return len(s) <= 253 && !endsInNumber(s)
}

// isFQDN accepts a host name of two labels or more.
func isFQDN(s string) bool { return isHostname(s) && strings.Contains(s, ".") }

// isLabel accepts one label of a host name. It may be a number, which only the last
// label of a name must not be.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// endsInNumber is the ends-in-a-number checker of the URL standard, section 3.5.
// Browsers, curl and getaddrinfo read such a host as an IPv4 address:
// 0x7f000001, 017700000001, 127.1 and a single 2130706433 are 127.0.0.1, so
// that a list of forbidden addresses would not find them (CWE-918).
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if len(last) >= 2 && last[0] == '0' && last[1]|0x20 == 'x' {
		return strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// isHost accepts a host name, an IPv4 address in its one common form, or an
// IPv6 address in brackets that is not a mapped IPv4 address (RFC 3986, section
// 3.2.2).
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		return isBracketed(inner)
	}
	return isHostname(s) || isIPv4(s)
}

// isBracketed accepts an IPv6 address and its closing bracket.
func isBracketed(s string) bool {
	inner, closed := strings.CutSuffix(s, "]")
	a, ok := parseAddress(inner)
	return closed && ok && a.Is6() && !a.Is4In6()
}

func isIPv4(s string) bool {
	a, ok := parseAddress(s)
	return ok && a.Is4()
}

// isHostnamePort accepts a host, a colon and a port.
func isHostnamePort(s string) bool {
	host, port, ok := cutPort(s)
	return ok && isHost(host) && isPort(port)
}

// cutPort cuts a host at the colon that ends it. Colons in brackets do not.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.LastIndexByte(s, ']') > i {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isPort accepts 1 to 65535 in decimal digits, without leading zeros.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0' && s[0] != '+'
}

// parseAddress parses an IP address without a zone. Forms other than four
// decimal numbers without leading zeros are not IPv4 addresses.
func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == ""
}

// parsePrefix parses a network in CIDR notation. Mapped IPv4 addresses are refused,
// because some parsers compare them as IPv6 and others as IPv4.
func parsePrefix(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	return p, err == nil && !p.Addr().Is4In6()
}

// isEmail accepts one address of at most 254 bytes (RFC 5321, section
// 4.5.3.1.3): a dot-atom of ASCII (RFC 5322, section 3.2.3) of at most 64 bytes,
// and a domain of two labels or more. Quoted local parts, address literals and
// internationalized local parts (RFC 6531) are refused: U+200B and U+202E in one
// make two addresses that look alike.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 254 || len(local) > 64 {
		return false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if !isAtom(atom) {
			return false
		}
	}
	return isFQDN(domain)
}

// isAtom accepts an atom of RFC 5322, section 3.2.3.
func isAtom(s string) bool {
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
