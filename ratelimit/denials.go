package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// longestDenial bounds the time that a denial is cached, because another process may
// reset the key.
const longestDenial = int64(time.Second)

const (
	denialShards = 64
	denialSets   = 64 // in a shard
	denialWays   = 4  // in a set
)

// denials caches the denials of the store, so that a flood from one key costs one call
// per second. The table does not grow: the denials of a key share a set, which evicts
// the denial that becomes stale first. An evicted denial costs a call.
type denials struct {
	key, params maphash.Seed
	shards      [denialShards]denialShard
}

type denialShard struct {
	mu   sync.Mutex
	sets [denialSets][denialWays]denial
}

// A denial is one denied charge. Two hashes with secret seeds identify it, so that a
// client cannot find collisions.
type denial struct {
	key, params uint64
	until       int64 // stale after it: the store must confirm it
	free        int64 // the charge is denied until then, unless there is a refund
	reset       int64
	remaining   int
}

// params identifies a charge: a denial applies only to equal charges.
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

// lookUpDenials reports whether a denial of one of the charges is cached, and writes the
// cached verdicts. When a denial becomes stale, one caller calls the store to confirm
// it. The others are denied until its verdict replaces the denial, or for half a
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

// rememberDenials caches the denials among the verdicts. Their times count from sent,
// the time before the call: the store decided later, so they never last too long.
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

// forgetKey removes the denials of a key that was refunded or reset.
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
