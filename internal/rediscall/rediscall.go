// Package rediscall prevents Redis commands from being sent twice, and bounds their
// duration.
//
// By default, go-redis retries a command up to three times if no reply arrives, and
// ignores its context once the command is sent: a server that hangs blocks a call
// for ReadTimeout, which is five seconds (redis/go-redis issue 2243).
//
// Package ratelimit has its own code for this, because it must not depend on Redis,
// and its calls must not allocate.
package rediscall

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
)

// Once is a command that the client does not retry: if the reply is lost, the
// command has usually been executed. The inner command has the reply.
type Once struct{ redis.Cmder }

// NoRetry is called by go-redis, which retries only if it returns false.
func (Once) NoRetry() bool { return true }

// maxAbandoned is the maximum number of abandoned calls. While it is reached, Do
// refuses new calls. An abandoned call holds a goroutine, and a connection or a
// place in the queue for one. Other calls are not limited, because a burst of them
// is not a failure.
const maxAbandoned = 128

var errHangs = errors.New("call redis: too many abandoned calls")

// Calls makes calls, and bounds the number of abandoned ones. The zero value is
// ready for use. It is safe for concurrent use.
type Calls struct{ abandoned atomic.Int64 }

// Abandoned returns the number of abandoned calls that are still running.
func (c *Calls) Abandoned() int { return int(c.abandoned.Load()) }

// Do runs call on its own goroutine, and waits until it returns or ctx ends. It
// returns the error of call or of ctx. After an error, the call may still be
// running, and the caller must not use what it writes. A panic in call is returned
// as an error, because it would otherwise end the process.
func (c *Calls) Do(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.abandoned.Load() >= maxAbandoned {
		return errHangs
	}
	done := make(chan error, 1)
	var left atomic.Bool // set by the first of the two: the call, or Do
	go func() {
		done <- recovered(ctx, call)
		if left.Swap(true) {
			c.abandoned.Add(-1)
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	c.abandoned.Add(1)
	if left.Swap(true) {
		c.abandoned.Add(-1)
	}
	select {
	case err := <-done: // the call returned at the last moment
		return err
	default:
		return ctx.Err()
	}
}

func recovered(ctx context.Context, call func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil { // such as in a hook of the client
			err = fmt.Errorf("call redis: panic: %v", v)
		}
	}()
	return call(ctx)
}
