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

// defaultMaxHops is how many elements of a chain are read.
const defaultMaxHops = 32

// ForwardedOptions configures a [Forwarded].
type ForwardedOptions struct {
	// Trusted lists the networks of the proxies that may speak for a client:
	// the TCP peer, and every hop behind it. Required. A network with host
	// bits, 0.0.0.0/0 and ::/0 are refused.
	Trusted []netip.Prefix

	// Header is where the proxies write the client's address. "":
	// X-Forwarded-For, a chain. "Forwarded": a chain too (RFC 7239). Any other
	// name, such as CF-Connecting-IP, is a header with a single address that
	// the proxy in front of us overwrites. No other header is ever read.
	Header string

	// Proto is where they write the scheme that the client used.
	// "": nowhere, and TLS of this process decides. "X-Forwarded-Proto", or
	// another header with schemes: one from each proxy, or a single one that
	// the outermost proxy overwrites. "Forwarded": the parameter proto, where
	// Header is Forwarded too.
	Proto string

	// Host is where they write the host that the client asked for. "":
	// nowhere, and the Host header decides. "X-Forwarded-Host" and "Forwarded"
	// are read as in Proto.
	Host string

	// MaxHops bounds how many elements of a chain are read, from the right; a
	// chain that is not decided by then names no client. Negative is refused.
	// 0: 32.
	MaxHops int

	// TrustUnixSocket takes a peer without an address, as behind a proxy on
	// the same machine, for a trusted one.
	TrustUnixSocket bool
}

// A Forwarded tells who the client behind trusted proxies is, and what it asked
// for. Its answers depend on the request alone: nothing is stored, and the
// request is not changed. It is safe for concurrent use.
type Forwarded struct {
	trusted    atomic.Pointer[[]netip.Prefix]
	header     string // canonical
	proto      string // canonical, or "": TLS
	host       string // canonical, or "": r.Host
	maxHops    int
	unixSocket bool
}

// NewForwarded returns a Forwarded. The error joins all problems.
func NewForwarded(o ForwardedOptions) (*Forwarded, error) {
	f := &Forwarded{
		header: http.CanonicalHeaderKey(orDefault(o.Header, forwardedFor)), proto: http.CanonicalHeaderKey(o.Proto),
		host: http.CanonicalHeaderKey(o.Host), maxHops: o.MaxHops, unixSocket: o.TrustUnixSocket,
	}
	if o.MaxHops == 0 {
		f.maxHops = defaultMaxHops
	}
	if err := errors.Join(f.SetTrusted(o.Trusted), f.checkHeaders()); err != nil {
		return nil, err
	}
	return f, nil
}

const (
	forwardedFor = "X-Forwarded-For"
	rfc7239      = "Forwarded"
)

// checkHeaders returns the problems of all options but Trusted.
func (f *Forwarded) checkHeaders() error {
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf("headers: "+format, args...)) }
	if f.maxHops < 0 {
		refuse("MaxHops %d: is negative; did you mean 0, for %d?", f.maxHops, defaultMaxHops)
	}
	switch {
	case !isToken(f.header):
		refuse("Header %q: is not a header name; did you mean %q or %q?", f.header, forwardedFor, rfc7239)
	case strings.HasPrefix(f.header, "X-Forwarded-") && f.header != forwardedFor,
		slices.Contains([]string{"Host", "Via", "Origin", "Authorization", "Cookie"}, f.header):
		refuse("Header %q: does not contain a client address; did you mean %q?", f.header, forwardedFor)
	}
	for _, field := range []line{{"Proto", f.proto}, {"Host", f.host}} {
		switch {
		case field.value == "":
		case !isToken(field.value):
			refuse("%s %q: is not a header name; did you mean %q?", field.key, field.value, "X-Forwarded-"+field.key)
		case field.value == rfc7239 && f.header != rfc7239:
			refuse("%s %q: requires Header %q, because its elements belong to that chain", field.key, field.value, rfc7239)
		case field.value == f.header && f.header != rfc7239, field.value == forwardedFor, field.key == "Proto" && field.value == "X-Forwarded-Host",
			field.key == "Host" && (field.value == "X-Forwarded-Proto" || field.value == "Host"):
			refuse("%s %q: has another meaning; did you mean %q?", field.key, field.value, "X-Forwarded-"+field.key)
		}
	}
	return errors.Join(problems...)
}

