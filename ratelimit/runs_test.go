package ratelimit_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// mostRuns is the number of runs of a limit from which neighbors are merged.
const mostRuns = 3*128 + 1

func TestResetOfOneRunIsAWholeWindow(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{})
	ch := charge("k", 1000, time.Minute, 1)
	require.Equal(t, time.Minute, take(t, m, ch).Reset)
	c.advance(time.Second)
	require.Equal(t, time.Minute, take(t, m, ch).Reset, "the charge joined the run, so that it moved")
	c.advance(time.Second)
	require.Equal(t, 59*time.Second, take(t, m, ch).Reset, "the run was older than 1/32 of the window, so this is another")
}

// Requests that are charged and refunded, as by FailuresOnly, leave no memory. Two are under
// way at a time, so that a refund empties a run that another charge has closed.
func TestRefundsDoNotGrowAKey(t *testing.T) {
	for _, row := range []struct {
		name         string
		requests     int
		kept         int // of ten charges
		cost, refund int
		least, runs  int // that the key has at some time
	}{
		{name: "all of 1000", requests: 1000, cost: 1, refund: 1, runs: 8},
		{name: "nine of ten of 1000", requests: 1000, kept: 1, cost: 1, refund: 1, runs: 161},
		{name: "nine of ten of 100 000", requests: 100_000, kept: 1, cost: 1, refund: 1, runs: 161},
		{name: "all but one of each quantum of 100 000", requests: 100_000, cost: 782, refund: 781, runs: mostRuns, least: 200},
		{name: "all but one of each quantum of 2^31-1", requests: 1<<31 - 1, cost: 1 << 24, refund: 1<<24 - 1, runs: mostRuns, least: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, c := memory(ratelimit.MemoryOptions{})
			most := 0
			var last ratelimit.Charge
			for i := range 6000 {
				ch := charge("k", row.requests, time.Minute, row.cost)
				ch.Mark = take(t, m, ch).Mark
				require.NotZero(t, ch.Mark)
				if last.Cost = row.refund; i > 0 && i%10 >= row.kept {
					require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{last}))
				}
				last = ch
				most = max(most, m.Runs(ch.Key))
				c.advance(10 * time.Millisecond)
			}
			t.Logf("at most %d runs", most)
			require.LessOrEqual(t, most, row.runs)
			require.GreaterOrEqual(t, most, row.least)
		})
	}
}

// A quota that goes up and down never admits more than the one that asks allows, and leaves
// a bounded number of runs.
func TestQuotaThatMovesIsKept(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{})
	var log []admitted
	for i := range 12_000 {
		requests := []int{100_000, 100, 1000, 128, 1 << 20}[i/50%5]
		v := take(t, m, charge("k", requests, time.Minute, 1))
		if v.Wait == 0 {
			log = append(log, admitted{c.t, 1})
		}
		require.Equal(t, v.Wait == 0, v.Mark != 0)
		c.advance(31 * time.Millisecond)
		if v.Wait == 0 {
			require.LessOrEqual(t, sumSince(log[max(0, len(log)-2000):], c.t.Add(-time.Minute)), requests)
		}
	}
	require.LessOrEqual(t, m.Runs(charge("k", 1, time.Minute, 1).Key), mostRuns)
}

// A charge allocates only for a new key, or while a key uses more of its limit than before.
func TestWarmKeyDoesNotAllocate(t *testing.T) {
	for _, requests := range []int{10, 128, 1000, 100_000} {
		m, c := memory(ratelimit.MemoryOptions{})
		charges, verdicts := []ratelimit.Charge{charge("k", requests, time.Minute, 1)}, make([]ratelimit.Verdict, 1)
		step := func() {
			c.advance(time.Minute / time.Duration(requests))
			if err := m.Take(t.Context(), charges, verdicts); err != nil {
				t.Error(err)
			}
		}
		for range 3 * requests {
			step()
		}
		require.Zero(t, testing.AllocsPerRun(1000, step), "limit %d", requests)
	}
}

// The bytes of a key are those that MemoryOptions names.
func TestMemoryBytesOfAKey(t *testing.T) {
	const keys = 500
	for _, row := range []struct{ requests, used, most int }{
		{requests: 10, used: 1, most: 200}, {requests: 10, used: 10, most: 330},
		{requests: 100, used: 1, most: 200}, {requests: 100, used: 10, most: 330}, {requests: 100, used: 100, most: 1300},
		{requests: 1000, used: 1, most: 200}, {requests: 1000, used: 5, most: 300}, {requests: 1000, used: 10, most: 330}, {requests: 1000, used: 100, most: 800}, {requests: 1000, used: 1000, most: 1600},
		{requests: 100_000, used: 1, most: 200}, {requests: 100_000, used: 10, most: 330}, {requests: 100_000, used: 100, most: 800}, {requests: 100_000, used: 99_000, most: 1700},
	} {
		n := keys
		if row.used > 1000 {
			n = 4
		}
		m, c := memory(ratelimit.MemoryOptions{MaxKeys: 4 * keys})
		if n < keys { // few keys: without the map
			row.most -= 80
			for i := range n {
				take(t, m, charge(strconv.Itoa(i), row.requests, time.Minute, 1))
			}
		}
		before := int(heap())
		for range row.used {
			for i := range n {
				require.Zero(t, take(t, m, charge(strconv.Itoa(i), row.requests, time.Minute, 1)).Wait)
			}
			c.advance(time.Minute / time.Duration(row.used+1))
		}
		per := (int(heap()) - before) / n
		runtime.KeepAlive(m)
		t.Logf("limit %6d, %6d used: %4d bytes a key", row.requests, row.used, per)
		require.LessOrEqual(t, per, row.most)
	}
}
