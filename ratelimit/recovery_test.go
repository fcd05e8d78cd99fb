package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// afterOutage returns a Limiter whose store has failed and recovered. During the failure,
// this process admitted spent requests of the key "ada" in tier "a".
func afterOutage(t *testing.T, limit ratelimit.Limit, spent int) (*ratelimit.Limiter, *testStore, *events) {
	t.Helper()
	s, recorded := newTestStore(), new(events)
	l := newLimiter(t, ratelimit.Options{Store: s, OnEvent: recorded.record, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{limit}}}})
	s.set(func() { s.fail = errDown })
	for range spent {
		require.True(t, mustTake(t, l, "a", "ada", 1).Degraded)
	}
	for range 3 {
		mustTake(t, l, "a", "other", 1)
	}
	s.set(func() { s.fail = nil })
	time.Sleep(time.Second)
	require.False(t, mustTake(t, l, "a", "probe", 1).Degraded)
	require.Equal(t, ratelimit.Restored, recorded.all[len(recorded.all)-2].Reason)
	return l, s, recorded
}

func TestLocalCountDeniesAfterAnOutage_FR7(t *testing.T) {
	twice := ratelimit.Limit{Requests: 2, Window: time.Minute}
	for _, row := range []struct {
		name string
		play func(t *testing.T)
	}{
		{name: "requests that were admitted in the outage count FR7", play: func(t *testing.T) {
			l, s, recorded := afterOutage(t, twice, 2)
			calls := s.calls.Load()
			d := mustTake(t, l, "a", "ada", 1)
			require.False(t, d.Allowed)
			require.False(t, d.Degraded)
			require.Equal(t, 59*time.Second, d.RetryAfter)
			require.Equal(t, calls, s.calls.Load())
			require.Equal(t, ratelimit.Cached, recorded.all[len(recorded.all)-1].Reason)
		}},
		{name: "Remaining is the smaller of both counts FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 5, Window: time.Minute}, 3)
			require.Equal(t, 1, mustTake(t, l, "a", "ada", 1).Remaining)
		}},
		{name: "a request that has left the window does not count FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, twice, 2)
			time.Sleep(59 * time.Second)
			require.True(t, mustTake(t, l, "a", "ada", 1).Allowed)
		}},
		{name: "the store decides alone after a window FR7", play: func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			key := []ratelimit.Key{{Policy: "a", Text: "ada"}}
			spend := func() bool {
				mustTake(t, l, "a", "ada", 1)
				mustTake(t, l, "a", "ada", 1)
				require.NoError(t, s.Reset(t.Context(), key))
				time.Sleep(2 * time.Second) // the cached denials of this process become stale
				return mustTake(t, l, "a", "ada", 1).Allowed
			}
			require.False(t, spend(), "a Reset by another process must have no effect within the window")
			time.Sleep(70 * time.Second)
			require.True(t, spend())
		}},
		{name: "a Reset by this process takes effect immediately FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, twice, 2)
			require.NoError(t, l.Reset(t.Context(), "a", "ada"))
			require.True(t, mustTake(t, l, "a", "ada", 1).Allowed)
		}},
		{name: "a refund changes both counts FR7", play: func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			for range 10 {
				d := mustTake(t, l, "a", "ada", 1)
				require.True(t, d.Allowed)
				d.Refund(t.Context())
			}
			mustTake(t, l, "a", "ada", 1)
			mustTake(t, l, "a", "ada", 1)
			s.set(func() { s.fail = errDown })
			require.False(t, mustTake(t, l, "a", "ada", 1).Allowed, "the local count must include the charges when the store fails again")
		}},
		{name: "a charge that the store denies is not in the local count FR7", play: func(t *testing.T) {
			l, s, _ := afterOutage(t, twice, 0)
			charge := []ratelimit.Charge{{Key: ratelimit.Key{Policy: "a", Text: "ada"}, Requests: 2, Window: time.Minute, Cost: 2}}
			require.NoError(t, s.Memory.Take(t.Context(), charge, make([]ratelimit.Verdict, 1))) // by another process
			for range 3 {
				require.False(t, mustTake(t, l, "a", "ada", 1).Allowed)
			}
			require.NoError(t, s.Memory.Reset(t.Context(), []ratelimit.Key{{Policy: "a", Text: "ada"}}))
			time.Sleep(2 * time.Second)
			require.True(t, mustTake(t, l, "a", "ada", 1).Allowed)
		}},
		{name: "a denial by the local count starts a penalty FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 2, Window: time.Minute, Penalty: time.Hour}, 2)
			require.Equal(t, time.Hour, mustTake(t, l, "a", "ada", 1).RetryAfter)
			time.Sleep(10 * time.Second)
			require.Equal(t, time.Hour-10*time.Second, mustTake(t, l, "a", "ada", 1).RetryAfter, "a denial must not prolong the penalty")
		}},
		{name: "a shadow limit does not deny FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 2, Window: time.Minute, InsecureShadow: true}, 2)
			require.True(t, mustTake(t, l, "a", "ada", 1).Allowed)
		}},
		{name: "denied requests notice the recovery, and are not charged FR7", play: func(t *testing.T) {
			s, recorded := newTestStore(), new(events)
			l := newLimiter(t, ratelimit.Options{Store: s, OnEvent: recorded.record, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{twice}}}})
			s.set(func() { s.fail = errDown })
			for range 5 {
				mustTake(t, l, "a", "ada", 1)
			}
			s.set(func() { s.fail = nil })
			time.Sleep(time.Second)
			require.False(t, mustTake(t, l, "a", "ada", 1).Allowed)
			require.Equal(t, ratelimit.Restored, recorded.all[len(recorded.all)-2].Reason)
			v := make([]ratelimit.Verdict, 1)
			require.NoError(t, s.Peek(t.Context(), []ratelimit.Charge{{Key: ratelimit.Key{Policy: "a", Text: "ada"}, Requests: 2, Window: time.Minute, Cost: 1}}, v))
			require.Equal(t, 2, v[0].Remaining)
		}},
		{name: "the local count limits a lease FR7", play: func(t *testing.T) {
			l, _, _ := afterOutage(t, ratelimit.Limit{Requests: 1000, Window: time.Minute, Lease: true}, 990)
			n := 0
			for range 100 {
				if mustTake(t, l, "a", "ada", 1).Allowed {
					n++
				}
			}
			require.Equal(t, 10, n)
		}},
	} {
		t.Run(row.name, func(t *testing.T) { synctest.Test(t, row.play) })
	}
}
