package apikey

import (
	"context"
	"net/netip"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Reason is the type of an [Event].
type Reason string

// The reasons of events.
const (
	KeyCreated      Reason = "key_created"
	KeyRotated      Reason = "key_rotated"
	KeyRevoked      Reason = "key_revoked"
	KeyUpdated      Reason = "key_updated"
	KeyDisabled     Reason = "key_disabled"
	KeyEnabled      Reason = "key_enabled"
	NetworkDenied   Reason = "network_denied"   // a genuine key from an unlisted network; it may be stolen; at most once a minute for each of 16 addresses
	RotationOverdue Reason = "rotation_overdue" // a secret in use is older than RotateEvery, or was replaced a day ago by one that is still unused; at most once a day for each key
)

// An Event reports a change or a use of a key. It has no secret.
type Event struct {
	Reason Reason
	Key    Key
	Addr   netip.Addr // of NetworkDenied
}

// notifyHook calls OnEvent, after the event.
func (m *Manager) notifyHook(ctx context.Context, e Event) {
	if m.onEvent == nil {
		return
	}
	e.Key = e.Key.clone()
	hook.Call(ctx, m.logger, "apikey: OnEvent", func() { m.onEvent(ctx, e) })
}
