package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// afterOutage returns a Limiter whose store failed for a moment and works again.
// Meanwhile the key "ada" of tier "a" was admitted by this process as often as
// spent says.
func afterOutage(t *testing.T, limit ratelimit.Limit, spent int) (*ratelimit.Limiter, *counted, *events) {
	t.Helper()
	s, heard := newCounted(), new(events)
	l := limiter(t, ratelimit.Options{Store: s, OnEvent: heard.hear, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{limit}}}})
	s.set(func() { s.fail = errDown })
	for range spent {
		require.True(t, takes(t, l, "a", "ada", 1).Degraded)
	}
	for range 3 {
		takes(t, l, "a", "other", 1)
	}
	s.set(func() { s.fail = nil })
	time.Sleep(time.Second)
	require.False(t, takes(t, l, "a", "probe", 1).Degraded)
	require.Equal(t, ratelimit.Restored, heard.all[len(heard.all)-2].Reason)
	return l, s, heard
}

func TestTheOwnCountDeniesAfterAnOutage_FR7(t *testing.T) {
	twice := ratelimit.Limit{Requests: 2, Window: time.Minute}
	for _, row := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"FR7 what this process admitted in the outage counts, and the store is not called", func(t *testing.T) {
			l, s, heard := afterOutage(t, twice, 2)
			calls := s.calls.Load()
			d := takes(t, l, "a", "ada", 1)
			require.False(t, d.Allowed)
			require.False(t, d.Degraded)
			require.Equal(t, 59*time.Second, d.RetryAfter)
			require.Equal(t, calls, s.calls.Load())
			require.Equal(t, ratelimit.Cached, heard.all[len(heard.all)-1].Reason)
		}},
		{"FR7 what remains is the smaller of both counts", func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 5, Window: time.Minute}, 3)
			require.Equal(t, 1, takes(t, l, "a", "ada", 1).Remaining)
		}},
		{"FR7 what leaves the window is free again", func(t *testing.T) {
			l, _, _ := afterOutage(t, twice, 2)
			time.Sleep(59 * time.Second)
			require.True(t, takes(t, l, "a", "ada", 1).Allowed)
		}},
		{"FR7 a window later the store decides alone: a Reset by another process counts", func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			key := []ratelimit.Key{{Policy: "a", Text: "ada"}}
			spend := func() bool {
				takes(t, l, "a", "ada", 1)
				takes(t, l, "a", "ada", 1)
				require.NoError(t, s.Reset(t.Context(), key))
				time.Sleep(2 * time.Second) // what this process remembers of denials
				return takes(t, l, "a", "ada", 1).Allowed
			}
			require.False(t, spend(), "within the window this process does not see it")
			time.Sleep(70 * time.Second)
			require.True(t, spend())
		}},
		{"FR7 a Reset by this process counts at once", func(t *testing.T) {
			l, _, _ := afterOutage(t, twice, 2)
			require.NoError(t, l.Reset(t.Context(), "a", "ada"))
			require.True(t, takes(t, l, "a", "ada", 1).Allowed)
		}},
		{"FR7 a refund is one in both counts", func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			for range 10 {
				d := takes(t, l, "a", "ada", 1)
				require.True(t, d.Allowed)
				d.Refund(t.Context())
			}
			takes(t, l, "a", "ada", 1)
			takes(t, l, "a", "ada", 1)
			s.set(func() { s.fail = errDown })
			require.False(t, takes(t, l, "a", "ada", 1).Allowed, "also when the store fails again")
		}},
		{"FR7 what the store denies is not in the own count", func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			charge := []ratelimit.Charge{{Key: ratelimit.Key{Policy: "a", Text: "ada"}, Requests: 2, Window: time.Minute, Cost: 2}}
			require.NoError(t, s.Memory.Take(t.Context(), charge, make([]ratelimit.Verdict, 1))) // by another process
			for range 3 {
				require.False(t, takes(t, l, "a", "ada", 1).Allowed)
			}
			require.NoError(t, s.Memory.Reset(t.Context(), []ratelimit.Key{{Policy: "a", Text: "ada"}}))
			time.Sleep(2 * time.Second)
			require.True(t, takes(t, l, "a", "ada", 1).Allowed)
		}},
		{"FR7 a denial begins its penalty", func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 2, Window: time.Minute, Penalty: time.Hour}, 2)
			require.Equal(t, time.Hour, takes(t, l, "a", "ada", 1).RetryAfter)
			time.Sleep(10 * time.Second)
			require.Equal(t, time.Hour-10*time.Second, takes(t, l, "a", "ada", 1).RetryAfter, "and denials do not prolong it")
		}},
		{"FR7 a shadow limit does not deny", func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 2, Window: time.Minute, InsecureShadow: true}, 2)
			require.True(t, takes(t, l, "a", "ada", 1).Allowed)
		}},
		{"FR7 denied requests alone find out that the store works, and are charged nowhere", func(t *testing.T) {
			s, heard := newCounted(), new(events)
			l := limiter(t, ratelimit.Options{Store: s, OnEvent: heard.hear, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{twice}}}})
			s.set(func() { s.fail = errDown })
			for range 5 {
				takes(t, l, "a", "ada", 1)
			}
			s.set(func() { s.fail = nil })
			time.Sleep(time.Second)
			require.False(t, takes(t, l, "a", "ada", 1).Allowed)
			require.Equal(t, ratelimit.Restored, heard.all[len(heard.all)-2].Reason)
			v := make([]ratelimit.Verdict, 1)
			require.NoError(t, s.Peek(t.Context(), []ratelimit.Charge{{Key: ratelimit.Key{Policy: "a", Text: "ada"}, Requests: 2, Window: time.Minute, Cost: 1}}, v))
			require.Equal(t, 2, v[0].Remaining)
		}},
		{"FR7 a lease is spent within the own count", func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 1000, Window: time.Minute, Lease: true}, 990)
			n := 0
			for range 100 {
				if takes(t, l, "a", "ada", 1).Allowed {
					n++
				}
			}
			require.Equal(t, 10, n)
		}},
	} {
		t.Run(row.name, func(t *testing.T) { synctest.Test(t, row.play) })
	}
}
