package ratelimit_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func TestCachedDenialsSaveCalls(t *testing.T) {
	hour := func(n int) []ratelimit.Tier {
		return []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: n, Window: time.Hour}}}}
	}
	for _, row := range []struct {
		name string
		play func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events)
	}{
		{name: "a flood costs a call per second", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, recorded *events) {
			mustTake(t, l, "a", "k", 2)
			before := s.calls.Load()
			for range 10_000 {
				require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
				time.Sleep(time.Millisecond)
			}
			require.LessOrEqual(t, s.calls.Load()-before, int64(11))
			require.GreaterOrEqual(t, recorded.count(ratelimit.Cached), 9_989)
		}},
		{name: "one of many concurrent requests confirms a denial", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 2)
			mustTake(t, l, "a", "k", 1)
			s.set(func() { s.slow = 50 * time.Millisecond })
			time.Sleep(1100 * time.Millisecond)
			before := s.calls.Load()
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() {
					d, err := withoutDenial(l.Take(context.Background(), "a", "k", 1))
					require.NoError(t, err)
					require.False(t, d.Allowed)
				})
			}
			group.Wait()
			require.EqualValues(t, 1, s.calls.Load()-before)
		}},
		{name: "the wait is exact to the nanosecond", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 2)
			time.Sleep(30 * time.Minute)
			require.Equal(t, 30*time.Minute, mustTake(t, l, "a", "k", 1).RetryAfter)
			time.Sleep(500 * time.Millisecond)
			require.Equal(t, 30*time.Minute-500*time.Millisecond, mustTake(t, l, "a", "k", 1).RetryAfter)
			require.EqualValues(t, 2, s.calls.Load())
			time.Sleep(30*time.Minute - 500*time.Millisecond)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a denial applies to one cost", play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 1)
			require.False(t, mustTake(t, l, "a", "k", 2).Allowed)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a denial applies to one key", play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 2)
			require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
			require.True(t, mustTake(t, l, "a", "l", 1).Allowed)
		}},
		{name: "a refund ends it", play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			d := mustTake(t, l, "a", "k", 2)
			require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
			d.Refund(t.Context())
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a reset ends it", play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 2)
			require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
			require.NoError(t, l.Reset(t.Context(), "a", "k"))
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "a reset by another process ends it within a second", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			mustTake(t, l, "a", "k", 2)
			require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
			other := newLimiter(t, ratelimit.Options{Store: s, Tiers: hour(2)})
			require.NoError(t, other.Reset(t.Context(), "a", "k"))
			time.Sleep(time.Second)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed, "the denial must be deleted")
		}},
		{name: "a cost above Requests costs no call", play: func(t *testing.T, s *testStore, l *ratelimit.Limiter, _ *events) {
			for range 10 {
				_, err := l.Take(t.Context(), "a", "k", 3)
				require.ErrorIs(t, err, ratelimit.ErrTooExpensive)
			}
			require.Zero(t, s.calls.Load())
		}},
		{name: "a flood of keys does not grow the cache", play: func(t *testing.T, _ *testStore, l *ratelimit.Limiter, _ *events) {
			for i := range 10_000 {
				mustTake(t, l, "a", strconv.Itoa(i), 2)
				mustTake(t, l, "a", strconv.Itoa(i), 1)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, recorded := newTestStore(), new(events)
				row.play(t, s, newLimiter(t, ratelimit.Options{Store: s, Tiers: hour(2), OnEvent: recorded.record}), recorded)
			})
		})
	}
	t.Run("a cached denial does not allocate", func(t *testing.T) {
		l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: hour(2)})
		ctx := t.Context()
		mustTake(t, l, "a", "k", 2)
		mustTake(t, l, "a", "k", 1)
		require.Less(t, testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, "a", "k", 1) }), 0.5) // only the call once a second allocates
	})
}

// A request waits at most Timeout, even if the store ignores its context, as go-redis does
// by default. The number of abandoned calls is bounded.
func TestHangingStoreDelaysRequestsByTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, recorded := newTestStore(), new(events)
		tiers := []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, FailuresOnly: true}, {Requests: 5000, Window: time.Hour, Lease: true}}}}
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: tiers, Timeout: 50 * time.Millisecond, OnEvent: recorded.record})
		release := make(chan struct{})
		s.set(func() { s.deaf = release })
		longest := time.Duration(0)
		for range 1000 {
			start := time.Now()
			require.True(t, mustTake(t, l, "a", "k", 1).Degraded)
			longest = max(longest, time.Since(start))
			time.Sleep(time.Second)
		}
		require.Equal(t, 50*time.Millisecond, longest)
		require.EqualValues(t, 128, s.calls.Load(), "at most 128 calls must be abandoned")
		before := s.calls.Load()
		time.Sleep(time.Hour)
		for range 1000 {
			mustTake(t, l, "a", "k", 1)
		}
		require.Equal(t, before, s.calls.Load())
		t.Logf("%d calls hang; the longest wait was %v", s.calls.Load(), longest)
		s.set(func() { s.deaf = nil })
		close(release)
		time.Sleep(time.Minute)
		require.False(t, mustTake(t, l, "a", "k", 1).Degraded, "the store must be called again after its calls have returned")
		require.Equal(t, 1, recorded.count(ratelimit.Restored))
	})
}

