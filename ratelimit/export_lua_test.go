package ratelimit

// SetPhaseZero creates the entry of a key, if there is none. The slots of its ring start at
// zero of the clock, so that another store can have the same slots.
func (m *Memory) SetPhaseZero(k Key) {
	d := m.digest(&k)
	s := &m.shards[m.shardOf(d)]
	if s.entries[d] == nil {
		s.entries[d] = &entry{}
	}
}
