package token

import (
	"context"
	"log/slog"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason is the type of an [Event].
type Reason string

const (
	// FetchFailed means that the keys, or the metadata of the issuer, could not be
	// fetched.
	FetchFailed Reason = "keys_fetch_failed"
	// KeysFetched means that the keys were fetched for the first time.
	KeysFetched Reason = "keys_fetched"
	// KeysChanged means that the issuer publishes other keys than before.
	KeysChanged Reason = "keys_changed"
	// KeyIgnored means that a published key is not used: it is of another kind,
	// weak, ambiguous, or published with its private part. It is reported once for
	// each change of the keys.
	KeyIgnored Reason = "key_ignored"
	// IntrospectionFailed means that a token could not be introspected.
	IntrospectionFailed Reason = "introspection_failed"
)

// An Event reports a change or a failure of the keys of a [Remote], or a failure of an
// [Introspector].
type Event struct {
	Reason Reason
	URL    string // the URL or Issuer of the options
	Kid    string // of KeyIgnored; "" when it has none
	Err    error  // why
}

// A reporter reports the events of one issuer.
type reporter struct {
	onEvent func(context.Context, Event)
	logger  *slog.Logger
	url     string
}

// report calls OnEvent, or writes to the log if it is nil.
func (r reporter) report(ctx context.Context, e Event) {
	e.URL = r.url
	if r.onEvent != nil {
		hook.Call(ctx, r.logger, "token: OnEvent", func() { r.onEvent(ctx, e) })
		return
	}
	level, message := slog.LevelInfo, "issuer keys changed"
	switch e.Reason {
	case KeysFetched:
		message = "issuer keys fetched"
	case FetchFailed:
		level, message = slog.LevelWarn, "issuer keys unreadable"
	case KeyIgnored:
		message = "issuer key ignored"
	case IntrospectionFailed:
		level, message = slog.LevelWarn, "token introspection failed"
	}
	attrs := []slog.Attr{slog.String("reason", string(e.Reason)), slog.String("url", e.URL)}
	if e.Reason == KeyIgnored {
		attrs = append(attrs, slog.String("kid", e.Kid))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	hook.LoggerOrDefault(r.logger).LogAttrs(ctx, level, message, attrs...)
}
