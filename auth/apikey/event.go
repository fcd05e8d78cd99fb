package apikey

import (
	"context"
	"net/netip"
	"slices"
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
	NetworkDenied   Reason = "network_denied"   // a genuine key, from elsewhere: it may be stolen; once a minute for each of 16 addresses
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

// strangers remember for a minute what NetworkDenied was told of, so that who
// has a stolen key cannot fill the log with it. Each key has room of its own:
// a flood with one must not hide another.
type strangers struct {
	mu   sync.Mutex
	told map[string][]sighting
}

// sighting is an address that a key came from.
type sighting struct {
	addr netip.Addr
	at   time.Time
}

const (
	// maxSightings bounds the addresses of a key. More in a minute say nothing
	// new.
	maxSightings = 16
	// maxStrangers bounds the keys. Beyond it, an event is told again rather
	// than not at all.
	maxStrangers = 1024
)

// first reports whether this is to be told.
func (s *strangers) first(id string, addr netip.Addr, now time.Time) bool {
	addr = addr.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	told := slices.DeleteFunc(s.told[id], func(v sighting) bool {
		age := now.Sub(v.at)
		return age < 0 || age >= time.Minute
	})
	fresh := len(told) < maxSightings && !slices.ContainsFunc(told, func(v sighting) bool { return v.addr == addr })
	if fresh {
		told = append(told, sighting{addr, now})
	}
	if s.told == nil {
		s.told = make(map[string][]sighting)
	}
	if _, known := s.told[id]; !known && len(s.told) >= maxStrangers {
		for other := range s.told {
			delete(s.told, other)
			break
		}
	}
	s.told[id] = told
	return fresh
}
