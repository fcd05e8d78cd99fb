package redisauth_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// TestHangIsBounded holds that a Redis that hangs under a flood takes neither
// time nor memory without bounds.
func TestHangIsBounded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := sessions(t, connect(t, redis.NewClient(server.Options())), redisauth.Options{Timeout: 200 * time.Millisecond})
	_, err := store.List(t.Context(), "owner")
	require.NoError(t, err)
	server.Pause(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	var longest time.Duration
	flood := func() {
		for range 2000 {
			all.Go(func() {
				start := time.Now()
				_, err := store.List(context.Background(), "owner")
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, time.Since(start))
				if err == nil {
					t.Error("nobody has answered")
				}
			})
		}
		all.Wait()
	}
	flood()
	first := store.Abandoned()
	flood()
	second := store.Abandoned()
	server.Resume(t)
	t.Logf("2000 calls at once, twice: %d run when all were given up, then %d, longest wait %s", first, second, longest.Round(time.Millisecond))
	require.LessOrEqual(t, first, 2000)
	require.LessOrEqual(t, second, first+128, "what hangs is not called again")
	require.Less(t, longest, 4*time.Second)
	require.Eventually(t, func() bool { return store.Abandoned() == 0 }, 30*time.Second, 20*time.Millisecond)
}

// panicking is a hook of a client, such as one for traces, with a mistake.
type panicking struct{}

func (panicking) DialHook(next redis.DialHook) redis.DialHook { return next }
func (panicking) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("a mistake") }
}
func (panicking) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { panic("a mistake") }
}

// TestClientPanics holds that it is a 503, and does not end the process: calls
// run in goroutines of their own.
func TestClientPanics(t *testing.T) {
	t.Parallel()
	client := connect(t, redis.NewClient(redistest.Start(t).Options()))
	client.AddHook(panicking{})
	_, err := sessions(t, client, redisauth.Options{Timeout: 100 * time.Millisecond}).List(t.Context(), "owner")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "a mistake")
}

// TestCorruptRecordsAreUnavailable holds that what others wrote under our names is a 503, and
// neither a login nor a logout.
func TestCorruptRecordsAreUnavailable(t *testing.T) {
	t.Parallel()
	client := connect(t, redis.NewClient(redistest.Start(t).Options()))
	store := sessions(t, client, redisauth.Options{})
	d := newDesk(t, store, store.Advance)
	token := d.login()
	keys, err := client.Keys(t.Context(), "ringwall:sessions:*").Result()
	require.NoError(t, err)
	require.Len(t, keys, 1)
	good, err := client.HGet(t.Context(), keys[0], d.issued[0]).Result()
	require.NoError(t, err)
	for _, bad := range []string{"", "garbage", "1 2 3", "x x x x x x x:x", "0 0 0 nan 0 - 1", "1e300 1 1 1 1 -"} {
		require.NoError(t, client.HSet(t.Context(), keys[0], d.issued[0], bad).Err())
		status, next := d.refresh(token)
		require.NotEqual(t, 200, status, bad)
		require.Empty(t, next)
	}
	require.NoError(t, client.HSet(t.Context(), keys[0], d.issued[0], good).Err())
	require.NoError(t, client.Set(t.Context(), "ringwall:apikeys", "a text", 0).Err())
	_, _, err = apiKeys(t, client, redisauth.Options{}).Get(t.Context(), "id")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.NoError(t, client.Del(t.Context(), "ringwall:apikeys").Err())
	require.NoError(t, client.HSet(t.Context(), "ringwall:apikeys", "id", "1 {").Err())
	_, found, err := apiKeys(t, client, redisauth.Options{}).Get(t.Context(), "id")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.False(t, found)
	require.NoError(t, client.HSet(t.Context(), "ringwall:apikeys", "good", `1 {"Key":{"ID":"good"},"Version":1,"Secrets":[{}]}`, "bare", `1 {"Key":{"ID":"bare"},"Version":1}`, "other", `1 {"Key":{"ID":"good"},"Version":1,"Secrets":[{}]}`).Err())
	list, err := apiKeys(t, client, redisauth.Options{}).List(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	for _, broken := range []string{"id", "bare", "other"} {
		require.ErrorContains(t, err, strconv.Quote(broken))
	}
	require.Len(t, list, 1, "what can be read is listed")
	for _, broken := range []string{"id", "bare", "other"} {
		require.NoError(t, newRing(t, apiKeys(t, client, redisauth.Options{})).Revoke(t.Context(), broken))
	}
	list, err = apiKeys(t, client, redisauth.Options{}).List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1, "those that were damaged are gone")
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "ringwall:revocations", Values: []string{"k", "s"}}).Err())
	_, _, err = revocations(t, client, redisauth.Options{}).Load(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable, "going on without it would let somebody through")
}

