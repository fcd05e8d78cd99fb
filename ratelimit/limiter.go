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
	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/route"
)

// The errors of refused requests.
var (
	// ErrLimited is the response to a request above a limit: 429 rate_limited with
	// Retry-After (RFC 6585, section 4).
	ErrLimited = errors.Define(429, "rate_limited", "Too many requests. Try again later.").Sampled("tier")
	// ErrTooExpensive is the response to a request that costs more than Requests of a
	// limit, so that a retry cannot succeed: 413 too_expensive.
	ErrTooExpensive = errors.Define(413, "too_expensive", "This request costs more than the limit ever allows.")
	// ErrUnavailable is the response while the store fails, in a tier with Deny: 503
	// limits_unavailable with Retry-After.
	ErrUnavailable = errors.Define(503, "limits_unavailable", "The service is busy. Try again later.").Sampled("tier")
)

// A Limiter limits the requests of clients. Only its counts change. It is safe for
// concurrent use.
type Limiter struct {
	tiers    []*tier
	byName   map[string]*tier
	routes   *route.Table
	rest     *tier   // the tier without Routes; nil if there is none
	memory   *Memory // the store, or the local counts if the store is remote
	remote   *remote // nil if the store is a Memory
	clientIP func(*http.Request) (netip.Addr, bool)
	fields   Fields
	onEvent  func(context.Context, Event)
	logger   *slog.Logger
	respond  func(http.ResponseWriter, *http.Request, error)
	warned   hook.OncePerMinute
	batches  sync.Pool

	warnedNoAddress hook.OncePerMinute
	warnedStatus    hook.OncePerMinute
	unmatched
}

// New returns a Limiter. It reports all invalid options, joined.
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

// responder returns the handler of refused requests. It forbids caching, as
// errors.Respond does: RFC 6585, section 4.
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
		hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelInfo, "store recovered")
		l.notifyHook(ctx, Event{Reason: Restored})
		return
	case errors.Is(err, ErrMisconfigured):
		hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelError, "store misconfigured; denying", slog.Any("error", err))
	default:
		hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelWarn, "store failing", slog.Any("error", err))
	}
	l.notifyHook(ctx, Event{Reason: Degraded, Err: err})
}
