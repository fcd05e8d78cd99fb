package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason is the type of an [Event].
type Reason string

const (
	// TokenReused means that a used refresh token was presented. The thief and the
	// owner cannot be distinguished, so the session has ended.
	TokenReused Reason = "token_reused"
	// StoreRolledBack means that a token was newer than its record, because the
	// store has lost writes. The session continues.
	StoreRolledBack Reason = "store_rolled_back"
	// SessionEvicted means that a login exceeded MaxSessions, and this session
	// ended.
	SessionEvicted Reason = "session_evicted"
	// AccountRevoked means that Account ended the session.
	AccountRevoked Reason = "account_revoked"
)

// An Event is an occurrence for a security log (ASVS 5.0 16.3.3).
type Event struct {
	Reason  Reason
	Session Session // as it was stored
	// GenerationsBack is for TokenReused: the number of rotations since the token. 1 is
	// the token before the current one.
	GenerationsBack uint64
	// Age is for TokenReused: the time since the token was used. For a token more than
	// [MaxHistory] generations back, it is a lower bound. One generation and a few
	// seconds are often a late tab, or a client that repeats without its attempt; many
	// generations or hours are a copy of the token.
	Age time.Duration
}

// notifyHook calls OnEvent, after the event, or logs a warning.
func (m *Manager) notifyHook(ctx context.Context, e Event) {
	if m.onEvent == nil {
		if e.Reason == TokenReused || e.Reason == StoreRolledBack {
			attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.String("session_id", e.Session.ID), slog.String("subject", e.Session.Subject)}
			if e.Reason == TokenReused {
				attrs = append(attrs, slog.Uint64("generations_back", e.GenerationsBack), slog.Duration("age", e.Age))
			}
			m.log(ctx, slog.LevelWarn, "suspicious refresh", attrs...)
		}
		return
	}
	hook.Call(ctx, m.logger, "session: OnEvent", func() { m.onEvent(ctx, e) })
}

func (m *Manager) log(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	hook.LoggerOrDefault(m.logger).LogAttrs(ctx, level, message, attrs...)
}
