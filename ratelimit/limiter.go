package ratelimit

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
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
	ErrTooExpensive = errors.Define(413, "too_expensive", "This request costs more than the limit ever allows.")
	// ErrUnavailable answers while the store cannot tell, where the tier says
	// Deny: 503 limits_unavailable with Retry-After.
	ErrUnavailable = errors.Define(503, "limits_unavailable", "The service is busy. Try again later.").Sampled("tier")
)

// A Limiter holds clients to limits. It is immutable but for its counts, and
// safe for concurrent use.
type Limiter struct {
	tiers    []*tier
	byName   map[string]*tier
	routes   *route.Table
	rest     *tier   // for what no other tier claims; nil for nothing
	memory   *Memory // the store, or the warm count beside a remote one
	remote   *remote // nil where the store is a Memory
	clientIP func(*http.Request) (netip.Addr, bool)
	fields   Fields
	onEvent  func(context.Context, Event)
	logger   *slog.Logger
	respond  func(http.ResponseWriter, *http.Request, error)
	warned   oncePerMinute
	batches  sync.Pool

	warnedNoAddress oncePerMinute
	warnedStatus    oncePerMinute
	unmatched
}

// tier is a compiled Tier.
type tier struct {
	name      string
	limits    []Limit
	policies  []string // the limits' names
	onFailure Failure
	leases    []string // the names of the second limits, where there is a Lease
	leased    bool     // some limit has a Lease, and the store is remote
	failures  bool     // some limit is FailuresOnly
	scaled    bool     // some limit has a Scale
	told      bool     // some limit is in the fields
	field     string   // RateLimit-Policy, where none is scaled
	limited   *errors.Error
	expensive *errors.Error
	last      atomic.Pointer[refusal]
	// recoveredAt is when everything has left its window that this process has
	// admitted without the store, in the remote's time. 0: nothing.
	recoveredAt atomic.Int64
}

// New returns a Limiter. It refuses limits that mean nothing, and names and
// patterns that are there twice. The error joins all problems.
func New(o Options) (*Limiter, error) {
	o.Tiers = nameRest(o.Tiers)
	fields := make([]route.Field, len(o.Tiers))
	for i, t := range o.Tiers {
		fields[i] = route.Field{Name: fieldName("Tiers", i, "Routes"), Patterns: t.Routes}
	}
	routes, err := route.Restricting(o.Route, fields...)
	if err := errors.Join(append(o.checkFields(), err)...); err != nil {
		return nil, err
	}
	l := &Limiter{
		tiers: make([]*tier, len(o.Tiers)), byName: make(map[string]*tier), routes: routes,
		clientIP: o.ClientIP, fields: o.Fields, onEvent: o.OnEvent, logger: o.Logger, respond: responder(o.ErrorHandler),
		unmatched: unmatched{matched: make([]atomic.Bool, routes.Len()), started: time.Now()},
	}
	l.setStore(o)
	for i, t := range o.Tiers {
		l.tiers[i] = compileTier(t, o)
		l.tiers[i].leased = l.tiers[i].leased && l.remote != nil
		l.byName[t.Name] = l.tiers[i]
		if len(t.Routes) == 0 {
			l.rest = l.tiers[i]
		}
	}
	l.batches.New = func() any { return new(batch) }
	return l, nil
}

// nameRest returns the tiers, with the default name for a tier without Routes.
func nameRest(tiers []Tier) []Tier {
	tiers = slices.Clone(tiers)
	for i := range tiers {
		if t := &tiers[i]; t.Name == "" && len(t.Routes) == 0 {
			t.Name = "default"
		}
	}
	return tiers
}

// responder returns what answers refused requests, none of which is cached: RFC
// 6585, section 4. errors.Respond sees to that by itself.
func responder(own func(http.ResponseWriter, *http.Request, error)) func(http.ResponseWriter, *http.Request, error) {
	if own == nil {
		return errors.Respond
	}
	return func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("Cache-Control", "no-store")
		own(w, r, err)
	}
}

func (l *Limiter) setStore(o Options) {
	switch m, ok := o.Store.(*Memory); {
	case ok:
		l.memory = m
		return
	case o.Store == nil:
		l.memory = NewMemory(MemoryOptions{})
		return
	}
	if o.Timeout == 0 {
		o.Timeout = 100 * time.Millisecond
	}
	l.memory = NewMemory(MemoryOptions{})
	l.remote = newRemote(o.Store, o.Timeout, l.healthChanged)
}

// healthChanged logs and reports a change of the store's health.
func (l *Limiter) healthChanged(ctx context.Context, err error) {
	switch {
	case err == nil:
		l.log().LogAttrs(ctx, slog.LevelInfo, "store recovered")
		l.notifyHook(ctx, Event{Reason: Restored})
		return
	case errors.Is(err, ErrMisconfigured):
		l.log().LogAttrs(ctx, slog.LevelError, "store misconfigured; denying", slog.Any("error", err))
	default:
		l.log().LogAttrs(ctx, slog.LevelWarn, "store failing", slog.Any("error", err))
	}
	l.notifyHook(ctx, Event{Reason: Degraded, Err: err})
}

// newTier returns a tier with the errors that it answers with, which floods
// shall not make again and again.
func newTier(name string) *tier {
	return &tier{name: name, limited: ErrLimited.With("tier", name), expensive: ErrTooExpensive.With("tier", name)}
}

// refusal is ErrLimited with a Retry-After, in seconds.
type refusal struct {
	after int64
	err   *errors.Error
}

// limitedError returns ErrLimited with Retry-After. It keeps the last one: a flood
// from one client has the same for a second.
func (t *tier) limitedError(after int64) error {
	if last := t.last.Load(); last != nil && last.after == after {
		return last.err
	}
	made := &refusal{after, t.limited.Header("Retry-After", strconv.FormatInt(after, 10))}
	t.last.Store(made)
	return made.err
}

func compileTier(t Tier, o Options) *tier {
	c := newTier(t.Name)
	c.limits, c.onFailure = append([]Limit(nil), t.Limits...), t.OnStoreFailure
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
		c.leased = c.leased || limit.Lease
		c.scaled = c.scaled || limit.Scale != nil
		c.told = c.told || limit.isPublished()
		c.policies = append(c.policies, policyName(t.Name, i))
		c.leases = append(c.leases, policyName(t.Name, i)+".lease") // no tier has a point in its name
	}
	if !c.scaled {
		c.field = string(c.appendPolicy(nil, nil))
	}
	return c
}
