package token

import (
	"context"
	"log/slog"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason is the type of an [Event].
type Reason string

const (
	// FetchFailed means that the keys could not be fetched.
	FetchFailed Reason = "keys_fetch_failed"
	// KeysChanged means that the issuer publishes other keys than before.
	KeysChanged Reason = "keys_changed"
	// KeyIgnored means that a published key is not used: it is of another kind,
	// weak, ambiguous, or published with its private part. It is reported once for
	// each change of the keys.
	KeyIgnored Reason = "key_ignored"
)

// An Event reports a change or a failure of the keys of a [Remote].
type Event struct {
	Reason Reason
	URL    string // the URL or Issuer of the options
	Kid    string // of KeyIgnored; "" when it has none
	Err    error  // why
}

// reportEvent calls the hook, or else writes to the log.
func (r *Remote) reportEvent(ctx context.Context, e Event) {
	e.URL = r.place
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
