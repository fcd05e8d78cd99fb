package ratelimit

import (
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Decision is the result of all limits of a tier.
type Decision struct {
	// Allowed reports whether all limits allow the charge. It is made only then.
	Allowed bool
	// Degraded reports whether this process decided alone because the store failed.
	Degraded bool
	// Tier is the name of the tier.
	Tier string
	// Remaining is the remaining requests of the tightest limit that was evaluated.
	Remaining int
	// RetryAfter is the time until the charge would be allowed, if no other charge is
	// made. It is 0 if Allowed, and negative if the cost is above Requests.
	RetryAfter time.Duration

	limiter    *Limiter
	tier       *tier
	open       bool             // allowed by InsecureAllow, without a charge
	leased     [maxLimits]bool  // charges that were spent from a lease
	key        string           // of Take
	cost       int              // of Take
	refunded   *atomic.Bool     // shared by all copies; nil means nothing to refund
	marks      [maxLimits]int64 // of the store, or of the local counts if Degraded
	localMarks [maxLimits]int64 // of the local counts
}

// denial returns nil if the decision allows; otherwise [ErrLimited] with
// Retry-After, or [ErrTooExpensive].
func (d *Decision) denial() error {
	switch {
	case d.Allowed:
		return nil
	case d.RetryAfter < 0:
		return d.tier.expensive
	}
	return d.tier.limitedError(seconds(d.RetryAfter))
}

// combineVerdicts writes the decision from the known verdicts. It returns the name of
// the limit that denies, or of a shadow limit that would, and whether a shadow limit
// would.
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
		for i := range t.limits { // all limits are shadows
			d.Remaining = max(d.Remaining, b.verdicts[i].Remaining)
		}
	}
	return limit, shadow
}

// Refund refunds the charge of [Limiter.Take], for example after a login that
// succeeded. It does nothing if the decision denied, or if it or a copy of it was
// already refunded. A refund that fails is logged, and the key stays charged. It is
// not repeated, because the store may have executed it.
func (d Decision) Refund(ctx context.Context) {
	if !d.Allowed || d.refunded == nil || d.open || d.refunded.Swap(true) {
		return
	}
	var b batch
	for i := range d.tier.limits {
		b.setCharge(d.tier, i, &Key{Text: d.key}, d.cost)
	}
	if err := d.limiter.refundCharges(ctx, d.tier, &b, &d, false, d.limiter.storeDeadline()); err != nil {
		d.limiter.logRefund(ctx, d.tier, err)
	}
}

// refundCharges refunds the charges in the store and in the local counts, which would
// otherwise be too high when the store fails. With failuresOnly, it refunds only the
// limits with FailuresOnly.
func (l *Limiter) refundCharges(ctx context.Context, t *tier, b *batch, d *Decision, failuresOnly bool, deadline int64) error {
	var store, own [maxLimits]Charge
	n := 0
	for i := range t.limits {
		if failuresOnly && !t.limits[i].FailuresOnly {
			continue
		}
		store[n], own[n] = b.charges[i], b.charges[i]
		store[n].Mark, own[n].Mark = d.marks[i], d.localMarks[i]
		if l.remote == nil || d.Degraded {
			own[n].Mark = d.marks[i]
		} else if d.leased[i] {
			l.remote.leases.returnCharge(&b.charges[i], d.marks[i])
			store[n].Mark = 0
		}
		n++
	}
	_ = l.memory.Refund(ctx, own[:n]) // a Memory never fails
	if l.remote == nil || d.Degraded {
		return nil
	}
	charged := store[:0]
	for _, c := range store[:n] {
		if c.Mark != 0 {
			charged = append(charged, c)
		}
	}
	if len(charged) == 0 {
		return nil
	}
	if err := l.remote.refundInStore(ctx, deadline, charged); err != nil {
		return ErrUnavailable.Wrap(err)
	}
	return nil
}

// logRefund logs a refund that failed.
func (l *Limiter) logRefund(ctx context.Context, t *tier, err error) {
	hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelWarn, "refund failed", slog.String("tier", t.name), slog.Any("error", err))
}
