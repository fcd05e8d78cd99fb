// Package hook calls event functions of the application. The event has already
// happened, so a panic in a hook is logged and has no other effect.
package hook

import (
	"context"
	"log/slog"
)

// Call calls f, and logs a panic in it as an error with the name of the hook, such
// as "auth: OnEvent". A nil logger means slog.Default().
func Call(ctx context.Context, logger *slog.Logger, name string, f func()) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		LoggerOrDefault(logger).LogAttrs(ctx, slog.LevelError, "hook panicked", slog.String("hook", name), slog.Any("panic", v))
	}()
	f()
}

// LoggerOrDefault returns the logger, or slog.Default() of this moment for nil.
func LoggerOrDefault(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.Default()
	}
	return logger
}
