package ratelimit

import (
	"context"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason says how a decision was made, or how the store's health changed.
type Reason string

const (
	// Allowed and Denied are decisions of the store, or of this process if
	// Decision.Degraded is true.
	Allowed Reason = "allowed"
	Denied  Reason = "denied"
	// Cached is a cached denial: the store was not called.
	Cached Reason = "cached"
	// Leased is an admission from a lease, which was charged to the store before.
	Leased Reason = "leased"
	// Shadow is an admission that a limit with InsecureShadow would have
	// denied.
	Shadow Reason = "shadow"
	// Pressure is a decision that a full [Memory] made for several keys
	// together.
	Pressure Reason = "pressure"
	// Degraded and Restored are not decisions. After Degraded, this process
	// decides without the store, because of Event.Err; after Restored, it calls
	// the store again. Degraded is reported again when the failure becomes one of
	// configuration, see [ErrMisconfigured], or stops being one.
	Degraded Reason = "degraded"
	Restored Reason = "restored"
)

// An Event is one decision, or one change of the store's health. It has no
// key, so that a metric has few labels.
type Event struct {
	Reason   Reason
	Decision Decision // zero for Degraded and Restored
	Limit    string   // the limit that denied, or would have: "login-2"
	Err      error    // the store's, if the Decision is Degraded
}

// notifyHook calls the hook, which cannot change the decision.
func (l *Limiter) notifyHook(ctx context.Context, e Event) {
	if l.onEvent != nil {
		hook.Call(ctx, l.logger, "ratelimit: OnEvent", func() { l.onEvent(ctx, e) })
	}
}

func reasonOf(d *Decision, b *batch, shadow bool) Reason {
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
