package redislimit

import (
	"context"
	_ "embed" // the script
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/internal/rediscall"
)

//go:embed limit.lua
var source string

// sha is what Redis calls the script.
var sha = redis.NewScript(source).Hash()

// call is one call of the script. It is sent once: if the reply is lost, a second
// call would charge twice.
type call struct {
	keys    []string
	args    []any
	command *redis.IntSliceCmd // the last one that was sent
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
	c.command = redis.NewIntSliceCmd(ctx, append(args, c.args...)...)
}

func (c *call) err() error { return c.command.Err() }

func (c *call) reply() ([]int64, error) { return c.command.Result() }

// sender is the part of a client that this package uses.
type sender interface {
	Process(ctx context.Context, cmd redis.Cmder) error
	Pipeline() redis.Pipeliner
}

// runScripts sends calls in one round trip. A server without the script, because
// it is new or after SCRIPT FLUSH, did nothing, and gets the script now. Errors
// are in the calls.
func runScripts(ctx context.Context, s sender, calls []*call) {
	sendCalls(ctx, s, calls)
	var missing []*call
	for _, c := range calls {
		if redis.HasErrorPrefix(c.err(), "NOSCRIPT") {
			c.prepare(ctx, "eval", source)
			missing = append(missing, c)
		}
	}
	if missing != nil {
		sendCalls(ctx, s, missing)
	}
}

func sendCalls(ctx context.Context, s sender, calls []*call) {
	if len(calls) == 1 {
		_ = s.Process(ctx, rediscall.Once{Cmder: calls[0].command}) // the command has it
		return
	}
	pipe := s.Pipeline()
	for _, c := range calls {
		_ = pipe.Process(ctx, rediscall.Once{Cmder: c.command}) // queues it
	}
	_, _ = pipe.Exec(ctx) // each command has its own
}

// link is the client, and what keeps it from taking longer than it may: a timer
// of our own, unless the client has ContextTimeoutEnabled and is of one server,
// where all that it waits for ends with the context.
type link struct {
	client redis.UniversalClient
	single *redis.Client // nil for others
	clone  atomic.Pointer[clone]
	calls  rediscall.Calls
}

// clone is the client with other timeouts, on the same connections.
type clone struct {
	timeout time.Duration
	client  *redis.Client
}

// do runs calls until the context ends. The caller may use the calls again only
// if do returns nil.
func (l *link) do(ctx context.Context, calls []*call) error {
	deadline, bounded := ctx.Deadline()
	if l.single != nil && l.single.Options().ContextTimeoutEnabled && bounded {
		runScripts(ctx, l.single, calls)
		return nil
	}
	if ctx.Done() == nil {
		runScripts(ctx, l.client, calls)
		return nil
	}
	var s sender = l.client
	if l.single != nil && bounded {
		s = l.withTimeout(time.Until(deadline))
	}
	return l.calls.Do(ctx, func(ctx context.Context) error {
		runScripts(ctx, s, calls)
		return nil
	})
}

// withTimeout returns the client with timeouts of about d, so that an abandoned
// call ends soon and returns its connection. The last client is cached, because
// all calls of a limiter have the same timeout.
func (l *link) withTimeout(d time.Duration) *redis.Client {
	const step = 10 * time.Millisecond
	d = max((d + step - 1).Truncate(step), step) // 0 would be none
	if c := l.clone.Load(); c != nil && c.timeout == d {
		return c.client
	}
	c := &clone{timeout: d, client: l.single.WithTimeout(d)}
	l.clone.Store(c)
	return c.client
}
