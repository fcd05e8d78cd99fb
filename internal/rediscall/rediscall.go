// Package rediscall prevents Redis commands from being sent twice, and bounds their
// duration.
//
// By default, go-redis retries a command up to three times if no reply arrives, and
// ignores its context once the command is sent: a server that hangs blocks a call
// for ReadTimeout, which is five seconds (redis/go-redis issue 2243).
package rediscall

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/leftbehind"
)

// Once is a command that the client does not retry: if the reply is lost, the
// command has usually been executed. The inner command has the reply.
type Once struct{ redis.Cmder }

// NoRetry is called by go-redis, which retries only if it returns false.
func (Once) NoRetry() bool { return true }

var errHangs = errors.New("call redis: too many abandoned calls")

// Calls makes calls, and bounds the number of abandoned ones. The zero value is
// ready for use. It is safe for concurrent use.
type Calls struct{ calls leftbehind.Calls }

// Abandoned returns the number of abandoned calls that are still running.
func (c *Calls) Abandoned() int { return c.calls.Abandoned() }

// Do runs call on its own goroutine, and waits until it returns or ctx ends. It
// returns the error of call or of ctx. After an error, the call may still be
// running, and the caller must not use what it writes. While 128 abandoned calls are
// running, Do refuses new calls. A panic in call is returned as an error.
func (c *Calls) Do(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.calls.IsFull() {
		return errHangs
	}
	ok, err := c.calls.Do(ctx, leftbehind.NewCall(), call)
	if !ok {
		return ctx.Err()
	}
	if p, panicked := err.(leftbehind.Panic); panicked { // such as in a hook of the client
		return fmt.Errorf("call redis: %w", p)
	}
	return err
}
