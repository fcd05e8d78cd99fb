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

// A script is Lua, which Redis runs as one step.
type script struct {
	source, sha string
	timed       bool // how long after the first try this one is, is the last argument
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) // Redis's name for it, no protection
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

func newTimed(source string) script {
	sc := newScript(source)
	sc.timed = true
	return sc
}

const (
	// tries is the number of attempts of a call. Each script recognizes what an
	// earlier attempt of its call did.
	tries = 3
	// tryPause is between two of them: time for a client to find a new master.
	tryPause = 20 * time.Millisecond
)

// runScript calls a script on one key. With confirm, replicas must confirm the
// change; if they do not, the reply is returned with an error. An attempt has at
// most half of the timeout, so that a lost reply leaves time for another.
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
		var a answer
		err := s.calls.Do(limited, func(ctx context.Context) (err error) {
			a, err = s.callScript(ctx, confirm, sc, key, sent)
			return err
		})
		stop()
		if err == nil {
			return a.reply, a.unconfirmed
		}
		if try == tries || !transient(err) || !pause(ctx, time.Duration(try)*tryPause) {
			return nil, unavailableError(err)
		}
	}
}

// answer is the result of a call: unconfirmed is the error that is returned with
// the reply.
type answer struct {
	reply       any
	unconfirmed error
}

// callScript sends the digest of a script, and its source if Redis does not have
// it.
func (s *store) callScript(ctx context.Context, confirm bool, sc script, key string, args []any) (answer, error) {
	a, err := s.sendCommand(ctx, confirm, append([]any{"evalsha", sc.sha, 1, key}, args...), key)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return s.sendCommand(ctx, confirm, append([]any{"eval", sc.source, 1, key}, args...), key)
	}
	return a, err
}

func (s *store) sendCommand(ctx context.Context, confirm bool, args []any, key string) (answer, error) {
	// The client must not repeat it: it would do so beyond our deadline, and hide
	// from us that it did.
	cmd := redis.NewCmd(ctx, args...)
	if !confirm || s.replicas == 0 {
		err := s.client.Process(ctx, rediscall.Once{Cmder: cmd})
		return answer{reply: cmd.Val()}, notNil(err)
	}
	// WAIT applies to all writes before the last command of the connection, of
	// any client, so a second attempt confirms the writes of the first. It ends
	// before our deadline.
	patience := s.timeout / 4
	wait := redis.NewCmd(ctx, "wait", s.replicas, patience.Milliseconds())
	rediscall.Together(ctx, s.client, key, rediscall.Once{Cmder: cmd}, wait)
	if err := notNil(cmd.Err()); err != nil {
		if cluster, ok := s.client.(*redis.ClusterClient); ok && transient(err) {
			cluster.ReloadState(ctx) // the slot may have another master by now
		}
		return answer{}, err
	}
	if n, err := wait.Int(); err != nil || n < s.replicas {
		return answer{cmd.Val(), unavailableError(errors.Join(errors.New("redisauth: the change was made, but too few replicas confirmed it"), err))}, nil
	}
	return answer{reply: cmd.Val()}, nil
}

// notNil removes the error for a null reply.
func notNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// transient reports whether another attempt may succeed: no reply came, or Redis
// is about to change. A failure that an administrator must correct is not
// transient.
func transient(err error) bool {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return true
	}
	for _, prefix := range [...]string{"READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "UNBLOCKED"} {
		if strings.HasPrefix(answer.Error(), prefix) {
			return true
		}
	}
	return false
}

// pause reports whether there is time left.
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

// unavailableError is the error for every failure of Redis. Its text is only
// logged.
func unavailableError(err error) error {
	return auth.ErrUnavailable.Wrap(errors.Opaque(err)).Header("Retry-After", "1").With("reason", "redis")
}
