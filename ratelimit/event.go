package ratelimit

import (
	"context"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason is the way a decision was made, or a change of the store's health.
type Reason string

const (
	// Allowed and Denied are decisions of the store, or of this process if
	// Decision.Degraded is true.
	Allowed Reason = "allowed"
	Denied  Reason = "denied"
	// Cached is a denial that the store did not decide: it is cached, or made by the
	// local counts after a failure of the store.
	Cached Reason = "cached"
	// Leased is an admission from a lease, which was charged to the store before.
	Leased Reason = "leased"
	// Shadow is an admission that a limit with InsecureShadow would have
	// denied.
	Shadow Reason = "shadow"
	// Pressure is a decision of a full [Memory], which counted the key together with
	// others.
	Pressure Reason = "pressure"
	// Degraded and Restored are not decisions. After Degraded, this process
	// decides without the store, because of Event.Err. After Restored, it calls the
	// store again. Degraded is also reported when a failure becomes a configuration
	// failure, see [ErrMisconfigured], or stops being one.
	Degraded Reason = "degraded"
	Restored Reason = "restored"
)

// An Event is one decision, or one change of the store's health. It has no
// key, so that a metric has few labels.
type Event struct {
	Reason   Reason
	Decision Decision // zero for Degraded and Restored
	Limit    string   // name of the limit that denied, or would have denied as a shadow: "login-2"
	Err      error    // error of the store, if this process decided without it
}

// notifyHook calls OnEvent.
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
