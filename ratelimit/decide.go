package ratelimit

import (
	"context"
	"math"
	"strconv"
	"sync/atomic"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/headerlines"
)

// batch is the working memory of a decision.
type batch struct {
	charges  [maxLimits]Charge
	verdicts [maxLimits]Verdict
	known    [maxLimits]bool // which verdicts mean something
	leased   [maxLimits]bool // which charges were taken from a lease
	how      Reason          // Cached, Leased, or "": the store was asked
	pressure bool
	counted  bool             // this process has counted the charges already
	warm     [maxLimits]int64 // with these marks
	lines    headerlines.Slab
	flags    []atomic.Bool // each is used once, and never comes back
}

// flag returns a flag that nobody else has, without an allocation for each.
func (b *batch) flag() *atomic.Bool {
	const room = 256
	if len(b.flags) == 0 {
		b.flags = make([]atomic.Bool, room)
	}
	flag := &b.flags[0]
	b.flags = b.flags[1:]
	return flag
}

// setCharge writes the charge of limit i, with its own Requests.
func (b *batch) setCharge(t *tier, i int, k *Key, cost int) {
	limit, c := &t.limits[i], &b.charges[i]
	c.Key = *k
	c.Key.Policy = t.policies[i]
	c.Requests, c.Window, c.Penalty = limit.Requests, limit.Window, limit.Penalty
	c.Cost, c.Shadow, c.Mark = cost, limit.InsecureShadow, 0
}

// decide asks the store about the charges of a tier. The decision is zero
// before; the error is the answer where nobody could decide.
func (l *Limiter) decide(ctx context.Context, t *tier, b *batch, d *Decision) error {
	n := len(t.limits)
	charges, verdicts := b.charges[:n], b.verdicts[:n]
	d.Tier, d.limiter, d.tier = t.name, l, t
	b.how, b.pressure, b.counted = "", false, false
	clear(b.leased[:])
	for i := range charges {
		b.known[i] = true
	}
	var err error
	if l.remote == nil {
		l.memory.decide(charges, verdicts, true)
	} else if err = l.decideRemotely(ctx, t, b); err != nil {
		d.Degraded = true
		if refused := l.withoutStore(t, b, d, err); refused != nil {
			l.notifyHook(ctx, Event{Reason: Denied, Decision: *d, Err: err})
			return refused
		}
	}
	d.leased = b.leased
	limit, shadow := d.combineVerdicts(t, b)
	if l.remote != nil && !d.Degraded {
		l.updateLocalCount(d, b, charges, verdicts)
	}
	if l.onEvent != nil {
		l.notifyHook(ctx, Event{Reason: reasonOf(d, b, shadow), Decision: *d, Limit: limit, Err: err})
	}
	return nil
}

// withoutStore decides as the tier says for a store that failed. It returns the
// error of a refusal.
func (l *Limiter) withoutStore(t *tier, b *batch, d *Decision, err error) error {
	n := len(t.limits)
	switch retry := strconv.FormatInt(seconds(l.remote.breaker.timeLeft(l.remote.sinceStart())), 10); {
	case errors.Is(err, ErrMisconfigured):
		// Nobody chose to run without limits by mistyping a password.
		return ErrMisconfigured.With("tier", t.name).Wrap(err).Header("Retry-After", retry)
	case t.onFailure == Deny:
		return ErrUnavailable.With("tier", t.name).Wrap(err).Header("Retry-After", retry)
	case t.onFailure == InsecureAllow:
		clear(b.verdicts[:n])
		clear(b.known[:n])
		d.open = true
	default:
		l.memory.decide(b.charges[:n], b.verdicts[:n], true)
		for i := range n {
			b.known[i] = true
		}
		t.recoveredAt.Store(l.remote.sinceStart() + int64(t.longestWindow()))
	}
	return nil
}

// combineVerdicts makes one answer of the verdicts. It returns the limit that denies, or
// that would if it were no shadow.
func (d *Decision) combineVerdicts(t *tier, b *batch) (limit string, shadow bool) {
	d.Allowed, d.Remaining = true, math.MaxInt
	for i := range t.limits {
		v := &b.verdicts[i]
		if !b.known[i] {
			continue
		}
		d.marks[i] = v.Mark
		b.pressure = b.pressure || v.Pressure
		if b.charges[i].Shadow {
			shadow = shadow || v.Wait != 0
			if v.Wait != 0 && d.Allowed {
				limit = t.policies[i]
			}
			continue
		}
		d.Remaining = min(d.Remaining, v.Remaining)
		if v.Wait == 0 {
			continue
		}
		if d.Allowed || d.RetryAfter >= 0 && (v.Wait < 0 || v.Wait > d.RetryAfter) {
			limit, d.RetryAfter = t.policies[i], v.Wait
		}
		d.Allowed = false
	}
	if d.RetryAfter < 0 {
		d.RetryAfter = -1
	}
	if d.Remaining == math.MaxInt {
		d.Remaining = 0
		for i := range t.limits { // all are shadows
			d.Remaining = max(d.Remaining, b.verdicts[i].Remaining)
		}
	}
	return limit, shadow
}

// updateLocalCount counts in this process what the store decided, so that a failure of the
// store begins nobody's count anew.
func (l *Limiter) updateLocalCount(d *Decision, b *batch, charges []Charge, verdicts []Verdict) {
	if !d.Allowed {
		for i := range charges {
			if b.known[i] && charges[i].Penalty > 0 && verdicts[i].Wait > 0 {
				l.memory.startPenalty(&charges[i], int64(verdicts[i].Wait))
			}
		}
		return
	}
	if b.counted {
		d.warm = b.warm
		return
	}
	var own [maxLimits]Charge
	var warm [maxLimits]Verdict
	n := copy(own[:], charges)
	for i := range own[:n] {
		own[i].Penalty, own[i].Shadow = 0, true // the store has decided
	}
	l.memory.decide(own[:n], warm[:n], true)
	for i := range own[:n] {
		d.warm[i] = warm[i].Mark
	}
}
