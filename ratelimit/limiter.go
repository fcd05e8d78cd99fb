package ratelimit

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
)

// The kinds of error that this package answers with.
var (
	// ErrLimited answers a request above a limit: 429 rate_limited with
	// Retry-After (RFC 6585, section 4).
	ErrLimited = errors.Define(429, "rate_limited", "Too many requests. Try again later.").Sampled("tier")
	// ErrTooExpensive answers a request that costs more than a whole limit, so
	// that waiting does not help: 413 too_expensive.
	ErrTooExpensive = errors.Define(413, "too_expensive", "The request asks for more than is ever allowed at once.")
	// ErrUnavailable answers while the store cannot tell, where the tier says
	// Deny: 503 limits_unavailable with Retry-After.
	ErrUnavailable = errors.Define(503, "limits_unavailable", "The service is busy. Try again later.").Sampled("tier")
)

// Options configures a [Limiter]. Tiers is required.
type Options struct {
	// Tiers are the limits, by route.
	Tiers []Tier
	// Store keeps the counts. nil: a [Memory] of its own.
	Store Store
	// ClientIP tells the client's address, and whether it is certain. Where it
	// is not, the address counts nevertheless, and the TCP peer where there is
	// none. nil: the TCP peer; a warning once a minute says so when forwarding
	// headers arrive.
	ClientIP func(*http.Request) (netip.Addr, bool)
	// OnStoreFailure says what happens while the store fails. Zero: Local.
	OnStoreFailure Failure
	// Timeout bounds one decision of a store other than Memory. 0: 100 ms.
	Timeout time.Duration
	// Fields are the headers that tell clients what is left.
	Fields Fields
	// OnDecision is told of each decision. It must not block.
	OnDecision func(context.Context, Event)
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Routes are then compared with it. nil: the
	// path decides.
	Route func(*http.Request) string
	// ErrorHandler answers refused requests. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// A Tier is a set of limits for a set of routes.
type Tier struct {
	// Name is required: lower-case letters, digits and hyphens, at most 32. It
	// names the limits in keys, fields and events: login, login-2 and so on.
	Name string
	// Routes are patterns such as "POST /auth/login". The language is that of
	// http.ServeMux without hosts, and every spelling of a path matches. None:
	// all that no other tier claims. What no tier claims is not limited.
	Routes []string
	// Limits must all allow a request, and are charged together or not at all.
	// 1 to 4.
	Limits []Limit
	// OnStoreFailure overrides that of Options. Zero: that of Options.
	OnStoreFailure Failure
}

// A Limit is a number of requests in a window that slides.
type Limit struct {
	// Requests is at least 1. Up to 128 are counted exactly: never more in any
	// interval of Window. Above, in eighths of the window: never more in any
	// 7/8 of it, and never denied for who keeps the limit in each 9/8.
	Requests int
	// Window is at least 1 ms, at most 31 days.
	Window time.Duration
	// Key returns whose requests are counted together. nil or "": the
	// client's address, or network in the case of IPv6. It must not contain
	// what a client chooses freely, such as the path.
	Key func(*http.Request) string
	// V6Prefix is the length of the network that counts as one client in
	// IPv6, 32 to 128. 0: 64.
	V6Prefix int
	// Cost returns how many requests a request counts as. nil: 1. Below 0
	// counts as 0.
	Cost func(*http.Request) int
	// FailuresOnly gives the charge back when the answer is below 400, as
	// [errors.Status] knows it. Without errors.Responder outside, after a
	// panic, a hijack, or a client that went away, it stays.
	FailuresOnly bool
	// Quiet keeps what remains out of the fields: it would help to pace a
	// guessing attack.
	Quiet bool
}

// Failure says what happens to requests while the store fails.
type Failure int

const (
	// Local decides by this process's own count, which is always kept. It is
	// not zero, so that a tier can choose it where Options say otherwise.
	Local Failure = iota + 1
	// Deny answers 503.
	Deny
	// InsecureAllow lets everybody through.
	InsecureAllow
)

// A Limiter holds clients to limits. It is immutable but for its counts, and
// safe for concurrent use.
type Limiter struct {
	tiers      []tier
	byName     map[string]*tier
	routes     *route.Table
	rest       *tier // for what no other tier claims; nil for nothing
	store      Store
	local      *Memory // nil where the store is a Memory itself
	timeout    time.Duration
	clientIP   func(*http.Request) (netip.Addr, bool)
	fields     Fields
	onDecision func(context.Context, Event)
	respond    func(http.ResponseWriter, *http.Request, error)
	warned     atomic.Int64 // the minute of the last warning
	batches    sync.Pool
}

// tier is a compiled Tier.
type tier struct {
	name      string
	limits    []Limit
	policies  []string // the limits' names
	onFailure Failure
	failures  bool   // some limit is FailuresOnly
	field     string // RateLimit-Policy, "" for none
}

// New returns a Limiter. It refuses limits that mean nothing, and names and
// patterns that are there twice. The error joins all problems.
func New(o Options) (*Limiter, error) {
	fields := make([]route.Field, len(o.Tiers))
	for i, t := range o.Tiers {
		fields[i] = route.Field{Name: fieldName("Tiers", i, "Routes"), Patterns: t.Routes}
	}
	routes, err := route.Restricting(o.Route, fields...)
	if err := errors.Join(append(o.check(), err)...); err != nil {
		return nil, err
	}
	l := &Limiter{
		tiers: make([]tier, len(o.Tiers)), byName: make(map[string]*tier), routes: routes, store: o.Store, timeout: o.Timeout,
		clientIP: o.ClientIP, fields: o.Fields, onDecision: o.OnDecision, respond: o.ErrorHandler,
	}
	for i, t := range o.Tiers {
		l.tiers[i] = compile(t, o)
		l.byName[t.Name] = &l.tiers[i]
		if len(t.Routes) == 0 {
			l.rest = &l.tiers[i]
		}
	}
	if l.store == nil {
		l.store = NewMemory(MemoryOptions{})
	}
	if _, ok := l.store.(*Memory); !ok {
		l.local = NewMemory(MemoryOptions{})
	}
	if l.timeout == 0 {
		l.timeout = 100 * time.Millisecond
	}
	if l.respond == nil {
		l.respond = errors.Respond
	}
	l.batches.New = func() any { return new(batch) }
	return l, nil
}

func compile(t Tier, o Options) tier {
	c := tier{name: t.Name, limits: append([]Limit(nil), t.Limits...), onFailure: t.OnStoreFailure}
	if c.onFailure == 0 {
		c.onFailure = o.OnStoreFailure
	}
	if c.onFailure == 0 {
		c.onFailure = Local
	}
	for i := range c.limits {
		limit := &c.limits[i]
		if limit.V6Prefix == 0 {
			limit.V6Prefix = 64
		}
		c.failures = c.failures || limit.FailuresOnly
		c.policies = append(c.policies, policyName(t.Name, i))
	}
	c.field = c.policyField()
	return c
}

// warn tells the owner of a service behind a proxy why all clients are one.
func (l *Limiter) warn(r *http.Request) {
	if len(r.Header["X-Forwarded-For"]) == 0 && len(r.Header["Forwarded"]) == 0 && len(r.Header["X-Real-Ip"]) == 0 {
		return
	}
	minute := time.Now().Unix()/60 + 1
	if last := l.warned.Load(); last == minute || !l.warned.CompareAndSwap(last, minute) {
		return
	}
	slog.Default().LogAttrs(r.Context(), slog.LevelWarn,
		"a forwarding header arrived, and ratelimit's Options.ClientIP is not set: everybody behind a proxy counts as one client",
		slog.String("peer", r.RemoteAddr))
}
