package ratelimit

import "slices"

// exactLimit is the largest number of requests per window that is counted
// exactly, one time stamp for each.
const exactLimit = 128

// exactLog is the sliding log: the times of all requests in the last window,
// oldest first. It never admits more than the limit in any interval of a
// window's length, and never denies what the limit allows.
type exactLog []int64

// dropExpired forgets what has left the window.
func (l *exactLog) dropExpired(now, window int64) {
	s := *l
	n := 0
	for n < len(s) && s[n] <= now-window {
		n++
	}
	*l = s[:copy(s, s[n:])]
}

// remainingAndWait returns what remains before a charge, and in how long the charge is
// allowed: 0 for now, -1 for never. All times are integers of one unit.
func (l exactLog) remainingAndWait(now, limit, window, cost int64) (remaining, wait int64) {
	remaining = max(0, limit-int64(len(l)))
	switch excess := int64(len(l)) + cost - limit; {
	case cost > limit:
		return remaining, -1
	case cost > 0 && excess > 0:
		return remaining, l[excess-1] + window - now
	}
	return remaining, 0
}

// untilReset returns in how long more remains than now. 0: all of it remains.
func (l exactLog) untilReset(now, limit, window int64) int64 {
	if len(l) == 0 {
		return 0
	}
	return l[max(0, int64(len(l))-limit)] + window - now // a limit that sank has more
}

// addCharge makes a charge.
func (l *exactLog) addCharge(now, cost int64) {
	for range cost {
		*l = append(*l, now)
	}
}

// removeCharge takes back a charge that was made at a time.
func (l *exactLog) removeCharge(at, cost int64) {
	s := *l
	kept := s[:0]
	for _, t := range s {
		if t == at && cost > 0 {
			cost--
			continue
		}
		kept = append(kept, t)
	}
	*l = kept
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
