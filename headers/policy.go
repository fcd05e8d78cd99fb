package headers

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
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
	// HTTPS only, and never for localhost and IP addresses.
	HSTS HSTS

	// CSP is Content-Security-Policy. "": for the API profile, default-src
	// 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'.
	CSP string
	// ReferrerPolicy is Referrer-Policy. "": no-referrer.
	ReferrerPolicy string
	// ResourcePolicy is Cross-Origin-Resource-Policy. "": same-origin.
	ResourcePolicy string
	// FrameOptions is X-Frame-Options. "": DENY.
	FrameOptions string
	// CacheControl is Cache-Control, which a handler may set anew. "": no-store.
	CacheControl string

	// HTTPS is what happens to requests in clear. Zero: RejectOrRedirect.
	HTTPS HTTPS
	// InsecureAllowHTTP serves requests in clear: for local development.
	InsecureAllowHTTP bool
	// CanonicalHost is the host, with a port when it has one, that redirects
	// go to. "": the request's own, when AllowedHosts lists it.
	CanonicalHost string
	// AllowedHosts lists the hosts, without ports, that a redirect may go to.
	AllowedHosts []string
	// ExemptPaths are patterns of requests that are served in clear, such as
	// "/healthz". Patterns are those of
	// http.ServeMux without hosts; only clean paths match.
	ExemptPaths []string
	// CredentialHeaders are further headers that hold credentials, beside
	// Authorization, Cookie, X-API-Key, DPoP and Proxy-Authorization.
	CredentialHeaders []string
	// Scheme returns "https" for a request that came over HTTPS. nil: when it
	// came over TLS to this process.
	Scheme func(*http.Request) string
	// OnPlaintext is told of a request that sent a credential in clear, and
	// not through a proxy. Verify the credential before you revoke it: anybody
	// can send one that is not theirs.
	OnPlaintext func(*http.Request)

	// Logger gets a warning, at most once a minute, when a proxy in front
	// seems to end TLS and Scheme is nil. nil: slog.Default().
	Logger *slog.Logger
	// ErrorHandler answers a refused request. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// A Policy sets the security headers of every response, and holds requests to
// HTTPS. It is immutable and safe for concurrent use.
type Policy struct {
	keys        []string
	values      []string
	hsts        string
	https       HTTPS
	allowHTTP   bool
	canonical   string
	allowed     []string
	exempt      *route.Table
	credentials []string
	scheme      func(*http.Request) string
	onPlaintext func(*http.Request)
	logger      *slog.Logger
	respond     func(http.ResponseWriter, *http.Request, error)
	warned      atomic.Int64 // the minute of the last warning
}

// New returns a Policy. It refuses values that the standards do not know, and
// options that contradict each other. The error joins all problems.
func New(o Options) (*Policy, error) {
	exempt, err := route.Opening(nil, route.Field{Name: "headers: ExemptPaths", Patterns: o.ExemptPaths})
	if err := errors.Join(append(o.check(), err)...); err != nil {
		return nil, err
	}
	p := &Policy{
		https: o.HTTPS, allowHTTP: o.InsecureAllowHTTP, canonical: o.CanonicalHost, allowed: slices.Clone(o.AllowedHosts),
		exempt: exempt, scheme: o.Scheme, onPlaintext: o.OnPlaintext, logger: o.Logger, respond: o.ErrorHandler,
		hsts:        o.HSTS.value(),
		credentials: []string{"Authorization", "Cookie", "X-Api-Key", "Dpop", "Proxy-Authorization"},
	}
	for _, key := range o.CredentialHeaders {
		p.credentials = append(p.credentials, http.CanonicalHeaderKey(key))
	}
	if p.respond == nil {
		p.respond = errors.Respond
	}
	for _, line := range o.lines() {
		if line.value != InsecureOmit {
			p.keys = append(p.keys, line.key)
			p.values = append(p.values, line.value)
		}
	}
	return p, nil
}

// Handler sets the headers before next runs, so that a handler may change
// them, and so that every answer has them: errors, redirects and preflights
// too. Of two policies, the inner one's headers win.
func (p *Policy) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure := p.secure(r)
		p.setHeaders(w.Header(), secure && stable(r.Host))
		if err := p.check(r, secure); err != nil {
			if to := p.redirect(r); to != "" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusPermanentRedirect)
				return
			}
			p.plaintext(r)
			p.respond(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Check returns [ErrHTTPSRequired] for a request that Handler would not serve.
func (p *Policy) Check(r *http.Request) error { return p.check(r, p.secure(r)) }

// setHeaders hands out strings of one slice, made for this response alone: a
// handler may change the lines that it finds without harm to the next.
func (p *Policy) setHeaders(h http.Header, hsts bool) {
	lines := make([]string, len(p.values)+1)
	copy(lines, p.values)
	for i, key := range p.keys {
		h[key] = lines[i : i+1 : i+1]
	}
	if hsts {
		n := len(p.values)
		lines[n] = p.hsts
		h["Strict-Transport-Security"] = lines[n : n+1 : n+1]
	}
}

// warn tells the owner of a service behind TLS termination what is missing.
func (p *Policy) warn(r *http.Request) {
	minute := time.Now().Unix()/60 + 1
	if last := p.warned.Load(); last == minute || !p.warned.CompareAndSwap(last, minute) {
		return
	}
	logger := p.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(r.Context(), slog.LevelWarn, "a forwarding header arrived in clear, and Options.Scheme is not set: does a proxy end TLS in front?",
		slog.String("peer", r.RemoteAddr))
}

// hostname returns a host without its port and last dot, in lower case.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
