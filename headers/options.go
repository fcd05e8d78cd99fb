package headers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
)

// Profile selects the defaults of the headers.
type Profile int

const (
	// API is for data that browsers do not display: nothing may be loaded,
	// framed or embedded.
	API Profile = iota
	// Documents is for pages. They may load resources of the same origin, and
	// are isolated from other pages (COOP, COEP, Permissions-Policy).
	Documents
)

// InsecureOmit is the value of an option that omits its header.
const InsecureOmit = "insecure-omit"

// Options configures a [Policy]. The zero value is the recommended setup for an
// API that is served only over HTTPS.
type Options struct {
	// Profile selects the defaults. 0 means API.
	Profile Profile

	// HSTS is the Strict-Transport-Security header (RFC 6797). It is sent only
	// over HTTPS, and never for localhost or IP addresses. The zero value means
	// two years, including subdomains.
	HSTS HSTS

	// CSP is the Content-Security-Policy. For the API profile, "" means
	// default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors
	// 'none'. For Documents, it means default-src 'self'; base-uri 'none';
	// form-action 'self'; frame-ancestors 'none'; object-src 'none'. InsecureOmit
	// omits this header and the next four.
	CSP string
	// ReferrerPolicy is the Referrer-Policy, one token of its standard. ""
	// means no-referrer.
	ReferrerPolicy string
	// ResourcePolicy is the Cross-Origin-Resource-Policy: same-origin,
	// same-site or cross-origin. "" means same-origin, so that an <img> in a page
	// of another origin, such as a single-page application, is not displayed.
	ResourcePolicy string
	// FrameOptions is the X-Frame-Options: DENY or SAMEORIGIN. "" means DENY.
	FrameOptions string
	// CacheControl is the Cache-Control, which a handler may replace. "" means
	// no-store.
	CacheControl string
	// InsecureCSP accepts a CSP that allows injected scripts to run, through
	//   - 'unsafe-inline', 'unsafe-eval', 'unsafe-hashes' or a constant nonce,
	//   - a source that covers hosts of unrelated parties ("*", "https:",
	//     "data:", "https://*.cloudfront.net"),
	//   - neither script-src nor default-src,
	//   - plugins (object-src) or a base element (base-uri).
	//
	// It also accepts everything that InsecureInlineStyles accepts. See CSP
	// Level 3, section 8.1, and ASVS 5.0 3.4.3.
	InsecureCSP bool
	// InsecureInlineStyles accepts a CSP that allows injected styles to apply,
	// through 'unsafe-inline', 'unsafe-hashes' or a constant nonce in style-src,
	// or through neither style-src nor default-src. Injected styles can read the
	// content of a page, but run no script.
	InsecureInlineStyles bool
	// Extra has further headers of every response. New refuses headers that
	// other options, packages or handlers set. Cross-Origin-Opener-Policy,
	// Cross-Origin-Embedder-Policy and Permissions-Policy replace those of
	// Documents.
	Extra http.Header

	// HTTPS selects how plain HTTP requests are handled. 0 means
	// RejectOrRedirect.
	HTTPS HTTPS
	// CanonicalHost is the host, with an optional port, that redirects go to.
	// "" means the host of the request if AllowedHosts lists it. Otherwise, no
	// request is redirected.
	CanonicalHost string
	// AllowedHosts lists the hosts that this service serves, in addition to
	// CanonicalHost. A request to any other host gets 421 (RFC 9110, section
	// 15.5.20). Over plain HTTP it gets 403 https_required instead, unless HTTPS
	// is InsecureAllowHTTP. Ports are not compared, but a redirect goes to the
	// listed port. Empty means that every host is served, and that redirects go
	// only to CanonicalHost.
	AllowedHosts []string
	// Exempt lists patterns of requests that are served over plain HTTP and for
	// every host, such as "/healthz". Patterns are those of http.ServeMux
	// without hosts. They match only clean paths.
	Exempt []string
	// CredentialHeaders lists further headers that hold credentials, in
	// addition to Authorization, Cookie, X-API-Key, DPoP and
	// Proxy-Authorization.
	CredentialHeaders []string
	// Scheme returns "https" for an HTTPS request. nil means TLS of this
	// process. Behind a proxy that terminates TLS, set it to
	// [Forwarded.Scheme].
	Scheme func(*http.Request) string
	// Host returns the host that the client requested. nil means the Host
	// header. Behind a proxy that changes it, set it to [Forwarded.Host].
	Host func(*http.Request) string
	// InsecureReportOnly serves every request and sets no header, so that a
	// running service can be watched before it is changed. It reports the
	// requests that would be refused or redirected to OnEvent and to
	// errors.Report, and those that ResourcePolicy would affect to OnEvent.
	InsecureReportOnly bool
	// OnEvent is called with each request that is refused or redirected, and
	// with each plain HTTP request that has a credential, before it is refused
	// or served. A credential is not reported if Scheme is nil and a forwarding
	// header is present, because the client may have used HTTPS. It must not
	// block. A panic is logged and has no other effect.
	OnEvent func(context.Context, Event)

	// Logger receives at most one warning per minute if Scheme is nil behind a
	// proxy that seems to terminate TLS, and panics of OnEvent. nil means
	// slog.Default() at the time of the record.
	Logger *slog.Logger
	// ErrorHandler responds to refused requests. nil means errors.Respond.
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
		if !isPrintable(field.value) || strings.Trim(field.value, " \t") != field.value {
			refuse("%s %q: is not a header value (RFC 9110, section 5.5)", field.key, field.value)
		}
	}
	if o.CanonicalHost != "" && !isHost(o.CanonicalHost) {
		refuse("CanonicalHost %q: is not a host; did you mean \"api.example.com\"?", o.CanonicalHost)
	}
	for i, host := range o.AllowedHosts {
		if !isHost(host) {
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
