package ratelimit

import (
	"context"

	"github.com/ringwall/ringwall/internal/hook"
)

// Outcome says how a decision came about.
type Outcome string

const (
	// Allowed and Denied are decisions of the store.
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	// Degraded is a decision that was made without the store, which failed.
	Degraded Outcome = "degraded"
	// Pressure is a decision that a full [Memory] made for several keys
	// together.
	Pressure Outcome = "pressure"
)

// An Event is one decision. It has no key: a metric's labels stay few.
type Event struct {
	Outcome  Outcome
	Decision Decision
	Err      error // the store's, when Degraded
}

// tell calls the hook. The decision stands already.
func (l *Limiter) tell(ctx context.Context, d Decision, pressure bool, err error) {
	if l.onDecision == nil {
		return
	}
	e := Event{Outcome: Denied, Decision: d, Err: err}
	switch {
	case d.Degraded:
		e.Outcome = Degraded
	case pressure:
		e.Outcome = Pressure
	case d.Allowed:
		e.Outcome = Allowed
	}
	hook.Call(ctx, nil, "ratelimit: OnDecision", func() { l.onDecision(ctx, e) })
}
