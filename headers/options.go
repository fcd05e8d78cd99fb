package headers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// Profile is what the responses are: data, or pages.
type Profile int

const (
	// API is for data that no browser shows: nothing may be loaded, framed or
	// embedded.
	API Profile = iota
	// Documents is for pages: resources of the own origin may be loaded, and
	// the page is isolated from others (COOP, COEP, Permissions-Policy).
	Documents
)

// InsecureOmit is the value of an option that leaves its header out.
const InsecureOmit = "insecure-omit"

// Options configures a [Policy]. The zero value is the recommended set-up for
// an API that is served over HTTPS alone.
type Options struct {
	// Profile chooses the defaults. Zero: API.
	Profile Profile

	// HSTS is the Strict-Transport-Security header (RFC 6797). It is sent over
	// HTTPS only, and never for localhost and IP addresses. Zero: two years,
	// subdomains included.
	HSTS HSTS

	// CSP is Content-Security-Policy. "": for the API profile, default-src
	// 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'. For
	// Documents, default-src 'self'; base-uri 'none'; form-action 'self';
	// frame-ancestors 'none'; object-src 'none'. This header and the next four
	// are left out where the value is InsecureOmit.
	CSP string
	// ReferrerPolicy is Referrer-Policy, one token of its standard. "":
	// no-referrer.
	ReferrerPolicy string
	// ResourcePolicy is Cross-Origin-Resource-Policy: same-origin, same-site or
	// cross-origin. "": same-origin, so that an <img> of another origin, such as
	// that of a single-page application, shows nothing.
	ResourcePolicy string
	// FrameOptions is X-Frame-Options: DENY or SAMEORIGIN. "": DENY.
	FrameOptions string
	// CacheControl is Cache-Control, which a handler may set anew. "": no-store.
	CacheControl string
	// InsecureCSP accepts a CSP that lets script run that an attacker injected
	// into a page: by 'unsafe-inline', 'unsafe-eval' or 'unsafe-hashes'; by a
	// constant nonce; by a source that covers hosts of unrelated parties ("*",
	// "https:", "data:", "https://*.cloudfront.net"); by neither script-src nor
	// default-src; by plugins (object-src), or by a base element (base-uri).
	// It accepts all that InsecureInlineStyles accepts too. CSP Level 3,
	// section 8.1; ASVS 5.0 3.4.3.
	InsecureCSP bool
	// InsecureInlineStyles accepts a CSP that lets injected styles apply, by
	// 'unsafe-inline', 'unsafe-hashes' or a constant nonce in style-src, or
	// by neither style-src nor default-src. Such styles can read a page's
	// content, but no script runs.
	InsecureInlineStyles bool
	// Extra are further headers of every response. Those that other options or
	// packages set are refused. Cross-Origin-Opener-Policy,
	// Cross-Origin-Embedder-Policy and Permissions-Policy replace what the
	// profile Documents has.
	Extra http.Header

	// HTTPS selects how plain HTTP requests are handled. 0 means
	// RejectOrRedirect.
	HTTPS HTTPS
	// CanonicalHost is the host, with a port when it has one, that redirects
	// go to. "": the request's own, when AllowedHosts lists it; else nobody is
	// redirected.
	CanonicalHost string
	// AllowedHosts lists the hosts that this service answers for, beside
	// CanonicalHost: a request to any other is 421 (RFC 9110, section
	// 15.5.20). Ports do not count; a redirect goes to the port that is
	// listed. Empty: every host is answered, and only CanonicalHost
	// redirected to.
	AllowedHosts []string
	// Exempt are patterns of requests that are served in clear and for any
	// host, such as "/healthz". Patterns are those of http.ServeMux without
	// hosts; only clean paths match.
	Exempt []string
	// CredentialHeaders are further headers that hold credentials, beside
	// Authorization, Cookie, X-API-Key, DPoP and Proxy-Authorization.
	CredentialHeaders []string
	// Scheme returns "https" for a request that came over HTTPS. nil: when it
	// came over TLS to this process. Where a proxy ends TLS in front of us:
	// [Forwarded.Scheme].
	Scheme func(*http.Request) string
	// Host returns the host that the client asked for. nil: the Host header.
	// Where a proxy changes it: [Forwarded.Host].
	Host func(*http.Request) string
	// OnEvent is called with each plain HTTP request that has a credential,
	// before it is refused, redirected, or served because of InsecureAllowHTTP
	// or Exempt, so that an application can watch before it enforces. It is not
	// called if Scheme is nil and a forwarding header is present, because the
	// client may have used HTTPS. It must not block. A panic is logged and has
	// no other effect.
	OnEvent func(context.Context, Event)

	// Logger gets a warning, at most once a minute, when a proxy in front
	// seems to end TLS and Scheme is nil. nil: slog.Default().
	Logger *slog.Logger
	// ErrorHandler answers a refused request. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// checkFields returns the problems of the options.
func (o *Options) checkFields() []error {
	problems := []error{o.HSTS.checkFields()}
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf("headers: "+format, args...)) }
	if o.Profile != API && o.Profile != Documents {
		refuse("Profile %d: is unknown; did you mean API or Documents?", o.Profile)
	}
	if o.HTTPS < RejectOrRedirect || o.HTTPS > InsecureAllowHTTP {
		refuse("HTTPS %d: is unknown; did you mean RejectOrRedirect, RejectAll or InsecureAllowHTTP?", o.HTTPS)
	}
	for _, field := range []line{{"CSP", o.CSP}, {"CacheControl", o.CacheControl}} {
		if !printable(field.value) || strings.Trim(field.value, " \t") != field.value {
			refuse("%s %q: is not a header value (RFC 9110, section 5.5)", field.key, field.value)
		}
	}
	if o.CanonicalHost != "" && !validHost(o.CanonicalHost) {
		refuse("CanonicalHost %q: is not a host; did you mean \"api.example.com\"?", o.CanonicalHost)
	}
	for i, host := range o.AllowedHosts {
		if !validHost(host) {
			refuse("AllowedHosts[%d] %q: is not a host; did you mean \"api.example.com\"?", i, host)
		}
	}
	for i, key := range o.CredentialHeaders {
		if !isToken(key) {
			refuse("CredentialHeaders[%d] %q: is not a header name", i, key)
		}
	}
	oneOf := func(name, value string, known ...string) {
		if value != "" && value != InsecureOmit && !slices.Contains(known, value) {
			refuse("%s %q: is unknown%s", name, value, orDefault(didYouMean(value, known), fmt.Sprintf("; did you mean %q?", known[0])))
		}
	}
	oneOf("ReferrerPolicy", o.ReferrerPolicy, "no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin", "origin", "origin-when-cross-origin", "no-referrer-when-downgrade", "unsafe-url")
	oneOf("ResourcePolicy", o.ResourcePolicy, "same-origin", "same-site", "cross-origin")
	oneOf("FrameOptions", o.FrameOptions, "DENY", "SAMEORIGIN")
	problems = append(problems, o.checkCacheControl()...)
	return append(problems, o.checkCSP(), checkExtra(o.Extra))
}
