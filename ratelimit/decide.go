package ratelimit

import (
	"context"
	"net/http"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

// decideRequest decides a request and sets the RateLimit fields. The error is the
// refusal.
func (l *Limiter) decideRequest(ctx context.Context, h http.Header, t *tier, b *batch, d *Decision) error {
	if err := l.decide(ctx, t, b, d); err != nil {
		return err
	}
	if t.told && l.fields != NoFields {
		l.setFields(h, t, b)
	}
	return d.denial()
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

// A store that works again lacks what processes admitted by themselves while it
// failed. If it decided alone, N processes would admit N times the limit in the
// failure, and the store would admit it once more. Hence a process also denies by
// its own count for one window after its last decision without the store. It
// counts everything that it admits, so that N processes admit N times the limit at
// most.
//
// At other times the store decides alone. It is exact, and the own count is not: it
// counts a request a round trip later, and does not see a Reset by another process.

// decideRemotely decides about a batch by the store, and by the own count as well
// where the store may lack what this process admitted.
func (l *Limiter) decideRemotely(ctx context.Context, t *tier, b *batch) error {
	if until := t.recoveredAt.Load(); until == 0 || l.remote.sinceStart() >= until {
		return l.remote.decideBatch(ctx, t, b)
	}
	n := len(t.limits)
	charges, deadline := b.charges[:n], l.storeDeadline()
	var own [maxLimits]Verdict
	l.memory.decide(charges, own[:n], true)
	if isDenied(charges, own[:n]) {
		if l.remote.breaker.isFailing() { // or denied requests would never find out that it works
			if err := l.remote.probe(ctx, deadline, charges); err != nil {
				return err
			}
		}
		for i := range n {
			b.known[i], b.verdicts[i] = own[i].Wait != 0, own[i]
		}
		b.how = Cached
		return nil
	}
	err := l.remote.decideBatch(ctx, t, b)
	if err != nil || b.isDenied(n) {
		l.refundOwn(charges, own[:n])
		return err
	}
	b.counted = true
	for i := range n {
		v := &b.verdicts[i]
		if b.warm[i] = own[i].Mark; own[i].Remaining < v.Remaining && !own[i].Pressure {
			v.Remaining, v.Reset = own[i].Remaining, own[i].Reset
		}
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
