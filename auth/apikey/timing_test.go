package apikey_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// frozen is a store that always returns the same, at the same cost.
type frozen struct {
	apikey.Store
	record apikey.Record
}

func (f *frozen) Get(_ context.Context, id string) (apikey.Record, bool, error) {
	if id != f.record.Key.ID {
		return apikey.Record{}, false, nil
	}
	return f.record, true, nil
}

// TestWrongSecretsCostTheSame holds that a secret is hashed once, whatever is
// known of its key: each time shows as an allocation.
func TestWrongSecretsCostTheSame(t *testing.T) {
	b := setUp(t, nil)
	record, _, err := b.store.Get(t.Context(), b.key.ID)
	require.NoError(t, err)
	m := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: &frozen{b.store, record}, ClientIP: headers.PeerIP, Routes: []string{"/partner/"}}))
	m.SetClock(func() time.Time { return b.now })
	verify := func(text string) error {
		_, err := m.Verify(t.Context(), text, netip.MustParseAddr("10.0.0.1"), true)
		return err
	}
	cost := func(id string) float64 {
		text := apikey.Format("acme", id, strings.Repeat("x", 43))
		require.ErrorIs(t, verify(text), auth.ErrInvalid)
		return testing.AllocsPerRun(1000, func() { _ = verify(text) })
	}
	unknown := cost(strings.Repeat("x", 16))
	require.Equal(t, unknown, cost(b.key.ID), "a key that exists")
	require.NoError(t, verify(b.text))
	m.Settle()
	require.Equal(t, 1, m.Cached())
	require.Equal(t, unknown, cost(b.key.ID), "one that was accepted a moment ago")
}
