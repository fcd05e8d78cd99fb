package ratelimit

import "context"

// isDenied reports whether a verdict of the local counts denies. It reports false
// under pressure, because the count then includes other keys.
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

// isDenied reports whether a known verdict denies.
func (b *batch) isDenied(n int) bool {
	for i := range n {
		if b.known[i] && b.verdicts[i].Wait != 0 && !b.charges[i].Shadow {
			return true
		}
	}
	return false
}

// updateLocalCount copies the charges and penalties of the store to the local counts,
// so that counts do not start at zero when the store fails.
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
		d.localMarks = b.localMarks
		return
	}
	var own [maxLimits]Charge
	var counted [maxLimits]Verdict
	n := copy(own[:], charges)
	for i := range own[:n] {
		own[i].Penalty, own[i].Shadow = 0, true // the store has decided
	}
	l.memory.decide(own[:n], counted[:n], true)
	for i := range own[:n] {
		d.localMarks[i] = counted[i].Mark
	}
}

// refundOwn refunds charges in the local counts.
func (l *Limiter) refundOwn(charges []Charge, own []Verdict) {
	var counted [maxLimits]Charge
	_ = l.memory.Refund(context.Background(), markCharges(counted[:0], charges, own)) // a Memory never fails
}

// markCharges appends charges with the marks of their verdicts, for a refund.
func markCharges(made, charges []Charge, verdicts []Verdict) []Charge {
	made = append(made, charges...)
	for i := range made {
		made[i].Mark = verdicts[i].Mark
	}
	return made
}
