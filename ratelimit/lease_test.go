package ratelimit_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// maxAdmitted returns the maximum cost that was admitted in any interval of a length.
func maxAdmitted(log []admitted, length time.Duration) int {
	sum, most, first := 0, 0, 0
	for _, a := range log {
		sum += a.cost
		for log[first].at.Add(length).Compare(a.at) <= 0 {
			sum -= log[first].cost
			first++
		}
		most = max(most, sum)
	}
	return most
}

// Several processes lease from one store. Together they admit at most the documented
// excess, and call the store rarely.
func TestLeasesAdmitAtMostTheDocumentedExcess(t *testing.T) {
	const limit, window, ticks, windows = 10_000, 10 * time.Second, 1000, 3 // ticks in a window
	for _, row := range []struct {
		name      string
		processes int
		trips     float64 // maximum per request
		admits    float64 // minimum part of the limit, or of the requests if they are fewer
		requests  func(tick, process int) int
	}{
		{name: "4 processes with three times the limit", processes: 4, trips: 1.0 / 30, admits: 0.95, requests: func(int, int) int { return 3 * limit / ticks / 4 }},
		{name: "16 processes with three times the limit", processes: 16, trips: 1.0 / 30, admits: 0.85, requests: func(int, int) int { return 2 }},
		{name: "4 processes with nine tenths of the limit", processes: 4, trips: 1.0 / 30, admits: 1, requests: func(tick, _ int) int { return 2 + tick%4/3 }},
		{name: "16 processes with nine tenths of the limit", processes: 16, trips: 1.0 / 30, admits: 1, requests: func(tick, p int) int { return map[bool]int{true: 1}[(tick+p)%16 < 9] }},
		{name: "4 processes of which one has nine tenths of the requests", processes: 4, trips: 1.0 / 30, admits: 0.95, requests: func(_, p int) int { return []int{27, 1, 1, 1}[p] }},
		{name: "4 processes with bursts", processes: 4, trips: 1.0 / 30, admits: 0.6, requests: func(tick, _ int) int { return map[bool]int{true: 1000}[tick%880 < 4] }},
		{name: "16 processes that fill their leases, wait, and burst together", processes: 16, trips: 1.0 / 30, admits: 0.5, requests: func(tick, _ int) int {
			switch at := tick % 960; {
			case at < 2:
				return 700
			case at > 870 && at < 880:
				return 5
			}
			return 0
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestStore()
				var all []*ratelimit.Limiter
				for range row.processes {
					all = append(all, newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: limit, Window: window, Lease: true}}}}}))
				}
				var log []admitted
				total, allowed := 0, 0
				for tick := range windows * ticks {
					most := 0
					for p := range all {
						most = max(most, row.requests(tick, p))
					}
					for i := range most { // interleaved, without time between
						for p, l := range all {
							if i >= row.requests(tick, p) {
								continue
							}
							total++
							if d, err := withoutDenial(l.Take(context.Background(), "a", "k", 1)); err == nil && d.Allowed {
								allowed++
								log = append(log, admitted{time.Now(), 1})
							}
						}
					}
					time.Sleep(window / ticks)
				}
				inWindow := maxAdmitted(log, window)
				trips := float64(s.calls.Load()) / float64(total)
				t.Logf("%d requests, %d admitted, %.5f round trips each (1/%.0f), at most %.3f of the limit in a window",
					total, allowed, trips, 1/trips, float64(inWindow)/limit)
				require.LessOrEqual(t, inWindow, limit+min(row.processes*limit/64, limit/10))
				require.LessOrEqual(t, trips, row.trips)
				require.GreaterOrEqual(t, float64(allowed), row.admits*float64(min(total, windows*limit)))
			})
		})
	}
}

