package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// longestDenial is how long a denial is believed without asking the store, in
// which another process may have reset the key.
const longestDenial = int64(time.Second)

const (
	denialShards = 64
	denialSets   = 64 // in a shard
	denialWays   = 4  // in a set
)

// denials remembers what the store denied, so that a flood costs it one call
// per second and key. The table does not grow: a key's denials share a set, in
// which the one that ends first makes room. What is forgotten costs a call.
type denials struct {
	key, params maphash.Seed
	shards      [denialShards]denialShard
}

type denialShard struct {
	mu   sync.Mutex
	sets [denialSets][denialWays]denial
}

// denial is one denied charge. Two hashes with seeds of their own stand for
// it: 128 bits of which a client knows nothing.
type denial struct {
	key, params uint64
	until       int64 // the store is not asked before
	free        int64 // the charge is denied before, if nobody gives back
	reset       int64
	remaining   int
}

// params is what a denial depends on, beside the key.
type params struct {
	key             Key
	window, penalty time.Duration
	requests, cost  int
}

func newDenials() *denials { return &denials{key: maphash.MakeSeed(), params: maphash.MakeSeed()} }

func (d *denials) hash(c *Charge) (key, hash uint64) {
	return maphash.Comparable(d.key, c.Key), maphash.Comparable(d.params, params{c.Key, c.Window, c.Penalty, c.Requests, c.Cost})
}

func (d *denials) shardAndSet(key uint64) (*denialShard, *[denialWays]denial) {
	s := &d.shards[key%denialShards]
	return s, &s.sets[key/denialShards%denialSets]
}

// lookUpDenials reports whether one of the charges is known to be denied. It writes the
// verdicts that are known. Where a denial has to be confirmed, one caller is
// sent to the store, and the others are denied until it is back, or for half a
// second.
func (d *denials) lookUpDenials(now int64, charges []Charge, verdicts []Verdict, known *[maxLimits]bool) (found, confirms bool) {
	var hits [maxLimits]bool
	for i := range charges {
		c := &charges[i]
		if c.Cost == 0 || c.Shadow {
			continue
		}
		hit, stale := d.hit(now, c, &verdicts[i])
		hits[i], found, confirms = hit, found || hit, confirms || stale
	}
	if found {
		*known = hits
	}
	return found, confirms
}

func (d *denials) hit(now int64, c *Charge, v *Verdict) (hit, stale bool) {
	key, hash := d.hash(c)
	s, set := d.shardAndSet(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range set {
		e := &set[i]
		if e.key != key || e.params != hash || now >= e.free {
			continue
		}
		if now >= e.until {
			e.until = now + longestDenial/2
			return false, true
		}
		*v = Verdict{Remaining: e.remaining, Wait: time.Duration(e.free - now), Reset: time.Duration(max(1, e.reset-now))}
		return true, false
	}
	return false, false
}

// rememberDenials remembers the denials among the verdicts. They count from when the
// question was sent: the store denied at that moment or later, so that they
// never last too long.
func (d *denials) rememberDenials(sent int64, charges []Charge, verdicts []Verdict) {
	for i := range charges {
		c, v := &charges[i], &verdicts[i]
		if v.Wait <= 0 || c.Shadow || v.Pressure {
			continue
		}
		d.storeDenial(c, denial{until: sent + min(int64(v.Wait), longestDenial), free: sent + int64(v.Wait), reset: sent + int64(v.Reset), remaining: v.Remaining})
	}
}

func (d *denials) storeDenial(c *Charge, e denial) {
	e.key, e.params = d.hash(c)
	s, set := d.shardAndSet(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := 0
	for i := range set {
		if set[i].key == e.key && set[i].params == e.params {
			at = i
			break
		}
		if set[i].until < set[at].until {
			at = i
		}
	}
	set[at] = e
}

// forgetKey forgets the denials of a key, which was given back or reset.
func (d *denials) forgetKey(k Key) {
	key := maphash.Comparable(d.key, k)
	s, set := d.shardAndSet(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range set {
		if set[i].key == key {
			set[i] = denial{}
		}
	}
}
