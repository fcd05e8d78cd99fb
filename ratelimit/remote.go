package ratelimit

import (
	"context"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/leftbehind"
)

// A remote calls a store outside this process. It does not call it while it fails or
// if the denial is cached, and does not wait longer than the timeout.
type remote struct {
	store       Store
	timeout     time.Duration
	start       time.Time
	breaker     breaker
	denials     *denials
	leases      *leases
	calls       sync.Pool
	abandonable leftbehind.Calls
	changed     func(ctx context.Context, err error) // called when the store's health changes
}

func newRemote(s Store, timeout time.Duration, changed func(context.Context, error)) *remote {
	r := &remote{store: s, timeout: timeout, start: time.Now(), denials: newDenials(), changed: changed}
	r.leases = newLeases(r)
	r.calls.New = func() any { return newCall(s) }
	return r
}

// sinceStart returns the time since New, in nanoseconds. It is monotonic, and never 0.
func (r *remote) sinceStart() int64 { return int64(time.Since(r.start)) + 1 }

// storeDeadline returns the deadline for the store, or 0 without a remote store.
func (l *Limiter) storeDeadline() int64 {
	if l.remote == nil {
		return 0
	}
	return l.remote.sinceStart() + int64(l.remote.timeout)
}

// decideBatch makes the charges of a batch, unless the denial is known.
func (r *remote) decideBatch(ctx context.Context, t *tier, b *batch) error {
	charges, verdicts := b.charges[:len(t.limits)], b.verdicts[:len(t.limits)]
	found, confirms := findOverCost(charges, verdicts, &b.known), false
	if !found {
		found, confirms = r.denials.lookUpDenials(r.sinceStart(), charges, verdicts, &b.known)
	}
	if found {
		b.how = Cached
		return nil
	}
	deadline := r.sinceStart() + int64(r.timeout)
	var err error
	if t.leased {
		err = r.takeLeased(ctx, t, b, deadline)
	} else {
		err = r.chargeStore(ctx, deadline, charges, verdicts)
	}
	if confirms && err == nil {
		for i := range charges {
			if b.known[i] && verdicts[i].Wait == 0 {
				r.denials.forgetKey(charges[i].Key) // refunded or reset by another process
			}
		}
	}
	return err
}

// findOverCost marks charges whose cost is above Requests, for which the store need not
// be called.
func findOverCost(charges []Charge, verdicts []Verdict, known *[maxLimits]bool) bool {
	found := false
	for i := range charges {
		found = found || charges[i].Cost > charges[i].Requests && !charges[i].Shadow
	}
	if !found {
		return false
	}
	for i := range charges {
		c := &charges[i]
		if known[i] = c.Cost > c.Requests && !c.Shadow; known[i] {
			verdicts[i] = Verdict{Wait: -1}
		}
	}
	return true
}

// takeLeased spends charges from leases, and charges the others to the store. If a
// limit denies, the spent charges return to their leases.
func (r *remote) takeLeased(ctx context.Context, t *tier, b *batch, deadline int64) error {
	var rest pending
	called, denied := false, false
	clear(b.known[:])
	for i := range t.limits {
		c := &b.charges[i]
		e := (*lease)(nil)
		if t.limits[i].Lease && c.Cost <= c.Requests/leaseShare {
			e = r.leases.leaseFor(c.Key)
		}
		if e == nil {
			rest.addCharge(i, c, t.limits[i].Lease, t.leases[i])
			continue
		}
		held, call, err := r.leases.spendCharge(ctx, deadline, e, c, t.leases[i], &b.verdicts[i])
		if err != nil {
			r.leases.returnCharges(b)
			return err
		}
		called = called || call
		if !held {
			rest.addCharge(i, c, true, t.leases[i])
			continue
		}
		b.known[i] = true
		if denied = b.verdicts[i].Wait != 0; denied {
			break // the limits after it are not evaluated
		}
		b.leased[i] = true
	}
	switch {
	case denied && !called:
		b.how = Cached
	case !denied && rest.n > 0:
		if err := r.chargeStore(ctx, deadline, rest.charges[:rest.n], rest.verdicts[:rest.n]); err != nil {
			r.leases.returnCharges(b)
			return err
		}
		rest.writeVerdicts(b)
		denied = b.isDenied(len(t.limits))
	case !denied && !called:
		b.how = Leased
	}
	if denied {
		r.leases.returnCharges(b)
	}
	return nil
}

// chargeStore charges the store, and caches its denials.
func (r *remote) chargeStore(ctx context.Context, deadline int64, charges []Charge, verdicts []Verdict) error {
	sent := r.sinceStart()
	if err := r.callStore(ctx, deadline, opTake, charges, verdicts); err != nil {
		return err
	}
	r.denials.rememberDenials(sent, charges, verdicts)
	return nil
}

// probe charges the store and refunds the charges, which shows that it can write.
func (r *remote) probe(ctx context.Context, deadline int64, charges []Charge) error {
	var verdicts [maxLimits]Verdict
	if err := r.callStore(ctx, deadline, opTake, charges, verdicts[:len(charges)]); err != nil {
		return err
	}
	var made [maxLimits]Charge
	return r.callStore(ctx, deadline, opRefund, markCharges(made[:0], charges, verdicts[:]), nil)
}

// refundInStore refunds charges in the store.
func (r *remote) refundInStore(ctx context.Context, deadline int64, charges []Charge) error {
	err := r.callStore(ctx, deadline, opRefund, charges, nil)
	for i := range charges {
		r.denials.forgetKey(charges[i].Key)
	}
	return err
}

// resetInStore resets keys in the store.
func (r *remote) resetInStore(ctx context.Context, deadline int64, charges []Charge) error {
	err := r.callStore(ctx, deadline, opReset, charges, nil)
	for i := range charges {
		r.denials.forgetKey(charges[i].Key)
		r.leases.forgetKey(charges[i].Key)
	}
	return err
}
