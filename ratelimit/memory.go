package ratelimit

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
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
	denied int64 // until when it is denied, or has nothing left
	banned int64 // until when its penalty runs
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

// Take implements [Store]. It fails only for more than 8 charges.
func (m *Memory) Take(_ context.Context, charges []Charge, verdicts []Verdict) error {
	if len(charges) > maxCharges {
		return errTooMany()
	}
	m.decide(charges, verdicts, true)
	return nil
}

// Peek implements [Store]. It fails only for more than 8 charges.
func (m *Memory) Peek(_ context.Context, charges []Charge, verdicts []Verdict) error {
	if len(charges) > maxCharges {
		return errTooMany()
	}
	m.decide(charges, verdicts, false)
	return nil
}

// maxCharges is how many charges one call can have.
const maxCharges = 8

func errTooMany() error { return errors.New("ratelimit: Memory: more than 8 charges in one call") }

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
		verdicts[i] = Verdict{}
		entries[i], verdicts[i].Pressure = m.shards[which[i]].find(charges[i].Key, now, m.perMax)
		if e := entries[i]; e != nil {
			// Not to be evicted for the next charge of this call.
			e.denied = max(e.denied, now+1)
			e.judge(&charges[i], now, &verdicts[i])
			if take && !verdicts[i].Pressure {
				e.punish(&charges[i], now, &verdicts[i])
			}
		} else {
			unused(&charges[i], &verdicts[i])
		}
		allowed = allowed && (verdicts[i].Wait == 0 || charges[i].Shadow)
	}
	if !take || !allowed {
		return // and nothing was charged: a denied client makes no keys
	}
	for i := range charges {
		if charges[i].Cost <= 0 || verdicts[i].Wait != 0 {
			continue
		}
		if entries[i] == nil {
			entries[i], verdicts[i].Pressure = m.shards[which[i]].add(charges[i].Key, now, m.perMax)
		}
		verdicts[i].Mark = now + 1 // 0 is for what was not charged
		if verdicts[i].Pressure {
			verdicts[i].Mark = -verdicts[i].Mark // the overflow's
		}
		entries[i].charge(&charges[i], now, &verdicts[i])
	}
}

func (m *Memory) shardOf(k Key) int {
	return int(maphash.Comparable(m.seed, k) & uint64(len(m.shards)-1))
}

// find returns the entry of a key, or nil for a key that is new, or the
// overflow when there is no room for a new one.
func (s *shard) find(k Key, now int64, limit int) (_ *entry, pressure bool) {
	if e := s.entries[k]; e != nil {
		return e, false
	}
	if len(s.entries) < limit {
		return nil, false
	}
	if _, ok := s.victim(now); ok {
		return nil, false
	}
	return s.shared(k.Policy), true
}

// add makes an entry, in the place of another when the shard is full. Where
// nothing can go, it returns the overflow.
func (s *shard) add(k Key, now int64, limit int) (_ *entry, pressure bool) {
	if len(s.entries) >= limit {
		victim, ok := s.victim(now)
		if !ok {
			return s.shared(k.Policy), true
		}
		delete(s.entries, victim)
	}
	e := &entry{}
	k.Text = strings.Clone(k.Text) // not a part of a larger text, which would stay
	s.entries[k] = e
	return e, false
}

// shared returns the overflow of a policy.
func (s *shard) shared(policy string) *entry {
	e := s.overflow[policy]
	if e == nil {
		e = &entry{}
		s.overflow[policy] = e
	}
	return e
}

// victim returns a key of a sample, which a map hands out at random: the one
// that ends first of those that are not denied. It reports false when there is
// none.
func (s *shard) victim(now int64) (_ Key, ok bool) {
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
	return victim, best < math.MaxInt64
}

// unused writes the verdict on a charge of a key that has none yet.
func unused(c *Charge, v *Verdict) {
	v.Remaining = c.Requests
	if c.Cost > c.Requests {
		v.Wait = -1
	}
}

