package ratelimit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// The patterns are reviewed after both, so that a tier of rare requests has matched by
// then.
const (
	reviewAfterRequests = 1000
	reviewAfter         = 10 * time.Minute
)

// unmatched finds the patterns that match no request. A misspelt path, or one relative
// to a mount, is a limit without effect, and nothing else reports it.
type unmatched struct {
	matched  []atomic.Bool // by pattern
	started  time.Time
	requests atomic.Int64 // since New, until the review
	reviewed atomic.Bool
}

// Unmatched returns the patterns that have matched no request since New, such as
// "POST /login", the most specific first. A request counts for the most specific
// pattern that matches it. Unmatched is for tests: after a request to each route
// of a service, it must be empty.
func (l *Limiter) Unmatched() []string {
	var patterns []string
	for i := range l.matched {
		if !l.matched[i].Load() {
			patterns = append(patterns, l.routes.Pattern(i))
		}
	}
	return patterns
}

// reviewPatterns logs, once, the tiers that have matched no request.
func (l *Limiter) reviewPatterns(ctx context.Context) {
	if l.requests.Add(1)%reviewAfterRequests != 0 || time.Since(l.started) < reviewAfter || l.reviewed.Swap(true) {
		return
	}
	unmatched, matched := make([][]string, len(l.tiers)), make([]bool, len(l.tiers))
	for i := range l.matched {
		tier := l.routes.FieldOf(i)
		matched[tier] = matched[tier] || l.matched[i].Load()
		unmatched[tier] = append(unmatched[tier], l.routes.Pattern(i))
	}
	for i, patterns := range unmatched {
		if len(patterns) > 0 && !matched[i] {
			hook.LoggerOrDefault(l.logger).LogAttrs(ctx, slog.LevelWarn, "tier has matched no request; its patterns may lack the prefix of a mount",
				slog.String("tier", l.tiers[i].name), slog.Any("patterns", patterns), slog.Int64("requests", l.requests.Load()))
		}
	}
}
