package redisauth_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// follow starts Revocations with a MaxStale of two seconds.
func follow(t *testing.T, client redis.UniversalClient) *auth.Revocations {
	t.Helper()
	r := errors.Must(auth.NewRevocations(auth.RevocationsOptions{
		Feed: revocations(t, client, redisauth.Options{Timeout: 200 * time.Millisecond}), MaxStale: 2 * time.Second, Logger: slog.New(slog.DiscardHandler),
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	require.Eventually(t, func() bool { return r.Ready(t.Context()) == nil }, 20*time.Second, 5*time.Millisecond)
	return r
}

// What one process revokes, another accepts for MaxStale at most, also when
// its Redis goes away at that moment.
func TestRevocationReachesACutOffProcessInTime_FS1(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for name, cut := range map[string]func(p *redistest.Proxy, on bool){
		"FS1 Redis refuses connections": func(p *redistest.Proxy, on bool) { p.Refuse(on) },
		"FS1 Redis hangs":               func(p *redistest.Proxy, on bool) { p.BlackHole(on) },
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			a := follow(t, connect(t, redis.NewClient(&redis.Options{Addr: server.Addr})))
			b := follow(t, connect(t, redis.NewClient(&redis.Options{Addr: proxy.Addr})))
			ctx, check := t.Context(), func(r *auth.Revocations) error { return r.Check(t.Context(), "", "s1", "", time.Now()) }
			require.Eventually(t, func() bool { return check(b) == nil }, 20*time.Second, time.Millisecond)
			cut(proxy, true)
			revoked := time.Now()
			require.Eventually(t, func() bool { return a.RevokeSession(ctx, "s1", inAnHour()) == nil }, 20*time.Second, time.Millisecond)
			require.ErrorIs(t, check(a), auth.ErrRevoked, "here at once")
			last := time.Duration(0)
			require.Eventually(t, func() bool {
				at := time.Now()
				err := check(b)
				if err == nil {
					last = at.Sub(revoked)
				}
				return at.Sub(revoked) > 3*time.Second
			}, 20*time.Second, time.Millisecond)
			t.Logf("accepted for %s", last.Round(time.Millisecond))
			require.LessOrEqual(t, last, 2*time.Second)
			require.ErrorIs(t, check(b), auth.ErrUnavailable)
			cut(proxy, false)
			require.Eventually(t, func() bool { return errors.Is(check(b), auth.ErrRevoked) }, 20*time.Second, time.Millisecond, "and it catches up")
			require.Eventually(t, func() bool { return b.Ready(ctx) == nil }, 20*time.Second, time.Millisecond)
		})
	}
}

// Next returns soon enough for the shortest MaxStale, because its wait counts
// twice.
func TestNextReturnsInTimeForTheShortestMaxStale_FS1(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	f := revocations(t, single(t), redisauth.Options{})
	_, position, err := f.Load(t.Context())
	require.NoError(t, err)
	shortest := time.Hour
	for range 5 { // the machine may be busy for some of them
		began := time.Now()
		_, _, err = f.Next(t.Context(), position)
		require.NoError(t, err)
		shortest = min(shortest, time.Since(began))
	}
	require.Less(t, shortest, 700*time.Millisecond)
}