// remember begins a penalty that another store has decided.
func (m *Memory) remember(c *Charge, wait int64) {
	s := &m.shards[m.shardOf(c.Key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := int64(m.now().Sub(m.start))
	e := s.entries[c.Key]
	if e == nil {
		var pressure bool
		if e, pressure = s.add(c.Key, now, m.perMax); pressure {
			return
		}
	}
	e.banned = now + wait
	e.ends, e.denied = max(e.ends, e.banned), max(e.denied, e.banned)
}

// judge writes the verdict on a charge, with the penalty that may run.
func (e *entry) judge(c *Charge, now int64, v *Verdict) {
	e.ask(c, now, v)
	if c.Penalty > 0 && e.banned > now {
		e.ban(c, now, v)
	}
}

// punish begins a penalty after a denial. One that runs is not prolonged. The
// overflow gets none: nobody knows whose denial it was.
func (e *entry) punish(c *Charge, now int64, v *Verdict) {
	if c.Penalty <= 0 || v.Wait <= 0 || e.banned > now {
		return
	}
	e.banned = now + int64(c.Penalty)
	e.ends = max(e.ends, e.banned)
	e.ban(c, now, v)
}

// ban writes the verdict of a penalty that runs.
func (e *entry) ban(c *Charge, now int64, v *Verdict) {
	v.Remaining, v.Reset = 0, max(v.Wait, time.Duration(e.banned-now))
	if c.Cost > 0 && v.Wait >= 0 {
		v.Wait = v.Reset
	}
	e.denied = now + int64(v.Reset)
}

// ask writes the verdict on a charge, as the limit alone would have it.
func (e *entry) ask(c *Charge, now int64, v *Verdict) {
	limit, window, cost := int64(c.Requests), int64(c.Window), int64(c.Cost)
	var answer verdict
	if limit <= exactLimit {
		if e.ring != nil { // the limit sank
			e.log, e.ring = logOf(e.ring, now, window), nil
		}
		e.log.drop(now, window)
		answer = e.log.ask(now, limit, window, cost)
	} else {
		if e.ring == nil {
			e.log, e.ring = nil, ringOf(e.log, now, window)
		}
		e.ring.advance(now, window)
		answer = e.ring.ask(now, limit, window, cost)
	}
	v.Remaining, v.Wait, v.Reset = int(answer.remaining), time.Duration(answer.wait), time.Duration(answer.reset)
	if answer.wait > 0 {
		e.denied = now + answer.wait
	}
}

// charge makes a charge, and writes what remains after it.
func (e *entry) charge(c *Charge, now int64, v *Verdict) {
	after := *c
	after.Cost = 0
	e.ask(&after, now, v) // the entry may be new
	if e.ring != nil {
		e.ring.counts[0] += int64(c.Cost)
	} else {
		e.log.add(now, int64(c.Cost))
	}
	e.ends = max(e.banned, now+int64(c.Window)+width(int64(c.Window)))
	e.ask(&after, now, v)
	e.protect(now, v)
}

// protect keeps a key that has nothing left from being evicted: whoever spends
// a limit to its last request, and then floods, would begin anew.
func (e *entry) protect(now int64, v *Verdict) {
	e.denied = max(now, e.banned)
	if v.Remaining == 0 {
		e.denied = max(e.denied, now+int64(v.Reset))
	}
}

// Refund implements [Store]. It never fails.
func (m *Memory) Refund(_ context.Context, charges []Charge) error {
	for i := range charges {
		c := &charges[i]
		s := &m.shards[m.shardOf(c.Key)]
		s.mu.Lock()
		e, at := s.entries[c.Key], c.Mark
		if at < 0 {
			e, at = s.overflow[c.Key.Policy], -at
		}
		if e != nil && at != 0 {
			e.refund(c, at-1, int64(m.now().Sub(m.start)))
		}
		s.mu.Unlock()
	}
	return nil
}

func (e *entry) refund(c *Charge, at, now int64) {
	if e.ring != nil {
		e.ring.remove(at, int64(c.Cost), int64(c.Window))
	} else {
		e.log.remove(at, int64(c.Cost))
	}
	after, v := *c, Verdict{}
	after.Cost = 0
	e.ask(&after, now, &v)
	e.protect(now, &v)
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
