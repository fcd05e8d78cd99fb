package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// The failures that the store does not report itself.
var (
	errTimeout = errors.New("ratelimit: the store did not respond in time")
	errOpen    = errors.New("ratelimit: the store is failing and is not called")
	errHangs   = errors.New("ratelimit: the store hangs: too many calls were abandoned")
)

// maxAbandoned bounds the calls that were given up, and did not return. Each
// holds a goroutine, and what the store holds.
const maxAbandoned = 128

// remote asks a store that is not in this process: not while it fails, never
// for longer than the timeout, and not at all where the answer is known.
type remote struct {
	store     Store
	timeout   time.Duration
	start     time.Time
	breaker   breaker
	denials   *denials
	leases    *leases
	calls     sync.Pool
	abandoned atomic.Int64
	changed   func(ctx context.Context, err error) // the store's health did
}

func newRemote(s Store, timeout time.Duration, changed func(context.Context, error)) *remote {
	r := &remote{store: s, timeout: timeout, start: time.Now(), denials: newDenials(), changed: changed}
	r.leases = newLeases(r)
	r.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	return r
}

// sinceStart is the time of everything in here, in nanoseconds: monotonic, and never 0.
func (r *remote) sinceStart() int64 { return int64(time.Since(r.start)) + 1 }

// decideBatch decides about the charges of a batch.
func (r *remote) decideBatch(ctx context.Context, t *tier, b *batch) error {
	charges, verdicts := b.charges[:len(t.limits)], b.verdicts[:len(t.limits)]
	found, confirms := findOverCost(charges, verdicts, &b.known), false
	if !found {
		found, confirms = r.denials.lookUpDenials(r.sinceStart(), charges, verdicts, &b.known)
	}
	if found {
		b.how = Cached
		return nil
	}
	deadline := r.sinceStart() + int64(r.timeout)
	var err error
	if t.leased {
		err = r.takeLeased(ctx, t, b, deadline)
	} else {
		err = r.chargeStore(ctx, deadline, charges, verdicts)
	}
	if confirms && err == nil {
		for i := range charges {
			if b.known[i] && verdicts[i].Wait == 0 {
				r.denials.forgetKey(charges[i].Key) // somebody gave back, or reset
			}
		}
	}
	return err
}

// chargeStore charges the store, and remembers a denial.
func (r *remote) chargeStore(ctx context.Context, deadline int64, charges []Charge, verdicts []Verdict) error {
	sent := r.sinceStart()
	if err := r.callStore(ctx, deadline, opTake, charges, verdicts); err != nil {
		return err
	}
	r.denials.rememberDenials(sent, charges, verdicts)
	return nil
}

// findOverCost finds charges that no time allows, which no store needs to be asked for.
func findOverCost(charges []Charge, verdicts []Verdict, known *[maxLimits]bool) bool {
	found := false
	for i := range charges {
		found = found || charges[i].Cost > charges[i].Requests && !charges[i].Shadow
	}
	if !found {
		return false
	}
	for i := range charges {
		c := &charges[i]
		if known[i] = c.Cost > c.Requests && !c.Shadow; known[i] {
			verdicts[i] = Verdict{Wait: -1}
		}
	}
	return true
}

// op is a method of Store.
type op uint8

const (
	opTake op = iota
	opRefund
	opReset
)

// call is one call of the store. It owns what it hands to the store, since it
// may outlive the request.
type call struct {
	op       op
	charges  [2 * maxLimits]Charge
	verdicts [2 * maxLimits]Verdict
	n        int
	err      error
	done     chan struct{}
	state    atomic.Int32 // who came first: finished or abandoned
}

const (
	finished = iota + 1
	abandoned
)

// callStore calls the store, unless the breaker is open, until the deadline. The
// store's own deadline is the same, but drivers exist that ignore it
// (redis/go-redis issue 2243), so that the wait has a timer of its own. A
// client that hangs up ends nothing: its charge is made, and its impatience is
// no failure of the store.
func (r *remote) callStore(ctx context.Context, deadline int64, o op, charges []Charge, verdicts []Verdict) error {
	now := r.sinceStart()
	if deadline <= now {
		return errTimeout
	}
	if err := r.breaker.checkOpen(now); err != nil {
		return err
	}
	if r.abandoned.Load() >= maxAbandoned {
		return errHangs // the breaker waits for those to return
	}
	probe, err := r.breaker.beginCall(now)
	if err != nil {
		return err
	}
	err = r.callWithTimeout(ctx, time.Duration(deadline-now), o, charges, verdicts)
	if changed, cause := r.breaker.endCall(r.sinceStart(), probe, err); changed {
		r.changed(context.WithoutCancel(ctx), cause)
	}
	return err
}

func (r *remote) callWithTimeout(ctx context.Context, timeout time.Duration, o op, charges []Charge, verdicts []Verdict) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	c := r.calls.Get().(*call)
	c.op, c.err = o, nil
	c.n = copy(c.charges[:], charges)
	c.state.Store(0)
	go r.runCall(ctx, c)
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.state.CompareAndSwap(0, abandoned) {
			r.abandoned.Add(1)
			return errTimeout
		}
		<-c.done // it came at the last moment
	}
	err := c.err
	copy(verdicts, c.verdicts[:c.n])
	for i := range verdicts {
		verdicts[i].bound(charges[i].Requests)
	}
	r.calls.Put(c)
	return err
}

// runCall makes the call. Where it came too late, nobody has the result.
func (r *remote) runCall(ctx context.Context, c *call) {
	c.err = c.make(ctx, r.store)
	if c.state.CompareAndSwap(0, finished) {
		c.done <- struct{}{}
		return
	}
	r.abandoned.Add(-1)
}

func (c *call) make(ctx context.Context, s Store) (err error) {
	defer func() { // on this goroutine a panic would end the process
		if v := recover(); v != nil {
			err = fmt.Errorf("ratelimit: the store panicked: %v", v)
		}
	}()
	charges := c.charges[:c.n]
	switch c.op {
	case opTake:
		clear(c.verdicts[:])
		return s.Take(ctx, charges, c.verdicts[:c.n])
	case opRefund:
		return s.Refund(ctx, charges)
	}
	keys := make([]Key, c.n)
	for i := range keys {
		keys[i] = charges[i].Key
	}
	return s.Reset(ctx, keys)
}

// refundInStore gives back what was charged.
func (r *remote) refundInStore(ctx context.Context, deadline int64, charges []Charge) error {
	err := r.callStore(ctx, deadline, opRefund, charges, nil)
	for i := range charges {
		r.denials.forgetKey(charges[i].Key)
	}
	return err
}

// resetInStore makes the store forget keys.
func (r *remote) resetInStore(ctx context.Context, deadline int64, charges []Charge) error {
	err := r.callStore(ctx, deadline, opReset, charges, nil)
	for i := range charges {
		r.denials.forgetKey(charges[i].Key)
		r.leases.forgetKey(charges[i].Key)
	}
	return err
}
