package ratelimit

import (
	"math"
	"sync"
	"time"
)

// findEntry returns the entry of a key, or nil for a key that is new, or the
// overflow when there is no room for a new one.
func (s *shard) findEntry(k digest, policy string, now int64, limit int) (_ *entry, pressure bool) {
	if e := s.entries[k]; e != nil {
		return e, false
	}
	if len(s.entries) < limit {
		return nil, false
	}
	if _, ok := s.evictionCandidate(now); ok {
		return nil, false
	}
	return s.overflowEntry(policy), true
}

// addEntry makes an entry, in the place of another when the shard is full. Where
// nothing can go, it returns the overflow.
func (s *shard) addEntry(k digest, c *Charge, now int64, limit int) (_ *entry, pressure bool) {
	if len(s.entries) >= limit {
		victim, ok := s.evictionCandidate(now)
		if !ok {
			return s.overflowEntry(c.Key.Policy), true
		}
		delete(s.entries, victim)
	}
	e := newEntry(c, now, k.b)
	s.entries[k] = e
	return e, false
}

// newEntry returns the entry for a first charge. A ring lies beside it: with
// many keys, each pointer that is followed waits for memory.
func newEntry(c *Charge, now int64, salt uint64) *entry {
	if c.Requests <= exactLimit {
		return &entry{salt: salt}
	}
	both := &struct {
		entry
		ring ring
	}{entry{salt: salt}, newRing(now, int64(c.Window), salt)}
	both.entry.ring = &both.ring
	return &both.entry
}

// overflowEntry returns the overflow of a policy.
func (s *shard) overflowEntry(policy string) *entry {
	e := s.overflow[policy]
	if e == nil {
		e = &entry{}
		s.overflow[policy] = e
	}
	return e
}

// evictionCandidate returns a key of a sample, which a map hands out at random: the one
// that ends first of those that are not denied. It reports false when there is
// none.
func (s *shard) evictionCandidate(now int64) (_ digest, ok bool) {
	const sample = 8
	var victim digest
	best, seen := int64(math.MaxInt64), 0
	for k, e := range s.entries {
		if e.protectedUntil <= now && e.expires < best {
			victim, best = k, e.expires
		}
		if seen++; seen == sample {
			break
		}
	}
	return victim, best < math.MaxInt64
}

// unusedVerdict writes the verdict on a charge of a key that has none yet.
func unusedVerdict(c *Charge, v *Verdict) {
	v.Remaining = c.Requests
	if c.Cost > c.Requests {
		v.Wait = -1
	}
}

// evaluateCharge writes the verdict on a charge, with the penalty that may run.
func (e *entry) evaluateCharge(c *Charge, now int64, v *Verdict) {
	e.evaluateLimit(c, now, v)
	if c.Penalty > 0 && e.penaltyUntil > now {
		e.applyPenalty(c, now, v)
	}
}

// startPenalty begins a penalty after a denial. One that runs is not prolonged. The
// overflow gets none: nobody knows whose denial it was.
func (e *entry) startPenalty(c *Charge, now int64, v *Verdict) {
	if c.Penalty <= 0 || v.Wait <= 0 || e.penaltyUntil > now {
		return
	}
	e.penaltyUntil = now + int64(c.Penalty)
	e.expires = max(e.expires, e.penaltyUntil)
	e.applyPenalty(c, now, v)
}

// applyPenalty writes the verdict of a penalty that runs.
func (e *entry) applyPenalty(c *Charge, now int64, v *Verdict) {
	v.Remaining, v.Reset = 0, max(v.Wait, time.Duration(e.penaltyUntil-now))
	if c.Cost > 0 && v.Wait >= 0 {
		v.Wait = v.Reset
	}
	e.protectedUntil = now + int64(v.Reset)
}

// evaluateLimit writes the verdict on a charge, as the limit alone would have it, but for
// Reset.
func (e *entry) evaluateLimit(c *Charge, now int64, v *Verdict) {
	limit, window, cost := int64(c.Requests), int64(c.Window), int64(c.Cost)
	var remaining, wait int64
	if limit <= exactLimit {
		if e.ring != nil { // the limit sank
			e.log, e.ring = logFromRing(e.ring, now, window), nil
		}
		e.log.dropExpired(now, window)
		remaining, wait = e.log.remainingAndWait(now, limit, window, cost)
	} else {
		if e.ring == nil {
			e.log, e.ring = nil, ringFromLog(e.log, now, window, e.salt)
		}
		e.ring.advance(now, window)
		remaining, wait = e.ring.remainingAndWait(now, limit, window, cost)
	}
	v.Remaining, v.Wait = int(remaining), time.Duration(wait)
	if wait > 0 {
		e.protectedUntil = now + wait
	}
}

// untilReset returns in how long more remains than now. It follows ask.
func (e *entry) untilReset(c *Charge, now int64, remaining int) time.Duration {
	if e.ring != nil {
		return time.Duration(e.ring.untilReset(now, int64(c.Requests), int64(c.Window), int64(remaining)))
	}
	return time.Duration(e.log.untilReset(now, int64(c.Requests), int64(c.Window)))
}

// recordCharge makes a charge, and writes what remains after it. It follows ask.
func (e *entry) recordCharge(c *Charge, now int64, v *Verdict) {
	if e.ring != nil {
		e.ring.counts[0] += int64(c.Cost)
	} else {
		e.log.addCharge(now, int64(c.Cost))
	}
	v.Remaining = max(0, v.Remaining-c.Cost)
	v.Reset = e.untilReset(c, now, v.Remaining)
	e.expires = max(e.penaltyUntil, now+int64(c.Window)+width(int64(c.Window)))
	e.protectFromEviction(now, v)
}

// protectFromEviction keeps a key that has nothing left from being evicted: whoever spends
// a limit to its last request, and then floods, would begin anew.
func (e *entry) protectFromEviction(now int64, v *Verdict) {
	e.protectedUntil = max(now, e.penaltyUntil)
	if v.Remaining == 0 {
		e.protectedUntil = max(e.protectedUntil, now+int64(v.Reset))
	}
}

// refundCharge takes back a charge that was made at a time.
func (e *entry) refundCharge(c *Charge, at, now int64) {
	if e.ring != nil {
		e.ring.removeCharge(at, int64(c.Cost), int64(c.Window))
	} else {
		e.log.removeCharge(at, int64(c.Cost))
	}
	after, v := *c, Verdict{}
	after.Cost = 0
	e.evaluateLimit(&after, now, &v)
	v.Reset = e.untilReset(c, now, v.Remaining)
	e.protectFromEviction(now, &v)
}

// shard is a part of the keys under a lock of its own.
type shard struct {
	mu       sync.Mutex
	entries  map[digest]*entry
	overflow map[string]*entry // by policy
}

// entry is what is known about a key. Which of log and ring is used depends on
// the limit.
type entry struct {
	log            exactLog
	ring           *ring
	expires        int64 // when nothing of it counts any longer
	protectedUntil int64 // until when it is denied, or has nothing left
	penaltyUntil   int64 // until when its penalty runs
	salt           uint64
}

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
