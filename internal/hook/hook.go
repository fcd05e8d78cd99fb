// Package hook calls functions of the application that are told of something.
// What they are told of has happened already, so a hook that panics is logged,
// and changes nothing.
package hook

import (
	"context"
	"log/slog"
)

// Call calls a hook. A panic is logged as an error under the hook's name, such
// as "auth: OnEvent". A nil logger is slog.Default().
func Call(ctx context.Context, logger *slog.Logger, name string, f func()) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if logger == nil {
			logger = slog.Default()
		}
		logger.LogAttrs(ctx, slog.LevelError, "hook panicked", slog.String("hook", name), slog.Any("panic", v))
	}()
	f()
}
