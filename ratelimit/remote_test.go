package ratelimit_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// counted is a store outside of the limiter, as a server would be: it counts
// the calls, takes its time, and fails when told to.
type counted struct {
	*ratelimit.Memory
	calls, takes atomic.Int64
	mu           sync.Mutex
	fail         error
	slow         time.Duration
	deaf         chan struct{} // calls ignore their context until it is closed
}

func newCounted() *counted { return &counted{Memory: ratelimit.NewMemory(ratelimit.MemoryOptions{})} }

func (s *counted) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *counted) call(ctx context.Context) error {
	s.calls.Add(1)
	s.mu.Lock()
	fail, slow, deaf := s.fail, s.slow, s.deaf
	s.mu.Unlock()
	if deaf != nil {
		<-deaf
	}
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fail
}

func (s *counted) Take(ctx context.Context, c []ratelimit.Charge, v []ratelimit.Verdict) error {
	s.takes.Add(1)
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Take(ctx, c, v)
}

func (s *counted) Refund(ctx context.Context, c []ratelimit.Charge) error {
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Refund(ctx, c)
}

func (s *counted) Reset(ctx context.Context, k []ratelimit.Key) error {
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Reset(ctx, k)
}

// events keeps the calls of OnEvent.
type events struct {
	mu  sync.Mutex
	all []ratelimit.Event
}

func (e *events) hear(_ context.Context, event ratelimit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) count(reason ratelimit.Reason) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, event := range e.all {
		if event.Reason == reason {
			n++
		}
	}
	return n
}

func takes(t testing.TB, l *ratelimit.Limiter, tier, key string, cost int) ratelimit.Decision {
	t.Helper()
	d, err := decided(l.Take(t.Context(), tier, key, cost))
	require.NoError(t, err)
	return d
}

// decided drops the error of a denial, for tests of decisions.
func decided(d ratelimit.Decision, err error) (ratelimit.Decision, error) {
	if errors.Is(err, ratelimit.ErrLimited) || errors.Is(err, ratelimit.ErrTooExpensive) {
		if d.Allowed {
			panic("a decision that allows has the error of a denial")
		}
		return d, nil
	}
	if err == nil && !d.Allowed {
		panic("a denial must be an error")
	}
	return d, err
}

var errDown = errors.New("dial tcp 10.0.0.1:6379: connection refused")

