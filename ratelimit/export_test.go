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

// Digest returns what stands for a key.
func (m *Memory) Digest(k Key) [2]uint64 {
	d := m.digest(&k)
	return [2]uint64{d.a, d.b}
}

// Peer and PeerIPv4 read a RemoteAddr.
var (
	Peer     = peer
	PeerIPv4 = peerIPv4
)
