package ratelimit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

func TestBreakerKeepsRequestsFromAFailingStore(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events)
	}{
		{name: "three failures open it", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			s.set(func() { s.fail = errDown })
			for range 100 {
				require.True(t, mustTake(t, l, "a", "k", 1).Degraded)
			}
			require.EqualValues(t, 3, s.calls.Load())
			require.Equal(t, 1, recorded.count(ratelimit.Degraded), "a change of health must be one event")
		}},
		{name: "two failures do not open it", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			for range 10 {
				s.set(func() { s.fail = errDown })
				mustTake(t, l, "a", "k", 1)
				mustTake(t, l, "a", "k", 1)
				s.set(func() { s.fail = nil })
				require.False(t, mustTake(t, l, "a", "k", 1).Degraded)
			}
			require.Zero(t, recorded.count(ratelimit.Degraded))
		}},
		{name: "one request at a time probes, at last every 5 seconds", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			s.set(func() { s.fail = errDown })
			start := time.Now()
			var probes []time.Duration
			for last := int64(0); time.Since(start) < time.Minute; time.Sleep(time.Millisecond) {
				mustTake(t, l, "a", "k", 0)
				if n := s.calls.Load(); n != last && n > 3 {
					probes = append(probes, time.Since(start))
					require.Equal(t, int64(1), n-last)
				}
				last = s.calls.Load()
			}
			t.Log("probes:", probes)
			require.InDelta(t, 220*time.Millisecond, probes[0], float64(35*time.Millisecond))
			for i := range probes[1:] {
				gap := probes[i+1] - probes[i]
				least := min(5*time.Second, 250*time.Millisecond<<(i+1)) * 3 / 4
				require.GreaterOrEqual(t, gap, least)
				require.LessOrEqual(t, gap, 5*time.Second+time.Millisecond)
			}
		}},
		{name: "only the probe waits for the store", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			s.set(func() { s.fail = errDown })
			for range 3 {
				mustTake(t, l, "a", "k", 0)
			}
			s.set(func() { s.slow = 90 * time.Millisecond })
			time.Sleep(250 * time.Millisecond)
			var group sync.WaitGroup
			var waited atomic.Int64
			for range 100 {
				group.Go(func() {
					start := time.Now()
					_, err := withoutDenial(l.Take(context.Background(), "a", "k", 0))
					require.NoError(t, err)
					if time.Since(start) > 0 {
						waited.Add(1)
					}
				})
			}
			group.Wait()
			require.EqualValues(t, 1, waited.Load())
			require.EqualValues(t, 4, s.calls.Load())
		}},
		{name: "a successful probe closes it with one event", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			s.set(func() { s.fail = errDown })
			for range 10 {
				mustTake(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = nil })
			time.Sleep(250 * time.Millisecond)
			for range 10 {
				require.False(t, mustTake(t, l, "a", "k", 1).Degraded)
			}
			require.Equal(t, 1, recorded.count(ratelimit.Restored))
			require.Equal(t, 1, recorded.count(ratelimit.Degraded))
		}},
		{name: "clients that disconnect do not open it", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			s.set(func() { s.slow = 20 * time.Millisecond })
			var group sync.WaitGroup
			for i := range 1000 {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%30)*time.Millisecond)
					defer cancel()
					d, err := withoutDenial(l.Take(ctx, "a", "k", 1))
					require.NoError(t, err)
					require.False(t, d.Degraded)
				})
			}
			group.Wait()
			require.Zero(t, recorded.count(ratelimit.Degraded))
		}},
		{name: "calls that failed together are one failure", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			for range 2 {
				first, second := new(ratelimit.RoundTrip), new(ratelimit.RoundTrip)
				for range 50 { // in turn, as the callers of two round trips return
					for _, trip := range []*ratelimit.RoundTrip{first, second} {
						s.set(func() { s.fail = &ratelimit.SharedError{Err: errDown, RoundTrip: trip} })
						require.True(t, mustTake(t, l, "a", "k", 1).Degraded)
					}
				}
				s.set(func() { s.fail = nil })
				require.False(t, mustTake(t, l, "a", "k", 1).Degraded)
			}
			require.Zero(t, recorded.count(ratelimit.Degraded))
			for range 3 {
				s.set(func() { s.fail = &ratelimit.SharedError{Err: errDown, RoundTrip: new(ratelimit.RoundTrip)} })
				mustTake(t, l, "a", "k", 1)
			}
			require.Equal(t, 1, recorded.count(ratelimit.Degraded))
			require.ErrorIs(t, recorded.all[len(recorded.all)-1].Err, errDown)
		}},
		{name: "a panic of the store is a failure", play: func(t *testing.T, _ *testStore, _ *ratelimit.Limiter, recorded *events) {
			l := newLimiter(t, ratelimit.Options{Store: panicking{}, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}, OnEvent: recorded.record})
			for range 10 {
				require.True(t, mustTake(t, l, "a", "k", 0).Degraded)
			}
			require.Equal(t, 1, recorded.count(ratelimit.Degraded))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, recorded := newTestStore(), new(events)
				row.play(t, s, newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 1_000_000)}, OnEvent: recorded.record}), recorded)
			})
		})
	}
}

// A panicking store panics in each method, because the embedded Store is nil.
type panicking struct{ ratelimit.Store }
