package token

import (
	"context"
	"log/slog"

	"github.com/ringwall/ringwall/internal/hook"
)

// Reason says what an [Event] is about.
type Reason string

const (
	// FetchFailed is that an issuer's keys could not be had.
	FetchFailed Reason = "keys_fetch_failed"
	// KeysChanged is that an issuer publishes other keys than before.
	KeysChanged Reason = "keys_changed"
	// KeyIgnored is a published key that is not used: of a kind that signs no
	// tokens, weak, ambiguous, or shown together with its private part. It is
	// told once for each change of the keys.
	KeyIgnored Reason = "key_ignored"
)

// An Event is what an operator should know of the keys of a [Remote].
type Event struct {
	Reason Reason
	URL    string
	Kid    string // of KeyIgnored; "" when it has none
	Err    error  // why
}

// reportEvent calls the hook, or else writes to the log.
func (r *Remote) reportEvent(ctx context.Context, e Event) {
	e.URL = r.url
	if r.onEvent != nil {
		hook.Call(ctx, r.logger, "token: OnEvent", func() { r.onEvent(ctx, e) })
		return
	}
	logger, level, message := r.logger, slog.LevelInfo, "issuer keys changed"
	if logger == nil {
		logger = slog.Default()
	}
	switch e.Reason {
	case FetchFailed:
		level, message = slog.LevelWarn, "issuer keys unreadable"
	case KeyIgnored:
		message = "issuer key ignored"
	}
	logger.LogAttrs(ctx, level, message, slog.String("reason", string(e.Reason)), slog.String("url", e.URL), slog.String("kid", e.Kid), slog.Any("error", e.Err))
}
