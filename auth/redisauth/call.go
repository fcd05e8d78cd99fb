package redisauth

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/rediscall"
)

// A script is a Lua program that Redis runs as one step.
type script struct {
	source, sha string
	timed       bool // its last argument is the time since the first sending of the call
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) // Redis names scripts by SHA-1; it protects nothing
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

func newTimed(source string) script {
	sc := newScript(source)
	sc.timed = true
	return sc
}

const (
	// tries is the maximum number of times that a call is sent. Each script detects
	// that an earlier sending of its call was executed.
	tries = 3
	// tryPause is the pause before the first retry, in which a client may find a new
	// master. The pause before the second is twice as long.
	tryPause = 20 * time.Millisecond
)

// runScript calls a script on one key, with retries. With confirm, replicas must
// confirm the change; if they do not, the reply is returned with an error. One sending
// has at most half of the timeout, so that a lost reply leaves time for a retry.
func (s *store) runScript(ctx context.Context, confirm bool, sc script, key string, args ...any) (reply any, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	start := time.Now()
	for try := 1; ; try++ {
		limited, stop := context.WithTimeout(ctx, s.timeout/2)
		sent := args
		if sc.timed {
			after := int64(0)
			if try > 1 {
				after = max(1, micros(time.Since(start)))
			}
			sent = append(args[:len(args):len(args)], after)
		}
		var res result
		err := s.calls.Do(limited, func(ctx context.Context) (err error) {
			res, err = s.callScript(ctx, confirm, sc, key, sent)
			return err
		})
		stop()
		if err == nil {
			return res.reply, res.unconfirmed
		}
		if try == tries || !transient(err) || !pause(ctx, time.Duration(try)*tryPause) {
			return nil, unavailableError(err)
		}
	}
}

// result is the result of one sending: unconfirmed is the error that is returned with
// the reply.
type result struct {
	reply       any
	unconfirmed error
}

// callScript sends the digest of a script, and its source if Redis does not have
// it.
func (s *store) callScript(ctx context.Context, confirm bool, sc script, key string, args []any) (result, error) {
	res, err := s.sendCommand(ctx, confirm, append([]any{"evalsha", sc.sha, 1, key}, args...), key)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return s.sendCommand(ctx, confirm, append([]any{"eval", sc.source, 1, key}, args...), key)
	}
	return res, err
}

func (s *store) sendCommand(ctx context.Context, confirm bool, args []any, key string) (result, error) {
	// Once, because a retry by the client would exceed the deadline, and scripts could
	// not detect it.
	cmd := redis.NewCmd(ctx, args...)
	if !confirm || s.replicas == 0 {
		err := s.client.Process(ctx, rediscall.Once{Cmder: cmd})
		return result{reply: cmd.Val()}, notNil(err)
	}
	// WAIT confirms all writes that the master has executed before the last command of
	// this connection, so after a retry it also confirms the writes of the first sending.
	confirmWithin := s.timeout / 4
	wait := redis.NewCmd(ctx, "wait", s.replicas, confirmWithin.Milliseconds())
	rediscall.Together(ctx, s.client, key, rediscall.Once{Cmder: cmd}, wait)
	if err := notNil(cmd.Err()); err != nil {
		if cluster, ok := s.client.(*redis.ClusterClient); ok && transient(err) {
			cluster.ReloadState(ctx) // the slot may have another master by now
		}
		return result{}, err
	}
	if n, err := wait.Int(); err != nil || n < s.replicas {
		return result{cmd.Val(), unavailableError(errors.Join(errors.New("redisauth: the change was made, but too few replicas confirmed it"), err))}, nil
	}
	return result{reply: cmd.Val()}, nil
}

// notNil removes the error for a null reply.
func notNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// transient reports whether a retry may succeed: no reply arrived, or the reply says
// that another node or a later time will do. A failure that an administrator must
// correct is not transient.
func transient(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return true
	}
	for _, prefix := range [...]string{"READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "UNBLOCKED"} {
		if strings.HasPrefix(reply.Error(), prefix) {
			return true
		}
	}
	return false
}

// pause waits, and reports false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unavailableError returns the error for a failure of Redis: a 503 with Retry-After.
// Only the log has the text of err.
func unavailableError(err error) error {
	return auth.ErrUnavailable.Wrap(errors.Opaque(err)).Header("Retry-After", "1").With("reason", "redis")
}
