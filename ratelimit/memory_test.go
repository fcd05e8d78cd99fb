package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// admitted is one admission.
type admitted struct {
	at   time.Time
	cost int
}

func sumSince(log []admitted, since time.Time) int {
	n := 0
	for _, a := range log {
		if a.at.After(since) {
			n += a.cost
		}
	}
	return n
}

// Up to 128, the verdict follows from the sum of the charges in the last window.
func TestExactLimitAgreesWithItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 10 {
		m, c := memory(ratelimit.MemoryOptions{})
		limit, window := 1+random.IntN(128), time.Duration(1+random.IntN(1000))*time.Millisecond
		var log []admitted
		for range 1000 {
			c.advance(time.Duration(random.Int64N(int64(window) / int64(limit) * 2)))
			cost := random.IntN(4)
			used := sumSince(log, c.t.Add(-window))
			v := take(t, m, charge("k", limit, window, cost))
			require.Equal(t, cost == 0 || used+cost <= limit, v.Wait == 0, "round %d", round)
			if v.Wait == 0 {
				log = append(log, admitted{c.t, cost})
				require.Equal(t, limit-used-cost, v.Remaining)
				continue
			}
			require.Equal(t, limit-used, v.Remaining)
			if v.Wait < 0 {
				require.Greater(t, cost, limit)
				continue
			}
			// The wait is the shortest that is long enough.
			require.LessOrEqual(t, sumSince(log, c.t.Add(v.Wait-window))+cost, limit)
			require.Greater(t, sumSince(log, c.t.Add(v.Wait-time.Microsecond-window))+cost, limit)
		}
	}
}

// Above 128, at most the limit is admitted in a window. A client that keeps the limit in
// 33/32 of a window is never denied. The wait is exact.
func TestLargeLimitsKeepTheirBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		m, c := memory(ratelimit.MemoryOptions{})
		limit, window := 129+random.IntN(1000), time.Duration(8*(1+random.IntN(1000)))*time.Millisecond
		var log []admitted
		for range 1500 {
			if random.IntN(4) == 0 {
				c.advance(time.Duration(random.Int64N(int64(window) / 3)))
			}
			cost := random.IntN(limit / 8)
			v := take(t, m, charge("k", limit, window, cost))
			if v.Wait == 0 {
				log = append(log, admitted{c.t, cost})
				require.LessOrEqual(t, sumSince(log, c.t.Add(-window)), limit)
				continue
			}
			require.Greater(t, sumSince(log, c.t.Add(-window*33/32))+cost, limit, "a client that keeps the limit in 33/32 of a window must not be denied")
			now := c.t
			c.t = now.Add(v.Wait - time.Microsecond)
			require.NotZero(t, peek(t, m, charge("k", limit, window, cost)).Wait)
			c.t = now.Add(v.Wait)
			require.Zero(t, peek(t, m, charge("k", limit, window, cost)).Wait)
		}
	}
}

func TestDeniedCallChargesNothing(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{})
	a, b := charge("a", 10, time.Minute, 1), charge("b", 1, time.Minute, 1)
	var v [2]ratelimit.Verdict
	for range 5 {
		require.NoError(t, m.Take(t.Context(), []ratelimit.Charge{a, b}, v[:]))
	}
	require.Equal(t, 9, v[0].Remaining, "denials must not be charged")
	require.NotZero(t, v[1].Wait)
}

func TestRefundRemovesACharge(t *testing.T) {
	for _, limit := range []int{2, 200} {
		m, c := memory(ratelimit.MemoryOptions{})
		ch := charge("k", limit, time.Minute, limit/2)
		first := take(t, m, ch)
		c.advance(10 * time.Second)
		take(t, m, ch)
		require.NotZero(t, take(t, m, ch).Wait)
		ch.Mark = first.Mark
		require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{ch}))
		require.Zero(t, take(t, m, ch).Wait)
		c.advance(time.Hour)
		require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{ch}), "a late refund must have no effect")
		require.Equal(t, limit, peek(t, m, ch).Remaining)
	}
}

func TestResetDeletesTheCount(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{})
	ch := charge("k", 1, time.Minute, 1)
	take(t, m, ch)
	require.NoError(t, m.Reset(t.Context(), []ratelimit.Key{ch.Key}))
	require.Zero(t, take(t, m, ch).Wait)
}

