package ratelimit

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// oncePerMinute bounds a warning that every request could cause.
type oncePerMinute struct{ last atomic.Int64 }

// mayWarn reports whether nothing was warned of in this minute, and takes it.
func (o *oncePerMinute) mayWarn() bool {
	minute := time.Now().Unix()/60 + 1
	last := o.last.Load()
	return last != minute && o.last.CompareAndSwap(last, minute)
}

// log returns the logger of the options, or the default at the time of the record.
func (l *Limiter) log() *slog.Logger {
	if l.logger == nil {
		return slog.Default()
	}
	return l.logger
}

// warnHiddenStatus warns when FailuresOnly cannot work for a response: a
// ResponseWriter without Unwrap, as that of http.TimeoutHandler, hides the status,
// or no errors.Responder is outside. Honest requests then count as failures.
func (l *Limiter) warnHiddenStatus(w http.ResponseWriter, r *http.Request, t *tier) {
	if _, ok := errors.Status(w); ok || !l.warnedStatus.mayWarn() {
		return
	}
	l.log().LogAttrs(r.Context(), slog.LevelWarn, "response status is hidden from FailuresOnly; successes count as failures",
		slog.String("tier", t.name), slog.String("response_writer", fmt.Sprintf("%T", w)),
		slog.String("order", "errors.Responder, Limiter, http.TimeoutHandler, handler"))
}
