package ratelimit

import (
	"context"
	"time"
)

// A store that works again lacks what processes admitted by themselves while it
// failed. If it decided alone, N processes would admit N times the limit in the
// failure, and the store would admit it once more. Hence a process also denies by
// its own count for one window after its last decision without the store. It
// counts everything that it admits, so that N processes admit N times the limit at
// most.
//
// At other times the store decides alone. It is exact, and the own count is not: it
// counts a request a round trip later, and does not see a Reset by another process.

// longestWindow returns how long a charge of the tier may count.
func (t *tier) longestWindow() time.Duration {
	longest := time.Duration(0)
	for i := range t.limits {
		longest = max(longest, t.limits[i].Window)
	}
	return longest + longest/8 // a ring counts by slots
}

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

// probe charges the store, and refunds that: it has to be able to write.
func (r *remote) probe(ctx context.Context, deadline int64, charges []Charge) error {
	var verdicts [maxLimits]Verdict
	if err := r.callStore(ctx, deadline, opTake, charges, verdicts[:len(charges)]); err != nil {
		return err
	}
	var made [maxLimits]Charge
	n := copy(made[:], charges)
	for i := range made[:n] {
		made[i].Mark = verdicts[i].Mark
	}
	return r.callStore(ctx, deadline, opRefund, made[:n], nil)
}

// refundOwn takes back what this process has counted.
func (l *Limiter) refundOwn(charges []Charge, own []Verdict) {
	var counted [maxLimits]Charge
	n := copy(counted[:], charges)
	for i := range counted[:n] {
		counted[i].Mark = own[i].Mark
	}
	_ = l.memory.Refund(context.Background(), counted[:n]) // a Memory never fails
}

// isDenied reports whether verdicts deny their charges. A key that shares its count
// with others is not denied by that.
func isDenied(charges []Charge, verdicts []Verdict) bool {
	denied := false
	for i := range charges {
		if verdicts[i].Pressure {
			return false
		}
		denied = denied || verdicts[i].Wait != 0 && !charges[i].Shadow
	}
	return denied
}

// isDenied reports whether one of the known verdicts denies.
func (b *batch) isDenied(n int) bool {
	for i := range n {
		if b.known[i] && b.verdicts[i].Wait != 0 && !b.charges[i].Shadow {
			return true
		}
	}
	return false
}
