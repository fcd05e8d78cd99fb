package ratelimit

import (
	"math"
	"sync"
	"time"
)

// A shard holds a part of the keys, under its own lock.
type shard struct {
	mu       sync.Mutex
	entries  map[digest]*entry
	overflow map[string]*entry // by policy
}

// An entry is the state of one key. The limit decides which counter is in use:
// the log up to exactLimit requests per window, the ring above. Times are
// nanoseconds on the clock of [Memory].
type entry struct {
	log            exactLog
	ring           *ring
	expires        int64 // by then every charge has left the window, and the penalty has ended
	protectedUntil int64 // not evicted before: the key is denied, has no remaining requests, or is in use by this call
	penaltyUntil   int64 // end of the penalty; in the past: none
	salt           uint64
}

// findEntry returns the entry of a key. For a new key it returns nil, or, when
// the shard is full and no entry can be evicted, the policy's overflow entry and
// pressure true.
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

// addEntry adds an entry for a new key. When the shard is full, it evicts another
// entry first; when none can be evicted, it returns the policy's overflow entry
// and pressure true.
func (s *shard) addEntry(k digest, c *Charge, now int64, limit int) (_ *entry, pressure bool) {
	if len(s.entries) >= limit {
		candidate, ok := s.evictionCandidate(now)
		if !ok {
			return s.overflowEntry(c.Key.Policy), true
		}
		delete(s.entries, candidate)
	}
	e := newEntry(c, now, k.b)
	s.entries[k] = e
	return e, false
}

// newEntry returns an entry for a key's first charge. A ring is allocated
// together with its entry: with many keys, following a pointer to another
// allocation is a cache miss.
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

// overflowEntry returns the entry that the new keys of a policy share while the
// shard is full.
func (s *shard) overflowEntry(policy string) *entry {
	e := s.overflow[policy]
	if e == nil {
		e = &entry{}
		s.overflow[policy] = e
	}
	return e
}

// evictionCandidate returns, from a sample of 8 keys in the map's random order,
// the key that expires first and is not protected. It reports false if all keys
// of the sample are protected.
func (s *shard) evictionCandidate(now int64) (_ digest, ok bool) {
	const sample = 8
	var candidate digest
	earliest, seen := int64(math.MaxInt64), 0
	for k, e := range s.entries {
		if e.protectedUntil <= now && e.expires < earliest {
			candidate, earliest = k, e.expires
		}
		if seen++; seen == sample {
			break
		}
	}
	return candidate, earliest < math.MaxInt64
}

// unusedVerdict writes the verdict for a key that has no entry.
func unusedVerdict(c *Charge, v *Verdict) {
	v.Remaining = c.Requests
	if c.Cost > c.Requests {
		v.Wait = -1
	}
}

// evaluateCharge writes the verdict on a charge, including a running penalty. It
// leaves Reset unset unless a penalty is running.
func (e *entry) evaluateCharge(c *Charge, now int64, v *Verdict) {
	e.evaluateLimit(c, now, v)
	if c.Penalty > 0 && e.penaltyUntil > now {
		e.applyPenalty(c, now, v)
	}
}

// startPenalty starts the penalty of a limit that denied a charge. It does not
// extend a running penalty, and does nothing for a cost above Requests. Callers
// must not call it on an overflow entry, whose denial could be any client's.
func (e *entry) startPenalty(c *Charge, now int64, v *Verdict) {
	if c.Penalty <= 0 || v.Wait <= 0 || e.penaltyUntil > now {
		return
	}
	e.penaltyUntil = now + int64(c.Penalty)
	e.expires = max(e.expires, e.penaltyUntil)
	e.applyPenalty(c, now, v)
}

// applyPenalty changes the verdict to that of a running penalty. Nothing remains,
// and Reset is the rest of the penalty or the limit's own Wait, whichever is
// longer. Wait is the same, but a cost of 0 stays allowed, and a cost above
// Requests stays denied forever.
func (e *entry) applyPenalty(c *Charge, now int64, v *Verdict) {
	v.Remaining, v.Reset = 0, max(v.Wait, time.Duration(e.penaltyUntil-now))
	if c.Cost > 0 && v.Wait >= 0 {
		v.Wait = v.Reset
	}
	e.protectedUntil = now + int64(v.Reset)
}

// evaluateLimit writes Remaining and Wait of the verdict, without the penalty.
// When the limit has moved across exactLimit, it first converts the counter.
func (e *entry) evaluateLimit(c *Charge, now int64, v *Verdict) {
	limit, window, cost := int64(c.Requests), int64(c.Window), int64(c.Cost)
	var remaining, wait int64
	if limit <= exactLimit {
		if e.ring != nil { // the limit was above exactLimit before
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

// untilReset returns the time until more requests remain than now. It must be
// called after evaluateLimit.
func (e *entry) untilReset(c *Charge, now int64, remaining int) time.Duration {
	if e.ring != nil {
		return time.Duration(e.ring.untilReset(now, int64(c.Requests), int64(c.Window), int64(remaining)))
	}
	return time.Duration(e.log.untilReset(now, int64(c.Requests), int64(c.Window)))
}

// recordCharge counts an allowed charge, and writes Remaining and Reset as they
// are after it. It must be called after evaluateLimit.
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

// protectFromEviction keeps a key without remaining requests in the map until a
// request becomes free. Otherwise a client could use up its limit, evict its own entry
// with a flood of new keys, and start with an empty count.
func (e *entry) protectFromEviction(now int64, v *Verdict) {
	e.protectedUntil = max(now, e.penaltyUntil)
	if v.Remaining == 0 {
		e.protectedUntil = max(e.protectedUntil, now+int64(v.Reset))
	}
}

// refundCharge removes a charge that was recorded at the time at.
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

// exactLimit is the largest number of requests per window that is counted
// exactly, with one timestamp per request.
const exactLimit = 128

// An exactLog is a sliding log: the times of all requests in the last window,
// oldest first. It never admits more than the limit in any interval as long as
// the window, and never denies a request that the limit allows. All times and
// durations are in the same unit.
type exactLog []int64

// dropExpired removes the requests that have left the window.
func (l *exactLog) dropExpired(now, window int64) {
	s := *l
	n := 0
	for n < len(s) && s[n] <= now-window {
		n++
	}
	*l = s[:copy(s, s[n:])]
}

// remainingAndWait returns the number of requests that remain before the charge,
// and the time until the charge is allowed: 0 if it is allowed now, -1 if its cost
// is above the limit.
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

// untilReset returns the time until more requests remain than now, or 0 if the
// log is empty.
func (l exactLog) untilReset(now, limit, window int64) int64 {
	if len(l) == 0 {
		return 0
	}
	// The log is longer than the limit after the limit was lowered. Only the
	// expiry of its limit-th newest request makes room.
	return l[max(0, int64(len(l))-limit)] + window - now
}

// addCharge records cost requests at the time now.
func (l *exactLog) addCharge(now, cost int64) {
	for range cost {
		*l = append(*l, now)
	}
}

// removeCharge removes up to cost requests that were recorded at the time at.
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
