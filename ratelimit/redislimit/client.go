package redislimit

import (
	"context"
	_ "embed" // the script
	"encoding/binary"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/rediscall"
)

//go:embed limit.lua
var source string

// sha is what Redis calls the script.
var sha = redis.NewScript(source).Hash()

// call is one call of the script, which makes one or several decisions. It is sent
// once: if the reply is lost, a second call would charge twice.
type call struct {
	decisions []*decision
	args      []any
	command   *redis.Cmd // the last one that was sent
}

// newCall returns a call with a time, or 0 for the clock of the server. A key that
// several decisions have is one key of the call: the script reads and writes it once.
func newCall(ctx context.Context, clock time.Duration, decisions []*decision) *call {
	size, keys := 8, 0
	for _, d := range decisions {
		size, keys = size+len(d.records), keys+len(d.keys)
	}
	args, packed := make([]any, 3, 4+keys), make([]byte, 0, size)
	packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(float64(clock.Microseconds())))
	var known map[string]uint16
	if len(decisions) > 1 {
		known = make(map[string]uint16, keys)
	}
	for _, d := range decisions {
		begin := len(packed)
		packed = append(packed, d.records...)
		if known == nil {
			for _, k := range d.keys {
				args = append(args, k)
			}
			continue
		}
		for _, at := range d.numbers[:d.n] {
			b := packed[begin+at:]
			key := d.keys[binary.LittleEndian.Uint16(b)-1]
			number, ok := known[key]
			if !ok {
				args = append(args, key)
				number = uint16(len(args) - 3)
				known[key] = number
			}
			binary.LittleEndian.PutUint16(b, number)
		}
	}
	args[2] = len(args) - 3
	c := &call{decisions: decisions, args: append(args, packed)}
	c.prepare(ctx, "evalsha", sha)
	return c
}

// prepare makes the command of the call. The arguments of the last one are not used
// again: an abandoned call may still read them.
func (c *call) prepare(ctx context.Context, command, script string) {
	args := append([]any(nil), c.args...)
	args[0], args[1] = command, script
	c.command = redis.NewCmd(ctx, args...)
}

// readReplies gives each decision its reply or its error. An error of the whole call is
// one error for all of them.
func (c *call) readReplies() {
	err := c.command.Err()
	texts, _ := c.command.Val().([]any)
	if text, ok := c.command.Val().(string); ok {
		texts = []any{text}
	}
	if err == nil && len(texts) != len(c.decisions) {
		err = errReply
	}
	for i, d := range c.decisions {
		if d.err = err; err != nil {
			continue
		}
		text, _ := texts[i].(string)
		if failure, failed := strings.CutPrefix(text, "!"); failed {
			d.err = scriptError(failure)
			continue
		}
		d.reply = text
	}
}

// scriptError is the error of one decision in a call. It is an error of Redis, as when
// a call has this decision alone.
type scriptError string

func (e scriptError) Error() string { return string(e) }

// RedisError makes it a [redis.Error].
func (scriptError) RedisError() {}

// sender is the part of a client that this package uses.
type sender interface {
	Process(ctx context.Context, cmd redis.Cmder) error
	Pipeline() redis.Pipeliner
}

// runScripts sends calls in one round trip. A server without the script, because
// it is new or after SCRIPT FLUSH, did nothing, and gets the script now.
func runScripts(ctx context.Context, s sender, calls []*call) {
	sendCalls(ctx, s, calls)
	var missing []*call
	for _, c := range calls {
		if redis.HasErrorPrefix(c.command.Err(), "NOSCRIPT") {
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

// do sends calls, and waits until the context ends. What send uses may be used again
// only if do returns nil.
func (l *link) do(ctx context.Context, send func(context.Context, sender)) error {
	deadline, bounded := ctx.Deadline()
	if l.single != nil && l.single.Options().ContextTimeoutEnabled && bounded {
		send(ctx, l.single)
		return nil
	}
	if ctx.Done() == nil {
		send(ctx, l.client)
		return nil
	}
	var s sender = l.client
	if l.single != nil && bounded {
		s = l.withTimeout(time.Until(deadline))
	}
	return l.calls.Do(ctx, func(ctx context.Context) error {
		send(ctx, s)
		return nil
	})
}

// send sends calls, and gives their decisions the replies. After an error, nothing is
// known about any of them.
func (l *link) send(ctx context.Context, calls []*call) error {
	if err := l.do(ctx, func(ctx context.Context, s sender) { runScripts(ctx, s, calls) }); err != nil {
		return err
	}
	for _, c := range calls {
		c.readReplies()
	}
	return nil
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

var errReply = errors.New("redislimit: the reply does not have one verdict for each limit")
