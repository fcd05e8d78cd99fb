package redisauth_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// TestReaderSkipsNoEntry checks that a reader never continues past an entry that it has
// not read.
func TestReaderSkipsNoEntry(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	add := func(t *testing.T, f *redisauth.RevocationFeed, ids ...string) {
		for _, id := range ids {
			require.NoError(t, f.Add(t.Context(), auth.Revocation{Token: id, Until: inAnHour()}))
		}
	}
	t.Run("all is gone", func(t *testing.T) {
		client := single(t)
		f := revocations(t, client, redisauth.Options{})
		add(t, f, "a")
		_, position, err := f.Load(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.FlushAll(t.Context()).Err())
		_, _, err = f.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost)
		add(t, f, "b")
		_, _, err = f.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost)
		all, _, err := f.Load(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 1)
	})
	t.Run("another stream, whose entry has the ID of the position", func(t *testing.T) {
		client := single(t)
		f := revocations(t, client, redisauth.Options{})
		// As in one millisecond: IDs go on from the newest by one.
		begin := func(id string) {
			add(t, f, "first")
			require.NoError(t, client.Do(t.Context(), "xsetid", "ringwall:revocations", "99999999999999-0").Err())
			add(t, f, id)
		}
		begin("a")
		_, position, err := f.Load(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.Del(t.Context(), "ringwall:revocations").Err())
		begin("b")
		_, _, err = f.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost, "b is not a")
		add(t, f, "c")
		_, _, err = f.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost, "c comes after b")
	})
	t.Run("a failover, and new entries before the next look", func(t *testing.T) {
		p := newPair(t)
		before := revocations(t, connect(t, redis.NewClient(p.master.Options())), redisauth.Options{})
		add(t, before, "kept")
		p.settle(t)
		p.link.BlackHole(true)
		add(t, before, "lost")
		_, position, err := before.Load(t.Context())
		require.NoError(t, err)
		after := revocations(t, p.fail(t), redisauth.Options{})
		_, _, err = after.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost, "nothing is new")
		add(t, after, "x", "y")
		_, _, err = after.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost, "by its time, x could stand before the position")
		all, _, err := after.Load(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 3)
	})
	t.Run("a failover, and a new entry at the position", func(t *testing.T) {
		p := newPair(t)
		client := connect(t, redis.NewClient(p.master.Options()))
		before := revocations(t, client, redisauth.Options{})
		add(t, before, "kept")
		// As after a clock was set back: IDs go on from the newest by one.
		require.NoError(t, client.Do(t.Context(), "xsetid", "ringwall:revocations", "99999999999999-0").Err())
		p.settle(t)
		p.link.BlackHole(true)
		add(t, before, "lost")
		_, position, err := before.Load(t.Context())
		require.NoError(t, err)
		after := revocations(t, p.fail(t), redisauth.Options{})
		for _, id := range []string{"x", "y"} {
			add(t, after, id)
			_, _, err = after.Next(t.Context(), position)
			require.ErrorIs(t, err, auth.ErrPositionLost)
		}
	})
	t.Run("trimmed beyond it", func(t *testing.T) {
		f := revocations(t, single(t), redisauth.Options{})
		_, position, err := f.Load(t.Context())
		require.NoError(t, err)
		require.NoError(t, f.Add(t.Context(), auth.Revocation{Token: "dead", Until: time.Now().Add(-time.Second)}))
		add(t, f, "a", "b")
		_, _, err = f.Next(t.Context(), position)
		require.ErrorIs(t, err, auth.ErrPositionLost)
	})
}

