package cors

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/wiring"
)

// NoCache is the MaxAge that forbids browsers to remember a preflight at all.
const NoCache time.Duration = -1

// Options configures a [Middleware]. Origins or OriginFunc is required.
type Options struct {
	// Origins lists the origins that may call, one for each entry:
	// "https://app.example.com" exactly; "https://*.example.com" for every
	// subdomain at any depth, without example.com itself; "http://localhost:*"
	// for any port; "http://*.localhost:3000" on this machine; or "*" alone, for
	// every origin, which excludes Credentials and EnforceAll. New refuses null
	// and origins that no browser sends, such as those of wss, file and data.
	Origins []string
	// OriginFunc allows further origins, such as those of tenants in a table.
	// It gets an origin that was parsed and is not null, and with Credentials
	// one that has https or is loopback, unless InsecureOrigins is set. It is
	// asked for each request, and must be safe for concurrent use. It has no
	// request to look at, so that caches need to know of Origin alone (compare
	// rs/cors issue 157).
	OriginFunc func(Origin) bool
	// Credentials lets pages send cookies and other credentials. Origins then
	// have https, or are loopback, and no wildcard stands at or above a public
	// suffix. Browsers send a cookie that is SameSite=Strict, as that of
	// sessions is, for pages of the same site alone.
	Credentials bool
	// Methods lists methods in addition to GET, HEAD and POST, which need no
	// permission. They are case-sensitive: PATCH, not patch. New refuses "*".
	// nil means none.
	Methods []string
	// Headers lists request headers that pages may set, such as Authorization
	// and Content-Type (which application/json needs), of at most 128 bytes
	// each. "*" means every header but Authorization, which then has to be
	// listed too (Fetch, CORS non-wildcard request-header name). It needs
	// Origins "*" without Credentials, since browsers read it as a name
	// otherwise. nil means none beyond those that need no permission (Fetch,
	// CORS-safelisted request-header).
	Headers []string
	// Expose lists response headers that pages may read. New refuses "*". nil
	// means RateLimit, RateLimit-Policy, Retry-After and X-Correlation-ID;
	// empty, but not nil, means none.
	Expose []string
	// MaxAge is how long browsers remember a preflight, in whole seconds, at
	// most 24 h. 0: the browser's own 5 s. NoCache: not at all. Chromium caps
	// it at 2 h.
	MaxAge time.Duration
	// PreflightStatus answers allowed preflights: 204 (0) or 200, for old
	// clients.
	PreflightStatus int

	// Enforce says what the server itself refuses. Zero: unsafe methods from
	// origins that are not listed, unless Origins is "*".
	Enforce Enforcement
	// Exempt are patterns of requests that Enforce lets pass, such as "POST
	// /sso/callback". The language is that of http.ServeMux without hosts;
	// only a clean path matches.
	Exempt []string
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Exempt is then compared with it.
	Route func(*http.Request) string
	// Scheme and Host return what the client used to reach us, "https" or
	// "http" and a host, by which requests of our own pages are known. Behind a
	// proxy: those of headers.Forwarded. nil: TLS of this process decides, and
	// the Host header.
	Scheme, Host func(*http.Request) string

	// InsecureOrigins allows origins without TLS together with Credentials.
	InsecureOrigins bool
	// InsecurePublicSuffixes allows wildcards that cover names of unrelated
	// parties together with Credentials: at a rule of the Public Suffix List,
	// such as "https://*.github.io", or above one, such as
	// "https://*.amazonaws.com". Any customer of that provider can then call
	// with the credentials of a visitor.
	InsecurePublicSuffixes bool
	// ErrorHandler answers a request that Enforce refuses. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
	// OnEvent is called with the decision about each request, before the handler
	// runs. It must not block. A panic is logged and has no other effect.
	OnEvent func(context.Context, Event)
	// Debug logs every failed preflight, and that something else sets CORS
	// headers or removes Origin from Vary. It is for development: anybody can
	// fill the log while it is on.
	Debug bool
	// Logger gets a warning for a failed preflight, at most once a minute for
	// each reason, what Debug logs, and panics of OnEvent. nil means
	// slog.Default().
	Logger *slog.Logger
}

// A Middleware is a CORS policy. It is safe for concurrent use, and changes
// only by [Middleware.Reconfigure], as a whole.
type Middleware struct{ policy atomic.Pointer[policy] }

// New returns a Middleware. It refuses a list without origins, origins that
// cannot match or match too much, and options that contradict each other. The
// error joins all problems.
func New(o Options) (*Middleware, error) {
	m := new(Middleware)
	if err := m.Reconfigure(o); err != nil {
		return nil, err
	}
	return m, nil
}

// Reconfigure replaces all options. A request that is under way keeps those
// that it began with. It refuses what [New] refuses, and then keeps the options
// as they were.
func (m *Middleware) Reconfigure(o Options) error {
	p, err := compilePolicy(o)
	if err != nil {
		return err
	}
	m.policy.Store(p)
	return nil
}

// Handler answers preflights itself, sets the CORS headers of all other
// responses before next runs, and refuses what [Middleware.Check] refuses.
// Handler panics if next is nil: a service finds that when it starts.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	wiring.RequireNew("cors: Handler", m == nil || m.policy.Load() == nil)
	wiring.RequireHandler("cors: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.policy.Load().serveRequest(w, r, next) })
}

// Check returns [ErrOriginDenied] for a request that Handler would refuse
// because of where it comes from. Browsers tell that in Sec-Fetch-Site,
// which pages cannot set, and in Origin. A request with neither does not come
// from a browser of this decade, and passes: it has no cookies of a victim.
func (m *Middleware) Check(r *http.Request) error {
	if reason, refused := m.policy.Load().checkEnforced(r); refused {
		return deniedError(r, reason)
	}
	return nil
}

// AllowsOrigin reports whether a request has exactly one Origin, and that one is
// listed. A list that is "*" lists nobody here. It is made for upgrades to WebSocket, which CORS does not cover
// (ASVS 5.0 4.4.2), and for handlers that check origins themselves.
func (m *Middleware) AllowsOrigin(r *http.Request) bool {
	p := m.policy.Load()
	from := r.Header["Origin"]
	return len(from) == 1 && !p.origins.all && p.origins.allowsOrigin(from[0])
}
