package ratelimit

import (
	"context"
	"net/netip"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

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
