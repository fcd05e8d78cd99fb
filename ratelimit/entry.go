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

// An entry is the state of one key. Times are nanoseconds on the clock of [Memory], which
// counts in whole microseconds.
type entry struct {
	runs           runLog
	expires        int64 // by then every charge has left the window, and the penalty has ended
	protectedUntil int64 // not evicted before: the key is denied, has no remaining requests, or is in use by this call
	penaltyUntil   int64 // end of the penalty; in the past: none
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
func (s *shard) addEntry(k digest, policy string, now int64, limit int) (_ *entry, pressure bool) {
	if len(s.entries) >= limit {
		candidate, ok := s.evictionCandidate(now)
		if !ok {
			return s.overflowEntry(policy), true
		}
		delete(s.entries, candidate)
	}
	e := &entry{}
	s.entries[k] = e
	return e, false
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
// leaves Reset unset unless a penalty is running. No penalty lasts longer than the
// Penalty of the charge, even if the clock went back.
func (e *entry) evaluateCharge(c *Charge, now int64, v *Verdict) {
	e.evaluateLimit(c, now, v)
	if c.Penalty > 0 {
		if e.penaltyUntil = min(e.penaltyUntil, now+int64(c.Penalty)); e.penaltyUntil > now {
			e.applyPenalty(c, now, v)
		}
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

// A frame is a time and the window of a limit that ends then, as a runLog needs them.
type frame struct{ now, window, tick int64 }

// frameOf returns the frame of a charge at the time now. Windows are rounded up.
func frameOf(c *Charge, now int64) frame {
	window := int64((c.Window + time.Microsecond - 1) / time.Microsecond)
	return frame{now / int64(time.Microsecond), window, tickOf(window)}
}

// evaluateLimit writes Remaining and Wait of the verdict, without the penalty.
func (e *entry) evaluateLimit(c *Charge, now int64, v *Verdict) {
	f := frameOf(c, now)
	e.runs.dropExpired(f)
	remaining, wait := e.runs.remainingAndWait(f, int64(c.Requests), int64(c.Cost))
	v.Remaining, v.Wait = int(remaining), time.Duration(wait)
	if wait > 0 {
		v.Wait *= time.Microsecond
		e.protectedUntil = now + int64(v.Wait)
	}
}

// untilReset returns the time until more requests remain than now. It must be
// called after evaluateLimit.
func (e *entry) untilReset(c *Charge, now int64) time.Duration {
	return time.Duration(e.runs.untilReset(frameOf(c, now), int64(c.Requests))) * time.Microsecond
}

// recordCharge counts an allowed charge, and writes Remaining and Reset as they
// are after it. It must be called after evaluateLimit.
func (e *entry) recordCharge(c *Charge, now int64, v *Verdict) {
	f := frameOf(c, now)
	e.runs.addCharge(f, int64(c.Requests), int64(c.Cost))
	v.Remaining = max(0, v.Remaining-c.Cost)
	v.Reset = e.untilReset(c, now)
	e.expires = max(e.penaltyUntil, now+int64(c.Window+time.Millisecond))
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

// refundCharge removes a charge that was recorded at the time made.
func (e *entry) refundCharge(c *Charge, made, now int64) {
	f := frameOf(c, now)
	e.runs.dropExpired(f)
	e.runs.removeCharge(f, made/int64(time.Microsecond), int64(c.Cost))
	after, v := *c, Verdict{}
	after.Cost = 0
	e.evaluateLimit(&after, now, &v)
	v.Reset = e.untilReset(c, now)
	e.protectFromEviction(now, &v)
}
