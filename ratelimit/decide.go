package ratelimit

import (
	"context"
	"net/http"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

// decideRequest decides a request and sets the RateLimit fields. The error is the
// response.
func (l *Limiter) decideRequest(ctx context.Context, h http.Header, t *tier, b *batch, d *Decision) error {
	if err := l.decide(ctx, t, b, d); err != nil {
		return err
	}
	if t.published && l.fields != NoFields {
		l.setFields(h, t, b)
	}
	return d.denial()
}

// decide makes the charges of a batch, and writes the decision, which must be zero.
// The error is the response if the request cannot be decided. A denial is not an error here.
func (l *Limiter) decide(ctx context.Context, t *tier, b *batch, d *Decision) error {
	n := len(t.limits)
	charges, verdicts := b.charges[:n], b.verdicts[:n]
	d.Tier, d.limiter, d.tier = t.name, l, t
	b.how, b.pressure, b.shadow, b.counted = "", false, "", false
	clear(b.leased[:])
	for i := range charges {
		b.known[i] = true
	}
	var err error
	if l.remote == nil {
		l.memory.decide(charges, verdicts, true)
	} else if err = l.decideRemotely(ctx, t, b); err != nil {
		d.Degraded = true
		if refusal := l.decideLocally(t, b, d, err); refusal != nil {
			l.notifyHook(ctx, Event{Reason: Denied, Decision: *d, Err: err})
			return refusal
		}
	}
	d.leased = b.leased
	limit, shadow := d.combineVerdicts(t, b)
	if shadow && d.Allowed {
		b.shadow = limit
	}
	if l.remote != nil && !d.Degraded {
		l.updateLocalCount(d, b, charges, verdicts)
	}
	if l.onEvent != nil {
		l.notifyHook(ctx, Event{Reason: reasonOf(d, b, shadow), Decision: *d, Limit: limit, Err: err})
	}
	return nil
}

// decideRemotely decides a batch by the store. For one window after the last decision
// without the store, the local counts can deny too: a store that recovers does not
// have the requests that processes admitted without it. If it decided alone, N
// processes would admit N times the limit during the failure, and the store would
// admit the limit once more.
//
// At other times the store decides alone, because the local counts are not exact: they
// count a request a round trip later, and do not see a Reset by another process.
func (l *Limiter) decideRemotely(ctx context.Context, t *tier, b *batch) error {
	if until := t.recoveredAt.Load(); until == 0 || l.remote.sinceStart() >= until {
		return l.remote.decideBatch(ctx, t, b)
	}
	n := len(t.limits)
	charges, deadline := b.charges[:n], l.storeDeadline()
	var own [maxLimits]Verdict
	l.memory.decide(charges, own[:n], true)
	if isDenied(charges, own[:n]) {
		if l.remote.breaker.isFailing() { // otherwise no call notices the recovery while all requests are denied
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
		if b.localMarks[i] = own[i].Mark; own[i].Remaining < v.Remaining && !own[i].Pressure {
			v.Remaining, v.Reset = own[i].Remaining, own[i].Reset
		}
	}
	return nil
}

// decideLocally decides by OnStoreFailure after the store failed with err. The error
// is the response.
func (l *Limiter) decideLocally(t *tier, b *batch, d *Decision, err error) error {
	n := len(t.limits)
	switch retry := strconv.FormatInt(seconds(l.remote.breaker.timeLeft(l.remote.sinceStart())), 10); {
	case errors.Is(err, ErrMisconfigured):
		// A mistyped password must not remove the limits.
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
