package ratelimit

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// MemoryOptions configures a [Memory]. The zero value is recommended.
type MemoryOptions struct {
	// MaxKeys is the maximum number of keys. 0 or less means 1<<18. A key takes about
	// 150 bytes, and 8 to 16 more for each request in the window, but at most about 1300
	// bytes with a limit of any size: 180 bytes with 5 requests, 270 with 10, 400 with 100
	// of 1000, and 1200 with 100 of 100 or 1000 of 1000.
	MaxKeys int
}

// A Memory is a [Store] in this process. It is bounded, and starts no goroutine.
//
// When it is full, a new key evicts the key of a sample that expires first. A key that
// is denied or has no remaining requests is never evicted, so that a flood of new keys
// cannot free an attacker. If every key of a sample is protected, new keys are counted
// together under one key.
type Memory struct {
	shards []shard
	seeds  [2]maphash.Seed
	start  time.Time
	clock  func() time.Time // nil except in tests
	perMax int              // keys in a shard
}

var _ Store = (*Memory)(nil)

// sinceStart returns the time since NewMemory, by a monotonic clock, in whole
// microseconds as a runLog needs it.
func (m *Memory) sinceStart() int64 {
	elapsed := time.Since(m.start)
	if m.clock != nil {
		elapsed = m.clock().Sub(m.start)
	}
	return int64(elapsed.Truncate(time.Microsecond))
}

// NewMemory returns an empty Memory.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxKeys <= 0 {
		o.MaxKeys = 1 << 18
	}
	n := 1
	for n < 64 && o.MaxKeys/(2*n) >= 64 {
		n *= 2
	}
	m := &Memory{shards: make([]shard, n), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, start: time.Now(), perMax: max(1, o.MaxKeys/n)}
	for i := range m.shards {
		m.shards[i] = shard{entries: make(map[digest]*entry), overflow: make(map[string]*entry)}
	}
	return m
}

// Take implements [Store]. It returns an error only for more than 8 charges.
func (m *Memory) Take(_ context.Context, charges []Charge, verdicts []Verdict) error {
	if len(charges) > maxCharges {
		return errTooMany()
	}
	m.decide(charges, verdicts, true)
	return nil
}

// Peek implements [Store]. It returns an error only for more than 8 charges.
func (m *Memory) Peek(_ context.Context, charges []Charge, verdicts []Verdict) error {
	if len(charges) > maxCharges {
		return errTooMany()
	}
	m.decide(charges, verdicts, false)
	return nil
}

// maxCharges bounds the charges of a call.
const maxCharges = 8

func errTooMany() error { return errors.New("ratelimit: Memory: a call has more than 8 charges") }

// A place is the entry of a charge, or its shard if there is none yet.
type place struct {
	key   digest
	shard *shard
	entry *entry
}

func (m *Memory) decide(charges []Charge, verdicts []Verdict, take bool) {
	if len(charges) == 1 {
		key := m.digest(&charges[0].Key)
		p := [1]place{{key: key, shard: &m.shards[m.shardOf(key)]}}
		p[0].shard.mu.Lock()
		defer p[0].shard.mu.Unlock()
		m.decideLocked(p[:], charges, verdicts, take)
		return
	}
	var p [maxCharges]place
	var order [maxCharges]int
	for i := range charges {
		p[i].key = m.digest(&charges[i].Key)
		order[i] = m.shardOf(p[i].key)
		p[i].shard = &m.shards[order[i]]
	}
	// Shards are locked in one order, so that two calls cannot deadlock.
	locked := order[:len(charges)]
	slices.Sort(locked)
	locked = slices.Compact(locked)
	for _, i := range locked {
		m.shards[i].mu.Lock()
	}
	defer func() {
		for _, i := range locked {
			m.shards[i].mu.Unlock()
		}
	}()
	m.decideLocked(p[:], charges, verdicts, take)
}

func (m *Memory) decideLocked(p []place, charges []Charge, verdicts []Verdict, take bool) {
	now := m.sinceStart()
	allowed := true
	for i := range charges {
		c, v := &charges[i], &verdicts[i]
		*v = Verdict{}
		p[i].entry, v.Pressure = p[i].shard.findEntry(p[i].key, c.Key.Policy, now, m.perMax)
		if e := p[i].entry; e != nil {
			// Protected from eviction by the next charge of this call.
			e.protectedUntil = max(e.protectedUntil, now+1)
			e.evaluateCharge(c, now, v)
			if take && !v.Pressure {
				e.startPenalty(c, now, v)
			}
		} else {
			unusedVerdict(c, v)
		}
		allowed = allowed && (v.Wait == 0 || c.Shadow)
	}
	for i := range charges {
		c, v, e := &charges[i], &verdicts[i], p[i].entry
		if !take || !allowed || c.Cost <= 0 || v.Wait != 0 {
			// Nothing is written, so that a denied client creates no keys.
			if e != nil && v.Reset == 0 {
				v.Reset = e.untilReset(c, now)
			}
			continue
		}
		if e == nil {
			e, v.Pressure = p[i].shard.addEntry(p[i].key, c.Key.Policy, now, m.perMax)
			e.evaluateLimit(c, now, v)
		}
		v.Wait, v.Mark = 0, now+1 // 0 means no charge
		if v.Pressure {
			v.Mark = -v.Mark // a charge of the overflow entry
		}
		e.recordCharge(c, now, v)
		if i+1 < len(charges) {
			e.protectedUntil = max(e.protectedUntil, now+1) // recordCharge has lowered it
		}
	}
}

func (m *Memory) shardOf(k digest) int { return int(k.a & uint64(len(m.shards)-1)) }

// startPenalty starts a penalty that a remote store decided.
func (m *Memory) startPenalty(c *Charge, wait int64) {
	key := m.digest(&c.Key)
	s := &m.shards[m.shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.sinceStart()
	e := s.entries[key]
	if e == nil {
		var pressure bool
		if e, pressure = s.addEntry(key, c.Key.Policy, now, m.perMax); pressure {
			return
		}
	}
	e.penaltyUntil = now + wait
	e.expires, e.protectedUntil = max(e.expires, e.penaltyUntil), max(e.protectedUntil, e.penaltyUntil)
}

// Refund implements [Store]. It returns no error.
func (m *Memory) Refund(_ context.Context, charges []Charge) error {
	for i := range charges {
		c := &charges[i]
		key := m.digest(&c.Key)
		s := &m.shards[m.shardOf(key)]
		s.mu.Lock()
		e, at := s.entries[key], c.Mark
		if at < 0 {
			e, at = s.overflow[c.Key.Policy], -at
		}
		if e != nil && at != 0 {
			e.refundCharge(c, at-1, m.sinceStart())
		}
		s.mu.Unlock()
	}
	return nil
}

// Reset implements [Store]. It returns no error.
func (m *Memory) Reset(_ context.Context, keys []Key) error {
	for i := range keys {
		key := m.digest(&keys[i])
		s := &m.shards[m.shardOf(key)]
		s.mu.Lock()
		delete(s.entries, key)
		s.mu.Unlock()
	}
	return nil
}
