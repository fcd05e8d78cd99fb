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

func TestBreaker(t *testing.T) {
	for _, row := range []struct {
		name string
		play func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events)
	}{
		{"three failures open it", func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events) {
			s.set(func() { s.fail = errDown })
			for range 100 {
				require.True(t, takes(t, l, "a", "k", 1).Degraded)
			}
			require.EqualValues(t, 3, s.calls.Load())
			require.Equal(t, 1, heard.count(ratelimit.Degraded), "one event, not one for each request")
		}},
		{"two do not", func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events) {
			for range 10 {
				s.set(func() { s.fail = errDown })
				takes(t, l, "a", "k", 1)
				takes(t, l, "a", "k", 1)
				s.set(func() { s.fail = nil })
				require.False(t, takes(t, l, "a", "k", 1).Degraded)
			}
			require.Zero(t, heard.count(ratelimit.Degraded))
		}},
		{"it probes with one request, ever more rarely, every 5 seconds at last", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			s.set(func() { s.fail = errDown })
			start := time.Now()
			var probes []time.Duration
			for last := int64(0); time.Since(start) < time.Minute; time.Sleep(time.Millisecond) {
				takes(t, l, "a", "k", 0)
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
		{"one request probes, the others do not wait", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			s.set(func() { s.fail = errDown })
			for range 3 {
				takes(t, l, "a", "k", 0)
			}
			s.set(func() { s.slow = 90 * time.Millisecond })
			time.Sleep(250 * time.Millisecond)
			var group sync.WaitGroup
			var waited atomic.Int64
			for range 100 {
				group.Go(func() {
					start := time.Now()
					_, err := decided(l.Take(context.Background(), "a", "k", 0))
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
		{"a success closes it, with one event", func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events) {
			s.set(func() { s.fail = errDown })
			for range 10 {
				takes(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = nil })
			time.Sleep(250 * time.Millisecond)
			for range 10 {
				require.False(t, takes(t, l, "a", "k", 1).Degraded)
			}
			require.Equal(t, 1, heard.count(ratelimit.Restored))
			require.Equal(t, 1, heard.count(ratelimit.Degraded))
		}},
		{"clients that hang up never open it", func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events) {
			s.set(func() { s.slow = 20 * time.Millisecond })
			var group sync.WaitGroup
			for i := range 1000 {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%30)*time.Millisecond)
					defer cancel()
					d, err := decided(l.Take(ctx, "a", "k", 1))
					require.NoError(t, err)
					require.False(t, d.Degraded)
				})
			}
			group.Wait()
			require.Zero(t, heard.count(ratelimit.Degraded))
		}},
		{"a store that panics is a store that fails", func(t *testing.T, _ *counted, _ *ratelimit.Limiter, heard *events) {
			l := limiter(t, ratelimit.Options{Store: panicking{}, Tiers: []ratelimit.Tier{one("a", 5)}, OnEvent: heard.hear})
			for range 10 {
				require.True(t, takes(t, l, "a", "k", 0).Degraded)
			}
			require.Equal(t, 1, heard.count(ratelimit.Degraded))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, heard := newCounted(), new(events)
				row.play(t, s, limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{one("a", 1_000_000)}, OnEvent: heard.hear}), heard)
			})
		})
	}
}

// panicking is a store with a mistake.
type panicking struct{ ratelimit.Store }