// A flood of keys does not free a denied key, and does not exceed MaxKeys.
func TestFloodDoesNotFreeADeniedKey(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{MaxKeys: 1000})
	attacker := charge("attacker", 1, time.Hour, 1)
	take(t, m, attacker)
	require.NotZero(t, take(t, m, attacker).Wait)
	for i := range 20_000 {
		take(t, m, charge(fmt.Sprint(i), 1, time.Minute, 1))
	}
	require.LessOrEqual(t, m.Len(), 1000)
	require.NotZero(t, take(t, m, attacker).Wait)
}

func TestFullMemoryCountsNewKeysTogether(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{MaxKeys: 4})
	for i := range 4 {
		take(t, m, charge(fmt.Sprint(i), 1, time.Hour, 1))
		require.NotZero(t, take(t, m, charge(fmt.Sprint(i), 1, time.Hour, 1)).Wait)
	}
	v := take(t, m, charge("new", 1, time.Hour, 1))
	require.True(t, v.Pressure && v.Wait == 0)
	v = take(t, m, charge("newer", 1, time.Hour, 1))
	require.True(t, v.Pressure && v.Wait > 0)
	require.Equal(t, 4, m.Len())
	c.advance(2 * time.Hour)
	require.False(t, take(t, m, charge("newest", 1, time.Hour, 1)).Pressure)
}

