package apikey

import "time"

// Cached returns the number of keys in the cache.
func (m *Manager) Cached() int { return len(m.cache.entries) }

// Strangers returns the number of keys with reported sightings.
func (m *Manager) Strangers() int { return len(m.strangers.reported) }

// Settle waits until every use is written.
func (m *Manager) Settle() { m.writing.Wait() }

// SetClock replaces the clock.
func (m *Manager) SetClock(now func() time.Time) { m.now = now }

// Parse is parse, for fuzzing.
var Parse, Format = parseKey, format
