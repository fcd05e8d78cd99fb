package apikey

import (
	"context"
	"net/netip"

	"github.com/ringwall/ringwall/internal/hook"
)

// Reason says what an [Event] is about.
type Reason string

// What happens to keys.
const (
	KeyCreated      Reason = "key_created"
	KeyRotated      Reason = "key_rotated"
	KeyRevoked      Reason = "key_revoked"
	NetworkDenied   Reason = "network_denied"   // a genuine key, from elsewhere: it may be stolen; once a minute for each of 16 addresses
	RotationOverdue Reason = "rotation_overdue" // a secret is in use that is older than RotateEvery, or was replaced a day ago by one that nobody has used; at most once a day for each key
)

// An Event is what happened to a key. It has no secret.
type Event struct {
	Reason Reason
	Key    Key
	Addr   netip.Addr // of NetworkDenied
}

// notifyHook calls the hook, after the fact.
func (m *Manager) notifyHook(ctx context.Context, e Event) {
	if m.onEvent == nil {
		return
	}
	e.Key = e.Key.clone()
	hook.Call(ctx, m.logger, "apikey: OnEvent", func() { m.onEvent(ctx, e) })
}
