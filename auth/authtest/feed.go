package authtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
)

// TestRevocationFeed tests that a feed implements [auth.RevocationFeed]. It
// calls open twice for each subtest: the two feeds must share a backend, as
// those of two processes do. The backend may have other revocations, if none is
// added while a subtest runs.
func TestRevocationFeed(t *testing.T, open func(t *testing.T) auth.RevocationFeed) {
	for _, row := range []struct {
		name string
		test func(*testing.T, feeds)
	}{
		{"a reader with nothing to read keeps its position", idleFeed},
		{"each kind of revocation arrives whole", wholeRevocations},
		{"both readers see one order", feedOrder},
		{"Until and IssuedBefore are never rounded down", feedRounding},
		{"Load and then Next miss nothing that is added meanwhile", feedRace},
		{"Next returns soon without a revocation", feedWait},
		{"an ended context is an error", feedContext},
	} {
		t.Run(row.name, func(t *testing.T) { row.test(t, feeds{open(t), open(t)}) })
	}
}

// feeds are those of two processes.
type feeds struct{ a, b auth.RevocationFeed }

func loadFeed(t *testing.T, f auth.RevocationFeed) ([]auth.Revocation, string) {
	t.Helper()
	all, position, err := f.Load(t.Context())
	require.NoError(t, err)
	return all, position
}

// readNext calls Next until it has n revocations, for at most 10 seconds: a
// feed may return fewer than there are.
func readNext(t *testing.T, f auth.RevocationFeed, position string, n int) ([]auth.Revocation, string) {
	t.Helper()
	var list []auth.Revocation
	for began := time.Now(); len(list) < n; {
		require.Less(t, time.Since(began), 10*time.Second, "%d of %d revocations arrived", len(list), n)
		added, next, err := f.Next(t.Context(), position)
		require.NoError(t, err)
		list, position = append(list, added...), next
	}
	require.Len(t, list, n, "no revocation may arrive twice")
	return list, position
}

// untilHour is a time that every feed can store exactly.
func untilHour() time.Time { return time.Now().Add(hour).Truncate(time.Second) }

func idleFeed(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.a)
	for range 2 {
		added, next, err := f.b.Next(t.Context(), position)
		require.NoError(t, err)
		require.Empty(t, added)
		require.Equal(t, position, next)
	}
}

// sameRevocation compares the instants, not the locations, of two revocations.
func sameRevocation(t *testing.T, want, got auth.Revocation) {
	t.Helper()
	require.Equal(t, [3]string{want.Token, want.Session, want.Subject}, [3]string{got.Token, got.Session, got.Subject})
	require.True(t, want.Until.Equal(got.Until), "Until %s, want %s", got.Until, want.Until)
	require.True(t, want.IssuedBefore.Equal(got.IssuedBefore), "IssuedBefore %s, want %s", got.IssuedBefore, want.IssuedBefore)
}

func wholeRevocations(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.b)
	until, id := untilHour(), random(t)
	want := []auth.Revocation{
		{Token: "jti \x00\xff " + id, Until: until},
		{Session: id, Until: until.Add(time.Minute)},
		{Subject: "wärehouse " + id, IssuedBefore: until.Add(-hour), Until: until},
	}
	for _, v := range want {
		require.NoError(t, f.a.Add(t.Context(), v))
	}
	added, _ := readNext(t, f.b, position, len(want))
	all, _ := loadFeed(t, f.b)
	require.GreaterOrEqual(t, len(all), len(want))
	for i, v := range want {
		sameRevocation(t, v, added[i])
		sameRevocation(t, v, all[len(all)-len(want)+i])
	}
}

func feedOrder(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.a)
	const writers, each = 8, 8
	until, id := untilHour(), random(t)
	var group sync.WaitGroup
	failed := make(chan error, writers*each)
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				feed := f.a
				if i%2 == 1 {
					feed = f.b
				}
				failed <- feed.Add(t.Context(), auth.Revocation{Session: fmt.Sprintf("%s %d %d", id, writer, i), Until: until})
			}
		})
	}
	group.Wait()
	for range writers * each {
		require.NoError(t, <-failed)
	}
	one, _ := readNext(t, f.a, position, writers*each)
	two, _ := readNext(t, f.b, position, writers*each)
	seen := make(map[string]bool)
	for i := range one {
		sameRevocation(t, one[i], two[i])
		seen[one[i].Session] = true
	}
	require.Len(t, seen, writers*each)
}

func feedRounding(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.a)
	want := auth.Revocation{Subject: random(t), IssuedBefore: untilHour().Add(-hour + 1), Until: untilHour().Add(1)}
	require.NoError(t, f.a.Add(t.Context(), want))
	got, _ := readNext(t, f.a, position, 1)
	require.False(t, got[0].Until.Before(want.Until), "a revocation must not end early")
	require.False(t, got[0].IssuedBefore.Truncate(time.Second).Before(want.IssuedBefore.Truncate(time.Second)), "a token of that second must not escape")
}

func feedRace(t *testing.T, f feeds) {
	const total = 64
	until, id := untilHour(), random(t)
	var group sync.WaitGroup
	failed := make(chan error, total)
	group.Go(func() {
		for i := range total {
			failed <- f.a.Add(t.Context(), auth.Revocation{Session: fmt.Sprintf("%s %d", id, i), Until: until})
		}
	})
	defer group.Wait()
	seen := make(map[string]bool)
	list, position := loadFeed(t, f.b)
	for began := time.Now(); ; {
		for _, v := range list {
			if len(v.Session) > len(id) && v.Session[:len(id)] == id {
				seen[v.Session] = true
			}
		}
		if len(seen) == total {
			for range total {
				require.NoError(t, <-failed)
			}
			return
		}
		require.Less(t, time.Since(began), 10*time.Second, "%d of %d revocations arrived", len(seen), total)
		var err error
		list, position, err = f.b.Next(t.Context(), position)
		require.NoError(t, err)
	}
}

// feedWait takes the shortest of several calls, because the machine may be busy
// for some of them.
func feedWait(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.a)
	shortest := hour
	for range 5 {
		began := time.Now()
		_, _, err := f.a.Next(t.Context(), position)
		require.NoError(t, err)
		shortest = min(shortest, time.Since(began))
	}
	require.Less(t, shortest, 700*time.Millisecond, "a feed that waits longer is stale for a short MaxStale")
}

func feedContext(t *testing.T, f feeds) {
	_, position := loadFeed(t, f.a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := f.a.Load(ctx)
	require.Error(t, err)
	_, _, err = f.a.Next(ctx, position)
	require.Error(t, err)
}
