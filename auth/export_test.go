package auth

import "time"

// SetClock replaces the clock of a Revocations.
func (r *Revocations) SetClock(now func() time.Time) { r.now = now }

// Len returns the number of entries, expired ones included.
func (r *Revocations) Len() int { return len(r.entries) }
