package redislimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/rediscall"
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
	key, mine := s.keys.fingerprint()
	swap := redis.NewStringCmd(ctx, "set", key, mine, "px", fingerprintFor.Milliseconds(), "get")
	err := s.client.do(ctx, func(ctx context.Context, client sender) { _ = client.Process(ctx, rediscall.Once{Cmder: swap}) })
	if err != nil || swap.Err() != nil || swap.Val() == mine {
		return
	}
	if s.onEvent != nil {
		ctx = context.WithoutCancel(ctx)
		hook.Call(ctx, s.logger, "redislimit: OnEvent", func() { s.onEvent(ctx, Event{Reason: SecretMismatch}) })
		return
	}
	hook.LoggerOrDefault(s.logger).LogAttrs(ctx, slog.LevelWarn, "secret mismatch in Redis", slog.String("prefix", s.keys.prefix))
}
