package ratelimit

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// warnHiddenStatus warns when FailuresOnly cannot work for a response: a
// ResponseWriter without Unwrap, as that of http.TimeoutHandler, hides the status,
// or no errors.Responder is outside. Honest requests then count as failures.
func (l *Limiter) warnHiddenStatus(w http.ResponseWriter, r *http.Request, t *tier) {
	if _, ok := errors.Status(w); ok || !l.warnedStatus.Allow(time.Now()) {
		return
	}
	hook.LoggerOrDefault(l.logger).LogAttrs(r.Context(), slog.LevelWarn, "response status is hidden from FailuresOnly; successes count as failures",
		slog.String("tier", t.name), slog.String("response_writer", fmt.Sprintf("%T", w)),
		slog.String("order", "errors.Responder, Limiter, http.TimeoutHandler, handler"))
}
