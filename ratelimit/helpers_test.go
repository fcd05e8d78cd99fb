package ratelimit_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func newLimiter(t testing.TB, o ratelimit.Options) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(o)
	require.NoError(t, err)
	return l
}

func tierPerMinute(name string, n int, routes ...string) ratelimit.Tier {
	return ratelimit.Tier{Name: name, Routes: routes, Limits: []ratelimit.Limit{{Requests: n, Window: time.Minute}}}
}

func tierOf(limits ...ratelimit.Limit) []ratelimit.Tier {
	return []ratelimit.Tier{{Name: "a", Limits: limits}}
}

const peer = "192.0.2.1:1234"

// call sends one request through the limiter behind a Responder.
func call(l *ratelimit.Limiter, method, target, peer string, status int) *httptest.ResponseRecorder {
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = peer
	w := httptest.NewRecorder()
	failures.Handler(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))).ServeHTTP(w, r)
	return w
}

func requestFrom(addr string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = addr
	return r
}

// withoutDenial removes the error of a denial, for tests of decisions.
func withoutDenial(d ratelimit.Decision, err error) (ratelimit.Decision, error) {
	if errors.Is(err, ratelimit.ErrLimited) || errors.Is(err, ratelimit.ErrTooExpensive) {
		if d.Allowed {
			panic("an allowed decision must not have the error of a denial")
		}
		return d, nil
	}
	if err == nil && !d.Allowed {
		panic("a denial must be an error")
	}
	return d, err
}

func mustTake(t testing.TB, l *ratelimit.Limiter, tier, key string, cost int) ratelimit.Decision {
	t.Helper()
	d, err := withoutDenial(l.Take(t.Context(), tier, key, cost))
	require.NoError(t, err)
	return d
}

var errDown = errors.New("dial tcp 10.0.0.1:6379: connection refused")

// A testStore is a remote store for a Limiter. It counts its calls, and can be slow, fail,
// or ignore its context.
type testStore struct {
	*ratelimit.Memory
	calls, takes atomic.Int64
	mu           sync.Mutex
	fail         error
	slow         time.Duration
	deaf         chan struct{} // until it is closed, calls ignore their context
}

func newTestStore() *testStore {
	return &testStore{Memory: ratelimit.NewMemory(ratelimit.MemoryOptions{})}
}

func (s *testStore) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *testStore) call(ctx context.Context) error {
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

func (s *testStore) Take(ctx context.Context, c []ratelimit.Charge, v []ratelimit.Verdict) error {
	s.takes.Add(1)
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Take(ctx, c, v)
}

func (s *testStore) Refund(ctx context.Context, c []ratelimit.Charge) error {
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Refund(ctx, c)
}

func (s *testStore) Reset(ctx context.Context, k []ratelimit.Key) error {
	if err := s.call(ctx); err != nil {
		return err
	}
	return s.Memory.Reset(ctx, k)
}

// events records the calls of OnEvent.
type events struct {
	mu  sync.Mutex
	all []ratelimit.Event
}

func (e *events) record(_ context.Context, event ratelimit.Event) {
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

// clock is a clock that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// advance lets time pass, in whole microseconds as a Memory counts it.
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d.Truncate(time.Microsecond)) }

func memory(o ratelimit.MemoryOptions) (*ratelimit.Memory, *clock) {
	c := &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	m := ratelimit.NewMemory(o)
	m.SetClock(c.now)
	return m, c
}

func take(t testing.TB, m *ratelimit.Memory, c ratelimit.Charge) ratelimit.Verdict {
	var v [1]ratelimit.Verdict
	require.NoError(t, m.Take(t.Context(), []ratelimit.Charge{c}, v[:]))
	return v[0]
}

func peek(t testing.TB, m *ratelimit.Memory, c ratelimit.Charge) ratelimit.Verdict {
	var v [1]ratelimit.Verdict
	require.NoError(t, m.Peek(t.Context(), []ratelimit.Charge{c}, v[:]))
	return v[0]
}

func charge(text string, requests int, window time.Duration, cost int) ratelimit.Charge {
	return ratelimit.Charge{Key: ratelimit.Key{Policy: "p", Text: text}, Requests: requests, Window: window, Cost: cost}
}