func TestDenyCache(t *testing.T) {
	hour := func(n int) []ratelimit.Tier {
		return []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: n, Window: time.Hour}}}}
	}
	for _, row := range []struct {
		name string
		play func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events)
	}{
		{"a flood costs a call per second", func(t *testing.T, s *counted, l *ratelimit.Limiter, heard *events) {
			takes(t, l, "a", "k", 2)
			before := s.calls.Load()
			for range 10_000 {
				require.False(t, takes(t, l, "a", "k", 1).Allowed)
				time.Sleep(time.Millisecond)
			}
			require.LessOrEqual(t, s.calls.Load()-before, int64(11))
			require.GreaterOrEqual(t, heard.count(ratelimit.Cached), 9_989)
		}},
		{"also where all come at once and the store is slow", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 2)
			takes(t, l, "a", "k", 1)
			s.set(func() { s.slow = 50 * time.Millisecond })
			time.Sleep(1100 * time.Millisecond)
			before := s.calls.Load()
			var group sync.WaitGroup
			for range 100 {
				group.Go(func() {
					d, err := decided(l.Take(context.Background(), "a", "k", 1))
					require.NoError(t, err)
					require.False(t, d.Allowed)
				})
			}
			group.Wait()
			require.EqualValues(t, 1, s.calls.Load()-before)
		}},
		{"its wait is true to the nanosecond", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 2)
			time.Sleep(30 * time.Minute)
			require.Equal(t, 30*time.Minute, takes(t, l, "a", "k", 1).RetryAfter)
			time.Sleep(500 * time.Millisecond)
			require.Equal(t, 30*time.Minute-500*time.Millisecond, takes(t, l, "a", "k", 1).RetryAfter)
			require.EqualValues(t, 2, s.calls.Load())
			time.Sleep(30*time.Minute - 500*time.Millisecond)
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
		}},
		{"of one cost, not of another", func(t *testing.T, _ *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 1)
			require.False(t, takes(t, l, "a", "k", 2).Allowed)
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
		}},
		{"of one key", func(t *testing.T, _ *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 2)
			require.False(t, takes(t, l, "a", "k", 1).Allowed)
			require.True(t, takes(t, l, "a", "l", 1).Allowed)
		}},
		{"a refund ends it", func(t *testing.T, _ *counted, l *ratelimit.Limiter, _ *events) {
			d := takes(t, l, "a", "k", 2)
			require.False(t, takes(t, l, "a", "k", 1).Allowed)
			d.Refund(t.Context())
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
		}},
		{"a reset ends it", func(t *testing.T, _ *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 2)
			require.False(t, takes(t, l, "a", "k", 1).Allowed)
			require.NoError(t, l.Reset(t.Context(), "a", "k"))
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
		}},
		{"a reset by another process ends it within a second", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			takes(t, l, "a", "k", 2)
			require.False(t, takes(t, l, "a", "k", 1).Allowed)
			other := limiter(t, ratelimit.Options{Store: s, Tiers: hour(2)})
			require.NoError(t, other.Reset(t.Context(), "a", "k"))
			time.Sleep(time.Second)
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
			require.True(t, takes(t, l, "a", "k", 1).Allowed, "and the memory of it is gone")
		}},
		{"what is never allowed costs no call", func(t *testing.T, s *counted, l *ratelimit.Limiter, _ *events) {
			for range 10 {
				_, err := l.Take(t.Context(), "a", "k", 3)
				require.ErrorIs(t, err, ratelimit.ErrTooExpensive)
			}
			require.Zero(t, s.calls.Load())
		}},
		{"a flood of keys takes no more memory", func(t *testing.T, _ *counted, l *ratelimit.Limiter, _ *events) {
			for i := range 10_000 {
				takes(t, l, "a", strconv.Itoa(i), 2)
				takes(t, l, "a", strconv.Itoa(i), 1)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, heard := newCounted(), new(events)
				row.play(t, s, limiter(t, ratelimit.Options{Store: s, Tiers: hour(2), OnEvent: heard.hear}), heard)
			})
		})
	}
	t.Run("it allocates nothing", func(t *testing.T) {
		l := limiter(t, ratelimit.Options{Store: newCounted(), Tiers: hour(2)})
		ctx := t.Context()
		takes(t, l, "a", "k", 2)
		takes(t, l, "a", "k", 1)
		require.Less(t, testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, "a", "k", 1) }), 0.5) // a call in each second allocates
	})
}

// No request waits for longer than Timeout, also where the store ignores its
// context, as go-redis does with its default options. What was given up is
// bounded.
func TestStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, heard := newCounted(), new(events)
		tiers := []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, FailuresOnly: true}, {Requests: 5000, Window: time.Hour, Lease: true}}}}
		l := limiter(t, ratelimit.Options{Store: s, Tiers: tiers, Timeout: 50 * time.Millisecond, OnEvent: heard.hear})
		release := make(chan struct{})
		s.set(func() { s.deaf = release })
		longest := time.Duration(0)
		for range 1000 {
			start := time.Now()
			require.True(t, takes(t, l, "a", "k", 1).Degraded)
			longest = max(longest, time.Since(start))
			time.Sleep(time.Second)
		}
		require.Equal(t, 50*time.Millisecond, longest)
		require.EqualValues(t, 128, s.calls.Load(), "calls that were given up and did not return")
		before := s.calls.Load()
		time.Sleep(time.Hour)
		for range 1000 {
			takes(t, l, "a", "k", 1)
		}
		require.Equal(t, before, s.calls.Load())
		t.Logf("%d calls hang, the longest wait was %v", s.calls.Load(), longest)
		s.set(func() { s.deaf = nil })
		close(release)
		time.Sleep(time.Minute)
		require.False(t, takes(t, l, "a", "k", 1).Degraded, "when it answers again, it is asked again")
		require.Equal(t, 1, heard.count(ratelimit.Restored))
	})
}

