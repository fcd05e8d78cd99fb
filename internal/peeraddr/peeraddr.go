// Package peeraddr reads the address of a peer or of a hop: a RemoteAddr of net/http, of a
// middleware or of a Lambda adapter, or an element of a forwarding header.
package peeraddr

import (
	"net/netip"
	"strings"
)

// longest is the length in bytes of the longest address with brackets and a
// port. Linux bounds the name of an interface, the zone, to 15 bytes.
const longest = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%zone-of-15-byte]:65535")

// Parse returns the address in a text: IPv4 or IPv6, with or without a port.
// An IPv6 address with a port has brackets; without a port, it may. An
// IPv4-mapped address is unmapped, unless it has a zone. Parse reports false
// for other texts, and for an address that no client has: unspecified, multicast or
// broadcast.
//
// It is strict, because another reader of the same text must not find another
// address: no leading zeros, which some read as octal (CVE-2021-29923, RFC 6943,
// section 3.1.1), no spaces, no empty port. It allocates nothing for a text
// without a colon.
func Parse(s string) (netip.Addr, bool) {
	if addr, rest, ok := parseIPv4(s); ok {
		if rest != "" && !isPort(rest) {
			return netip.Addr{}, false
		}
		return addr, isClient(addr)
	}
	return parseIPv6(s)
}

// parseIPv4 reads an IPv4 address, and returns the text behind it. Unlike
// netip, it allocates nothing for a text that is not one.
func parseIPv4(s string) (_ netip.Addr, rest string, ok bool) {
	var ip [4]byte
	for i := range ip {
		n, digits := 0, 0
		for digits < len(s) && digits < 4 && s[digits]-'0' <= 9 {
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || digits > 1 && s[0] == '0' {
			return netip.Addr{}, "", false
		}
		ip[i], s = byte(n), s[digits:]
		if i == 3 {
			break
		}
		if s == "" || s[0] != '.' {
			return netip.Addr{}, "", false
		}
		s = s[1:]
	}
	return netip.AddrFrom4(ip), s, true
}

// parseIPv6 reads an IPv6 address, of which most of the work is netip's.
func parseIPv6(s string) (netip.Addr, bool) {
	if len(s) > longest || strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	if inside, found := strings.CutPrefix(s, "["); found {
		end := strings.IndexByte(inside, ']')
		if end < 0 {
			return netip.Addr{}, false
		}
		if port := inside[end+1:]; port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		s = inside[:end]
	}
	if strings.ContainsAny(s, "[]") { // in a zone, which netip takes as it is
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is6() {
		return netip.Addr{}, false
	}
	if addr.Zone() == "" {
		addr = addr.Unmap()
	}
	return addr, isClient(addr)
}

// isPort reports whether a text is a colon and a number from 0 to 65535, of at
// most five digits.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	n := 0
	for _, c := range []byte(s[1:]) {
		if c-'0' > 9 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// isClient reports whether a client can have an address. It reports false for the
// unspecified address, multicast and broadcast (RFC 1122, section 3.2.1.3; RFC 4291,
// sections 2.5.2 and 2.7).
func isClient(addr netip.Addr) bool {
	plain := addr.WithZone("").Unmap()
	return !plain.IsUnspecified() && !plain.IsMulticast() && plain != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
