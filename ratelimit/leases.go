package ratelimit

import (
	"context"
	"strings"
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

// maxLeases bounds the keys with a lease. Others are charged one by one.
const maxLeases = 1 << 14

// leases are the requests that this process has charged already.
//
// How much more than a limit can be admitted in a window? What was charged
// before it and is spent in it: no more than each process holds, which is
// Requests/64. Beside that, a lease is charged to a second limit of 11/10 of
// Requests in 11/10 of the window. A lease lives for 1/12 of the window, so all
// that is spent in a window was charged in 13/12 of it, and is not above
// Requests by more than a tenth, however many processes there are.
type leases struct {
	remote *remote
	mu     sync.RWMutex
	byKey  map[Key]*lease
}

func newLeases(r *remote) *leases { return &leases{remote: r, byKey: make(map[Key]*lease)} }

// leaseFor returns the lease of a key, or nil where there are too many.
func (l *leases) leaseFor(k Key) *lease {
	l.mu.RLock()
	e := l.byKey[k]
	l.mu.RUnlock()
	if e != nil {
		return e
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e = l.byKey[k]; e == nil && (len(l.byKey) < maxLeases || l.evictIdle()) {
		e = new(lease)
		k.Text = strings.Clone(k.Text)
		l.byKey[k] = e
	}
	return e
}

// evictIdle drops a lease of a sample that nobody needs.
func (l *leases) evictIdle() bool {
	now, seen := l.remote.sinceStart(), 0
	for k, e := range l.byKey {
		if e.mu.TryLock() {
			e.evicted = now >= e.expires && now >= e.blockedUntil && e.refill == nil
			gone := e.evicted
			e.mu.Unlock()
			if gone {
				delete(l.byKey, k)
				return true
			}
		}
		if seen++; seen == 8 {
			break
		}
	}
	return false
}

// spendCharge spends a charge. It reports whether there was a lease for it, which
// another key may have taken meanwhile, and whether the store was asked.
func (l *leases) spendCharge(ctx context.Context, deadline int64, e *lease, c *Charge, second string, v *Verdict) (held, asked bool, _ error) {
	for {
		e.mu.Lock()
		now := l.remote.sinceStart()
		switch {
		case e.evicted:
			e.mu.Unlock()
			if e = l.leaseFor(c.Key); e == nil {
				return false, asked, nil
			}
			continue
		case e.spend(c, now, v), e.denies(c, now, v):
			e.mu.Unlock()
			return true, asked, nil
		case e.refill != nil:
			f := e.refill
			e.wanted += c.Cost
			e.mu.Unlock()
			if err := l.awaitRefill(f, deadline); err != nil {
				return true, asked, err
			}
			continue
		}
		f := &refill{done: make(chan struct{})}
		k := e.nextSize(now, c)
		e.refill, e.wanted = f, 0
		e.mu.Unlock()
		asked = true
		f.err = l.refillLease(ctx, deadline, e, c, second, k)
		close(f.done)
		if f.err != nil {
			return true, true, f.err
		}
	}
}

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

// awaitRefill waits for somebody else's refill.
func (l *leases) awaitRefill(f *refill, deadline int64) error {
	timer := time.NewTimer(time.Duration(deadline - l.remote.sinceStart()))
	defer timer.Stop()
	select {
	case <-f.done:
		return f.err
	case <-timer.C:
		return errTimeout
	}
}

// refillLease leases k, or what remains of it.
func (l *leases) refillLease(ctx context.Context, deadline int64, e *lease, c *Charge, second string, k int) error {
	sent := l.remote.sinceStart()
	v, err := l.chargeBoth(ctx, deadline, c, second, k)
	if err == nil && v.Wait > 0 && v.Remaining >= c.Cost && v.Remaining < k {
		k, sent = v.Remaining, l.remote.sinceStart()
		v, err = l.chargeBoth(ctx, deadline, c, second, k)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refill = nil
	if err != nil {
		return err
	}
	e.remaining, e.free, e.reset = v.Remaining, sent+int64(v.Wait), sent+int64(v.Reset)
	if v.Wait == 0 {
		e.left, e.size, e.used = k, k, 0 // what was left is lost: it was less than one charge
		e.expires = sent + int64(c.Window)/leaseLife
		return nil
	}
	// Not before more is there, and not for each request that comes.
	e.blockedUntil = sent + min(max(int64(v.Reset), int64(c.Window)/100), longestDenial)
	e.size, e.deniedSize = 0, k
	return nil
}

// chargeBoth charges both limits of a lease.
func (l *leases) chargeBoth(ctx context.Context, deadline int64, c *Charge, second string, k int) (Verdict, error) {
	first := *c
	first.Cost = k
	charges := [2]Charge{first, secondCharge(&first, second)}
	var verdicts [2]Verdict
	if err := l.remote.callStore(ctx, deadline, opTake, charges[:], verdicts[:]); err != nil {
		return Verdict{}, err
	}
	return mergeVerdicts(&verdicts[0], &verdicts[1]), nil
}

// secondCharge returns the second charge of a limit with a lease.
func secondCharge(c *Charge, policy string) Charge {
	second := *c
	second.Key.Policy = policy
	second.Requests += c.Requests / 10
	second.Window += (c.Window/10 + time.Millisecond - 1).Truncate(time.Millisecond)
	return second
}

// mergeVerdicts is the verdict of two limits. The Mark is the first one's.
func mergeVerdicts(a, b *Verdict) Verdict {
	v := Verdict{Remaining: min(a.Remaining, b.Remaining), Wait: max(a.Wait, b.Wait), Reset: max(a.Reset, b.Reset), Mark: a.Mark, Pressure: a.Pressure || b.Pressure}
	if a.Wait < 0 {
		v.Wait = a.Wait
	}
	return v
}

// pending are the charges that no lease holds. One of a limit with a lease is
// charged to both of its limits.
type pending struct {
	n        int
	charges  [2 * maxLimits]Charge
	verdicts [2 * maxLimits]Verdict
	at       [2 * maxLimits]int // the limit
}

func (p *pending) addCharge(i int, c *Charge, leased bool, second string) {
	p.charges[p.n], p.at[p.n] = *c, i
	p.n++
	if leased {
		p.charges[p.n], p.at[p.n] = secondCharge(c, second), i
		p.n++
	}
}

// writeVerdicts writes the verdicts, and one of those that are for one limit.
func (p *pending) writeVerdicts(b *batch) {
	for j := range p.n {
		i, v := p.at[j], &p.verdicts[j]
		if b.known[i] {
			v = new(mergeVerdicts(&b.verdicts[i], v))
		}
		b.verdicts[i], b.known[i] = *v, true
	}
}

// giveBack puts a charge back into the lease of its key, while the one that it
// came from would live: what was charged before that counts no longer. The lease
// then ends when that one does.
func (l *leases) giveBack(c *Charge, ends int64) {
	l.mu.RLock()
	e := l.byKey[c.Key]
	l.mu.RUnlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if back := min(c.Cost, e.used); l.remote.sinceStart() < min(ends, e.expires) {
		e.left += back
		e.used -= back
		e.expires = min(ends, e.expires)
	}
}

// putBack puts back what a batch took from leases.
func (l *leases) putBack(b *batch) {
	for i, leased := range b.leased {
		if leased {
			l.giveBack(&b.charges[i], b.verdicts[i].Mark)
		}
	}
}

// forgetKey forgets what is known of a key, which was reset.
func (l *leases) forgetKey(k Key) {
	l.mu.RLock()
	e := l.byKey[k]
	l.mu.RUnlock()
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left, e.expires, e.blockedUntil = 0, 0, 0
}
