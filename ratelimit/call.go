package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/leftbehind"
)

// The failures that are detected here, not by the store.
var (
	errTimeout = errors.New("ratelimit: the store did not respond in time")
	errOpen    = errors.New("ratelimit: the store is failing and is not called")
	errHangs   = errors.New("ratelimit: too many abandoned calls of the store")
)

// An op is a method of Store.
type op uint8

const (
	opTake op = iota
	opRefund
	opReset
)

// A call is one call of the store. It owns the slices that it passes, because it may
// outlive the request.
type call struct {
	op       op
	charges  [2 * maxLimits]Charge
	verdicts [2 * maxLimits]Verdict
	n        int
	memory   *leftbehind.Call
	run      func(context.Context) error // send with the store, bound once
}

// callStore calls the store until the deadline, unless the breaker is open. A driver
// may ignore the deadline of its context (redis/go-redis issue 2243), so a call that
// is late is abandoned. A client that disconnects does not cancel the call: its
// charge is made, and the store has not failed.
func (r *remote) callStore(ctx context.Context, deadline int64, o op, charges []Charge, verdicts []Verdict) error {
	now := r.sinceStart()
	if deadline <= now {
		return errTimeout
	}
	if err := r.breaker.checkOpen(now); err != nil {
		return err
	}
	if r.abandonable.IsFull() {
		return errHangs // before beginCall, so that it is not a failure for the breaker
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

const (
	failuresToOpen = 3
	firstBackOff   = 250 * time.Millisecond
	lastBackOff    = 5 * time.Second
	// graceShare is the part of the timeout that the context of a call ends early, so that
	// the store can say with which other calls it failed. After it, the call is abandoned.
	graceShare = 20
)

// A breaker keeps requests from waiting for a failing store. It opens after three
// failures in a row, or one configuration failure. One request at a time then probes
// the store: first after 250 ms, later every 5 s. Calls that failed together, see
// [SharedError], are one failure.
type breaker struct {
	until    atomic.Int64 // time of the next probe; 0 means closed
	failures atomic.Int64 // in a row
	probing  atomic.Bool

	mu      sync.Mutex
	backOff time.Duration
	cause   error
	refusal error         // errOpen, with the cause
	counted [4]*RoundTrip // the last ones whose failure is counted
	next    int           // the index in counted of the next one
}

// countFailure counts a failure, and returns the number of failures in a row.
func (b *breaker) countFailure(err error) int64 {
	if shared, ok := errors.AsType[*SharedError](err); ok {
		if slices.Contains(b.counted[:], shared.RoundTrip) {
			return b.failures.Load()
		}
		b.counted[b.next] = shared.RoundTrip
		b.next = (b.next + 1) % len(b.counted)
	}
	return b.failures.Add(1)
}

// isFailing reports whether the last call failed.
func (b *breaker) isFailing() bool { return b.until.Load() != 0 || b.failures.Load() != 0 }

// checkOpen returns an error while the store must not be called.
func (b *breaker) checkOpen(now int64) error {
	if until := b.until.Load(); until == 0 || now >= until && !b.probing.Load() {
		return nil
	}
	return b.openError()
}

// openError returns the error of a call that was not made.
func (b *breaker) openError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal
}

// beginCall begins a call. It reports whether the call is the probe.
func (b *breaker) beginCall(now int64) (probe bool, _ error) {
	until := b.until.Load()
	if until == 0 {
		return false, nil
	}
	if now < until || !b.probing.CompareAndSwap(false, true) {
		return false, b.openError()
	}
	if b.until.Load() == until {
		return true, nil
	}
	b.probing.Store(false) // another probe ended in between
	return false, b.openError()
}

// timeLeft returns the time until the next probe.
func (b *breaker) timeLeft(now int64) time.Duration {
	return time.Duration(max(0, b.until.Load()-now))
}

// endCall ends a call. It reports whether the health of the store changed, and the
// cause: nil if the store recovered. Calls that began before the breaker opened are
// ignored.
func (b *breaker) endCall(now int64, probe bool, err error) (changed bool, cause error) {
	if err == nil && !probe && b.failures.Load() == 0 {
		return false, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		defer b.probing.Store(false)
	}
	open := b.until.Load() != 0
	switch {
	case open && !probe:
		return false, nil
	case err == nil:
		b.failures.Store(0)
		b.until.Store(0)
		b.backOff, b.cause = 0, nil // a concurrent openError may still need the refusal
		return open, nil
	}
	config := errors.Is(err, ErrMisconfigured)
	if !open && b.countFailure(err) < failuresToOpen && !config {
		return false, nil
	}
	changed = !open || config != errors.Is(b.cause, ErrMisconfigured)
	b.cause, b.refusal = err, fmt.Errorf("%w: %w", errOpen, err)
	b.backOff = min(max(2*b.backOff, firstBackOff), lastBackOff)
	// Up to a quarter earlier, so that processes do not probe together.
	b.until.Store(now + int64(b.backOff) - rand.Int64N(int64(b.backOff)/4))
	return changed, err
}

func (r *remote) callWithTimeout(ctx context.Context, timeout time.Duration, o op, charges []Charge, verdicts []Verdict) error {
	grace := timeout / graceShare
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout-grace)
	defer cancel()
	c := r.calls.Get().(*call)
	c.op = o
	c.n = copy(c.charges[:], charges)
	ok, err := r.abandonable.DoWithGrace(ctx, grace, c.memory, c.run)
	if !ok {
		return errTimeout
	}
	if p, panicked := err.(leftbehind.Panic); panicked {
		err = fmt.Errorf("ratelimit: call store: %w", p)
	}
	copy(verdicts, c.verdicts[:c.n])
	for i := range verdicts {
		verdicts[i].bound(charges[i].Requests)
	}
	r.calls.Put(c)
	return err
}

// newCall returns a call of a store. It can be used again, except after it was
// abandoned.
func newCall(s Store) *call {
	c := &call{memory: leftbehind.NewCall()}
	c.run = func(ctx context.Context) error { return c.send(ctx, s) }
	return c
}

func (c *call) send(ctx context.Context, s Store) error {
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

// bound limits the values of a faulty store, which could otherwise overflow or make
// invalid fields.
func (v *Verdict) bound(requests int) {
	v.Remaining = min(max(v.Remaining, 0), requests)
	v.Wait = min(max(v.Wait, -1), 2*longest)
	v.Reset = min(max(v.Reset, 0), 2*longest)
}
