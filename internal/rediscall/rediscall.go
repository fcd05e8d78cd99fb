// Package rediscall keeps calls of Redis from being made twice, and from taking
// longer than they may.
//
// By default go-redis does both. It sends a command again, up to three times,
// when no reply came. And it does not look at a context once a command is sent:
// a server that hangs holds a call for ReadTimeout, which is five seconds
// (redis/go-redis issue 2243).
//
// Package ratelimit bounds the calls of its stores likewise, by code of its own:
// it must not know Redis, and its calls make no garbage.
package rediscall

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
)

// Once is a command that the client does not send again: one whose reply was
// lost has been executed, as a rule. The reply is in the command within.
type Once struct{ redis.Cmder }

// NoRetry is asked by the client.
func (Once) NoRetry() bool { return true }

// most is how many calls of Calls may go on that nobody waits for any longer,
// before further ones are refused. Each holds a goroutine, and a connection or a
// place in the queue for one. Calls that somebody waits for are as many as there
// are requests: a burst of them is no fault.
const most = 128

var errHangs = errors.New("call redis: too many abandoned calls")

// Calls makes calls, and bounds those that are given up. It is safe for
// concurrent use; its zero value is ready.
type Calls struct{ abandoned atomic.Int64 }

// Abandoned returns how many calls run that were given up.
func (c *Calls) Abandoned() int { return int(c.abandoned.Load()) }

// Do makes a call, until it returns or the context ends, and returns its error.
// Where there is one, the call may still run, and what it writes is not the
// caller's. A panic is an error: on its goroutine it would end the process.
func (c *Calls) Do(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.abandoned.Load() >= most {
		return errHangs
	}
	done := make(chan error, 1)
	var left atomic.Bool // by the first of the two: the call, or who waits for it
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
	case err := <-done: // it came at the last moment
		return err
	default:
		return ctx.Err()
	}
}

func recovered(ctx context.Context, call func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil { // in a hook of the client
			err = fmt.Errorf("call redis: panic: %v", v)
		}
	}()
	return call(ctx)
}
