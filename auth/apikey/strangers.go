package apikey

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// strangers remember for a minute what NetworkDenied was told of, so that who
// has a stolen key cannot fill the log with it. Each key has room of its own:
// a flood with one must not hide another.
type strangers struct {
	mu       sync.Mutex
	reported map[string][]sighting
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

// isNewSighting reports whether this is to be told.
func (s *strangers) isNewSighting(id string, addr netip.Addr, now time.Time) bool {
	addr = addr.Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	told := slices.DeleteFunc(s.reported[id], func(v sighting) bool {
		age := now.Sub(v.at)
		return age < 0 || age >= time.Minute
	})
	fresh := len(told) < maxSightings && !slices.ContainsFunc(told, func(v sighting) bool { return v.addr == addr })
	if fresh {
		told = append(told, sighting{addr, now})
	}
	if s.reported == nil {
		s.reported = make(map[string][]sighting)
	}
	if _, known := s.reported[id]; !known && len(s.reported) >= maxStrangers {
		for other := range s.reported {
			delete(s.reported, other)
			break
		}
	}
	s.reported[id] = told
	return fresh
}
