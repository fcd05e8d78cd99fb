package apikey_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// unreliable is a store whose writes fail at random, some of them although they
// were made.
type unreliable struct {
	apikey.Store
	rnd  *rand.Rand
	good bool
}

func (u *unreliable) Put(ctx context.Context, r apikey.Record) (bool, error) {
	switch dice := u.rnd.IntN(3); {
	case u.good || dice == 0:
		return u.Store.Put(ctx, r)
	case dice == 1:
		return false, errors.New("connection refused")
	}
	ok, _ := u.Store.Put(ctx, r)
	return ok, errors.New("no replica has confirmed it")
}

// TestOwnersAreNotLockedOut plays random rotations on two replicas, over a store
// and a vault that fail. An owner who fetches the newest text within 20 days of a
// rotation is always accepted.
func TestOwnersAreNotLockedOut(t *testing.T) { synctest.Test(t, playOwners) }

func playOwners(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		store := &unreliable{apikey.NewMemory(), rnd, true}
		var replicas []*bench
		for range 2 {
			m := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: store, ClientIP: peer, Routes: []string{"/partner/"}}))
			m.SetClock(func() time.Time { return now })
			replicas = append(replicas, &bench{Manager: m})
		}
		_, held, err := replicas[0].Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8"), RotateEvery: 30 * 24 * time.Hour})
		require.NoError(t, err)
		store.good = false
		vault, fetched, rotations := held, now, 0
		for range 150 {
			now = now.Add(time.Duration(rnd.Int64N(int64(48 * time.Hour))))
			_ = replicas[rnd.IntN(2)].RotateDue(t.Context(), func(_ context.Context, _ apikey.Key, text string) error {
				if rnd.IntN(3) == 0 {
					return errors.New("the vault is sealed")
				}
				vault = text
				rotations++
				return nil
			})
			if rnd.IntN(8) == 0 || now.Sub(fetched) > 18*24*time.Hour {
				held, fetched = vault, now
			}
			for range 8 { // the use is written by one of them
				require.NoError(t, replicas[rnd.IntN(2)].call(held, home), "seed %d at %s", seed, now)
			}
		}
		require.Positive(t, rotations)
	}
}
