package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
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

	limiter  *Limiter
	tier     *tier
	open     bool            // allowed by InsecureAllow, without a charge
	leased   [maxLimits]bool // the marks that are of leases
	key      string          // of Take
	cost     int
	refunded *atomic.Bool     // shared by all copies; nil means nothing to refund
	marks    [maxLimits]int64 // the store's, or of this process if Degraded
	warm     [maxLimits]int64 // of the local counts
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

// Refund refunds the charge of [Limiter.Take], for example after a login that
// succeeded. It does nothing if the decision denied, or if the decision or a copy
// of it was already refunded, even if that refund failed, because the store may
// have executed it. A refund that fails is logged: the key stays charged.
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

// logRefund logs a refund that failed.
func (l *Limiter) logRefund(ctx context.Context, t *tier, err error) {
	hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelWarn, "refund failed", slog.String("tier", t.name), slog.Any("error", err))
}

// Take charges a key in a handler or a worker, for work that is not a request to a
// route. The key applies to every limit of the tier, in place of Key, Cost and
// Scale. It must not be empty, and cost must not be negative.
//
// A denial is an error: [ErrLimited] with Retry-After, or [ErrTooExpensive] if cost
// is above Requests. If the store fails, Take returns [ErrUnavailable] in a tier
// with Deny, and [ErrMisconfigured] in any tier if the store is misconfigured.
// Other errors report an unknown tier, an empty key or a negative cost. The charge
// is made only if the error is nil.
func (l *Limiter) Take(ctx context.Context, tier, key string, cost int) (Decision, error) {
	t := l.byName[tier]
	switch {
	case t == nil:
		return Decision{}, errors.New("ratelimit: Take: tier " + strconv.Quote(tier) + " is unknown")
	case key == "":
		return Decision{}, errors.New("ratelimit: Take: the key must not be empty")
	case cost < 0:
		return Decision{}, errors.New("ratelimit: Take: the cost is negative; did you mean Refund?")
	}
	b := l.batches.Get().(*batch)
	defer l.batches.Put(b)
	key = boundKey(key)
	for i := range t.limits {
		b.setCharge(t, i, &Key{Text: key}, cost)
	}
	d := Decision{key: key, cost: cost, refunded: b.flag()}
	if err := l.decide(ctx, t, b, &d); err != nil {
		return d, err
	}
	return d, d.denial()
}

// Reset deletes the counts and penalties of a key in a tier. If the key is an
// address, Reset also deletes those of the client with that address, or of its
// network in IPv6. A failure of the store is [ErrUnavailable].
func (l *Limiter) Reset(ctx context.Context, tier, key string) error {
	t := l.byName[tier]
	if t == nil {
		return errors.New("ratelimit: Reset: tier " + strconv.Quote(tier) + " is unknown")
	}
	deadline := l.storeDeadline()
	err := l.resetKeys(ctx, t, deadline, func(*Limit) Key { return Key{Text: boundKey(key)} })
	if addr, notOne := netip.ParseAddr(key); notOne == nil {
		err = errors.Join(err, l.resetKeys(ctx, t, deadline, func(limit *Limit) Key { return Key{Net: network(addr, limit.V6Prefix)} }))
	}
	if err != nil {
		return ErrUnavailable.Wrap(err)
	}
	return nil
}

// resetKeys resets one key of each limit.
func (l *Limiter) resetKeys(ctx context.Context, t *tier, deadline int64, keyOf func(*Limit) Key) error {
	var charges [2 * maxLimits]Charge
	var keys [maxLimits]Key
	n := 0
	for i := range t.limits {
		keys[i] = keyOf(&t.limits[i])
		keys[i].Policy = t.policies[i]
		charges[n].Key = keys[i]
		n++
		if t.leased && t.limits[i].Lease {
			charges[n].Key = keys[i]
			charges[n].Key.Policy = t.leases[i]
			n++
		}
	}
	_ = l.memory.Reset(ctx, keys[:len(t.limits)]) // a Memory never fails
	if l.remote == nil {
		return nil
	}
	return l.remote.resetInStore(ctx, deadline, charges[:n])
}

// longestKey bounds a key, in bytes.
const longestKey = 128

// hashed is the prefix of digests of long keys.
const hashed = "sha256:"

// boundKey returns the key, or its digest if it is too long. A key that begins like a
// digest is hashed too, so that it cannot equal the digest of another key.
func boundKey(key string) string {
	if len(key) <= longestKey && !strings.HasPrefix(key, hashed) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hashed + hex.EncodeToString(sum[:])
}

// storeDeadline returns the deadline for the store, or 0 without a remote store.
func (l *Limiter) storeDeadline() int64 {
	if l.remote == nil {
		return 0
	}
	return l.remote.sinceStart() + int64(l.remote.timeout)
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
		store[n].Mark, own[n].Mark = d.marks[i], d.warm[i]
		if l.remote == nil || d.Degraded {
			own[n].Mark = d.marks[i]
		} else if d.leased[i] {
			l.remote.leases.giveBack(&b.charges[i], d.marks[i])
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