func TestConcurrentCallsDoNotDeadlock(t *testing.T) {
	m := ratelimit.NewMemory(ratelimit.MemoryOptions{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := range 64 {
		wg.Go(func() {
			var v [2]ratelimit.Verdict
			for j := range 50 {
				// Both orders of two keys, so that a wrong order of locks would deadlock.
				charges := []ratelimit.Charge{charge("a", 100, time.Hour, 1), charge("b", 1000000, time.Hour, 1)}
				charges[1].Key.Policy = "q"
				if (i+j)%2 == 0 {
					charges[0], charges[1] = charges[1], charges[0]
				}
				if err := m.Take(t.Context(), charges, v[:]); err == nil && v[0].Wait == 0 && v[1].Wait == 0 {
					mu.Lock()
					total++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 100, total)
}

// FuzzMemory compares any sequence of charges with the sum of the last window.
func FuzzMemory(f *testing.F) {
	f.Add(uint8(5), []byte{1, 1, 1, 200, 1, 2, 3})
	f.Add(uint8(1), []byte{255, 0, 255, 1})
	f.Fuzz(func(t *testing.T, limit uint8, steps []byte) {
		requests := int(limit%128) + 1
		m, c := memory(ratelimit.MemoryOptions{})
		var log []admitted
		for _, step := range steps {
			c.advance(time.Duration(step>>2) * 10 * time.Millisecond)
			cost := int(step & 3)
			used := sumSince(log, c.t.Add(-time.Second))
			v := take(t, m, charge("k", requests, time.Second, cost))
			require.Equal(t, cost == 0 || used+cost <= requests, v.Wait == 0)
			if v.Wait == 0 {
				log = append(log, admitted{c.t, cost})
			}
		}
	})
}

func TestDenialStartsAPenalty(t *testing.T) {
	strict := charge("k", 2, time.Second, 1)
	strict.Penalty = time.Minute
	for name, limit := range map[string]int{"a log": 2, "a ring": 200} {
		t.Run(name, func(t *testing.T) {
			m, c := memory(ratelimit.MemoryOptions{})
			k := strict
			k.Requests = limit
			for range limit {
				require.Zero(t, take(t, m, k).Wait)
			}
			peeked := peek(t, m, k)
			require.Positive(t, peeked.Wait)
			require.LessOrEqual(t, peeked.Wait, 9*time.Second/8, "Peek must not start a penalty")
			require.Equal(t, ratelimit.Verdict{Wait: time.Minute, Reset: time.Minute}, take(t, m, k))
			c.advance(59 * time.Second)
			want := ratelimit.Verdict{Wait: time.Second, Reset: time.Second}
			require.Equal(t, want, take(t, m, k), "a denial must not prolong the penalty")
			require.Equal(t, want, peek(t, m, k))
			none := k
			none.Cost = 0
			require.Zero(t, take(t, m, none).Wait, "a cost of 0 must be allowed")
			overCost := k
			overCost.Cost = limit + 1
			require.Negative(t, take(t, m, overCost).Wait)
			c.advance(time.Second)
			require.Zero(t, take(t, m, k).Wait)
		})
	}
	t.Run("only the limit that denies starts a penalty", func(t *testing.T) {
		m, c := memory(ratelimit.MemoryOptions{})
		other := charge("other", 10, time.Second, 1)
		other.Penalty = time.Hour
		both := []ratelimit.Charge{strict, other}
		var v [2]ratelimit.Verdict
		for range 3 {
			require.NoError(t, m.Take(t.Context(), both, v[:]))
		}
		require.Equal(t, time.Minute, v[0].Wait)
		require.Zero(t, v[1].Wait)
		require.Equal(t, 8, v[1].Remaining)
		c.advance(time.Minute)
		require.NoError(t, m.Take(t.Context(), both, v[:]))
		require.Zero(t, v[0].Wait)
	})
	t.Run("a reset ends a penalty, a refund does not", func(t *testing.T) {
		m, _ := memory(ratelimit.MemoryOptions{})
		k := strict
		k.Mark = take(t, m, k).Mark
		take(t, m, k)
		take(t, m, k)
		require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{k}))
		require.Equal(t, time.Minute, take(t, m, k).Wait)
		require.NoError(t, m.Reset(t.Context(), []ratelimit.Key{k.Key}))
		require.Zero(t, take(t, m, k).Wait)
	})
	t.Run("a key with a penalty is not evicted", func(t *testing.T) {
		m, c := memory(ratelimit.MemoryOptions{MaxKeys: 1000})
		for range 3 {
			take(t, m, strict)
		}
		for i := range 20_000 {
			c.advance(time.Millisecond)
			take(t, m, charge(fmt.Sprint(i), 10, time.Hour, 1))
		}
		require.NotZero(t, take(t, m, strict).Wait)
	})
}

// A shadow does not deny the others, and is charged like them.
func TestShadowChargeNeverDenies(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{})
	shadow, real := charge("k", 1, time.Minute, 1), charge("k", 3, time.Minute, 1)
	shadow.Shadow, real.Key.Policy = true, "q"
	both := []ratelimit.Charge{shadow, real}
	var v [2]ratelimit.Verdict
	for i := range 4 {
		require.NoError(t, m.Take(t.Context(), both, v[:]))
		require.Equal(t, i > 0, v[0].Wait > 0)
		require.Equal(t, i > 0, v[0].Mark == 0)
		require.Equal(t, i > 2, v[1].Wait > 0)
	}
	require.NoError(t, m.Reset(t.Context(), []ratelimit.Key{shadow.Key}))
	require.NoError(t, m.Take(t.Context(), both, v[:]))
	require.Equal(t, 1, v[0].Remaining, "a call that another limit denies must not be charged to a shadow")
}

// Different keys have different digests. The Net of a key with a Text is ignored.
func TestDigestsOfKeysDiffer(t *testing.T) {
	m := ratelimit.NewMemory(ratelimit.MemoryOptions{})
	v4 := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	mapped := netip.AddrFrom16(v4.As16())
	ip := v4.As16()
	keys := []ratelimit.Key{
		{}, {Policy: "p"}, {Policy: "pt"}, {Policy: "pn"}, {Text: "p"}, {Policy: "p", Text: "t"}, {Policy: "pt", Text: "t"}, {Policy: "p", Text: "tt"},
		{Policy: "p", Text: "n\x20\x20" + string(ip[:])}, {Policy: "p", Text: "\x20\x20" + string(ip[:])},
		{Policy: "p", Net: netip.PrefixFrom(v4, 32)}, {Policy: "p", Net: netip.PrefixFrom(v4, 24)}, {Policy: "p-2", Net: netip.PrefixFrom(v4, 32)},
		{Policy: "p", Net: netip.PrefixFrom(mapped, 32)}, {Policy: "p", Net: netip.PrefixFrom(mapped, 128)}, {Policy: "p", Net: netip.PrefixFrom(v4, -1)},
		{Policy: "p", Net: netip.MustParsePrefix("::/0")}, {Policy: "p", Net: netip.MustParsePrefix("::/128")}, {Policy: "p", Net: netip.MustParsePrefix("0.0.0.0/0")},
		{Policy: "p", Text: strings.Repeat("x", 300)}, {Policy: "p", Text: strings.Repeat("x", 301)}, {Policy: strings.Repeat("p", 300)},
	}
	seen := make(map[[2]uint64]ratelimit.Key)
	for _, k := range keys {
		d := m.Digest(k)
		other, ok := seen[d]
		require.False(t, ok, "%q and %q", k, other)
		seen[d] = k
		require.Equal(t, d, m.Digest(k))
	}
	withNet := ratelimit.Key{Policy: "p", Text: "t", Net: netip.PrefixFrom(v4, 32)}
	require.Equal(t, m.Digest(ratelimit.Key{Policy: "p", Text: "t"}), m.Digest(withNet))
}
