package headers

import (
	"net/http"
	"net/netip"
)

// A path is the result of walking a forwarding chain.
type path struct {
	client   netip.Addr // the client, or the last verified hop
	verified bool       // client is not only the last verified hop
	hops     int        // trusted hops, including the peer; 0 means that the peer is not trusted
	element  element    // of RFC 7239, from the outermost trusted hop
}

// path walks the chain from the TCP peer to the left, while hops are trusted.
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
	default: // a single address that the proxy overwrites
		if len(lines) != 1 {
			return p
		}
		if addr, ok := parseHop(lines[0]); ok && !contains(trusted, addr) {
			p.client, p.verified = addr, true
		}
	}
	return p
}

// walk reads a chain from the right, because each hop appends to it. Elements
// left of the first untrusted hop can be forged.
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
			addr, ok := f.readHop(p, text)
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

// readHop parses an element of a chain, and stores its parameters in p.
func (f *Forwarded) readHop(p *path, text string) (netip.Addr, bool) {
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