// SetTrusted replaces the list of trusted networks, at once for all requests
// that come after. It refuses what [NewForwarded] refuses, and then keeps the
// list as it was.
func (f *Forwarded) SetTrusted(trusted []netip.Prefix) error {
	var problems []error
	if len(trusted) == 0 {
		problems = append(problems, errors.New("headers: Trusted: must not be empty; did you mean headers.PeerIP?"))
	}
	networks := slices.Clone(trusted)
	for i, p := range networks {
		switch {
		case !p.IsValid():
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: is not a network", i, p))
		case p.Bits() == 0:
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: trusts every address; did you mean the networks of your proxies?", i, p))
		case p.Addr().Is4In6():
			problems = append(problems, fmt.Errorf("headers: Trusted[%d] %q: is IPv4-mapped; did you mean the IPv4 network?", i, p))
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
// When the TCP peer is not trusted, it is the client itself, and no header is
// read. Else the chain is walked from the right, over trusted hops, to the
// first that is not: the client. Several header lines are one chain; empty
// elements are skipped; ports are dropped; IPv4-mapped addresses are unmapped.
//
// It reports false, with the last verified hop, when a trusted peer names no
// client, when the whole chain is trusted, and when an element that would
// decide is no address, has a zone, or lies beyond MaxHops. Such an address may
// serve as a coarse key of a rate limit, never as a match of an allowlist.
func (f *Forwarded) ClientIP(r *http.Request) (netip.Addr, bool) {
	p := f.path(r)
	return p.client, p.verified
}

// Scheme returns the scheme that the client used: "https" or "http". It fits
// the options called Scheme.
//
// The header that Proto names is read only when the peer is trusted, and then
// it decides, also where the proxy itself came over TLS. Behind n trusted hops,
// each of which adds a scheme, it is the leftmost of the last n; what a client
// wrote is further to the left. wss counts as https. Anything else, and a
// header that is missing, is "http": in doubt, a request came in clear, and a
// [Policy] refuses it.
func (f *Forwarded) Scheme(r *http.Request) string {
	p := f.path(r)
	switch {
	case f.proto == "" || p.hops == 0:
		if r.TLS != nil {
			return "https"
		}
		return "http"
	case f.proto == rfc7239:
		return scheme(p.element.proto)
	}
	return scheme(aligned(r.Header[f.proto], p.hops))
}

func scheme(s string) string {
	if strings.EqualFold(s, "https") || strings.EqualFold(s, "wss") {
		return "https"
	}
	return "http"
}

// Host returns the host that the client asked for, with its port when it has
// one. It fits the options called Host.
//
// The header that Host names is read as in [Forwarded.Scheme]. Where it is
// missing, the answer is the Host header; where it is not a host, it is "",
// which matches nothing.
func (f *Forwarded) Host(r *http.Request) string {
	p := f.path(r)
	host := ""
	switch {
	case f.host == "" || p.hops == 0:
		return r.Host
	case f.host == rfc7239:
		host = p.element.host
	default:
		host = aligned(r.Header[f.host], p.hops)
	}
	switch {
	case host == "":
		return r.Host
	case !validHost(host):
		return ""
	}
	return host
}

// aligned returns the value that the outermost of n trusted hops wrote: the
// leftmost of the last n elements.
func aligned(lines []string, n int) string {
	leftmost := ""
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var element string
			if rest, element, more = cutLast(rest); element == "" {
				continue
			}
			leftmost = element
			if n--; n == 0 {
				return leftmost
			}
		}
	}
	return leftmost
}

// cutLast splits a list at its last comma, and trims the last element's
// whitespace.
func cutLast(list string) (rest, element string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.Trim(list, " \t"), false
	}
	return list[:i], strings.Trim(list[i+1:], " \t"), true
}
