package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// Reason says what an [Event] is about.
type Reason string

const (
	// TokenReused: a refresh token was presented that had been used. Its
	// thief and its owner cannot be told apart, so the session has ended.
	TokenReused Reason = "token_reused"
	// StoreRolledBack: a token was newer than its record, so the store has
	// lost writes. The session goes on.
	StoreRolledBack Reason = "store_rolled_back"
	// SessionEvicted: a login made one session too many, and this one ended.
	SessionEvicted Reason = "session_evicted"
	// AccountRevoked: Account ended the session.
	AccountRevoked Reason = "account_revoked"
)

// An Event is what a security log should know of (ASVS 5.0 16.3.3).
type Event struct {
	Reason  Reason
	Session Session // as it was stored
	// GenerationsBack is for TokenReused: how many rotations the session was
	// ahead of the token. 1 is the token before the current one.
	GenerationsBack uint64
	// Age is for TokenReused: how long ago the token was used. Of a token more
	// than [MaxHistory] generations back, it is a lower bound. One generation
	// and a few seconds are often a late tab, or a client that repeats without its
	// attempt; many generations or hours are a copy of the token.
	Age time.Duration
}

// notifyHook calls the hook. What it tells of has happened.
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
	logger := m.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(ctx, level, message, attrs...)
}
