package ratelimit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// A flood must not free a key that has used up its limit, and was not denied yet.
func TestFloodDoesNotFreeAnExhaustedKey(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{MaxKeys: 1000})
	attacker := charge("attacker", 5, time.Hour, 1)
	for range 5 {
		require.Zero(t, take(t, m, attacker).Wait)
	}
	for i := range 20_000 {
		c.advance(time.Microsecond) // the clock must move, because a key is not evicted at the time of its use
		take(t, m, charge(strconv.Itoa(i), 100, 2*time.Hour, 1))
	}
	require.NotZero(t, take(t, m, attacker).Wait)
}

// Denied requests write nothing, so they evict no key.
func TestDeniedRequestsEvictNoKey(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{MaxKeys: 100})
	blocked := charge("blocked", 1, time.Hour, 1)
	take(t, m, blocked)
	for i := range 50 {
		take(t, m, charge(fmt.Sprint("honest", i), 10, time.Minute, 1))
	}
	n := m.Len()
	var v [2]ratelimit.Verdict
	for i := range 5000 {
		fresh := charge(fmt.Sprint("fresh", i), 10, time.Hour, 1)
		fresh.Key.Policy = "p-2"
		require.NoError(t, m.Take(t.Context(), []ratelimit.Charge{blocked, fresh}, v[:]))
	}
	require.Equal(t, n, m.Len(), "a denial must not create a key")
}

// The field t is the time until more requests remain (draft -10, section 2.2). It is not
// too early.
func TestRingHasRequestsAtReset(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{})
	full := take(t, m, charge("k", 600, time.Minute, 600))
	require.Zero(t, full.Remaining)
	c.advance(full.Reset)
	require.NotZero(t, peek(t, m, charge("k", 600, time.Minute, 1)).Remaining, "a request must remain after Reset = %v", full.Reset)
}

func TestRingResetIsNotAfterWait(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{})
	take(t, m, charge("k", 600, time.Minute, 600))
	c.advance(time.Minute + 10*time.Millisecond)
	v := peek(t, m, charge("k", 600, time.Minute, 1))
	for range 1000 {
		if v = take(t, m, charge("k", 600, time.Minute, 1)); v.Wait > 0 {
			break
		}
	}
	require.Positive(t, v.Wait)
	require.LessOrEqual(t, v.Reset, v.Wait)
}

func TestRefundOfAnExhaustedKeyKeepsItProtected(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{MaxKeys: 1000})
	k := charge("attacker", 2, time.Hour, 1)
	first := take(t, m, k)
	take(t, m, k)
	require.NotZero(t, take(t, m, k).Wait)
	none := k
	none.Cost, none.Mark = 0, first.Mark // refunds nothing
	require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{none}))
	for i := range 20_000 {
		c.advance(time.Microsecond) // the clock must move, because a key is not evicted at the time of its use
		take(t, m, charge(strconv.Itoa(i), 100, 2*time.Hour, 1))
	}
	require.NotZero(t, take(t, m, k).Wait)
}

func TestRefundUnderPressureRemovesTheSharedCharge(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{MaxKeys: 4})
	for i := range 4 {
		k := charge(strconv.Itoa(i), 1, time.Hour, 1)
		take(t, m, k)
		take(t, m, k)
	}
	k := charge("new", 1, time.Hour, 1)
	v := take(t, m, k)
	require.True(t, v.Pressure && v.Wait == 0)
	k.Mark = v.Mark
	require.NoError(t, m.Refund(t.Context(), []ratelimit.Charge{k}))
	require.Zero(t, peek(t, m, charge("newer", 1, time.Hour, 1)).Wait, "the shared count must not keep a refunded charge")
}

func TestSecondRefundHasNoEffect(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 200)}})
	first, err := withoutDenial(l.Take(t.Context(), "a", "k", 100))
	require.NoError(t, err)
	_, err = withoutDenial(l.Take(t.Context(), "a", "k", 100))
	require.NoError(t, err)
	first.Refund(t.Context())
	first.Refund(t.Context())
	d, err := withoutDenial(l.Take(t.Context(), "a", "k", 101))
	require.NoError(t, err)
	require.False(t, d.Allowed, "100 are still charged")
}

func TestCopiesOfADecisionAreRefundedOnce(t *testing.T) {
	for _, limit := range []int{100, 200} { // the log, the ring
		l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", limit)}})
		first, err := withoutDenial(l.Take(t.Context(), "a", "k", limit/2))
		require.NoError(t, err)
		_, err = withoutDenial(l.Take(t.Context(), "a", "k", limit/2))
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				copied := first
				copied.Refund(context.Background())
			})
		}
		all.Wait()
		d, err := withoutDenial(l.Take(t.Context(), "a", "k", limit/2+1))
		require.NoError(t, err)
		require.False(t, d.Allowed, "%d are still charged", limit/2)
	}
}

// A refund that failed may have reached the store, so it is not repeated.
func TestFailedRefundIsNotRepeated(t *testing.T) {
	s := newTestStore()
	log := new(records)
	l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}, Logger: slog.New(slog.NewJSONHandler(log, nil))})
	d := mustTake(t, l, "a", "k", 1)
	s.set(func() { s.fail = errDown })
	d.Refund(t.Context())
	require.Len(t, log.with(`"level":"WARN","msg":"refund failed","tier":"a","error":"`), 1)
	s.set(func() { s.fail = nil })
	d.Refund(t.Context())
	require.EqualValues(t, 2, s.calls.Load())
	mustTake(t, l, "a", "k", 1).Refund(t.Context()) // Refund can be called on a result
}

