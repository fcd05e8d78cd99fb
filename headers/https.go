package headers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// HTTPS selects how plain HTTP requests are handled.
type HTTPS int

const (
	// RejectOrRedirect redirects (308) a GET or HEAD without a credential whose
	// Accept lists text/html, to a configured host. It refuses all other
	// requests, because a redirect would hide that a credential or a body was
	// sent unencrypted (ASVS 5.0 4.1.2).
	RejectOrRedirect HTTPS = iota
	// RejectAll refuses every plain HTTP request.
	RejectAll
	// InsecureAllowHTTP serves plain HTTP requests. It is for local development.
	InsecureAllowHTTP
)

// ErrHTTPSRequired is the response to a plain HTTP request: 403 https_required.
var ErrHTTPSRequired = errors.Define(403, "https_required", "This service requires HTTPS.")

// ErrMisdirected is the response to a request to a host that AllowedHosts does
// not list: 421 misdirected_request.
var ErrMisdirected = errors.Define(421, "misdirected_request", "This service does not serve the requested host.")

func (p *Policy) isHTTPS(r *http.Request) bool {
	if p.scheme != nil {
		return p.scheme(r) == "https"
	}
	return r.TLS != nil
}

func (p *Policy) checkRequest(r *http.Request, secure bool, host string) error {
	isServed := len(p.allowed) == 0 || p.allowed[hostname(host)] != ""
	isAllowed := secure || p.https == InsecureAllowHTTP
	if isServed && isAllowed {
		return nil
	}
	if _, ok := p.exempt.Find(r); ok {
		return nil
	}
	if isAllowed {
		return ErrMisdirected.With("host", host[:min(len(host), 255)])
	}
	if p.scheme == nil {
		return errNoTLS
	}
	return ErrHTTPSRequired.With("reason", plaintextReason(r), "peer", r.RemoteAddr[:min(len(r.RemoteAddr), 64)])
}

// plaintextReason returns the probable reason why Scheme did not return https.
// It reads the rightmost element of each header, which the peer wrote.
func plaintextReason(r *http.Request) string {
	isPresent := false
	for _, lines := range [...][]string{r.Header["X-Forwarded-Proto"], r.Header["Forwarded"]} {
		if len(lines) == 0 {
			continue
		}
		isPresent = true
		_, last, _ := cutLastElement(lines[len(lines)-1])
		element, _ := parseElement(last)
		if scheme(last) == "https" || scheme(element.proto) == "https" {
			return "the peer is not trusted: its header says https, but Scheme does not accept it"
		}
	}
	if isPresent {
		return "the forwarding header does not say https"
	}
	return "no forwarding header with a scheme"
}

// errNoTLS has the reason for the log, because it is the usual first error of a new
// service.
var errNoTLS = ErrHTTPSRequired.With("reason", "no TLS: set Scheme behind a proxy, or HTTPS to InsecureAllowHTTP for local development")

// redirectTarget returns the URL that a refused request is redirected to, or "".
// Its host is a configured one.
func (p *Policy) redirectTarget(r *http.Request, host string) string {
	if p.https != RejectOrRedirect || r.Method != http.MethodGet && r.Method != http.MethodHead || p.findCredential(r) != "" || !acceptsHTML(r) {
		return ""
	}
	to := p.canonical
	if to == "" {
		to = p.allowed[hostname(host)]
	}
	if to == "" {
		return ""
	}
	target := r.URL.EscapedPath()
	if !strings.HasPrefix(target, "/") {
		target = "/" // the asterisk form, or an absolute form without a path
	}
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	return "https://" + to + escapeTarget(target)
}

// escapeTarget escapes bytes that are invalid in a path or query, but that
// net/http accepts in a query, such as #, which would start a fragment.
func escapeTarget(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\\\"#<>^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// forwarding lists headers that proxies add.
var forwarding = [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-Ip", "Via"}

// reportRequest calls OnEvent for a plain HTTP request with a credential, and for
// a request that err refuses. If a forwarding header is present and Scheme is nil, it
// logs a warning: redirects would loop behind a proxy that terminates TLS.
func (p *Policy) reportRequest(r *http.Request, secure bool, e Event, err error) {
	if !secure {
		if p.scheme == nil && slices.ContainsFunc(forwarding[:], func(key string) bool { return len(r.Header[key]) > 0 }) {
			p.warnMissingScheme(r)
		} else if p.onEvent != nil {
			e.Reason = p.findCredential(r)
		}
	}
	switch {
	case e.Reason != "":
	case errors.Is(err, ErrMisdirected):
		e.Reason = UnlistedHost
	case err != nil:
		e.Reason = PlainHTTP
	default:
		return
	}
	p.notifyHook(r, e)
}

// notifyHook calls OnEvent.
func (p *Policy) notifyHook(r *http.Request, e Event) {
	if p.onEvent != nil {
		ctx := r.Context()
		e.Request = r
		hook.Call(ctx, p.logger, "headers: OnEvent", func() { p.onEvent(ctx, e) })
	}
}

// findCredential returns where a request has a credential, or "": in a header,
// before the host of an absolute target, or in the query (RFC 6750, section
// 2.3).
func (p *Policy) findCredential(r *http.Request) Reason {
	if slices.ContainsFunc(p.credentials, func(key string) bool { return len(r.Header[key]) > 0 }) {
		return CredentialInHeader
	}
	if r.URL.User != nil {
		return CredentialInURL
	}
	for parameter := range strings.SplitSeq(r.URL.RawQuery, "&") {
		key, _, _ := strings.Cut(parameter, "=")
		if key, err := url.QueryUnescape(key); err == nil && slices.Contains(credentialParameters[:], strings.ToLower(key)) {
			return CredentialInURL
		}
	}
	return ""
}

var credentialParameters = [...]string{"access_token", "id_token", "refresh_token", "api_key", "apikey", "api-key", "client_secret", "password"}

// isRefused reports whether parameters have the weight 0, which means "not
// acceptable" (RFC 9110, section 12.4.2).
func isRefused(parameters string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		if weight, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
			return strings.Trim(weight, "0.") == ""
		}
	}
	return false
}

// acceptsHTML reports whether Accept lists text/html itself, not only */*.
func acceptsHTML(r *http.Request) bool {
	for _, line := range r.Header["Accept"] {
		for element := range strings.SplitSeq(line, ",") {
			media, parameters, _ := strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return !isRefused(parameters)
			}
		}
	}
	return false
}
