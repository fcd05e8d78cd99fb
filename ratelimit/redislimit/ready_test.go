package redislimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

func TestReadyReportsWhetherDecisionsWork(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, connect(t, server.Options()), redislimit.Options{})
	soon := func() context.Context { return within(t, patient) }
	require.NoError(t, s.Ready(soon()))
	require.NoError(t, s.Ready(soon()), "again")
	server.Do(t, "SCRIPT", "FLUSH")
	require.NoError(t, s.Ready(soon()), "the script is sent again")

	server.ReplicaOf(t, redistest.Start(t))
	err := s.Ready(soon())
	require.ErrorContains(t, err, "READONLY")
	require.NotErrorIs(t, err, ratelimit.ErrMisconfigured, "a failover ends it")
	server.Promote(t)
	require.NoError(t, s.Ready(soon()))

	server.Do(t, "ACL", "SETUSER", "reader", "on", ">secret", "~*", "-@all", "+get", "+time", "+evalsha", "+eval")
	o := server.Options()
	o.Username, o.Password = "reader", "secret"
	require.ErrorIs(t, open(t, connect(t, o), redislimit.Options{}).Ready(soon()), ratelimit.ErrMisconfigured)
	server.Do(t, "ACL", "SETUSER", "reader", "+set", "-eval", "-evalsha")
	require.ErrorIs(t, open(t, connect(t, o), redislimit.Options{}).Ready(soon()), ratelimit.ErrMisconfigured)

	server.Pause(t)
	begin := time.Now()
	require.Error(t, s.Ready(within(t, timeout)))
	require.Less(t, time.Since(begin), timeout+slack)
	server.Resume(t)
	server.Kill()
	require.Error(t, s.Ready(soon()))
	server.Restart(t)
	require.Eventually(t, func() bool { return s.Ready(within(t, time.Second)) == nil }, patient, 10*time.Millisecond)

	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": server.Addr}})
	t.Cleanup(func() { _ = ring.Close() })
	require.NoError(t, open(t, ring, redislimit.Options{}).Ready(soon()))
}
