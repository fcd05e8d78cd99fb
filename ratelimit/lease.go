package ratelimit

import (
	"sync"
	"time"
)

// leastLease is the least Requests of a limit with Lease.
const leastLease = 1000

// The share of a limit that a process holds at most, and the part of the window
// after which it no longer spends what it holds.
const (
	leaseShare = 64
	leaseLife  = 12
)

// lease is what this process holds for a key.
type lease struct {
	mu           sync.Mutex
	left         int     // to be spent
	size         int     // what it was; 0 after a denial
	used         int     // what of it was spent
	expires      int64   // when it is spent no longer
	blockedUntil int64   // until when the store is not asked again
	deniedSize   int     // what was asked for in vain
	wanted       int     // by those who wait
	refill       *refill // that runs
	evicted      bool    // evicted
	// What the store said last: what remains, when the next charge is allowed,
	// and when more remains.
	remaining   int
	free, reset int64
}

// refill is a call that several wait for.
type refill struct {
	done chan struct{}
	err  error
}

// spend takes a charge from a lease that has it. Its Mark is the end of the
// lease.
func (e *lease) spend(c *Charge, now int64, v *Verdict) bool {
	if now >= e.expires || e.left < c.Cost {
		return false
	}
	e.left -= c.Cost
	e.used += c.Cost
	*v = Verdict{Remaining: e.remaining + e.left, Reset: time.Duration(max(0, e.reset-now)), Mark: e.expires}
	return true
}

// denies repeats a denial of the store, which is not asked all the time. Who
// wants less than remained is not meant.
func (e *lease) denies(c *Charge, now int64, v *Verdict) bool {
	if now >= e.blockedUntil || c.Cost <= e.remaining {
		return false
	}
	*v = Verdict{Remaining: e.remaining, Wait: time.Duration(max(1, e.free-now)), Reset: time.Duration(max(1, e.reset-now))}
	return true
}

// nextSize returns how much to lease: what would have been spent in a whole life
// where it was spent early, but no more than twice as much, since bursts end;
// what was spent where it lived to its end; what was wanted where it was
// denied; and always what those need who wait. What is not spent is lost to
// everybody, so that the guess has to be close.
func (e *lease) nextSize(now int64, c *Charge) int {
	k := e.deniedSize
	switch life := int64(c.Window) / leaseLife; {
	case now >= e.expires+int64(c.Window):
		k = 0
	case e.size > 0 && now < e.expires:
		k = int(min(2*int64(e.size), scale(int64(e.size), life, max(1, life-e.expires+now))+1))
	case e.size > 0:
		k = e.used
	}
	return min(max(k, c.Cost+e.wanted), c.Requests/leaseShare)
}
