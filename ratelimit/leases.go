package ratelimit

import (
	"context"
	"strings"
	"sync"
	"time"
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
