package ratelimit

import (
	"context"
	"math/bits"
	"strings"
	"sync"
	"time"
)

// leastLease is the minimum Requests of a limit with Lease.
const leastLease = 1000

// A lease has at most 1/64 of Requests, and expires after 1/12 of the window.
const (
	leaseShare = 64
	leaseLife  = 12
)

// maxLeases bounds the keys with a lease. The charges of other keys are made one by
// one.
const maxLeases = 1 << 14

// leases are the requests that this process has charged in advance.
//
// The requests above a limit in a window are those charged before it and spent in it:
// at most one lease of each process, which is Requests/64. A lease is also charged to
// a second limit of 11/10 of Requests in 11/10 of the window. A lease expires after
// 1/12 of the window, so all requests of a window were charged in 13/12 of it. They
// exceed Requests by at most a tenth, with any number of processes.
type leases struct {
	remote *remote
	mu     sync.RWMutex
	byKey  map[Key]*lease
}

func newLeases(r *remote) *leases { return &leases{remote: r, byKey: make(map[Key]*lease)} }

// lookUpLease returns the lease of a key, or nil if it has none.
func (l *leases) lookUpLease(k Key) *lease {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.byKey[k]
}

// leaseFor returns the lease of a key, or nil if there are too many.
func (l *leases) leaseFor(k Key) *lease {
	e := l.lookUpLease(k)
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

// evictIdle evicts an idle lease of a sample. It reports false if none is idle.
func (l *leases) evictIdle() bool {
	now, seen := l.remote.sinceStart(), 0
	for k, e := range l.byKey {
		if e.mu.TryLock() {
			e.evicted = now >= e.expires && now >= e.blockedUntil && e.refill == nil
			evicted := e.evicted
			e.mu.Unlock()
			if evicted {
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

// spendCharge spends a charge, or repeats a denial. It reports whether the key still
// had a lease (it may have been evicted), and whether the store was called.
func (l *leases) spendCharge(ctx context.Context, deadline int64, e *lease, c *Charge, second string, v *Verdict) (held, called bool, _ error) {
	for {
		e.mu.Lock()
		now := l.remote.sinceStart()
		switch {
		case e.evicted:
			e.mu.Unlock()
			if e = l.leaseFor(c.Key); e == nil {
				return false, called, nil
			}
			continue
		case e.spend(c, now, v), e.denies(c, now, v):
			e.mu.Unlock()
			return true, called, nil
		case e.refill != nil:
			f := e.refill
			e.waiting += c.Cost
			e.mu.Unlock()
			if err := l.awaitRefill(f, deadline); err != nil {
				return true, called, err
			}
			continue
		}
		f := &refill{done: make(chan struct{})}
		k := e.nextSize(now, c)
		e.refill, e.waiting = f, 0
		e.mu.Unlock()
		called = true
		f.err = l.refillLease(ctx, deadline, e, c, second, k)
		close(f.done)
		if f.err != nil {
			return true, true, f.err
		}
	}
}

// A lease is the requests that this process has charged in advance for a key.
type lease struct {
	mu           sync.Mutex
	unspent      int     // charged, and not spent yet
	size         int     // unspent at the start; 0 after a denial
	used         int     // spent
	expires      int64   // must not be spent after it
	blockedUntil int64   // the store is not called before
	deniedSize   int     // the lease size that the store denied
	waiting      int     // sum of the costs that wait for the refill
	refill       *refill // the running refill, or nil
	evicted      bool    // no longer in the table
	// Of the store's last verdict: Remaining, and the times at which Wait and Reset
	// end.
	remaining   int
	free, reset int64
}

// A refill is a call of the store that several charges may wait for.
type refill struct {
	done chan struct{}
	err  error
}

// spend spends a charge, and reports whether the lease had enough. The Mark of the
// verdict is the time at which the lease expires.
func (l *lease) spend(c *Charge, now int64, v *Verdict) bool {
	if now >= l.expires || l.unspent < c.Cost {
		return false
	}
	l.unspent -= c.Cost
	l.used += c.Cost
	*v = Verdict{Remaining: l.remaining + l.unspent, Reset: time.Duration(max(0, l.reset-now)), Mark: l.expires}
	return true
}

// denies reports whether the store's last denial still applies to c, and writes it. It
// applies until blockedUntil, to a cost above Remaining.
func (l *lease) denies(c *Charge, now int64, v *Verdict) bool {
	if now >= l.blockedUntil || c.Cost <= l.remaining {
		return false
	}
	*v = Verdict{Remaining: l.remaining, Wait: time.Duration(max(1, l.free-now)), Reset: time.Duration(max(1, l.reset-now))}
	return true
}

// nextSize returns the size of the next lease. If the last one was spent early, it is
// the projected use of a whole lease, at most twice its size. If it expired, it is the
// part that was used; after a denial, the denied size. It is at least the cost of the
// charges that wait, and at most Requests/64. Unspent requests are lost to all
// processes, so the size must be close to the use.
func (l *lease) nextSize(now int64, c *Charge) int {
	k := l.deniedSize
	switch life := int64(c.Window) / leaseLife; {
	case now >= l.expires+int64(c.Window):
		k = 0
	case l.size > 0 && now < l.expires:
		k = int(min(2*int64(l.size), scale(int64(l.size), life, max(1, life-l.expires+now))+1))
	case l.size > 0:
		k = l.used
	}
	return min(max(k, c.Cost+l.waiting), c.Requests/leaseShare)
}

// awaitRefill waits for the refill of another goroutine.
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

// refillLease leases k requests, or the remaining ones.
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
		e.unspent, e.size, e.used = k, k, 0 // unspent requests are lost; they were fewer than one charge
		e.expires = sent + int64(c.Window)/leaseLife
		return nil
	}
	// Until more requests remain, a call would be denied. A hundredth of the window keeps
	// calls rare, and a second bounds the delay of a Reset by another process.
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

// secondCharge returns the charge to the second limit of a lease.
func secondCharge(c *Charge, policy string) Charge {
	second := *c
	second.Key.Policy = policy
	second.Requests += c.Requests / 10
	second.Window += (c.Window/10 + time.Millisecond - 1).Truncate(time.Millisecond)
	return second
}

// mergeVerdicts returns the stricter verdict of both limits, with the Mark of a.
func mergeVerdicts(a, b *Verdict) Verdict {
	v := Verdict{Remaining: min(a.Remaining, b.Remaining), Wait: max(a.Wait, b.Wait), Reset: max(a.Reset, b.Reset), Mark: a.Mark, Pressure: a.Pressure || b.Pressure}
	if a.Wait < 0 {
		v.Wait = a.Wait
	}
	return v
}

// pending has the charges that no lease covers. A charge of a limit with Lease is made
// to both of its limits.
type pending struct {
	n        int
	charges  [2 * maxLimits]Charge
	verdicts [2 * maxLimits]Verdict
	at       [2 * maxLimits]int // index of the limit
}

func (p *pending) addCharge(i int, c *Charge, leased bool, second string) {
	p.charges[p.n], p.at[p.n] = *c, i
	p.n++
	if leased {
		p.charges[p.n], p.at[p.n] = secondCharge(c, second), i
		p.n++
	}
}

// writeVerdicts writes the verdicts to the batch, and merges those of one limit.
func (p *pending) writeVerdicts(b *batch) {
	for j := range p.n {
		i, v := p.at[j], &p.verdicts[j]
		if b.known[i] {
			v = new(mergeVerdicts(&b.verdicts[i], v))
		}
		b.verdicts[i], b.known[i] = *v, true
	}
}

// returnCharge returns a charge to the lease of its key, unless the lease that it was
// spent from has expired. The lease then expires with that one, so that the charge is
// not spent later than it could have been.
func (l *leases) returnCharge(c *Charge, expires int64) {
	e := l.lookUpLease(c.Key)
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if back := min(c.Cost, e.used); l.remote.sinceStart() < min(expires, e.expires) {
		e.unspent += back
		e.used -= back
		e.expires = min(expires, e.expires)
	}
}

// returnCharges returns the charges that a batch spent from leases.
func (l *leases) returnCharges(b *batch) {
	for i, leased := range b.leased {
		if leased {
			l.returnCharge(&b.charges[i], b.verdicts[i].Mark)
		}
	}
}

// forgetKey empties the lease of a key that was reset, and deletes its denial.
func (l *leases) forgetKey(k Key) {
	e := l.lookUpLease(k)
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unspent, e.expires, e.blockedUntil = 0, 0, 0
}

// scale returns floor(n*part/whole).
func scale(n, part, whole int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(max(0, part)))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return int64(q)
}
