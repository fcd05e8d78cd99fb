package redislimit

import (
	"context"
	_ "embed" // the script
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed limit.lua
var source string

// sha is what Redis calls the script.
var sha = redis.NewScript(source).Hash()

// once is a command that the client does not send again: one whose reply was
// lost has been executed, as a rule, and would charge twice.
type once struct{ *redis.IntSliceCmd }

// NoRetry is asked by the client.
func (once) NoRetry() bool { return true }

// call is one call of the script.
type call struct {
	keys    []string
	args    []any
	command once // the last one that was sent
}

func script(ctx context.Context, keys []string, args []any) *call {
	c := &call{keys: keys, args: args}
	c.prepare(ctx, "evalsha", sha)
	return c
}

func (c *call) prepare(ctx context.Context, command, script string) {
	args := make([]any, 0, 3+len(c.keys)+len(c.args))
	args = append(args, command, script, len(c.keys))
	for _, k := range c.keys {
		args = append(args, k)
	}
	c.command = once{redis.NewIntSliceCmd(ctx, append(args, c.args...)...)}
}

func (c *call) err() error { return c.command.Err() }

func (c *call) reply() ([]int64, error) { return c.command.Result() }

// sender is what is needed of a client.
type sender interface {
	Process(ctx context.Context, cmd redis.Cmder) error
	Pipeline() redis.Pipeliner
}

// run sends calls, in one round trip. A server that does not have the script,
// since it is new or was told SCRIPT FLUSH, did nothing, and gets it now.
// Errors are in the calls.
func run(ctx context.Context, s sender, calls []*call) {
	send(ctx, s, calls)
	var missing []*call
	for _, c := range calls {
		if redis.HasErrorPrefix(c.err(), "NOSCRIPT") {
			c.prepare(ctx, "eval", source)
			missing = append(missing, c)
		}
	}
	if missing != nil {
		send(ctx, s, missing)
	}
}

func send(ctx context.Context, s sender, calls []*call) {
	if len(calls) == 1 {
		_ = s.Process(ctx, calls[0].command) // the command has it
		return
	}
	pipe := s.Pipeline()
	for _, c := range calls {
		_ = pipe.Process(ctx, c.command) // queues it
	}
	_, _ = pipe.Exec(ctx) // each command has its own
}

// link is the client, and what keeps it from taking longer than it may.
//
// By default go-redis does not look at a context once a command is sent: a
// server that hangs holds a call for ReadTimeout, which is five seconds
// (redis/go-redis issue 2243). So the wait has a timer of its own, unless the
// client has ContextTimeoutEnabled and is of one server, where all that it
// waits for ends with the context.
type link struct {
	client    redis.UniversalClient
	single    *redis.Client // nil for others
	clone     atomic.Pointer[clone]
	abandoned atomic.Int64
}

// clone is the client with other timeouts, on the same connections.
type clone struct {
	timeout time.Duration
	client  *redis.Client
}

// maxAbandoned bounds the calls that were given up and did not return. Each
// holds a goroutine and a connection. When so many hang, calls that come are
// refused at once; those that were on their way then are the only ones above.
const maxAbandoned = 128

// do runs calls until the context ends. Only where it returns nil, the calls
// are the caller's again.
func (l *link) do(ctx context.Context, calls []*call) error {
	deadline, bounded := ctx.Deadline()
	if l.single != nil && l.single.Options().ContextTimeoutEnabled && bounded {
		run(ctx, l.single, calls)
		return nil
	}
	if ctx.Done() == nil {
		run(ctx, l.client, calls)
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.abandoned.Load() >= maxAbandoned {
		return errHangs
	}
	var s sender = l.client
	if l.single != nil && bounded {
		s = l.within(time.Until(deadline))
	}
	done := make(chan struct{})
	var state atomic.Int32 // 0, then who came first
	go func() {
		run(ctx, s, calls)
		if state.CompareAndSwap(0, finished) {
			close(done)
			return
		}
		l.abandoned.Add(-1)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		if state.CompareAndSwap(0, givenUp) {
			l.abandoned.Add(1)
			return ctx.Err()
		}
		<-done // it came at the last moment
	}
	return nil
}

const (
	finished = iota + 1
	givenUp
)

// within returns the client with timeouts of about so long: what was given up
// then ends soon, and gives its connection back. The last one is kept, since
// all calls of a limiter have the same.
func (l *link) within(d time.Duration) *redis.Client {
	const step = 10 * time.Millisecond
	d = (d + step - 1).Truncate(step)
	if c := l.clone.Load(); c != nil && c.timeout == d {
		return c.client
	}
	c := &clone{timeout: d, client: l.single.WithTimeout(d)}
	l.clone.Store(c)
	return c.client
}
