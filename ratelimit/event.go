package ratelimit

import (
	"context"

	"github.com/ringwall/ringwall/internal/hook"
)

// Outcome says how a decision came about.
type Outcome string

const (
	// Allowed and Denied are decisions of the store, or of this process where
	// the Decision is Degraded.
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	// Cached is a denial that this process remembered: the store was not asked.
	Cached Outcome = "cached"
	// Leased is an admission that was charged to the store before.
	Leased Outcome = "leased"
	// Shadow is an admission that a limit with InsecureShadow would have
	// denied.
	Shadow Outcome = "shadow"
	// Pressure is a decision that a full [Memory] made for several keys
	// together.
	Pressure Outcome = "pressure"
	// Degraded and Restored are no decisions: from now on this process decides
	// without the store, for the reason in Err, or with it again. Degraded
	// comes a second time when a failure turns out to be one of configuration,
	// or no longer is.
	Degraded Outcome = "degraded"
	Restored Outcome = "restored"
)

// An Event is one decision, or one change of the store's health. It has no
// key: a metric's labels stay few.
type Event struct {
	Outcome  Outcome
	Decision Decision // zero for Degraded and Restored
	Limit    string   // the limit that denied, or would have: "login-2"
	Err      error    // the store's, where the Decision is Degraded
}

// notifyHook calls the hook. The decision stands already.
func (l *Limiter) notifyHook(ctx context.Context, e Event) {
	if l.onDecision != nil {
		hook.Call(ctx, nil, "ratelimit: OnDecision", func() { l.onDecision(ctx, e) })
	}
}

// outcome names a decision.
func outcome(d *Decision, b *batch, shadow bool) Outcome {
	switch {
	case b.pressure:
		return Pressure
	case !d.Allowed && b.how == Cached:
		return Cached
	case !d.Allowed:
		return Denied
	case shadow:
		return Shadow
	case b.how == Leased:
		return Leased
	}
	return Allowed
}
