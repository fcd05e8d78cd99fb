package headers

import (
	"net/http"
	"net/netip"
)

// A path is what the trusted hops say of the way that a request took.
type path struct {
	client   netip.Addr // the client, or the last verified hop
	verified bool       // client is the client
	hops     int        // trusted hops, the peer included; 0: the peer is the client
	element  element    // of RFC 7239: what the outermost trusted hop wrote
}

// path walks from the TCP peer to the left, as far as each hop is trusted.
func (f *Forwarded) path(r *http.Request) path {
	trusted := *f.trusted.Load()
	peer, ok := PeerIP(r)
	switch {
	case !ok && !(f.unixSocket && isUnix(r.RemoteAddr)):
		return path{}
	case ok && !contains(trusted, peer):
		return path{client: peer, verified: true}
	}
	p := path{client: peer, hops: 1}
	lines := r.Header[f.header]
	switch f.header {
	case rfc7239, forwardedFor:
		f.walk(&p, trusted, lines)
	default: // a single address, which the proxy overwrites
		if len(lines) != 1 {
			return p
		}
		if addr, ok := parseHop(lines[0]); ok && !contains(trusted, addr) {
			p.client, p.verified = addr, true
		}
	}
	return p
}

// walk reads a chain from the right: what stands further to the left was
// written earlier, and what stands left of the first untrusted hop was written
// by nobody that we know.
func (f *Forwarded) walk(p *path, trusted []netip.Prefix, lines []string) {
	read := 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var text string
			if f.header == rfc7239 {
				rest, text, more = cutLastElement(rest)
			} else {
				rest, text, more = cutLast(rest)
			}
			if read++; read > f.maxHops {
				return
			}
			if text == "" {
				continue
			}
			addr, ok := f.hop(p, text)
			if !ok {
				return
			}
			p.client = addr
			if !contains(trusted, addr) {
				p.verified = true
				return
			}
			p.hops++
		}
	}
}

// hop parses one element of a chain. What a hop wrote about itself is dropped
// when it cannot be read.
func (f *Forwarded) hop(p *path, text string) (netip.Addr, bool) {
	if f.header != rfc7239 {
		return parseHop(text)
	}
	e, ok := parseElement(text)
	p.element = e
	if !ok {
		return netip.Addr{}, false
	}
	return parseNode(e.node)
}
