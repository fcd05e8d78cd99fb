package ratelimit

import (
	"math/bits"
	"slices"
)

// slots is the number of sub-windows in a window.
const slots = 8

// ring counts in slots: the current one, and as many as a window has before
// it, of which the oldest counts by the part that is still in the window. It
// never admits more than the limit in any 7/8 of a window, and never denies
// who keeps the limit in every 9/8 of a window. Its memory does not depend on
// the limit.
//
// Each key has a phase of its own, so that the slots of all keys do not end,
// and their clients do not come back, at the same time.
type ring struct {
	slot   int64 // the number of the current slot since the beginning of time
	phase  int64 // added to the time
	counts [slots + 1]int64
}

// newRing returns an empty ring. The salt is the key's.
func newRing(now, window int64, salt uint64) ring {
	part, _ := bits.Mul64(salt, uint64(width(window))) // of a slot
	phase := int64(part)
	return ring{slot: (now + phase) / width(window), phase: phase}
}

// ringFromLog returns the ring of what a log counted.
func ringFromLog(l exactLog, now, window int64, salt uint64) *ring {
	r := newRing(now, window, salt)
	for _, at := range l {
		if age := r.slot - (at+r.phase)/width(window); age <= slots {
			r.counts[age]++
		}
	}
	return &r
}

// width returns the length of a slot.
func width(window int64) int64 { return (window + slots - 1) / slots }

// advance moves the ring to the slot of now. A clock that went back does not
// move it.
func (r *ring) advance(now, window int64) {
	by := (now+r.phase)/width(window) - r.slot
	if by <= 0 {
		return
	}
	r.slot += by
	for i := slots; i >= 0; i-- {
		if from := int64(i) - by; from >= 0 {
			r.counts[i] = r.counts[from]
		} else {
			r.counts[i] = 0
		}
	}
}

// slotState returns the length of a slot, what has passed of the current one, and what
// counts in full.
func (r *ring) slotState(now, window int64) (w, elapsed, whole int64) {
	w = width(window)
	for _, n := range r.counts[:slots] {
		whole += n
	}
	return w, max(0, now+r.phase-r.slot*w), whole
}

// remainingAndWait returns what remains before a charge, and in how long the charge is
// allowed: 0 for now, -1 for never.
func (r *ring) remainingAndWait(now, limit, window, cost int64) (remaining, wait int64) {
	w, elapsed, whole := r.slotState(now, window)
	remaining = limit - whole
	if oldest := r.counts[slots]; oldest > 0 {
		remaining -= scale(oldest, w-elapsed, w)
	}
	remaining = max(0, remaining)
	switch {
	case cost > limit:
		return remaining, -1
	case cost > remaining:
		return remaining, r.waitForRoom(whole, elapsed, limit-cost, w)
	}
	return remaining, 0
}

// untilReset returns in how long more remains than now. 0: all of it remains.
func (r *ring) untilReset(now, limit, window, remaining int64) int64 {
	if remaining >= limit {
		return 0
	}
	w, elapsed, whole := r.slotState(now, window)
	return r.waitForRoom(whole, elapsed, limit-remaining-1, w)
}

// waitForRoom returns when the count sinks to room or below, if nobody else asks: it
// lets slot after slot become the oldest one, and finds the moment in it.
func (r *ring) waitForRoom(whole, elapsed, room, w int64) int64 {
	for passed := range int64(slots + 1) {
		oldest := r.counts[slots-passed]
		if passed > 0 {
			whole -= oldest
		}
		left := room - whole
		if left < 0 {
			continue
		}
		// The oldest slot counts floor(oldest*(w-e)/w) at its time e; the
		// smallest e for which that is at most what is left.
		e := int64(0)
		if left < oldest {
			e = w - lastBelow(left+1, w, oldest)
		}
		if passed == 0 {
			e = max(e, elapsed)
		}
		if e < w || passed == slots {
			return passed*w + e - elapsed
		}
	}
	return slots*w + w - elapsed
}

// scale returns floor(n*part/whole).
func scale(n, part, whole int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(max(0, part)))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return int64(q)
}

// lastBelow returns the largest x with x*d < a*b.
func lastBelow(a, b, d int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, borrow := bits.Sub64(lo, 1, 0)
	hi -= borrow
	q, _ := bits.Div64(hi, lo, uint64(d))
	return int64(q)
}

// removeCharge takes back a charge that was made at a time.
func (r *ring) removeCharge(at, cost, window int64) {
	if age := r.slot - (at+r.phase)/width(window); age >= 0 && age <= slots {
		r.counts[age] = max(0, r.counts[age]-cost)
	}
}

// logFromRing returns the log of what a ring counted. A request of a slot is at its
// end, which is later than it was and never earlier; more than the newest 128
// deny whatever an exact limit could.
func logFromRing(r *ring, now, window int64) exactLog {
	r.advance(now, window)
	var l exactLog
	room := int64(exactLimit)
	for age, n := range r.counts {
		n = min(n, room)
		room -= n
		l.addCharge(min(now, (r.slot-int64(age)+1)*width(window)-1-r.phase), n)
	}
	slices.Sort(l)
	l.dropExpired(now, window)
	return l
}
