// Package leftbehind bounds the duration of calls that may ignore their context. A
// call that does not return in time is abandoned: it runs on, and the caller does
// not wait for it.
package leftbehind

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// maxAbandoned is the maximum number of abandoned calls that are still running. An
// abandoned call holds a goroutine, and usually a connection or a place in the queue
// for one.
const maxAbandoned = 128

// Calls counts the abandoned calls of one service. The zero value is ready for use.
// It is safe for concurrent use.
type Calls struct{ abandoned atomic.Int64 }

// Abandoned returns the number of abandoned calls that are still running.
func (c *Calls) Abandoned() int { return int(c.abandoned.Load()) }

// IsFull reports whether 128 or more abandoned calls are still running. The caller
// must then not make another one. Do does not check it. A burst of calls is not
// limited, because it is not a failure, so all of its calls may be abandoned.
func (c *Calls) IsFull() bool { return c.abandoned.Load() >= maxAbandoned }

// A Call is the memory of a call. It may be used again after Do reports that the
// call returned.
type Call struct {
	done  chan struct{}
	state atomic.Int32 // returned or abandoned, whichever came first
	err   error
}

// NewCall returns a Call for [Calls.Do].
func NewCall() *Call { return &Call{done: make(chan struct{}, 1)} }

const (
	returned = iota + 1
	abandoned
)

// Panic is the error of a call that panicked.
type Panic struct{ Value any }

func (p Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Do runs f on its own goroutine, and waits until it returns or ctx ends. It reports
// whether f returned, and the error of f. Otherwise f may still be running: the
// caller must not use the Call, or what f uses, again. A panic in f is returned as
// [Panic], because it would otherwise end the process.
func (c *Calls) Do(ctx context.Context, call *Call, f func(context.Context) error) (ok bool, err error) {
	return c.DoWithGrace(ctx, 0, call, f)
}

// DoWithGrace is Do, but waits for f for the time grace after ctx has ended, so that f can
// return its own error.
func (c *Calls) DoWithGrace(ctx context.Context, grace time.Duration, call *Call, f func(context.Context) error) (ok bool, err error) {
	call.state.Store(0)
	go c.run(ctx, call, f)
	select {
	case <-call.done:
		return true, call.err
	case <-ctx.Done():
	}
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-call.done:
			return true, call.err
		case <-timer.C:
		}
	}
	c.abandoned.Add(1)
	if call.state.CompareAndSwap(0, abandoned) {
		return false, nil
	}
	c.abandoned.Add(-1)
	<-call.done // f returned at the last moment
	return true, call.err
}

func (c *Calls) run(ctx context.Context, call *Call, f func(context.Context) error) {
	err := recovered(ctx, f)
	if !call.state.CompareAndSwap(0, returned) {
		c.abandoned.Add(-1)
		return
	}
	call.err = err // Do reads it after done
	call.done <- struct{}{}
}

func recovered(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Panic{v}
		}
	}()
	return f(ctx)
}
