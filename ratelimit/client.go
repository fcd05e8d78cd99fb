package ratelimit

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// clientAddr returns whom a request counts for: never nobody, since everybody
// without an address would escape the limits.
func (l *Limiter) clientAddr(r *http.Request) netip.Addr {
	if l.clientIP == nil {
		l.warnMissingClientIP(r)
	} else if addr, _ := l.clientIP(r); addr.IsValid() {
		return addr
	}
	if addr, ok := peer(r.RemoteAddr); ok {
		return addr
	}
	return netip.IPv6Unspecified() // a Unix socket: all its clients are one
}

// warnMissingClientIP tells the owner of a service behind a proxy why all clients are one.
func (l *Limiter) warnMissingClientIP(r *http.Request) {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 && len(r.Header["X-Real-Ip"]) == 0 {
		return
	}
	minute := time.Now().Unix()/60 + 1
	if last := l.warned.Load(); last == minute || !l.warned.CompareAndSwap(last, minute) {
		return
	}
	slog.Default().LogAttrs(r.Context(), slog.LevelWarn,
		"a forwarding header arrived, and ratelimit's Options.ClientIP is not set: everybody behind a proxy counts as one client",
		slog.String("peer", r.RemoteAddr))
}

// peer returns the address of a RemoteAddr. netip reads all that there is, and
// needs five times as long for what most are: IPv4, as net/http writes it.
func peer(remote string) (netip.Addr, bool) {
	if addr, ok := peerIPv4(remote); ok {
		return addr, true
	}
	p, err := netip.ParseAddrPort(remote)
	return p.Addr(), err == nil
}

// peerIPv4 reads an IPv4 address with a port. What it does not take may be an
// address nevertheless.
func peerIPv4(s string) (_ netip.Addr, ok bool) {
	var ip [4]byte
	for i := range ip {
		n, digits := 0, 0
		for digits < len(s) && digits < 4 && s[digits]-'0' <= 9 {
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		// Leading zeros are octal to some: RFC 6943, section 3.1.1.
		if digits == 0 || digits == len(s) || n > 255 || digits > 1 && s[0] == '0' || s[digits] != "...:"[i] {
			return netip.Addr{}, false
		}
		ip[i], s = byte(n), s[digits+1:]
	}
	if len(s) == 0 || len(s) > 5 || len(s) == 5 && s > "65535" {
		return netip.Addr{}, false
	}
	for _, c := range []byte(s) {
		if c-'0' > 9 {
			return netip.Addr{}, false
		}
	}
	return netip.AddrFrom4(ip), true
}

// network returns what counts as one client: an IPv4 address, or the network
// that an IPv6 subscriber chooses addresses from. A mapped address is IPv4, and
// so is one that a NAT64 made: all of IPv4 is in one of its networks.
func network(addr netip.Addr, v6Prefix int) netip.Prefix {
	addr = addr.Unmap()
	if addr.Is6() {
		addr = unNAT64(addr)
	}
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	p, err := addr.WithZone("").Prefix(v6Prefix)
	if err != nil {
		return netip.PrefixFrom(addr, addr.BitLen()) // New has checked the length
	}
	return p
}

// unNAT64 returns the IPv4 address that an address of the well-known prefix
// 64:ff9b::/96 has in its end: RFC 6052, section 2.1.
func unNAT64(addr netip.Addr) netip.Addr {
	ip := addr.As16()
	if [12]byte(ip[:12]) != [12]byte{0, 0x64, 0xff, 0x9b} {
		return addr
	}
	return netip.AddrFrom4([4]byte(ip[12:]))
}
