package ratelimit

// SetPhaseZero creates the entry of a key, if there is none, with a ring whose slots
// start at zero of the clock, so that other stores can have the same slots.
func (m *Memory) SetPhaseZero(k Key) {
	d := m.digest(&k)
	s := &m.shards[m.shardOf(d)]
	if s.entries[d] == nil {
		s.entries[d] = &entry{}
	}
}
