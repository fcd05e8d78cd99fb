package apikey

import "time"

// SetClock replaces the clock.
func (m *Manager) SetClock(now func() time.Time) { m.now = now }

// Parse is parse, for fuzzing.
var Parse, Format = parse, format
