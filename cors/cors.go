package cors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
)

// NoCache is the MaxAge that forbids browsers to remember a preflight at all.
const NoCache time.Duration = -1

// Options configures a [Middleware]. Origins is required.
type Options struct {
	// Origins lists who may call: "https://app.example.com" exactly;
	// "https://*.example.com" for every subdomain at any depth, without
	// example.com itself; "http://localhost:*" for any port; or "*" alone, for
	// everybody, which excludes Credentials and EnforceAll. null is refused.
	Origins []string
	// Credentials lets pages send cookies and other credentials. Origins then
	// have https, or are loopback.
	Credentials bool
	// Methods lists methods beside GET, HEAD and POST, which need no
	// permission. They are case-sensitive: PATCH, not patch.
	Methods []string
	// Headers lists request headers that pages may set, such as Authorization
	// and Content-Type.
	Headers []string
	// Expose lists response headers that pages may read. nil: RateLimit,
	// RateLimit-Policy, Retry-After, X-Correlation-ID.
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
	// Scheme and Host tell our own origin behind a proxy. nil: TLS of this
	// process, and the Host header.
	Scheme, Host func(*http.Request) string

	// InsecureOrigins allows origins without TLS together with Credentials.
	InsecureOrigins bool
	// ErrorHandler answers a request that Enforce refuses. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// A Middleware is a CORS policy. It is immutable and safe for concurrent use.
type Middleware struct {
	origins     origins
	credentials bool
	methods     []string
	headers     headerList
	expose      string // "": none
	maxAge      string // "": the browser's own
	status      int
	enforce     Enforcement
	exempt      *route.Table
	scheme      func(*http.Request) string
	host        func(*http.Request) string
	respond     func(http.ResponseWriter, *http.Request, error)
}

// New returns a Middleware. It refuses a list without origins, origins that
// cannot match or match too much, and options that contradict each other. The
// error joins all problems.
func New(o Options) (*Middleware, error) {
	m := &Middleware{
		credentials: o.Credentials, methods: slices.Clone(o.Methods), headers: newHeaderList(o.Headers), status: o.PreflightStatus,
		enforce: o.Enforce, scheme: o.Scheme, host: o.Host, respond: o.ErrorHandler,
		origins: origins{exact: make(map[string]struct{}), wildcards: make(map[wildcard]struct{})},
	}
	exempt, err := route.Opening(o.Route, route.Field{Name: "cors: Exempt", Patterns: o.Exempt})
	m.exempt = exempt
	problems := append(m.addOrigins(o), err)
	if err := errors.Join(append(problems, o.check()...)...); err != nil {
		return nil, err
	}
	if m.origins.all {
		m.enforce = InsecureEnforceOff // everybody is listed
	}
	if o.Expose == nil {
		o.Expose = []string{"RateLimit", "RateLimit-Policy", "Retry-After", "X-Correlation-ID"}
	}
	m.expose = strings.Join(o.Expose, ", ")
	switch {
	case o.MaxAge > 0:
		m.maxAge = strconv.FormatInt(int64(o.MaxAge/time.Second), 10)
	case o.MaxAge == NoCache:
		m.maxAge = "0"
	}
	if m.status == 0 {
		m.status = http.StatusNoContent
	}
	if m.scheme == nil {
		m.scheme = schemeOf
	}
	if m.host == nil {
		m.host = hostOf
	}
	if m.respond == nil {
		m.respond = errors.Respond
	}
	return m, nil
}

// Handler answers preflights itself, sets the CORS headers of all other
// responses before next runs, and refuses what [Middleware.Check] refuses.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if preflight(r) {
			w.WriteHeader(m.answer(w.Header(), r))
			return
		}
		m.setHeaders(w.Header(), r)
		if err := m.Check(r); err != nil {
			m.respond(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// AllowsOrigin reports whether a request has one Origin, and Origins lists it
// by more than "*". It is made for upgrades to WebSocket, which CORS does not
// cover (ASVS 5.0 4.4.2), and for handlers that check origins themselves.
func (m *Middleware) AllowsOrigin(r *http.Request) bool {
	from := r.Header["Origin"]
	return len(from) == 1 && !m.origins.all && m.origins.has(from[0])
}

// setHeaders sets the headers of a response that is no preflight's. The lines
// are slices of this response alone: a handler may change what it finds.
func (m *Middleware) setHeaders(h http.Header, r *http.Request) {
	if !m.origins.all {
		addVary(h, "Origin")
	}
	if m.enforce == EnforceAll {
		addVary(h, "Sec-Fetch-Site")
	}
	if !m.allowOrigin(h, r) {
		return
	}
	lines := &[2]string{"true", m.expose}
	if m.credentials {
		h["Access-Control-Allow-Credentials"] = lines[0:1:1]
	}
	if m.expose != "" {
		h["Access-Control-Expose-Headers"] = lines[1:2:2]
	}
}

// allowOrigin sets Access-Control-Allow-Origin when the origin is listed. The
// slice is the request's own.
func (m *Middleware) allowOrigin(h http.Header, r *http.Request) bool {
	from := r.Header["Origin"]
	switch {
	case len(from) != 1:
		return false
	case m.origins.all:
		h["Access-Control-Allow-Origin"] = []string{"*"}
	case m.origins.has(from[0]):
		h["Access-Control-Allow-Origin"] = from[:1:1]
	default:
		return false
	}
	return true
}

// addVary adds a name to Vary, unless a line has it or "*".
func addVary(h http.Header, name string) {
	lines := h["Vary"]
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element == "*" || strings.EqualFold(element, name) {
				return
			}
		}
	}
	h["Vary"] = append(lines[:len(lines):len(lines)], name)
}