func TestRefundSharesTheTimeoutOfTheDecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore()
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 5, Window: time.Hour, FailuresOnly: true}}}}})
		s.set(func() { s.slow = 70 * time.Millisecond })
		start := time.Now()
		w := call(l, "GET", "/", peer, 200)
		require.Equal(t, 200, w.Code)
		took := time.Since(start)
		require.LessOrEqual(t, took, 100*time.Millisecond, "70 ms for the decision, 30 ms for the refund")
		require.GreaterOrEqual(t, took, 98*time.Millisecond, "a store that ends with its context has a twentieth less")
	})
}

// The duration of Key does not count for Timeout.
func TestSlowKeyDoesNotUseTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(*http.Request) string {
			time.Sleep(time.Second)
			return "k"
		}
		l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Hour, FailuresOnly: true, Key: slow}}}}})
		for range 5 {
			require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
		}
	})
}

func TestMisconfiguredStoreDenies(t *testing.T) {
	for name, failure := range map[string]ratelimit.Failure{"Local": ratelimit.Local, "Deny": ratelimit.Deny, "InsecureAllow": ratelimit.InsecureAllow} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, recorded := newTestStore(), new(events)
				l := newLimiter(t, ratelimit.Options{Store: s, OnStoreFailure: failure, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}, OnEvent: recorded.record})
				s.set(func() { s.fail = ratelimit.ErrMisconfigured.Wrap(errors.New("WRONGPASS for user lim")) })
				for range 10 {
					w := call(l, "GET", "/", peer, 200)
					require.Equal(t, 503, w.Code)
					require.Contains(t, w.Body.String(), `"code":"limits_misconfigured"`)
					require.NotContains(t, w.Body.String(), "WRONGPASS")
					require.Equal(t, "1", w.Header().Get("Retry-After"))
				}
				require.EqualValues(t, 1, s.calls.Load(), "one configuration failure must open the breaker")
				require.Equal(t, 1, recorded.count(ratelimit.Degraded))
				require.ErrorIs(t, recorded.all[0].Err, ratelimit.ErrMisconfigured)

				s.set(func() { s.fail = errDown })
				time.Sleep(time.Second)
				call(l, "GET", "/", peer, 200)
				require.Equal(t, 2, recorded.count(ratelimit.Degraded), "a change of the kind of failure must be an event")
				s.set(func() { s.fail = nil })
				time.Sleep(5 * time.Second)
				require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code, "the store must be used after the configuration is corrected")
			})
		})
	}
}

func TestPenaltyRunsOnWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore()
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Second, Penalty: time.Minute}}}}})
		mustTake(t, l, "a", "k", 1)
		require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
		s.set(func() { s.fail = errDown })
		time.Sleep(30 * time.Second)
		d := mustTake(t, l, "a", "k", 1)
		require.True(t, d.Degraded)
		require.False(t, d.Allowed)
		require.Equal(t, 30*time.Second, d.RetryAfter)
		time.Sleep(31 * time.Second)
		require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
	})
}

func TestStoreFailureHidesTheDriverFromClients(t *testing.T) {
	s := newTestStore()
	s.fail = errDown
	l := newLimiter(t, ratelimit.Options{Store: s, OnStoreFailure: ratelimit.Deny, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
	server := httptest.NewServer(l.Handler(http.NotFoundHandler()))
	defer server.Close()
	res, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 503, res.StatusCode)
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	require.Empty(t, res.Header.Get("RateLimit"))
	require.NotContains(t, string(body), "10.0.0.1")
}

// A faulty store returns one verdict, which may be impossible.
type faulty struct {
	ratelimit.Store
	verdict ratelimit.Verdict
}

func (f faulty) Take(_ context.Context, _ []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	for i := range verdicts {
		verdicts[i] = f.verdict
	}
	return nil
}

func TestFaultyVerdictsAreBounded(t *testing.T) {
	for _, row := range []struct {
		name    string
		verdict ratelimit.Verdict
		status  int
		fields  string
		retry   string
	}{
		{name: "negative numbers", verdict: ratelimit.Verdict{Remaining: -5, Reset: -time.Hour}, status: 200, fields: `"all";r=0`, retry: ""},
		{name: "more remaining requests than the limit", verdict: ratelimit.Verdict{Remaining: math.MaxInt, Reset: math.MaxInt64}, status: 200, fields: `"all";r=10;t=5356800`, retry: ""},
		{name: "a denial without an end", verdict: ratelimit.Verdict{Wait: math.MaxInt64}, status: 429, fields: `"all";r=0;t=5356800`, retry: "5356800"},
		{name: "a negative wait", verdict: ratelimit.Verdict{Wait: math.MinInt64}, status: 413, fields: `"all";r=0`, retry: ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := errors.Must(ratelimit.New(ratelimit.Options{
				Store: faulty{verdict: row.verdict}, Tiers: []ratelimit.Tier{{Name: "all", Limits: []ratelimit.Limit{{Requests: 10, Window: time.Minute}}}},
			}))
			w := httptest.NewRecorder()
			l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, row.status, w.Code)
			require.Equal(t, row.fields, w.Header().Get("RateLimit"))
			require.Equal(t, row.retry, w.Header().Get("Retry-After"))
		})
	}
}
