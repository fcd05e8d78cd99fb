package ratelimit

// Unphased makes the entry of a key, if there is none, with a ring that begins
// its slots where the clock does, as a test can have it elsewhere too.
func (m *Memory) Unphased(k Key) {
	d := m.digest(&k)
	s := &m.shards[m.shardOf(d)]
	if s.entries[d] == nil {
		s.entries[d] = &entry{}
	}
}
