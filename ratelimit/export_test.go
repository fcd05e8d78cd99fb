package ratelimit

import "time"

// SetClock replaces the clock.
func (m *Memory) SetClock(now func() time.Time) { m.start, m.clock = now(), now }

// Len returns the number of keys, those of the overflow aside.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].entries)
	}
	return n
}