// TestOtherServersAreUnavailable checks that a server other than Redis is a 503.
func TestOtherServersAreUnavailable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	client := connect(t, redis.NewClient(&redis.Options{Addr: listener.Addr().String()}))
	store := sessions(t, client, redisauth.Options{Timeout: 300 * time.Millisecond})
	d := newDesk(t, store, store.Advance)
	_, err = store.List(t.Context(), "owner")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorIs(t, d.RevokeAll(t.Context(), "ann"), auth.ErrUnavailable)
	require.ErrorIs(t, store.Ready(t.Context()), auth.ErrUnavailable)
}

// TestFloodOfReuseHasABoundedEffect holds that a spent token is good for one entry of the feed,
// and 16 events and changes of Redis at most, however often it is presented,
// and by whichever attempts.
func TestFloodOfReuseHasABoundedEffect(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, redis.NewClient(server.Options()))
	store, feed := sessions(t, client, redisauth.Options{}), revocations(t, client, redisauth.Options{})
	for _, tt := range []struct {
		name    string
		attempt func(i int) []string
		events  int
	}{
		{name: "each time the same attempt", attempt: func(int) []string { return []string{session.AttemptHeader, once} }, events: 16},
		{name: "each time another", attempt: func(i int) []string { return []string{session.AttemptHeader, fmt.Sprintf("%016d", i)} }, events: 1},
		{name: "none", attempt: func(int) []string { return nil }, events: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, store, store.Advance, func(o *session.Options) {
				o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
			})
			spent := d.login()
			newest := d.mustRefresh(spent)
			before, err := feed.Stream(t.Context())
			require.NoError(t, err)
			for i := range 16 {
				d.refused(spent, tt.attempt(i)...)
			}
			changes := server.Info(t, "rdb_changes_since_last_save")
			for i := range 1000 {
				d.refused(spent, tt.attempt(i+16)...)
			}
			d.refused(newest)
			require.Equal(t, slices.Repeat([]session.Reason{session.TokenReused}, tt.events), d.events)
			after, err := feed.Stream(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, after-before)
			require.Equal(t, changes, server.Info(t, "rdb_changes_since_last_save"), "nothing is written for it")
		})
	}
}

// TestFullRedisStillRevokes checks that a Redis without memory refuses new records, and still
// revokes keys, because that frees memory.
func TestFullRedisStillRevokes(t *testing.T) {
	t.Parallel()
	client := single(t)
	ctx, store, feed := t.Context(), apiKeys(t, client, redisauth.Options{}), revocations(t, client, redisauth.Options{})
	r := newRing(t, store)
	r.create()
	r.age(91 * day)
	late, _, err := store.Get(ctx, r.key.ID)
	require.NoError(t, err)
	require.NoError(t, client.ConfigSet(ctx, "maxmemory", "1").Err())

	require.NoError(t, r.call(r.text, home), "its use is not written")
	require.ErrorIs(t, feed.Add(ctx, auth.Revocation{Token: "x", Until: inAnHour()}), auth.ErrUnavailable)
	_, _, err = r.Create(ctx, apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
	require.ErrorIs(t, err, auth.ErrUnavailable)
	err = r.RotateDue(ctx, func(context.Context, apikey.Key, string) error {
		t.Error("a secret that nobody keeps was delivered")
		return nil
	})
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.NoError(t, r.Revoke(ctx, r.key.ID))
	require.ErrorIs(t, r.call(r.text, home), auth.ErrInvalid)

	require.NoError(t, client.ConfigSet(ctx, "maxmemory", "0").Err())
	late.Version = 1
	written, err := store.Put(ctx, late)
	require.NoError(t, err)
	require.False(t, written, "the tombstone is there")
}
