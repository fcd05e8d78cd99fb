package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// A Decision is the answer of all limits of a tier.
type Decision struct {
	// Allowed reports whether all limits allow it. It is charged then, and
	// not at all otherwise.
	Allowed bool
	// Degraded reports that the store failed, and that this process decided
	// alone.
	Degraded bool
	// Tier is its name.
	Tier string
	// Remaining is what the tightest limit has left.
	Remaining int
	// RetryAfter is when to come back, if nobody else does. 0 when allowed,
	// negative when no time helps.
	RetryAfter time.Duration

	limiter *Limiter
	tier    *tier
	key     string
	cost    int
	marks   [maxLimits]int64 // the store's
	warm    [maxLimits]int64 // the local count's
}

// Err returns nil when the decision allows, or [ErrLimited] with Retry-After,
// or [ErrTooExpensive].
func (d Decision) Err() error {
	switch {
	case d.Allowed:
		return nil
	case d.RetryAfter < 0:
		return ErrTooExpensive.With("tier", d.Tier)
	}
	return ErrLimited.With("tier", d.Tier).Header("Retry-After", strconv.FormatInt(seconds(d.RetryAfter), 10))
}

// Refund gives back what [Limiter.Take] charged: for a login that succeeded.
// It does nothing for a decision that did not allow, nor for the second time.
func (d *Decision) Refund(ctx context.Context) error {
	if !d.Allowed || d.limiter == nil || d.tier == nil || d.unknown() {
		return nil
	}
	charges := make([]Charge, len(d.tier.limits))
	for i := range charges {
		charges[i] = d.tier.charge(i, Key{Text: d.key}, d.cost)
	}
	l, once := d.limiter, *d
	d.limiter = nil
	return l.refund(ctx, charges, once.marks[:], once.warm[:], once.Degraded)
}

// Take charges a key for work that no route stands for, in a handler or a
// worker. The key applies to every limit of the tier, whose own Key and Cost
// are not asked; it is 1 byte or longer, and cost 0 or more. Take fails for an
// unknown tier, and with [ErrUnavailable] where the store fails and the tier
// says Deny.
func (l *Limiter) Take(ctx context.Context, tier, key string, cost int) (Decision, error) {
	t := l.byName[tier]
	switch {
	case t == nil:
		return Decision{}, errors.New("ratelimit: Take: no tier is named " + strconv.Quote(tier))
	case key == "":
		return Decision{}, errors.New("ratelimit: Take: the key is empty, so everybody would count as one")
	case cost < 0:
		return Decision{}, errors.New("ratelimit: Take: the cost is negative; did you mean Refund?")
	}
	b := l.batches.Get().(*batch)
	defer l.batches.Put(b)
	key = bounded(key)
	for i := range t.limits {
		b.charges[i] = t.charge(i, Key{Text: key}, cost)
	}
	d, err := l.decide(ctx, t, b)
	d.key, d.cost = key, cost
	return d, err
}

// Reset forgets what a key was charged in a tier.
func (l *Limiter) Reset(ctx context.Context, tier, key string) error {
	t := l.byName[tier]
	if t == nil {
		return errors.New("ratelimit: Reset: no tier is named " + strconv.Quote(tier))
	}
	keys := make([]Key, len(t.limits))
	for i := range keys {
		keys[i] = Key{Policy: t.policies[i], Text: bounded(key)}
	}
	if l.local != nil {
		_ = l.local.Reset(ctx, keys) // a Memory never fails
	}
	ctx, cancel := l.deadline(ctx)
	defer cancel()
	if err := l.store.Reset(ctx, keys); err != nil {
		return ErrUnavailable.Wrap(err)
	}
	return nil
}

// longestKey bounds what a key takes in memory, in bytes.
const longestKey = 128

func bounded(key string) string {
	if len(key) <= longestKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// batch is the working memory of a decision.
type batch struct {
	charges  [maxLimits]Charge
	verdicts [maxLimits]Verdict
}

func (t *tier) charge(i int, k Key, cost int) Charge {
	k.Policy = t.policies[i]
	return Charge{Key: k, Requests: t.limits[i].Requests, Window: t.limits[i].Window, Cost: cost}
}

// decide asks the store about the charges of a tier.
func (l *Limiter) decide(ctx context.Context, t *tier, b *batch) (Decision, error) {
	charges, verdicts := b.charges[:len(t.limits)], b.verdicts[:len(t.limits)]
	d := Decision{Tier: t.name, limiter: l, tier: t}
	err := l.take(ctx, charges, verdicts)
	if err != nil {
		d.Degraded = true
		switch t.onFailure {
		case Deny:
			l.tell(ctx, d, false, err)
			return d, ErrUnavailable.With("tier", t.name).Wrap(err).Header("Retry-After", "1")
		case InsecureAllow:
			d.Allowed = true
			clear(verdicts)
			l.tell(ctx, d, false, err)
			return d, nil
		}
		_ = l.local.Take(ctx, charges, verdicts) // a Memory never fails
	}
	d.Allowed, d.Remaining = true, verdicts[0].Remaining
	pressure := false
	for i, v := range verdicts {
		d.Remaining = min(d.Remaining, v.Remaining)
		d.marks[i] = v.Mark
		pressure = pressure || v.Pressure
		switch {
		case v.Wait < 0:
			d.Allowed, d.RetryAfter = false, -1
		case v.Wait > 0 && d.RetryAfter >= 0:
			d.Allowed, d.RetryAfter = false, max(d.RetryAfter, v.Wait)
		}
	}
	if err == nil && d.Allowed && l.local != nil {
		var warm [maxLimits]Verdict
		_ = l.local.Take(ctx, charges, warm[:len(charges)]) // a Memory never fails
		for i := range charges {
			d.warm[i] = warm[i].Mark
		}
	}
	l.tell(ctx, d, pressure, err)
	return d, nil
}

// take asks the store. One that is not in this process gets a deadline of its
// own, and is not disturbed by a client that hangs up.
func (l *Limiter) take(ctx context.Context, charges []Charge, verdicts []Verdict) error {
	if m, ok := l.store.(*Memory); ok {
		return m.Take(ctx, charges, verdicts)
	}
	ctx, cancel := l.deadline(ctx)
	defer cancel()
	return l.store.Take(ctx, charges, verdicts)
}

func (l *Limiter) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
}

// refund gives back what the store charged, and the local count beside it: an
// honest client would find it used up when the store fails.
func (l *Limiter) refund(ctx context.Context, charges []Charge, marks, warm []int64, degraded bool) error {
	if degraded {
		warm = marks
	}
	if l.local != nil {
		for i := range charges {
			charges[i].Mark = warm[i]
		}
		_ = l.local.Refund(ctx, charges) // a Memory never fails
	}
	if degraded {
		return nil
	}
	for i := range charges {
		charges[i].Mark = marks[i]
	}
	ctx, cancel := l.deadline(ctx)
	defer cancel()
	if err := l.store.Refund(ctx, charges); err != nil {
		return ErrUnavailable.Wrap(err)
	}
	return nil
}
