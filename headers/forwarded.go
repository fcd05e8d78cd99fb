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

const defaultMaxHops = 32

// ForwardedOptions configures a [Forwarded].
type ForwardedOptions struct {
	// Trusted lists the networks of the trusted proxies: the TCP peer and every
	// hop before it. It is required. Networks must not have host bits, and must
	// not be 0.0.0.0/0 or ::/0.
	Trusted []netip.Prefix

	// Header names the header in which the proxies send the client's address. ""
	// means X-Forwarded-For, which is a chain, as is "Forwarded" (RFC 7239). Any
	// other header, such as CF-Connecting-IP, must have a single address that
	// the nearest proxy overwrites.
	Header string

	// Proto names the header in which they send the client's scheme. "" means
	// that TLS of this process decides. "X-Forwarded-Proto", or another such
	// header, must have one scheme from each proxy, or a single one that the
	// outermost proxy overwrites. "Forwarded" means its parameter proto, and
	// requires Header "Forwarded".
	Proto string

	// Host names the header in which they send the host that the client
	// requested. "" means the Host header. "X-Forwarded-Host" and "Forwarded"
	// are read as in Proto.
	Host string

	// MaxHops is the maximum number of elements that are read, from the right. A
	// longer chain whose last MaxHops elements are all trusted yields no verified
	// client. 0 means 32.
	MaxHops int

	// TrustUnixSocket trusts peers on a Unix socket, such as a proxy on the same
	// machine.
	TrustUnixSocket bool
}

// A Forwarded finds the address, scheme and host of the client behind trusted
// proxies. Its methods depend only on the request and the trusted networks, and
// do not change the request. It is safe for concurrent use.
type Forwarded struct {
	trusted    atomic.Pointer[[]netip.Prefix]
	header     string // canonical
	proto      string // canonical; "" means TLS
	host       string // canonical; "" means r.Host
	maxHops    int
	unixSocket bool
}

// NewForwarded returns a Forwarded. It reports all invalid options, joined.
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

// SetTrusted replaces the list of trusted networks for subsequent requests. It
// reports the same problems as [NewForwarded], and then changes nothing.
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

// ClientIP returns the address of the client, and reports whether it is verified.
//
// If the TCP peer is not trusted, it is the client, and no header is read.
// Otherwise, ClientIP walks the chain from the right, over trusted hops. The first
// untrusted hop is the client. Several header lines are one chain. Empty elements
// are skipped, ports are removed, and IPv4-mapped addresses are unmapped.
//
// It returns the last verified hop and false if a trusted peer names no client, if
// the whole chain is trusted, or if the deciding element is not an address, has a
// zone, or exceeds MaxHops. Such an address may be a coarse key of a rate limit,
// but must not match an allowlist.
func (f *Forwarded) ClientIP(r *http.Request) (netip.Addr, bool) {
	p := f.path(r)
	return p.client, p.verified
}

// Scheme returns the scheme that the client used, "https" or "http". Use it for
// options named Scheme.
//
// The header that Proto names is read only if the peer is trusted. It then
// decides, even if the proxy itself used TLS. Behind n trusted hops, each of which
// adds a scheme, Scheme reads the leftmost of the last n, because elements further
// left are from the client. wss counts as https. Any other value, or a missing
// header, means "http", so that a [Policy] refuses the request.
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
	return scheme(outermostElement(r.Header[f.proto], p.hops))
}

func scheme(s string) string {
	if strings.EqualFold(s, "https") || strings.EqualFold(s, "wss") {
		return "https"
	}
	return "http"
}

// Host returns the host that the client requested, with its port if it has one.
// Use it for options named Host.
//
// The header that ForwardedOptions.Host names is read as in [Forwarded.Scheme]. If
// it is missing, Host returns the Host header. If it is not a valid host, Host
// returns "", which matches nothing.
func (f *Forwarded) Host(r *http.Request) string {
	p := f.path(r)
	host := ""
	switch {
	case f.host == "" || p.hops == 0:
		return r.Host
	case f.host == rfc7239:
		host = p.element.host
	default:
		host = outermostElement(r.Header[f.host], p.hops)
	}
	switch {
	case host == "":
		return r.Host
	case !isHost(host):
		return ""
	}
	return host
}

// outermostElement returns the leftmost of the last n elements, which the
// outermost of n trusted hops wrote.
func outermostElement(lines []string, n int) string {
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

// cutLast splits a list at its last comma, and trims the last element.
func cutLast(list string) (rest, element string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.Trim(list, " \t"), false
	}
	return list[:i], strings.Trim(list[i+1:], " \t"), true
}
