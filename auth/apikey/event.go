package apikey

import (
	"context"
	"log/slog"
	"net/netip"
)

// Reason says what an [Event] is about.
type Reason string

// What happens to keys.
const (
	KeyCreated      Reason = "key_created"
	KeyRotated      Reason = "key_rotated"
	KeyRevoked      Reason = "key_revoked"
	NetworkDenied   Reason = "network_denied"   // a genuine key, from elsewhere: it may be stolen
	RotationOverdue Reason = "rotation_overdue" // at most once a day for a key that is in use
)

// An Event is what happened to a key. It has no secret.
type Event struct {
	Reason Reason
	Key    Key        // of KeyRevoked only the ID
	Addr   netip.Addr // of NetworkDenied
}

// tell calls the hook, after the fact. A hook that panics is logged.
func (m *Manager) tell(ctx context.Context, e Event) {
	if m.onEvent == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			logger := m.logger
			if logger == nil {
				logger = slog.Default()
			}
			logger.LogAttrs(ctx, slog.LevelError, "apikey: OnEvent panicked", slog.String("reason", string(e.Reason)), slog.Any("panic", v))
		}
	}()
	e.Key = e.Key.clone()
	m.onEvent(ctx, e)
}
