package apikey_test

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// damaged is a store with an unusable record, and with an unreadable one.
type damaged struct{ apikey.Store }

func (d damaged) Get(ctx context.Context, id string) (apikey.Record, bool, error) {
	if id == "bare" {
		return apikey.Record{Key: apikey.Key{ID: id}, Version: 1}, true, nil
	}
	return d.Store.Get(ctx, id)
}

func (d damaged) List(ctx context.Context) ([]apikey.Record, error) {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) < 30*time.Second {
		return nil, errors.New("many keys take longer")
	}
	list, err := d.Store.List(ctx)
	return append([]apikey.Record{{Key: apikey.Key{ID: "bare"}, Version: 1}}, list...), errors.Join(err, errors.New("one is unreadable"))
}

// TestDamagedRecordsDoNotStopRotation holds that they keep no other key from its rotation.
func TestDamagedRecordsDoNotStopRotation(t *testing.T) {
	b := setUp(t, nil)
	m, err := apikey.New(apikey.Options{Prefix: "acme", Store: damaged{b.store}, ClientIP: peer, Routes: []string{"/partner/"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	b.now = b.now.Add(91 * 24 * time.Hour)
	m.SetClock(func() time.Time { return b.now })
	keys, err := m.List(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.Len(t, keys, 2)
	var rotated []string
	err = m.RotateDue(t.Context(), func(_ context.Context, k apikey.Key, _ string) error {
		rotated = append(rotated, k.ID)
		return nil
	})
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "one is unreadable")
	require.ErrorContains(t, err, "bare")
	require.Equal(t, []string{b.key.ID}, rotated)
	_, err = m.Rotate(t.Context(), "bare")
	require.ErrorIs(t, err, auth.ErrUnavailable)
}

func TestOldSecretWorksUntilOverlapEnds(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Overlap = time.Hour })
	second, err := b.Rotate(t.Context(), b.key.ID)
	require.NoError(t, err)
	b.now = b.now.Add(48 * time.Hour)
	require.NoError(t, b.call(b.text, home), "the new one was not used yet")
	require.NoError(t, b.call(second, home))
	b.now = b.now.Add(time.Hour - 1)
	require.NoError(t, b.call(b.text, home))
	b.now = b.now.Add(1)
	require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
	require.NoError(t, b.call(second, home))

	third := errors.Must(b.Rotate(t.Context(), b.key.ID))
	fourth := errors.Must(b.Rotate(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(second, home), auth.ErrInvalid, "the oldest of three")
	require.NoError(t, b.call(third, home))
	require.ErrorIs(t, b.Revoke(t.Context(), "x"), apikey.ErrNotFound)
	b.now = b.now.Add(30 * 24 * time.Hour)
	require.ErrorIs(t, b.call(third, home), auth.ErrInvalid, "the cap")
	require.NoError(t, b.call(fourth, home))

	require.NoError(t, b.Revoke(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(fourth, home), auth.ErrInvalid)
	_, err = b.Rotate(t.Context(), b.key.ID)
	require.ErrorIs(t, err, apikey.ErrNotFound)
}

func TestRotateDueRotatesDueKeys(t *testing.T) {
	b := setUp(t, nil)
	var mu sync.Mutex
	var got []string
	deliver := func(_ context.Context, k apikey.Key, text string) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, text)
		if len(got) == 1 {
			return errors.New("the vault is sealed")
		}
		return nil
	}
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Empty(t, got, "not due yet")

	b.now = b.now.Add(91 * 24 * time.Hour)
	require.NoError(t, b.call(b.text, home))
	require.Contains(t, b.events, apikey.RotationOverdue)
	require.EqualError(t, b.RotateDue(t.Context(), deliver), "the vault is sealed")
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Len(t, got, 1, "another replica waits")
	b.now = b.now.Add(5 * time.Minute)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = b.RotateDue(context.Background(), deliver) })
	}
	wg.Wait()
	require.Len(t, got, 2, "one replica wins")
	require.ErrorIs(t, b.call(got[0], home), auth.ErrInvalid, "what nobody got")
	require.NoError(t, b.call(b.text, home), "the old one works on")
	require.NoError(t, b.call(got[1], home))
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Len(t, got, 2)
}

// The secret in use never expires because a newer one was not fetched, and an
// expired key is not rotated.
func TestRotateDueSparesTheSecretInUse(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) {
		k.RotateEvery, k.Expires = 24*time.Hour, time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	})
	delivered := 0
	deliver := func(context.Context, apikey.Key, string) error { delivered++; return nil }
	for day := range 25 {
		b.now = b.now.Add(24 * time.Hour)
		require.NoError(t, b.RotateDue(t.Context(), deliver))
		if day < 18 {
			require.NoError(t, b.call(b.text, home), day)
		}
	}
	require.Equal(t, 1, delivered)
}

