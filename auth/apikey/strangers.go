package apikey

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// strangers stores the reported sightings of NetworkDenied for a minute, so that
// the holder of a stolen key cannot fill the log. Each key has its own limit: a
// flood with one must not hide another.
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
	// maxSightings is the maximum number of addresses of a key per minute.
	// Further addresses are not reported.
	maxSightings = 16
	// maxStrangers is the maximum number of keys. Above it, a sighting may be reported
	// twice, but none is lost.
	maxStrangers = 1024
)

// isNewSighting reports whether a sighting must be reported.
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
