package headers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// HTTPS is what happens to a request that came in clear.
type HTTPS int

const (
	// RejectOrRedirect redirects (308) a GET or HEAD that a person sent from a
	// browser, by its Accept: text/html, and that has no credential. It
	// refuses all else: a credential or a body that crossed in clear is lost
	// already, and a redirect would hide it (ASVS 5.0 4.1.2).
	RejectOrRedirect HTTPS = iota
	// RejectAll never redirects.
	RejectAll
)

// ErrHTTPSRequired answers a request in clear: 403 https_required.
var ErrHTTPSRequired = errors.Define(403, "https_required", "This service is reached over HTTPS only.")

// secure reports whether a request came over HTTPS.
func (p *Policy) secure(r *http.Request) bool {
	if p.scheme != nil {
		return p.scheme(r) == "https"
	}
	return r.TLS != nil
}

func (p *Policy) check(r *http.Request, secure bool) error {
	if secure || p.allowHTTP {
		return nil
	}
	if _, ok := p.exempt.Find(r); ok {
		return nil
	}
	return ErrHTTPSRequired
}

// redirect returns where a refused request may go instead, or "". The host is
// one that was configured, never a reflected one.
func (p *Policy) redirect(r *http.Request) string {
	if p.https != RejectOrRedirect || r.Method != http.MethodGet && r.Method != http.MethodHead || p.credential(r) || !acceptsHTML(r) {
		return ""
	}
	host := p.canonical
	if host == "" {
		i := slices.IndexFunc(p.allowed, func(h string) bool { return hostname(h) == hostname(r.Host) })
		if i < 0 {
			return ""
		}
		host = p.allowed[i]
	}
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" // the asterisk form, or an absolute one without a path
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	return "https://" + host + path
}

// plaintext tells of a refused request that sent a credential in clear, or of
// a proxy that nobody configured.
func (p *Policy) plaintext(r *http.Request) {
	for _, key := range [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "Forwarded"} {
		if len(r.Header[key]) > 0 {
			if p.scheme == nil {
				p.warn(r)
			}
			return
		}
	}
	if p.onPlaintext == nil || !p.credential(r) {
		return
	}
	hook.Call(r.Context(), p.logger, "headers: OnPlaintext", func() { p.onPlaintext(r) })
}

func (p *Policy) credential(r *http.Request) bool {
	return slices.ContainsFunc(p.credentials, func(key string) bool { return len(r.Header[key]) > 0 })
}

// acceptsHTML reports whether text/html is accepted by its name.
func acceptsHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		for element := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}

// stable reports whether a host may be remembered as HTTPS only: not localhost,
// which other programs share, and not an address (RFC 6797, section 8.1.1).
func stable(host string) bool {
	name := hostname(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return false
	}
	if last := name[len(name)-1]; last != ']' && (last < '0' || last > '9') {
		return true // spares the error that ParseAddr allocates
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err != nil
}