// A vault that stays sealed does not keep an old secret alive for ever.
func TestTheCapHoldsWhileDeliveryFails(t *testing.T) {
	b := setUp(t, nil)
	sealed := func(context.Context, apikey.Key, string) error { return errors.New("sealed") }
	b.now = b.now.Add(90 * 24 * time.Hour)
	for range 31 {
		require.Error(t, b.RotateDue(t.Context(), sealed))
		b.now = b.now.Add(24 * time.Hour)
	}
	require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
}

// A repeated rotation, whose first response was lost, does not end the secret in
// use.
func TestRepeatedRotationKeepsTheSecretInUse(t *testing.T) {
	b := setUp(t, nil)
	for range 3 {
		b.store.failAt = b.store.puts.Load() + 2 // that it was delivered, as often as it is tried
		b.store.failFor = 1000
		_, err := b.Rotate(t.Context(), b.key.ID)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		b.store.failAt = 0
	}
	second := errors.Must(b.Rotate(t.Context(), b.key.ID))
	require.NoError(t, b.call(b.text, home))
	require.NoError(t, b.call(second, home))
}

// Nor does one whose text is written as delivered, without being sure.
func TestUnsureRotationReturnsNoKey(t *testing.T) {
	b := setUp(t, nil)
	b.store.failAt, b.store.madeAnyway = b.store.puts.Load()+2, true
	second := errors.Must(b.Rotate(t.Context(), b.key.ID))
	require.NoError(t, b.call(b.text, home))
	require.NoError(t, b.call(second, home))
}

// A text that another rotation has replaced already is not handed out.
func TestReplacedKeyIsNotDelivered(t *testing.T) {
	b := setUp(t, nil)
	other := b.replica(t)
	var second string
	b.store.before = func() { // before the first one is written as delivered
		if b.store.puts.Load() == 2 {
			b.store.before = nil
			second = errors.Must(other.Rotate(t.Context(), b.key.ID))
		}
	}
	_, err := b.Rotate(t.Context(), b.key.ID)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.NoError(t, b.call(second, home))
	require.NoError(t, b.call(b.text, home), "the one in use")

	b.now = b.now.Add(91 * 24 * time.Hour)
	_, third := errors.Must(b.Rotate(t.Context(), b.key.ID)), ""
	b.now = b.now.Add(91 * 24 * time.Hour)
	err = b.RotateDue(t.Context(), func(ctx context.Context, k apikey.Key, text string) error {
		deadline, ok := ctx.Deadline()
		require.True(t, ok && time.Until(deadline) <= 5*time.Minute, "it ends before another replica rotates anew")
		third = errors.Must(other.Rotate(ctx, k.ID))
		return nil
	})
	require.ErrorContains(t, err, "was replaced before it was delivered")
	require.NoError(t, b.call(third, home))
}

// A deliver that panics has not delivered, and stops neither the process nor
// the other keys.
func TestDeliverPanics(t *testing.T) {
	b := setUp(t, nil)
	_, other, err := b.Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
	require.NoError(t, err)
	b.now = b.now.Add(91 * 24 * time.Hour)
	delivered := map[string]string{}
	err = b.RotateDue(t.Context(), func(_ context.Context, k apikey.Key, text string) error {
		k.Networks[0] = netip.Prefix{} // it is a copy
		if k.ID == b.key.ID {
			panic("the vault is gone: " + text)
		}
		delivered[k.ID] = text
		return nil
	})
	require.EqualError(t, err, "apikey: deliver panicked for the key "+b.key.ID)
	require.Len(t, delivered, 1)
	require.NoError(t, b.call(b.text, home))
	require.NoError(t, b.call(other, home))
	for _, text := range delivered {
		require.NoError(t, b.call(text, home))
	}
}

// An owner who uses the old secret is reported before it expires, also while the
// vault is sealed and each new secret is young.
func TestOldSecretInUseIsOverdue(t *testing.T) {
	for _, row := range []struct {
		name  string
		vault error
	}{{name: "nobody fetches the new one"},
		{name: "the vault is sealed", vault: errors.New("sealed")}} {
		t.Run(row.name, func(t *testing.T) {
			b := setUp(t, nil)
			b.now = b.now.Add(90 * 24 * time.Hour)
			b.events = nil
			for range 30 * 24 {
				err := b.RotateDue(t.Context(), func(context.Context, apikey.Key, string) error { return row.vault })
				require.ErrorIs(t, err, row.vault)
				require.NoError(t, b.call(b.text, home))
				b.now = b.now.Add(time.Hour)
			}
			require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid, "the cap")
			warned := 0
			for _, e := range b.events {
				if e == apikey.RotationOverdue {
					warned++
				}
			}
			require.Equal(t, 29, warned, "once a day, but for the first")
		})
	}
}

// An owner who has the new secret is not reported because some programs are slow.
func TestOverlapIsNotOverdue(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Overlap = 10 * 24 * time.Hour })
	second := errors.Must(b.Rotate(t.Context(), b.key.ID))
	require.NoError(t, b.call(second, home))
	for range 9 {
		b.now = b.now.Add(24 * time.Hour)
		require.NoError(t, b.call(b.text, home))
	}
	require.NotContains(t, b.events, apikey.RotationOverdue)
}
