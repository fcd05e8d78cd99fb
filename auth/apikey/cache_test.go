package apikey_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// replica is another manager on the same store, with the same clock.
func (b *bench) replica(t *testing.T) *bench {
	t.Helper()
	r := &bench{now: b.now, store: &counting{Store: b.store.Store}, key: b.key, text: b.text}
	r.Manager = errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: r.store, ClientIP: peer, Routes: []string{"/partner/"}}))
	r.SetClock(func() time.Time { return b.now })
	return r
}

// KA17: what one replica revokes is refused at once there, and within a second
// by the others.
func TestRevocationReachesReplicas(t *testing.T) {
	a := setUp(t, nil)
	b := a.replica(t)
	require.NoError(t, a.call(a.text, home))
	require.NoError(t, b.call(a.text, home))
	b.store.gets.Store(0)
	for range 100 {
		require.NoError(t, b.call(a.text, home))
	}
	require.Zero(t, b.store.gets.Load(), "a busy client costs no look-ups")
	require.NoError(t, a.Revoke(t.Context(), a.key.ID))
	require.ErrorIs(t, a.call(a.text, home), auth.ErrInvalid)
	a.now = a.now.Add(time.Second)
	require.ErrorIs(t, b.call(a.text, home), auth.ErrInvalid)
}

// A clock that is set back keeps no key in the cache.
func TestClockThatIsSetBackKeepsNoCachedKey(t *testing.T) {
	a := setUp(t, nil)
	b := a.replica(t)
	require.NoError(t, b.call(a.text, home))
	require.NoError(t, a.Revoke(t.Context(), a.key.ID))
	a.now = a.now.Add(-time.Nanosecond)
	require.ErrorIs(t, b.call(a.text, home), auth.ErrInvalid)
}

// A secret that is newer than the cached record works at once, and the cache
// opens nothing else.
func TestCacheStoresNoDecision(t *testing.T) {
	a := setUp(t, func(k *apikey.Key) { k.Expires = time.Date(2026, 1, 1, 0, 0, 0, 5e8, time.UTC) })
	b := a.replica(t)
	require.NoError(t, b.call(a.text, home))
	second := errors.Must(a.Rotate(t.Context(), a.key.ID))
	require.NoError(t, b.call(second, home))

	b.store.gets.Store(0)
	require.ErrorIs(t, b.call(a.text, "11.0.0.1:1"), apikey.ErrNetworkDenied)
	require.Zero(t, b.store.gets.Load())
	for _, id := range []string{a.key.ID, strings.Repeat("x", 16)} {
		require.ErrorIs(t, b.call(apikey.Format("acme", id, strings.Repeat("x", 43)), home), auth.ErrInvalid)
	}
	require.EqualValues(t, 2, b.store.gets.Load(), "KA2: a wrong secret is looked up as an unknown ID is")
	a.now = a.key.Expires
	require.ErrorIs(t, b.call(a.text, home), auth.ErrExpired)
}

// A look-up that a revocation overtakes is not kept.
func TestCacheIsNotFilledAcrossARevocation(t *testing.T) {
	a := setUp(t, nil)
	require.NoError(t, a.call(a.text, home))
	a.now = a.now.Add(time.Hour)
	a.store.before = func() {
		a.store.before = nil
		require.NoError(t, a.Revoke(t.Context(), a.key.ID))
	}
	_, err := a.Verify(t.Context(), a.text, netip.MustParseAddr("10.0.0.1"), true)
	require.NoError(t, err, "it began before the revocation")
	a.Settle()
	require.ErrorIs(t, a.call(a.text, home), auth.ErrInvalid)
}

// A flood of invented keys costs lookups, but no memory, and evicts no genuine
// key. A refusal is not cached.
func TestFloodOfInventedKeysFillsNoMemory(t *testing.T) {
	b := setUp(t, nil)
	require.NoError(t, b.call(b.text, home))
	b.events = nil
	b.store.gets.Store(0)
	madeUp := func(i int) string {
		return apikey.Format("acme", fmt.Sprintf("%016d", i), strings.Repeat("x", 43))
	}
	for i := range 5000 {
		require.ErrorIs(t, b.call(madeUp(i), "11.0.0.1:1"), auth.ErrInvalid)
	}
	require.EqualValues(t, 5000, b.store.gets.Load())
	require.Equal(t, []int{1, 0}, []int{b.Cached(), b.Strangers()})
	require.Empty(t, b.events)
	b.store.fails = true // the flood has taken the store with it
	require.ErrorIs(t, b.call(madeUp(0), home), auth.ErrUnavailable)
	require.NoError(t, b.call(b.text, home))
	b.store.fails = false

	r, _, err := b.store.Get(t.Context(), b.key.ID)
	require.NoError(t, err)
	r.Key.ID, r.Version = fmt.Sprintf("%016d", 1), 1
	require.True(t, errors.Must(b.store.Put(t.Context(), r)))
	text := apikey.Format("acme", r.Key.ID, b.text[len("acme_")+17:len(b.text)-6])
	require.NoError(t, b.call(text, home), "as soon as it is there")
}

// More keys than the cache holds are all accepted.
func TestCacheIsBounded(t *testing.T) {
	b := setUp(t, nil)
	for i := range 4200 {
		_, text, err := b.Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
		require.NoError(t, err)
		if i%1000 == 0 {
			b.now = b.now.Add(100 * time.Millisecond)
		}
		require.NoError(t, b.call(text, home))
	}
	require.Less(t, b.Cached(), 4000, "room is made for many at once, since it takes long")
	require.Greater(t, b.Cached(), 3000)
}

// The clock has no monotonic reading, so it continues while a machine sleeps.
func TestClockContinuesWhileAsleep(t *testing.T) {
	m := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: apikey.NewMemory(), ClientIP: peer, Routes: []string{"/partner/"}}))
	k, text, err := m.Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
	require.NoError(t, err)
	_, err = m.Verify(t.Context(), text, netip.MustParseAddr("10.0.0.1"), true)
	require.NoError(t, err)
	m.Settle()
	for _, at := range []time.Time{k.Created, errors.Must(m.List(t.Context()))[0].LastUsed} {
		require.False(t, at.IsZero())
		require.NotContains(t, fmt.Sprint(at), "m=")
	}
}

// KA21: under load, one write a minute, and none that a request waits for.
func TestUseIsWrittenOffTheRequestPath(t *testing.T) {
	b := setUp(t, nil)
	other := b.replica(t)
	held := make(chan struct{})
	b.store.held = held
	for range 10000 {
		_, err := b.Verify(t.Context(), b.text, netip.MustParseAddr("10.0.0.1"), true)
		require.NoError(t, err, "while the store takes no write")
	}
	close(held)
	b.Settle()
	for range 10 {
		require.NoError(t, other.call(b.text, home))
	}
	r, _, err := b.store.Store.Get(t.Context(), b.key.ID)
	require.NoError(t, err)
	require.Equal(t, 2, r.Version, "Create, and one use")
	require.Equal(t, b.now, r.Key.LastUsed)
}

func TestConcurrentVerificationsSucceed(t *testing.T) {
	b := setUp(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, err := b.Verify(context.Background(), b.text, netip.MustParseAddr("10.0.0.1"), true)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.Settle()
	require.NoError(t, b.Revoke(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
}

// A verified key costs no look-up and few allocations.
func TestVerifyAllocations(t *testing.T) {
	b := setUp(t, nil)
	require.NoError(t, b.call(b.text, home))
	addr := netip.MustParseAddr("10.0.0.1")
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = b.Verify(t.Context(), b.text, addr, true) }), 8.0)
}