func TestGivingBackDoesNotDelayTheAnswerForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		l := limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 5, Window: time.Hour, FailuresOnly: true}}}}})
		s.set(func() { s.slow = 70 * time.Millisecond })
		start := time.Now()
		w := call(l, "GET", "/", peer, 200)
		require.Equal(t, 200, w.Code)
		require.Equal(t, 100*time.Millisecond, time.Since(start), "70 ms for the decision, 30 ms for the refund")
	})
}

// The time of the application's own functions is none of the store's.
func TestSlowKeyIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(*http.Request) string {
			time.Sleep(time.Second)
			return "k"
		}
		l := limiter(t, ratelimit.Options{Store: newCounted(), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Hour, FailuresOnly: true, Key: slow}}}}})
		for range 5 {
			require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
		}
	})
}

// A mistake in the configuration is not a reason to run without limits.
func TestMisconfiguredStore(t *testing.T) {
	for name, failure := range map[string]ratelimit.Failure{"Local": ratelimit.Local, "Deny": ratelimit.Deny, "InsecureAllow": ratelimit.InsecureAllow} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, heard := newCounted(), new(events)
				l := limiter(t, ratelimit.Options{Store: s, OnStoreFailure: failure, Tiers: []ratelimit.Tier{one("a", 5)}, OnEvent: heard.hear})
				s.set(func() { s.fail = ratelimit.ErrMisconfigured.Wrap(errors.New("WRONGPASS for user lim")) })
				for range 10 {
					w := call(l, "GET", "/", peer, 200)
					require.Equal(t, 503, w.Code)
					require.Contains(t, w.Body.String(), `"code":"limits_misconfigured"`)
					require.NotContains(t, w.Body.String(), "WRONGPASS")
					require.Equal(t, "1", w.Header().Get("Retry-After"))
				}
				require.EqualValues(t, 1, s.calls.Load(), "it does not pass by itself: one failure is enough")
				require.Equal(t, 1, heard.count(ratelimit.Degraded))
				require.ErrorIs(t, heard.all[0].Err, ratelimit.ErrMisconfigured)

				s.set(func() { s.fail = errDown })
				time.Sleep(time.Second)
				call(l, "GET", "/", peer, 200)
				require.Equal(t, 2, heard.count(ratelimit.Degraded), "the reason changed")
				s.set(func() { s.fail = nil })
				time.Sleep(5 * time.Second)
				require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code, "the owner mended it")
			})
		})
	}
}

// While the store is away, a penalty that it began runs on here.
func TestWarmPenalty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCounted()
		l := limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Second, Penalty: time.Minute}}}}})
		takes(t, l, "a", "k", 1)
		require.False(t, takes(t, l, "a", "k", 1).Allowed)
		s.set(func() { s.fail = errDown })
		time.Sleep(30 * time.Second)
		d := takes(t, l, "a", "k", 1)
		require.True(t, d.Degraded)
		require.False(t, d.Allowed)
		require.Equal(t, 30*time.Second, d.RetryAfter)
		time.Sleep(31 * time.Second)
		require.True(t, takes(t, l, "a", "k", 1).Allowed)
	})
}

// Nothing of a driver reaches a client.
func TestStoreFailureOverTheWire(t *testing.T) {
	s := newCounted()
	s.fail = errDown
	l := limiter(t, ratelimit.Options{Store: s, OnStoreFailure: ratelimit.Deny, Tiers: []ratelimit.Tier{one("a", 5)}})
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

// faulty is a store that allows or denies with figures that cannot be.
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

// TestFaultyFigures holds that no client sees them.
func TestFaultyFigures(t *testing.T) {
	for _, row := range []struct {
		name    string
		verdict ratelimit.Verdict
		status  int
		fields  string
		retry   string
	}{
		{"negative", ratelimit.Verdict{Remaining: -5, Reset: -time.Hour}, 200, `"all";r=0`, ""},
		{"more than there is", ratelimit.Verdict{Remaining: math.MaxInt, Reset: math.MaxInt64}, 200, `"all";r=10;t=5356800`, ""},
		{"a denial for ever", ratelimit.Verdict{Wait: math.MaxInt64}, 429, `"all";r=0;t=5356800`, "5356800"},
		{"a denial that no time ends", ratelimit.Verdict{Wait: math.MinInt64}, 413, `"all";r=0`, ""},
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
