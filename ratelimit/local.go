package ratelimit

import (
	"context"
)

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

// updateLocalCount counts in this process what the store decided, so that a failure of the
// store begins nobody's count anew.
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
		d.warm = b.warm
		return
	}
	var own [maxLimits]Charge
	var warm [maxLimits]Verdict
	n := copy(own[:], charges)
	for i := range own[:n] {
		own[i].Penalty, own[i].Shadow = 0, true // the store has decided
	}
	l.memory.decide(own[:n], warm[:n], true)
	for i := range own[:n] {
		d.warm[i] = warm[i].Mark
	}
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