// TestForeignEntryPreventsNoRevocation holds that an entry that is none of ours keeps
// nothing from being revoked, although it keeps all from being read.
func TestForeignEntryPreventsNoRevocation(t *testing.T) {
	t.Parallel()
	client := single(t)
	ctx, f := t.Context(), revocations(t, client, redisauth.Options{})
	foreign := func(until, sweep string) []string {
		return []string{"k", "t", "id", "x", "u", until, "b", "0", "p", "0-0", "c", sweep}
	}
	for _, tt := range []struct {
		name   string
		fields []string
	}{
		{name: "no fields of ours", fields: []string{"a", "b"}},
		{name: "no end", fields: foreign("", "-")},
		{name: "an end that is no number", fields: foreign("x", "-")},
		{name: "an end that no number is after", fields: foreign("nan", "-")},
		{name: "no place of the sweep", fields: foreign("x", "")},
		{name: "a place that is none", fields: foreign("x", "(x")},
		{name: "an option of a command", fields: foreign("x", "COUNT")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, client.Del(ctx, "ringwall:revocations").Err())
			id, err := client.XAdd(ctx, &redis.XAddArgs{Stream: "ringwall:revocations", Values: tt.fields}).Result()
			require.NoError(t, err)
			for i := range 20 {
				require.NoError(t, f.Add(ctx, auth.Revocation{Token: fmt.Sprint("dead", i), Until: time.Now().Add(-time.Second)}))
			}
			require.NoError(t, f.Add(ctx, auth.Revocation{Token: "alive", Until: inAnHour()}))
			require.LessOrEqual(t, errors.Must(f.Stream(ctx)), int64(3), "the sweep goes on")
			_, _, err = f.Load(ctx)
			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.NoError(t, client.XDel(ctx, "ringwall:revocations", id).Err())
			all, _, err := f.Load(ctx)
			require.NoError(t, err)
			require.Equal(t, "alive", all[len(all)-1].Token)
		})
	}
}

// TestTimesBeyondMillisecondsRevoke holds that times which no number of milliseconds reaches
// revoke no less.
func TestTimesBeyondMillisecondsRevoke(t *testing.T) {
	t.Parallel()
	ctx, f := t.Context(), revocations(t, single(t), redisauth.Options{})
	ever := time.Unix(1<<55, 0)
	require.NoError(t, f.Add(ctx, auth.Revocation{Subject: "ann", IssuedBefore: ever, Until: ever}))
	require.NoError(t, f.Add(ctx, auth.Revocation{Token: "dead", Until: time.Unix(-1<<55, 0)}))
	require.NoError(t, f.Add(ctx, auth.Revocation{Token: "new", Until: inAnHour()}))
	all, _, err := f.Load(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, at := range []time.Time{all[0].Until, all[0].IssuedBefore} {
		require.Greater(t, at.Year(), 100_000_000)
	}
}

// TestLoadDetectsARestart checks that a feed is not taken for complete if another
// Redis, with lower IDs, continues it.
func TestLoadDetectsARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, other := connect(t, redis.NewClient(server.Options())), connect(t, redis.NewClient(server.Options()))
	f := revocations(t, client, redisauth.Options{})
	for i := range 501 {
		require.NoError(t, f.Add(t.Context(), auth.Revocation{Token: fmt.Sprint(i), Until: inAnHour()}))
		if i == 0 {
			require.NoError(t, client.Do(t.Context(), "xsetid", "ringwall:revocations", "99999999999999-0").Err())
		}
	}
	b := &between{call: func() {
		server.Restart(t)
		require.NoError(t, revocations(t, other, redisauth.Options{}).Add(t.Context(), auth.Revocation{Token: "new", Until: inAnHour()}))
	}}
	client.AddHook(b)
	b.left.Store(3) // the first page takes two, since the script is new
	_, _, err := f.Load(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	all, _, err := f.Load(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// TestLoadDetectsADeletedStream holds that a feed is not taken for whole when its stream
// was deleted between two pages, and the new one gives lower IDs.
func TestLoadDetectsADeletedStream(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, other := connect(t, redis.NewClient(server.Options())), connect(t, redis.NewClient(server.Options()))
	f := revocations(t, client, redisauth.Options{})
	for i := range 501 {
		require.NoError(t, f.Add(t.Context(), auth.Revocation{Token: fmt.Sprint(i), Until: inAnHour()}))
		if i == 0 {
			require.NoError(t, client.Do(t.Context(), "xsetid", "ringwall:revocations", "99999999999999-0").Err())
		}
	}
	b := &between{call: func() {
		require.NoError(t, other.Del(t.Context(), "ringwall:revocations").Err())
		require.NoError(t, revocations(t, other, redisauth.Options{}).Add(t.Context(), auth.Revocation{Token: "new", Until: inAnHour()}))
	}}
	client.AddHook(b)
	b.left.Store(3) // the first page takes two, since the script is new
	_, _, err := f.Load(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	all, _, err := f.Load(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
}
