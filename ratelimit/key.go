package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/peeraddr"
)

// longestKey bounds a key, in bytes.
const longestKey = 128

// hashed is the prefix of digests of long keys.
const hashed = "sha256:"

// boundKey returns the key, or its digest if it is too long. A key that begins like a
// digest is hashed too, so that it cannot equal the digest of another key.
func boundKey(key string) string {
	if len(key) <= longestKey && !strings.HasPrefix(key, hashed) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hashed + hex.EncodeToString(sum[:])
}

// clientAddr returns the address that a request is counted for. It is always valid, so
// that no request escapes the limits: requests without an address count as one client.
func (l *Limiter) clientAddr(r *http.Request) netip.Addr {
	if l.clientIP == nil {
		l.warnMissingClientIP(r)
	} else if addr, _ := l.clientIP(r); addr.IsValid() {
		return addr
	}
	if addr, ok := peeraddr.Parse(r.RemoteAddr); ok {
		return addr
	}
	if l.warnedNoAddress.Allow(time.Now()) {
		hook.LoggerOrDefault(l.logger).LogAttrs(r.Context(), slog.LevelWarn,
			"no client address; such requests count as one client",
			slog.String("remote_addr", r.RemoteAddr[:min(len(r.RemoteAddr), longestLogged)]))
	}
	return netip.IPv6Unspecified()
}

// longestLogged bounds a RemoteAddr in the log, in bytes. Some middleware copies it
// from a header.
const longestLogged = 64

// warnMissingClientIP warns, for a request with a forwarding header, that all clients
// behind a proxy count as one.
func (l *Limiter) warnMissingClientIP(r *http.Request) {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 && len(r.Header["X-Real-Ip"]) == 0 {
		return
	}
	if !l.warned.Allow(time.Now()) {
		return
	}
	hook.LoggerOrDefault(l.logger).LogAttrs(r.Context(), slog.LevelWarn,
		"ClientIP is not set behind a proxy",
		slog.String("peer", r.RemoteAddr[:min(len(r.RemoteAddr), longestLogged)]))
}

// network returns the network that counts as one client: an IPv4 address, or the IPv6
// network of an address. An IPv4-mapped address is IPv4. So is a NAT64 address,
// because one NAT64 network contains all IPv4 addresses.
func network(addr netip.Addr, v6Prefix int) netip.Prefix {
	addr = addr.Unmap()
	if addr.Is6() {
		addr = unNAT64(addr)
	}
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	if addr.IsUnspecified() { // a request without an address; not in the network of ::1
		return netip.PrefixFrom(netip.IPv6Unspecified(), 128)
	}
	p, err := addr.WithZone("").Prefix(v6Prefix)
	if err != nil {
		return netip.PrefixFrom(addr, addr.BitLen()) // New has checked the length
	}
	return p
}

// unNAT64 returns the IPv4 address at the end of an address with the well-known prefix
// 64:ff9b::/96 (RFC 6052, section 2.1), and other addresses unchanged.
func unNAT64(addr netip.Addr) netip.Addr {
	ip := addr.As16()
	if [12]byte(ip[:12]) != [12]byte{0, 0x64, 0xff, 0x9b} {
		return addr
	}
	return netip.AddrFrom4([4]byte(ip[12:]))
}

// A digest is a 128-bit hash of a key, with secret seeds. It is shorter than the key, and
// keeps no email address in memory.
type digest struct{ a, b uint64 }

func (m *Memory) digest(k *Key) digest {
	var room [256]byte // more than any key of a Limiter takes
	b := k.appendTo(room[:0])
	return digest{maphash.Bytes(m.seeds[0], b), maphash.Bytes(m.seeds[1], b)}
}

// appendTo appends an unambiguous encoding of the key.
func (k *Key) appendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(k.Policy)))
	b = append(b, k.Policy...)
	if k.Text != "" {
		return append(append(b, 't'), k.Text...)
	}
	addr := k.Net.Addr()
	ip := addr.As16() // a mapped address and its IPv4 address differ in the length
	b = append(append(b, 'n', byte(addr.BitLen()), byte(k.Net.Bits())), ip[:]...)
	return append(b, addr.Zone()...)
}
