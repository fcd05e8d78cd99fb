package redislimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/rediscall"
	"github.com/ringwall/ringwall/ratelimit"
)

const (
	// compareEvery is how often a process compares its secret with others'.
	compareEvery = time.Minute
	// fingerprintFor is how long a fingerprint is kept after the last process
	// that has it. It is in Redis in milliseconds.
	fingerprintFor = 5 * time.Minute
)

// compareSecrets reports if another process has another Secret. It runs once a
// minute, after a decision, within half of its remaining time. It retries later
// if it gets no result.
func (s *Store) compareSecrets(ctx context.Context) {
	now := int64(time.Since(s.start)) + 1
	due := s.compare.Load()
	if now < due || !s.compare.CompareAndSwap(due, now+int64(compareEvery)) {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		// The decision is made: it must not come too late since the server of
		// this key, in a Cluster, hangs.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if other, err := s.swapFingerprint(ctx); err != nil || !other {
		return
	}
	if s.onEvent != nil {
		ctx = context.WithoutCancel(ctx)
		hook.Call(ctx, s.logger, "redislimit: OnEvent", func() { s.onEvent(ctx, Event{Reason: SecretMismatch}) })
		return
	}
	hook.LoggerOrDefault(s.logger).LogAttrs(ctx, slog.LevelWarn, "secret mismatch in Redis", slog.String("prefix", s.keys.prefix))
}

// swapFingerprint writes the fingerprint of the secret, and reports whether another one was
// there.
func (s *Store) swapFingerprint(ctx context.Context) (other bool, _ error) {
	key, mine := s.keys.fingerprint()
	swap := redis.NewStringCmd(ctx, "set", key, mine, "px", fingerprintFor.Milliseconds(), "get")
	if err := s.client.do(ctx, func(ctx context.Context, client sender) { _ = client.Process(ctx, rediscall.Once{Cmder: swap}) }); err != nil {
		return false, err
	}
	switch err := swap.Err(); {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, err
	}
	return swap.Val() != mine, nil
}

// Ready reports whether Redis replies, accepts writes, and runs the script. The context
// bounds it. An error that will not pass by itself wraps [ratelimit.ErrMisconfigured]. On a
// Cluster or Ring it calls the masters of two keys.
//
// Call it when the service starts, to find a wrong password or right. A load balancer
// should not leave a service out for this error: without Redis, OnStoreFailure decides, and
// all processes lose Redis together.
func (s *Store) Ready(ctx context.Context) error {
	if _, err := s.swapFingerprint(ctx); err != nil {
		return s.wrapError(opReady, err)
	}
	probe := [1]ratelimit.Charge{{Key: ratelimit.Key{Policy: "ready"}, Requests: 1, Window: time.Second}}
	var verdict [1]ratelimit.Verdict
	return s.Peek(ctx, probe[:], verdict[:])
}
