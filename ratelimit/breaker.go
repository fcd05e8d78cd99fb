package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
)

const (
	failuresToOpen = 3
	firstBackOff   = 250 * time.Millisecond
	lastBackOff    = 5 * time.Second
)

// breaker keeps requests from waiting for a store that fails. It opens after
// three failures in a row, or one of configuration; then one live request at a
// time, after a while, is the probe.
type breaker struct {
	until    atomic.Int64 // when the next probe may go; 0: closed
	failures atomic.Int64 // in a row
	probing  atomic.Bool

	mu      sync.Mutex
	backOff time.Duration
	cause   error
	refusal error // errOpen, with the cause
}

// isFailing reports whether the last call failed.
func (b *breaker) isFailing() bool { return b.until.Load() != 0 || b.failures.Load() != 0 }

// checkOpen returns an error while the store is not to be asked.
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

// timeLeft returns how long the breaker stays open.
func (b *breaker) timeLeft(now int64) time.Duration {
	return time.Duration(max(0, b.until.Load()-now))
}

// endCall ends a call. It reports whether the health of the store changed, and
// why: nil where it is well again. Calls that began before the breaker opened
// say nothing.
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
		b.backOff, b.cause = 0, nil // the refusal stays, for who is about to ask why
		return open, nil
	}
	config := errors.Is(err, ErrMisconfigured)
	if !open && b.failures.Add(1) < failuresToOpen && !config {
		return false, nil
	}
	changed = !open || config != errors.Is(b.cause, ErrMisconfigured)
	b.cause, b.refusal = err, fmt.Errorf("%w: %w", errOpen, err)
	b.backOff = min(max(2*b.backOff, firstBackOff), lastBackOff)
	// Up to a quarter earlier, so that processes do not probe together.
	b.until.Store(now + int64(b.backOff) - rand.Int64N(int64(b.backOff)/4))
	return changed, err
}
