package authtest

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/apikey"
)

// TestKeyStore tests that a store implements [apikey.Store]. It opens a store for each
// subtest. The stores may share a backend, because every key is new.
func TestKeyStore(t *testing.T, open func(t *testing.T) apikey.Store) {
	for _, row := range keyRows {
		t.Run(row.name, func(t *testing.T) { row.test(t, open(t)) })
	}
}

var keyRows = []struct {
	name string
	test func(*testing.T, apikey.Store)
}{
	{"nothing there", testMissingKey},
	{"a whole record", wholeKey},
	{"versions", keyVersions},
	{"the deleted stay deleted", deletedKey},
	{"what is handed out is a copy", copiedKey},
	{"of many writers one is first", keyWriters},
	{"a write races a deletion", keyRace},
	{"IDs that are none", noID},
}

// keyRecord returns a record with a non-zero value in every field.
func keyRecord(t *testing.T) apikey.Record {
	at := time.Date(2026, 3, 1, 12, 30, 15, 123456789, time.UTC)
	return apikey.Record{
		Key: apikey.Key{
			ID: random(t)[:16], Name: "wärehouse \"1\"", Subject: "warehouse", Scope: []string{"stock:read", "stock:write"}, Roles: []string{"partner"},
			Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
			Expires:  at.Add(time.Hour), RotateEvery: 90 * 24 * time.Hour, Overlap: 24 * time.Hour, Tier: "gold", Disabled: true, Metadata: map[string]string{"team": "stock"},
			Created: at, Rotated: at.Add(1), LastUsed: at.Add(2),
		},
		Version: 1,
		Secrets: []apikey.Secret{
			{Digest: sha256.Sum256([]byte("new")), Created: at, FirstUsed: at.Add(3), Delivered: true, Attempt: sha256.Sum256([]byte("attempt"))},
			{Digest: sha256.Sum256([]byte("old")), Created: at.Add(-time.Hour), Ends: at.Add(4)},
		},
		Warned: at.Add(5),
	}
}

func putRecord(t *testing.T, s apikey.Store, r apikey.Record) bool {
	t.Helper()
	ok, err := s.Put(t.Context(), r)
	require.NoError(t, err)
	return ok
}

func getRecord(t *testing.T, s apikey.Store, id string) (apikey.Record, bool) {
	t.Helper()
	r, found, err := s.Get(t.Context(), id)
	require.NoError(t, err)
	return r, found
}

func testMissingKey(t *testing.T, s apikey.Store) {
	r, found := getRecord(t, s, random(t)[:16])
	require.False(t, found)
	require.Empty(t, r.Secrets)
	require.NoError(t, s.Delete(t.Context(), random(t)[:16]))
}

func noID(t *testing.T, s apikey.Store) {
	for _, id := range []string{"", "-", "-" + random(t)[:15]} {
		r := keyRecord(t)
		r.Key.ID = id
		ok, err := s.Put(t.Context(), r)
		require.Error(t, err, "%q", id)
		require.False(t, ok)
		_, found := getRecord(t, s, id)
		require.False(t, found, "%q", id)
		require.NoError(t, s.Delete(t.Context(), id))
	}
}

func wholeKey(t *testing.T, s apikey.Store) {
	want := keyRecord(t)
	require.True(t, putRecord(t, s, want))
	got, found := getRecord(t, s, want.Key.ID)
	require.True(t, found)
	require.Equal(t, want, got)
	want.Version, want.Key.InsecureAnyNetwork, want.Key.Networks, want.Secrets = 2, true, nil, want.Secrets[:1]
	require.True(t, putRecord(t, s, want))
	got, _ = getRecord(t, s, want.Key.ID)
	require.Equal(t, want, got)

	early, late := keyRecord(t), keyRecord(t)
	early.Key.Created, late.Key.Created = early.Key.Created.Add(-time.Hour), late.Key.Created.Add(time.Hour)
	require.True(t, putRecord(t, s, late))
	require.True(t, putRecord(t, s, early))
	list, err := s.List(t.Context())
	require.NoError(t, err)
	var order []string
	for _, r := range list {
		if id := r.Key.ID; id == early.Key.ID || id == late.Key.ID || id == want.Key.ID {
			order = append(order, id)
		}
	}
	require.Equal(t, []string{early.Key.ID, want.Key.ID, late.Key.ID}, order, "the oldest first")
}

func keyVersions(t *testing.T, s apikey.Store) {
	r := keyRecord(t)
	for _, step := range []struct {
		version int
		want    bool
	}{{2, false}, {1, true}, {3, false}, {2, true}, {1, false}, {3, true}} {
		r.Version, r.Key.Name = step.version, random(t)
		require.Equal(t, step.want, putRecord(t, s, r), step.version)
	}
	got, _ := getRecord(t, s, r.Key.ID)
	require.Equal(t, r, got)
}

func deletedKey(t *testing.T, s apikey.Store) {
	r, other := keyRecord(t), keyRecord(t)
	require.True(t, putRecord(t, s, r))
	require.True(t, putRecord(t, s, other))
	for range 2 {
		require.NoError(t, s.Delete(t.Context(), r.Key.ID))
	}
	_, found := getRecord(t, s, r.Key.ID)
	require.False(t, found)
	r.Version = 2
	require.False(t, putRecord(t, s, r), "a write that was under way brings nothing back")
	list, err := s.List(t.Context())
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, k := range list {
		ids[k.Key.ID] = true
	}
	require.False(t, ids[r.Key.ID])
	require.True(t, ids[other.Key.ID])
}

func copiedKey(t *testing.T, s apikey.Store) {
	r := keyRecord(t)
	require.True(t, putRecord(t, s, r))
	r.Key.Scope[0], r.Secrets[0].Digest[0] = "spoiled", r.Secrets[0].Digest[0]+1
	got, _ := getRecord(t, s, r.Key.ID)
	require.Equal(t, "stock:read", got.Key.Scope[0])
	got.Key.Scope[0], got.Key.Networks[0], got.Secrets[1].Delivered = "spoiled", netip.Prefix{}, true
	again, _ := getRecord(t, s, r.Key.ID)
	require.Equal(t, "stock:read", again.Key.Scope[0])
	require.True(t, again.Key.Networks[0].IsValid())
	require.False(t, again.Secrets[1].Delivered)
}

func keyWriters(t *testing.T, s apikey.Store) {
	r := keyRecord(t)
	require.True(t, putRecord(t, s, r))
	for version := 2; version < 6; version++ {
		var first atomic.Int64
		var all sync.WaitGroup
		for range 16 {
			mine := r
			mine.Version, mine.Key.Name = version, random(t)
			all.Go(func() {
				ok, err := s.Put(context.Background(), mine)
				if err != nil {
					t.Error(err)
				}
				if ok {
					first.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, first.Load())
	}
}

func keyRace(t *testing.T, s apikey.Store) {
	for range 20 {
		r := keyRecord(t)
		require.True(t, putRecord(t, s, r))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for version := 2; version < 6; version++ {
					mine := r
					mine.Version = version
					if _, err := s.Put(context.Background(), mine); err != nil {
						t.Error(err)
					}
				}
			})
		}
		require.NoError(t, s.Delete(t.Context(), r.Key.ID))
		all.Wait()
		_, found := getRecord(t, s, r.Key.ID)
		require.False(t, found)
	}
}
