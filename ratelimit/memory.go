package ratelimit

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"
)

// MemoryOptions configures [NewMemory]. The zero value is the recommended
// set-up.
type MemoryOptions struct {
	// MaxKeys bounds the keys that are kept. 0 or less: 1<<18. A key takes
	// about 200 bytes, and 8 more for each request in its window where
	// requests are counted one by one.
	MaxKeys int
}

// Memory is a [Store] in this process. It is bounded, and needs no goroutine.
//
// When it is full, a new key takes the place of the one that ends first among
// a sample, but never of a key that is being denied: a flood of new keys
// cannot free an attacker. Where a sample holds denied keys alone, newcomers
// are counted together under one key, until there is room.
type Memory struct {
	shards []shard
	seed   maphash.Seed
	start  time.Time
	now    func() time.Time
	perMax int // keys in a shard
}

var _ Store = (*Memory)(nil)

// shard is a part of the keys under a lock of its own.
type shard struct {
	mu       sync.Mutex
	entries  map[Key]*entry
	overflow map[string]*entry // by policy
}

// entry is what is known about a key. Which of log and ring is used depends on
// the limit.
type entry struct {
	log    exactLog
	ring   *ring
	ends   int64 // when nothing of it counts any longer
	denied int64 // until when it is denied
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
	m := &Memory{shards: make([]shard, n), seed: maphash.MakeSeed(), start: time.Now(), now: time.Now, perMax: max(1, o.MaxKeys/n)}
	for i := range m.shards {
		m.shards[i] = shard{entries: make(map[Key]*entry), overflow: make(map[string]*entry)}
	}
	return m
}

// Take implements [Store]. It never fails.
func (m *Memory) Take(_ context.Context, charges []Charge, verdicts []Verdict) error {
	m.decide(charges, verdicts, true)
	return nil
}

// Peek implements [Store]. It never fails.
func (m *Memory) Peek(_ context.Context, charges []Charge, verdicts []Verdict) error {
	m.decide(charges, verdicts, false)
	return nil
}

// maxCharges is how many charges one call can have.
const maxCharges = 8

func (m *Memory) decide(charges []Charge, verdicts []Verdict, take bool) {
	var which, order [maxCharges]int
	var entries [maxCharges]*entry
	for i := range charges {
		which[i] = m.shardOf(charges[i].Key)
	}
	copy(order[:], which[:len(charges)])
	// Shards are locked in one order, each once, so that two calls never wait
	// for each other.
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

	now := int64(m.now().Sub(m.start))
	allowed := true
	for i := range charges {
		entries[i], verdicts[i] = m.shards[which[i]].find(charges[i].Key, now, m.perMax)
		// Not to be evicted for the next charge of this call.
		entries[i].denied = max(entries[i].denied, now+1)
	}
	for i := range charges {
		entries[i].ask(&charges[i], now, &verdicts[i])
		allowed = allowed && verdicts[i].Wait == 0
	}
	if !take || !allowed {
		return
	}
	for i := range charges {
		entries[i].charge(&charges[i], now)
		verdicts[i].Remaining = max(0, verdicts[i].Remaining-charges[i].Cost)
		verdicts[i].Mark = now
		if verdicts[i].Reset == 0 && charges[i].Cost > 0 {
			verdicts[i].Reset = charges[i].Window
		}
	}
}

func (m *Memory) shardOf(k Key) int {
	return int(maphash.Comparable(m.seed, k) & uint64(len(m.shards)-1))
}

// find returns the entry of a key, which it makes when there is none.
func (s *shard) find(k Key, now int64, limit int) (*entry, Verdict) {
	if e := s.entries[k]; e != nil {
		return e, Verdict{}
	}
	if len(s.entries) >= limit && !s.evict(now) {
		e := s.overflow[k.Policy]
		if e == nil {
			e = &entry{}
			s.overflow[k.Policy] = e
		}
		return e, Verdict{Pressure: true}
	}
	e := &entry{}
	s.entries[k] = e
	return e, Verdict{}
}

// evict drops one entry of a sample, which a map hands out at random: the one
// that ends first of those that are not denied. It reports false when there is
// none.
func (s *shard) evict(now int64) bool {
	const sample = 8
	var victim Key
	best, seen := int64(math.MaxInt64), 0
	for k, e := range s.entries {
		if e.denied <= now && e.ends < best {
			victim, best = k, e.ends
		}
		if seen++; seen == sample {
			break
		}
	}
	if best == math.MaxInt64 {
		return false
	}
	delete(s.entries, victim)
	return true
}

// ask writes the verdict on a charge.
func (e *entry) ask(c *Charge, now int64, v *Verdict) {
	limit, window, cost := int64(c.Requests), int64(c.Window), int64(c.Cost)
	var answer verdict
	if limit <= exactLimit {
		e.ring = nil
		e.log.drop(now, window)
		answer = e.log.ask(now, limit, window, cost)
	} else {
		e.log = nil
		if e.ring == nil {
			e.ring = &ring{slot: now / width(window)}
		}
		e.ring.advance(now, window)
		answer = e.ring.ask(now, limit, window, cost)
	}
	v.Remaining, v.Wait, v.Reset = int(answer.remaining), time.Duration(answer.wait), time.Duration(answer.reset)
	if answer.wait > 0 {
		e.denied = now + answer.wait
	}
}

func (e *entry) charge(c *Charge, now int64) {
	if c.Cost == 0 {
		return
	}
	if e.ring != nil {
		e.ring.counts[0] += int64(c.Cost)
	} else {
		e.log.add(now, int64(c.Cost))
	}
	e.ends = now + int64(c.Window) + width(int64(c.Window))
}

// Refund implements [Store]. It never fails.
func (m *Memory) Refund(_ context.Context, charges []Charge) error {
	for i := range charges {
		c := &charges[i]
		s := &m.shards[m.shardOf(c.Key)]
		s.mu.Lock()
		if e := s.entries[c.Key]; e != nil {
			e.denied = 0 // there is room again
			if e.ring != nil {
				e.ring.remove(c.Mark, int64(c.Cost), int64(c.Window))
			} else {
				e.log.remove(c.Mark, int64(c.Cost))
			}
		}
		s.mu.Unlock()
	}
	return nil
}

// Reset implements [Store]. It never fails.
func (m *Memory) Reset(_ context.Context, keys []Key) error {
	for _, k := range keys {
		s := &m.shards[m.shardOf(k)]
		s.mu.Lock()
		delete(s.entries, k)
		s.mu.Unlock()
	}
	return nil
}
