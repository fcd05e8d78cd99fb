package apikey

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// Reason says what an [Event] is about.
type Reason string

// What happens to keys.
const (
	KeyCreated      Reason = "key_created"
	KeyRotated      Reason = "key_rotated"
	KeyRevoked      Reason = "key_revoked"
	NetworkDenied   Reason = "network_denied"   // a genuine key, from elsewhere: it may be stolen; once a minute for a key and an address
	RotationOverdue Reason = "rotation_overdue" // at most once a day for a key that is in use
)

// An Event is what happened to a key. It has no secret.
type Event struct {
	Reason Reason
	Key    Key
	Addr   netip.Addr // of NetworkDenied
}

// tell calls the hook, after the fact.
func (m *Manager) tell(ctx context.Context, e Event) {
	if m.onEvent == nil {
		return
	}
	e.Key = e.Key.clone()
	hook.Call(ctx, m.logger, "apikey: OnEvent", func() { m.onEvent(ctx, e) })
}

// strangers are the keys and addresses that NetworkDenied was told of in a
// minute: who has a stolen key must not fill the log with it.
type strangers struct {
	mu     sync.Mutex
	minute int64
	told   map[stranger]struct{}
}

type stranger struct {
	id   string
	addr netip.Addr
}

// maxStrangers bounds the memory. What comes on top in a minute is not told.
const maxStrangers = 1024

// first reports whether this is to be told.
func (s *strangers) first(id string, addr netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if minute := now.Unix() / 60; minute != s.minute || s.told == nil {
		s.minute, s.told = minute, make(map[stranger]struct{})
	}
	who := stranger{id, addr}
	if _, known := s.told[who]; known || len(s.told) >= maxStrangers {
		return false
	}
	s.told[who] = struct{}{}
	return true
}
