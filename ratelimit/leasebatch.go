package ratelimit

import (
	"context"
	"time"
)

// takeLeased takes what it can from leases, and charges the rest to the store.
// What another limit denies is put back into its lease, which costs nothing.
func (r *remote) takeLeased(ctx context.Context, t *tier, b *batch, deadline int64) error {
	var rest pending
	asked, denied := false, false
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
			r.leases.putBack(b)
			return err
		}
		asked = asked || call
		if !held {
			rest.addCharge(i, c, true, t.leases[i])
			continue
		}
		b.known[i] = true
		if denied = b.verdicts[i].Wait != 0; denied {
			break // the limits behind it are not asked
		}
		b.leased[i] = true
	}
	switch {
	case denied && !asked:
		b.how = Cached
	case !denied && rest.n > 0:
		if err := r.chargeStore(ctx, deadline, rest.charges[:rest.n], rest.verdicts[:rest.n]); err != nil {
			r.leases.putBack(b)
			return err
		}
		rest.writeVerdicts(b)
		for i := range t.limits {
			denied = denied || b.verdicts[i].Wait != 0 && !b.charges[i].Shadow
		}
	case !denied && !asked:
		b.how = Leased
	}
	if denied {
		r.leases.putBack(b)
	}
	return nil
}

// pending are the charges that no lease holds. One of a limit with a lease is
// charged to both of its limits.
type pending struct {
	n        int
	charges  [2 * maxLimits]Charge
	verdicts [2 * maxLimits]Verdict
	at       [2 * maxLimits]int // the limit
}

func (p *pending) addCharge(i int, c *Charge, leased bool, second string) {
	p.charges[p.n], p.at[p.n] = *c, i
	p.n++
	if leased {
		p.charges[p.n], p.at[p.n] = secondCharge(c, second), i
		p.n++
	}
}

// writeVerdicts writes the verdicts, and one of those that are for one limit.
func (p *pending) writeVerdicts(b *batch) {
	for j := range p.n {
		i, v := p.at[j], &p.verdicts[j]
		if b.known[i] {
			v = new(mergeVerdicts(&b.verdicts[i], v))
		}
		b.verdicts[i], b.known[i] = *v, true
	}
}

// secondCharge returns the second charge of a limit with a lease.
func secondCharge(c *Charge, policy string) Charge {
	second := *c
	second.Key.Policy = policy
	second.Requests += c.Requests / 10
	second.Window += (c.Window/10 + time.Millisecond - 1).Truncate(time.Millisecond)
	return second
}

// mergeVerdicts is the verdict of two limits. The Mark is the first one's.
func mergeVerdicts(a, b *Verdict) Verdict {
	v := Verdict{Remaining: min(a.Remaining, b.Remaining), Wait: max(a.Wait, b.Wait), Reset: max(a.Reset, b.Reset), Mark: a.Mark, Pressure: a.Pressure || b.Pressure}
	if a.Wait < 0 {
		v.Wait = a.Wait
	}
	return v
}

// putBack puts back what a batch took from leases.
func (l *leases) putBack(b *batch) {
	for i, leased := range b.leased {
		if leased {
			l.giveBack(&b.charges[i], b.verdicts[i].Mark)
		}
	}
}