// The digest of a long key does not equal another key.
func TestKeyThatLooksLikeADigestIsSeparate(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	long := strings.Repeat("k", 129)
	sum := sha256.Sum256([]byte(long))
	for _, key := range []string{long, "sha256:" + hex.EncodeToString(sum[:]), "sha256:", "sha256:" + strings.Repeat("0", 64)} {
		require.True(t, mustTake(t, l, "a", key, 1).Allowed, key)
		require.False(t, mustTake(t, l, "a", key, 1).Allowed, key)
	}
}

// A flaky store is a Memory that fails while down is set.
type flaky struct {
	*ratelimit.Memory
	down bool
}

func (f *flaky) Take(ctx context.Context, c []ratelimit.Charge, v []ratelimit.Verdict) error {
	if f.down {
		return errors.New("down")
	}
	return f.Memory.Take(ctx, c, v)
}

func TestRefundReachesTheLocalCount(t *testing.T) {
	s := &flaky{Memory: ratelimit.NewMemory(ratelimit.MemoryOptions{})}
	l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
	for range 20 {
		d, err := withoutDenial(l.Take(t.Context(), "a", "honest", 1))
		require.NoError(t, err)
		require.True(t, d.Allowed)
		d.Refund(t.Context())
	}
	s.down = true
	d, err := withoutDenial(l.Take(t.Context(), "a", "honest", 1))
	require.NoError(t, err)
	require.True(t, d.Degraded)
	require.True(t, d.Allowed, "refunded charges must not be in the local count")
}

func TestTierOverridesOnStoreFailureWithLocal(t *testing.T) {
	s := &flaky{Memory: ratelimit.NewMemory(ratelimit.MemoryOptions{}), down: true}
	tier := tierPerMinute("a", 5)
	tier.OnStoreFailure = ratelimit.Local
	l := newLimiter(t, ratelimit.Options{Store: s, OnStoreFailure: ratelimit.InsecureAllow, Tiers: []ratelimit.Tier{tier}})
	allowed := 0
	for range 100 {
		if d, err := withoutDenial(l.Take(t.Context(), "a", "k", 1)); err == nil && d.Allowed {
			allowed++
		}
	}
	require.Equal(t, 5, allowed, "Local of the tier must override InsecureAllow of Options")
}

func TestFieldsKeepTheLinesOfOuterLimiters(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
	w := httptest.NewRecorder()
	w.Header()["Ratelimit-Policy"] = []string{`"x";q=1`, `"y";q=2`}
	l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Contains(t, strings.Join(w.Header()["Ratelimit-Policy"], ", "), `"y";q=2`)
}

func TestNineChargesDoNotPanic(t *testing.T) {
	m, _ := memory(ratelimit.MemoryOptions{})
	charges, v := make([]ratelimit.Charge, 9), make([]ratelimit.Verdict, 9)
	for i := range charges {
		charges[i] = charge(strconv.Itoa(i), 5, time.Minute, 1)
	}
	require.NotPanics(t, func() { _ = m.Take(t.Context(), charges, v) })
}

func TestTakeAllocatesNothing(t *testing.T) {
	for _, n := range []int{100, 1_000_000} {
		l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", n)}})
		ctx := t.Context()
		for range 300 {
			_, _ = l.Take(ctx, "a", "k", 1)
		}
		require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, "a", "k", 1) }))
	}
}

func TestDenialReachesTheClient(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	s := httptest.NewServer(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })))
	defer s.Close()
	for i, want := range []int{204, 429} {
		res, err := s.Client().Get(s.URL)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.StatusCode, i)
		if want == 429 {
			require.Equal(t, "60", res.Header.Get("Retry-After"))
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Equal(t, `"a";r=0;t=60`, res.Header.Get("RateLimit"))
		}
	}
}

// A decision of Charge does not have the keys of its request. A Decision that other code
// creates has no limiter.
func TestRefundIgnoresDecisionsThatTakeDidNotReturn(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	d, err := l.Charge(httptest.NewRequest("GET", "/", nil))
	require.NoError(t, err)
	require.True(t, d.Allowed)
	d.Refund(t.Context())
	d, err = l.Charge(httptest.NewRequest("GET", "/", nil))
	require.ErrorIs(t, err, ratelimit.ErrLimited)
	require.False(t, d.Allowed)
	ratelimit.Decision{Tier: "a", RetryAfter: time.Second}.Refund(t.Context())
	ratelimit.Decision{Allowed: true}.Refund(t.Context())
}

// The keys of one call do not evict each other, before or after they are charged.
func TestChargesOfOneCallDoNotEvictEachOther(t *testing.T) {
	m, c := memory(ratelimit.MemoryOptions{MaxKeys: 1})
	short, long := charge("k", 2, time.Minute, 1), charge("k", 100, time.Hour, 1)
	long.Key.Policy = "p-2"
	var v [2]ratelimit.Verdict
	for i := range 3 {
		require.NoError(t, m.Take(t.Context(), []ratelimit.Charge{short, long}, v[:]))
		require.Equal(t, i > 1, v[0].Wait > 0, "call %d", i)
		c.advance(time.Microsecond)
	}
}
