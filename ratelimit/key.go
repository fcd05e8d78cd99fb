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

// clientAddr returns the address that a request counts for. A request without
// an address is not exempt, since it would escape the limits: all such requests
// count as one client.
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

// longestLogged bounds, in bytes, what the log gets of a RemoteAddr, which some
// middleware copy from a header.
const longestLogged = 64

// warnMissingClientIP warns that all clients behind a proxy count as one.
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
	if addr.IsUnspecified() { // no address, which is not in the network of ::1
		return netip.PrefixFrom(netip.IPv6Unspecified(), 128)
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

// digest is a 128-bit hash of a key, with secret seeds. It is shorter than the key, and
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