func TestLeasesWorkWithOtherLimits(t *testing.T) {
	leased := ratelimit.Limit{Requests: 1000, Window: time.Minute, Lease: true}
	for _, row := range []struct {
		name   string
		limits []ratelimit.Limit
		play   func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events)
	}{
		{name: "a charge that another limit denies returns to the lease", limits: []ratelimit.Limit{leased, {Requests: 1, Window: time.Hour}}, play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
			for range 2000 {
				require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
				time.Sleep(time.Millisecond)
			}
			require.NoError(t, l.Reset(t.Context(), "a", "k"))
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a refund returns to the lease", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			for range 20 {
				mustTake(t, l, "a", "k", 1)
			}
			before := s.calls.Load()
			for range 1000 {
				d := mustTake(t, l, "a", "k", 1)
				require.True(t, d.Allowed)
				d.Refund(t.Context())
			}
			require.LessOrEqual(t, s.calls.Load()-before, int64(1))
			require.Greater(t, recorded.count(ratelimit.Leased), 1000)
		}},
		{name: "a cost above the maximum lease is charged to the store", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			for range 10 {
				require.True(t, mustTake(t, l, "a", "k", 100).Allowed)
			}
			require.EqualValues(t, 10, s.calls.Load())
			require.False(t, mustTake(t, l, "a", "k", 100).Allowed)
			_, err := l.Take(t.Context(), "a", "k", 1001)
			require.ErrorIs(t, err, ratelimit.ErrTooExpensive)
		}},
		{name: "a reset deletes the lease and the denial", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			n := 0
			for mustTake(t, l, "a", "k", 1).Allowed {
				n++
			}
			require.Equal(t, 1000, n)
			require.NoError(t, l.Reset(t.Context(), "a", "k"))
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a request is allowed after RetryAfter", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			for mustTake(t, l, "a", "k", 1).Allowed {
			}
			d := mustTake(t, l, "a", "k", 1)
			require.Greater(t, d.RetryAfter, 50*time.Second)
			time.Sleep(d.RetryAfter)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "the local count has the leased charges when the store fails", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			for range 400 {
				mustTake(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = errDown })
			n := 400
			for mustTake(t, l, "a", "k", 1).Allowed {
				n++
			}
			require.Equal(t, 1000, n)
		}},
		{name: "many keys are never denied falsely", limits: []ratelimit.Limit{leased}, play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			for range 10_000 {
				require.True(t, mustTake(t, l, "a", strconv.Itoa(rand.IntN(30_000)), 1).Allowed)
				time.Sleep(time.Millisecond)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, recorded := newTestStore(), new(events)
				row.play(t, s, newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: row.limits}}, OnEvent: recorded.record}), recorded)
			})
		})
	}
}

// Requests that arrive during a refill wait for it.
func TestConcurrentRequestsShareARefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore()
		s.slow = 20 * time.Millisecond
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 64_000, Window: time.Minute, Lease: true}}}}})
		start := time.Now()
		var group sync.WaitGroup
		for range 900 {
			group.Go(func() {
				d, err := withoutDenial(l.Take(context.Background(), "a", "k", 1))
				require.NoError(t, err)
				require.True(t, d.Allowed && !d.Degraded)
			})
		}
		group.Wait()
		require.LessOrEqual(t, s.calls.Load(), int64(3))
		require.LessOrEqual(t, time.Since(start), 60*time.Millisecond)
	})
}

// Several processes with several goroutines share a few keys. Leased requests are
// charged, so the limit holds within a window.
func TestConcurrentProcessesLeaseWithinTheLimit(t *testing.T) {
	const limit = 5000
	s, log := newTestStore(), new(records)
	var group sync.WaitGroup
	var admitted [3]atomic.Int64
	for range 4 {
		l := newLimiter(t, ratelimit.Options{Store: s, Timeout: time.Minute, Logger: slog.New(slog.NewJSONHandler(log, nil)), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
			{Requests: limit, Window: time.Hour, Lease: true}, {Requests: 1 << 20, Window: time.Hour, Lease: true},
		}}}})
		for i := range 4 {
			group.Go(func() {
				for j := range 6000 {
					k := (i + j) % len(admitted)
					d, err := withoutDenial(l.Take(context.Background(), "a", strconv.Itoa(k), 1))
					switch {
					case err != nil || d.Degraded:
						t.Error(d, err)
						return
					case d.Allowed && j%10 == 0:
						d.Refund(context.Background())
					case d.Allowed:
						admitted[k].Add(1)
					}
				}
			})
		}
	}
	group.Wait()
	require.Empty(t, log.with("refund failed"))
	for k := range admitted {
		n := admitted[k].Load()
		t.Logf("key %d: %d of %d admitted, %d calls for all", k, n, limit, s.calls.Load())
		require.LessOrEqual(t, n, int64(limit))
		require.GreaterOrEqual(t, n, int64(limit*9/10))
	}
}

func TestLeasedChargeAllocatesNothing(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1 << 26, Window: time.Hour, Lease: true}}}}})
	ctx := context.Background()
	for range 20_000 {
		_, _ = l.Take(ctx, "a", "k", 1)
	}
	require.Less(t, testing.AllocsPerRun(10_000, func() { _, _ = l.Take(ctx, "a", "k", 1) }), 1.0)
}

// A charge whose lease was evicted, while the table is full, is made in the store. It is
// not a failure of the store.
func TestChargeWithoutALeaseGoesToTheStore(t *testing.T) {
	s := newTestStore()
	l := newLimiter(t, ratelimit.Options{Store: s, Timeout: time.Minute, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, Lease: true}}}}})
	decided := make(chan ratelimit.Decision, 1)
	l.EvictLease("a", "k", func() {
		go func() {
			d, _ := l.Take(context.Background(), "a", "k", 1)
			decided <- d
		}()
		require.Eventually(t, func() bool {
			stacks := make([]byte, 1<<20)
			for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
				if strings.Contains(stack, "[sync.Mutex.Lock") && strings.Contains(stack, ratelimit.SpendCharge+"(") {
					return true
				}
			}
			return false
		}, 20*time.Second, time.Millisecond)
	})
	d := <-decided
	require.True(t, d.Allowed)
	require.False(t, d.Degraded, "a full table must not be a failure of the store")
	require.Equal(t, 999, d.Remaining)
	require.EqualValues(t, 1, s.takes.Load())
}
