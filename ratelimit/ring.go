package ratelimit

import (
	"math/bits"
	"slices"
)

// slots is the number of slots in a window.
const slots = 8

// A ring counts requests by slot: the current slot and the eight before it. The
// oldest counts by the part that is still in the window. A ring admits at most the
// limit in any 7/8 of a window. It never denies a client that keeps the limit in every
// 9/8 of a window. Its memory does not depend on the limit.
//
// Each key has its own phase, so that the slots of all keys do not end, and their
// clients do not retry, at the same time.
type ring struct {
	slot   int64 // number of the current slot on the clock plus phase
	phase  int64 // added to the clock
	counts [slots + 1]int64
}

// newRing returns an empty ring. The salt of the key sets its phase.
func newRing(now, window int64, salt uint64) ring {
	part, _ := bits.Mul64(salt, uint64(width(window))) // of a slot
	phase := int64(part)
	return ring{slot: (now + phase) / width(window), phase: phase}
}

// ringFromLog converts a log to a ring when the limit rises above exactLimit.
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

// advance moves the ring to the slot of now. It does nothing if the clock went
// back.
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

// slotState returns the length of a slot, the elapsed part of the current slot, and
// the number of requests that count in full.
func (r *ring) slotState(now, window int64) (w, elapsed, whole int64) {
	w = width(window)
	for _, n := range r.counts[:slots] {
		whole += n
	}
	return w, max(0, now+r.phase-r.slot*w), whole
}

// remainingAndWait returns the number of requests that remain before the charge,
// and the time until the charge is allowed: 0 if it is allowed now, -1 if its cost
// is above the limit.
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

// untilReset returns the time until more requests remain than now, or 0 if all
// remain.
func (r *ring) untilReset(now, limit, window, remaining int64) int64 {
	if remaining >= limit {
		return 0
	}
	w, elapsed, whole := r.slotState(now, window)
	return r.waitForRoom(whole, elapsed, limit-remaining-1, w)
}

// waitForRoom returns the time until the count is at most room, if no other charge
// is made. It makes one slot after the other the oldest, and finds the time within
// that slot.
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
		// smallest e for which that is at most left.
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

// removeCharge removes a charge that was recorded at the time at.
func (r *ring) removeCharge(at, cost, window int64) {
	if age := r.slot - (at+r.phase)/width(window); age >= 0 && age <= slots {
		r.counts[age] = max(0, r.counts[age]-cost)
	}
}

// logFromRing converts a ring to a log when the limit falls to exactLimit or
// below. A ring knows only the slot of a request, so the log places it at the end
// of its slot: requests expire up to one slot late, never early. It keeps the
// newest 128 requests, which is as many as an exact limit can count.
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
