package headers

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ringwall/ringwall/errors"
)

// PeerIP returns the address of the TCP peer: the client, when clients connect
// directly. An IPv4-mapped address is unmapped. It reports false when
// RemoteAddr is no address, as on a Unix socket, or has a zone.
func PeerIP(r *http.Request) (netip.Addr, bool) { return parseHop(r.RemoteAddr) }

// defaultMaxHops is how many elements of a chain are read.
const defaultMaxHops = 32

// ForwardedOptions configures a [Forwarded].
type ForwardedOptions struct {
	// Trusted lists the networks of the proxies that may speak for a client:
	// the TCP peer, and every hop behind it. Required. A network with host
	// bits, 0.0.0.0/0 and ::/0 are refused.
	Trusted []netip.Prefix

	// MaxHops bounds how many elements of X-Forwarded-For are read, from the
	// right; a chain that is not decided by then names no client. 0: 32.
	MaxHops int

	// TrustUnixSocket takes a peer without an address, as behind a proxy on
	// the same machine, for a trusted one.
	TrustUnixSocket bool
}

// A Forwarded finds the client behind trusted proxies, from the header
// X-Forwarded-For. It is safe for concurrent use.
type Forwarded struct {
	trusted    atomic.Pointer[[]netip.Prefix]
	maxHops    int
	unixSocket bool
}

// NewForwarded returns a Forwarded. The error joins all problems.
func NewForwarded(o ForwardedOptions) (*Forwarded, error) {
	f := &Forwarded{maxHops: o.MaxHops, unixSocket: o.TrustUnixSocket}
	err := f.SetTrusted(o.Trusted)
	if o.MaxHops < 0 {
		err = errors.Join(err, fmt.Errorf("headers: MaxHops %d: is negative; did you mean 0, for %d?", o.MaxHops, defaultMaxHops))
	}
	if err != nil {
		return nil, err
	}
	if f.maxHops == 0 {
		f.maxHops = defaultMaxHops
	}
	return f, nil
}

// SetTrusted replaces the list of trusted networks, at once for all requests
// that come after. It refuses what [NewForwarded] refuses, and then keeps the
// list as it was.
func (f *Forwarded) SetTrusted(trusted []netip.Prefix) error {
	var problems []error
	if len(trusted) == 0 {
		problems = append(problems, errors.New("headers: Trusted: is empty, so that nobody may speak for a client; did you mean headers.PeerIP?"))
	}
	networks := slices.Clone(trusted)
	for i, p := range networks {
		switch {
		case !p.IsValid():
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: is no network", i, p))
		case p.Bits() == 0:
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: trusts everybody; did you mean the networks of your proxies?", i, p))
		case p.Addr().Is4In6():
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: is IPv4-mapped, and addresses are compared unmapped; did you mean the IPv4 network?", i, p))
		case p != p.Masked():
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: has host bits; did you mean %q?", i, p, p.Masked()))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	f.trusted.Store(&networks)
	return nil
}

// ClientIP returns the address of the client, and whether it is verified.
//
// When the TCP peer is not trusted, it is the client itself, and the header is
// not read. Else the chain is walked from the right, over trusted hops, to the
// first that is not: the client. Several header lines are one chain; empty
// elements are skipped; ports are dropped; IPv4-mapped addresses are unmapped.
//
// It reports false, with the last verified hop, when a trusted peer names no
// client, when the whole chain is trusted, and when an element that would
// decide is no address, has a zone, or lies beyond MaxHops. Such an address may
// serve as a coarse key of a rate limit, never as a match of an allowlist.
func (f *Forwarded) ClientIP(r *http.Request) (netip.Addr, bool) {
	trusted := *f.trusted.Load()
	last, ok := PeerIP(r)
	switch {
	case !ok && !(f.unixSocket && isUnix(r.RemoteAddr)):
		return netip.Addr{}, false
	case ok && !contains(trusted, last):
		return last, true
	}
	hops := 0
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var element string
			rest, element, more = cutLast(rest)
			if hops++; hops > f.maxHops {
				return last, false
			}
			if element == "" {
				continue
			}
			addr, ok := parseHop(element)
			if !ok {
				return last, false
			}
			if !contains(trusted, addr) {
				return addr, true
			}
			last = addr
		}
	}
	return last, false
}

// isUnix reports whether a RemoteAddr is what net/http gives for a Unix socket.
func isUnix(remote string) bool { return remote == "" || remote == "@" || remote[0] == '/' }

// cutLast splits a list at its last comma, and trims the last element's
// whitespace.
func cutLast(list string) (rest, element string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.Trim(list, " \t"), false
	}
	return list[:i], strings.Trim(list[i+1:], " \t"), true
}

// parseHop parses an address with or without a port. netip refuses leading
// zeros, which other parsers read as octal (CVE-2021-29923).
func parseHop(s string) (netip.Addr, bool) {
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

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, p := range networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
