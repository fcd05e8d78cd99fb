package ratelimit_test

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// network64 is the /64 of the i-th client of a flood.
func network64(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), 64)
}

// The memory stays within its bound, and denied keys stay denied.
func TestMemoryStaysBoundedInAFlood(t *testing.T) {
	for _, row := range []struct {
		name           string
		flood          int
		requests       int
		window         time.Duration
		perKey, budget int // requests of each new key, bytes per key
	}{
		{name: "exact log", flood: million, requests: 5, window: time.Minute, perKey: 1, budget: 300},
		{name: "ring", flood: million / 5, requests: 600, window: time.Minute, perKey: 1, budget: 300},
		{name: "new keys that expire after the attackers", flood: million / 5, requests: 5, window: 2 * time.Hour, perKey: 1, budget: 300},
		{name: "new keys that use up their limit", flood: million / 5, requests: 2, window: time.Hour, perKey: 2, budget: 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			const maxKeys, attackers = million / 16, 100
			before := heap()
			m, c := memory(ratelimit.MemoryOptions{MaxKeys: maxKeys})
			denied := make([]ratelimit.Charge, attackers)
			for i := range denied {
				denied[i] = charge(fmt.Sprint("attacker", i), 5, time.Hour, 1)
				denied[i].Penalty = []time.Duration{0, 2 * time.Hour}[i%2]
				for range 6 {
					take(t, m, denied[i])
				}
			}
			start, pressure := time.Now(), 0
			var v [1]ratelimit.Verdict
			one := []ratelimit.Charge{{Key: ratelimit.Key{Policy: "p"}, Requests: row.requests, Window: row.window, Cost: 1}}
			for i := range row.flood {
				one[0].Key.Net = network64(i)
				c.advance(time.Microsecond)
				for range row.perKey {
					if err := m.Take(t.Context(), one, v[:]); err != nil {
						t.Fatal(err)
					}
				}
				if v[0].Pressure {
					pressure++
				}
			}
			took := time.Since(start)
			used := int64(heap()) - int64(before)
			t.Logf("%d keys kept of %d, %d bytes each, %v per request, %d under pressure", m.Len(), row.flood, used/int64(m.Len()), took/time.Duration(row.flood*row.perKey), pressure)
			require.LessOrEqual(t, m.Len(), maxKeys)
			require.LessOrEqual(t, used, int64(maxKeys*row.budget))
			for _, b := range denied {
				require.Positive(t, take(t, m, b).Wait, "the flood must not free %s", b.Key.Text)
			}
			runtime.KeepAlive(m)
		})
	}
}

// Under pressure, new keys share a count, and are denied together. Keys that have an
// entry are not affected.
func TestPressureDoesNotAffectExistingKeys(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{MaxKeys: 64})
	honest := charge("honest", 100, time.Hour, 1)
	take(t, m, honest)
	for i := range 1000 {
		k := charge(fmt.Sprint(i), 1, time.Hour, 1)
		c.advance(time.Millisecond)
		take(t, m, k)
		take(t, m, k)
		if i%20 == 0 {
			require.Zero(t, take(t, m, honest).Wait)
		}
	}
	shared := charge("new", 1, time.Hour, 1)
	shared.Penalty = 24 * time.Hour
	require.Positive(t, take(t, m, shared).Wait)
	c.advance(time.Hour)
	require.Zero(t, take(t, m, shared).Wait, "a shared count must not start a penalty: the denial could be any client's")
}
