package redisauth_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// record returns a key as it is first stored. Its name is long enough that
// Redis does not keep the hash in its short form, which a scan returns whole.
func record(id string) apikey.Record {
	return apikey.Record{Key: apikey.Key{ID: id, Name: fmt.Sprintf("%0100d", 1)}, Version: 1, Secrets: []apikey.Secret{{}}}
}

// TestDeletedKeysStayDeleted checks the records of deleted keys.
func TestDeletedKeysStayDeleted(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, kind := range kindsOf() {
		t.Run(kind.name, func(t *testing.T) {
			client := kind.start(t)
			t.Run("are forgotten", func(t *testing.T) { forgotten(t, apiKeys(t, client, redisauth.Options{Prefix: "a:"})) })
			t.Run("are no keys", func(t *testing.T) { noKeys(t, apiKeys(t, client, redisauth.Options{Prefix: "b:"})) })
		})
	}
}

// forgotten checks that a deleted key stays deleted as long as a write of it may
// be under way, and that its record is deleted then, a few at a time.
func forgotten(t *testing.T, s *redisauth.KeyStore) {
	ctx := context.Background()
	put := func(id string) bool { return errors.Must(s.Put(ctx, record(id))) }
	fields := func() int { return int(errors.Must(s.Fields(ctx))) }
	dead := func(i int) string { return fmt.Sprint("dead", i) }
	const many, live = 400, 50
	for i := range live {
		require.True(t, put(fmt.Sprint("live", i)))
	}
	for i := range many {
		require.True(t, put(dead(i)))
		require.NoError(t, s.Delete(ctx, dead(i)))
	}
	s.Advance(time.Hour - time.Minute)
	for i := range many {
		require.False(t, put(dead(i)), "what arrives late does nothing")
	}
	before := fields()
	require.GreaterOrEqual(t, before, live+many)

	s.Advance(2 * time.Minute)
	require.True(t, put("live"))
	require.NoError(t, s.Delete(ctx, "live"))
	require.GreaterOrEqual(t, fields(), before-100, "a call looks at a few")
	for i := range 200 {
		require.True(t, put(fmt.Sprint("more", i)))
		require.NoError(t, s.Delete(ctx, fmt.Sprint("more", i)))
	}
	require.LessOrEqual(t, fields(), live+201+1, "those who died in this hour, and the place of the sweep")
	require.Len(t, errors.Must(s.List(ctx)), live, "and nobody else")
	require.True(t, put(dead(0)))
}

// noKeys checks that a tombstone cannot be read or deleted by its name.
func noKeys(t *testing.T, s *redisauth.KeyStore) {
	ctx := t.Context()
	r := newRing(t, s)
	r.create()
	late, _, err := s.Get(ctx, r.key.ID)
	require.NoError(t, err)
	require.NoError(t, r.Revoke(ctx, r.key.ID))
	for _, id := range []string{"-" + r.key.ID, "-", ""} {
		require.ErrorIs(t, r.Revoke(ctx, id), apikey.ErrNotFound)
		require.NoError(t, s.Delete(ctx, id))
		_, found, err := s.Get(ctx, id)
		require.NoError(t, err)
		require.False(t, found)
		_, err = s.Put(ctx, record(id))
		require.ErrorContains(t, err, "is not a key ID")
	}
	late.Version = 1
	require.False(t, errors.Must(s.Put(ctx, late)), "the tombstone is there")
}

// TestInvalidCursorPreventsNoRevocation checks that an invalid cursor does not prevent a
// revocation.
func TestInvalidCursorPreventsNoRevocation(t *testing.T) {
	t.Parallel()
	client := single(t)
	s := apiKeys(t, client, redisauth.Options{})
	require.NoError(t, client.HSet(t.Context(), "ringwall:apikeys", "-", "nowhere", "-old", "").Err())
	require.True(t, errors.Must(s.Put(t.Context(), record("a"))))
	require.NoError(t, s.Delete(t.Context(), "a"))
	left, err := client.HKeys(t.Context(), "ringwall:apikeys").Result()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"-", "-a"}, left)
}

// failing is a hook of a client that ends when a number of calls are made.
type failing struct{ left *atomic.Int64 }

func (failing) DialHook(next redis.DialHook) redis.DialHook { return next }
func (f failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.left.Add(-1) < 0 {
			cmd.SetErr(errors.New("cut"))
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}
func (failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestListReturnsKeysBeforeAFailure checks that keys that were read before Redis failed are
// returned with the error.
func TestListReturnsKeysBeforeAFailure(t *testing.T) {
	t.Parallel()
	client := connect(t, redis.NewClient(redistest.Start(t).Options()))
	store := apiKeys(t, client, redisauth.Options{})
	for i := range 1000 {
		require.True(t, errors.Must(store.Put(t.Context(), record(strconv.Itoa(i)))))
	}
	require.Len(t, errors.Must(store.List(t.Context())), 1000)
	var left atomic.Int64
	client.AddHook(failing{&left})
	for _, calls := range []int64{0, 2} {
		left.Store(calls)
		list, err := store.List(t.Context())
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.Equal(t, calls > 0, len(list) > 200)
		require.Less(t, len(list), 1000)
	}
}

// between is a hook of a client that does something before one of its calls.
type between struct {
	call func()
	left atomic.Int64 // calls until then; negative: done
}

func (*between) DialHook(next redis.DialHook) redis.DialHook { return next }
func (b *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if b.left.Add(-1) == 0 {
			b.call()
		}
		return next(ctx, cmd)
	}
}
func (*between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestListDetectsARestart checks that a scan is not taken for complete if another
// Redis, with another order, continues it.
func TestListDetectsARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "appendfsync always")
	client := connect(t, redis.NewClient(server.Options()))
	store := apiKeys(t, client, redisauth.Options{})
	for i := range 1000 {
		require.True(t, errors.Must(store.Put(t.Context(), record(strconv.Itoa(i)))))
	}
	b := &between{call: func() { server.Restart(t) }}
	client.AddHook(b)
	b.left.Store(3) // the first page takes two, since the script is new
	list, err := store.List(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "the Redis process has changed")
	require.NotEmpty(t, list, "what was read before")
	require.Len(t, errors.Must(store.List(t.Context())), 1000)
}
