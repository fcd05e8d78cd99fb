package rediscall_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/rediscall"
	"github.com/ringwall/ringwall/internal/redistest"
)

// The reply is lost. By default, the client makes four attempts.
func TestOnceIsNotRetried(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr})
	t.Cleanup(func() { _ = client.Close() })
	var cmd *redis.Cmd
	for _, row := range []struct {
		name string
		send func() error
		want string
	}{
		{name: "a command without Once", send: func() error { return client.Process(t.Context(), cmd) }, want: "2"},
		{name: "a command with Once", send: func() error { return client.Process(t.Context(), rediscall.Once{Cmder: cmd}) }, want: "1"},
		{name: "a command with Once in a pipeline", send: func() error {
			pipe := client.Pipeline()
			require.NoError(t, pipe.Process(t.Context(), rediscall.Once{Cmder: cmd}))
			_, err := pipe.Exec(t.Context())
			return err
		}, want: "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server.Do(t, "DEL", "n")
			cmd = redis.NewCmd(t.Context(), "incr", "n")
			fired := proxy.ResetReply("incr")
			require.Equal(t, row.want == "1", row.send() != nil)
			<-fired
			require.Equal(t, row.want, server.Do(t, "GET", "n"))
			cmd = redis.NewCmd(t.Context(), "get", "n")
			require.NoError(t, row.send())
			require.Equal(t, row.want, cmd.Val())
		})
	}
}

// The commands use one connection to the node of the key, even if many
// connections are in use. TestClusterMovesASlot of redisauth moves a slot.
func TestTogetherUsesOneConnection(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		start func(*testing.T) redis.UniversalClient
		ports int
	}{
		{name: "a single server", start: func(t *testing.T) redis.UniversalClient {
			return redis.NewClient(redistest.Start(t).Options())
		}, ports: 1},
		{name: "a Cluster", start: func(t *testing.T) redis.UniversalClient {
			if testing.Short() {
				t.Skip("slow: starts a Cluster")
			}
			return redis.NewClusterClient(redistest.StartCluster(t).Options())
		}, ports: 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := row.start(t)
			t.Cleanup(func() { _ = client.Close() })
			var group sync.WaitGroup
			var mu sync.Mutex
			ports, connections := map[string]bool{}, map[string]bool{}
			for i := range 16 {
				group.Go(func() {
					for j := range 20 {
						key := fmt.Sprint(i, "-", j)
						write := redis.NewCmd(t.Context(), "set", key, "1")
						first, second := redis.NewStringCmd(t.Context(), "client", "info"), redis.NewStringCmd(t.Context(), "client", "info")
						rediscall.Together(t.Context(), client, key, write, first, second)
						one, another := fields(first.Val()), fields(second.Val())
						mu.Lock()
						ports[one["laddr"]], connections[one["laddr"]+one["id"]] = true, true
						mu.Unlock()
						if write.Err() != nil || one["id"] == "" || one["id"] != another["id"] || one["laddr"] != another["laddr"] {
							t.Error(write, first, second)
						}
					}
				})
			}
			group.Wait()
			require.Len(t, ports, row.ports)
			require.Greater(t, len(connections), row.ports)
		})
	}

	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	cmd, wait := redis.NewCmd(t.Context(), "get", "x"), redis.NewCmd(t.Context(), "wait", 1, 1)
	rediscall.Together(t.Context(), client, "x", cmd, wait)
	require.ErrorContains(t, cmd.Err(), "refused")
}

// fields returns the fields of a line of CLIENT INFO.
func fields(info string) map[string]string {
	all := make(map[string]string)
	for _, field := range strings.Fields(info) {
		name, value, _ := strings.Cut(field, "=")
		all[name] = value
	}
	return all
}

func TestDoReturnsTheErrorOfACall(t *testing.T) {
	t.Parallel()
	failure := errors.New("a failure")
	for _, row := range []struct {
		name string
		call func(context.Context) error
		want string
	}{
		{name: "a panic", call: func(context.Context) error { panic("a mistake") }, want: "call redis: panic: a mistake"},
		{name: "an error", call: func(context.Context) error { return failure }, want: "a failure"},
		{name: "a call that returns when its context ends", call: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, want: "context deadline exceeded"},
		{name: "no error", call: func(context.Context) error { return nil }, want: ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls rediscall.Calls
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := calls.Do(ctx, row.call)
				if row.want == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, row.want)
				}
				synctest.Wait()
				require.Zero(t, calls.Abandoned())
			})
		})
	}
}

// Calls that hang do not block their callers. If too many hang, Do refuses new
// calls until they return.
func TestDoLimitsAbandonedCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const crowd = 2000
		var calls rediscall.Calls
		var made, late, refused atomic.Int32
		release := make(chan struct{})
		hangs := func(context.Context) error { made.Add(1); <-release; return nil }
		makeCalls := func() {
			for range crowd {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					switch err := calls.Do(ctx, hangs); {
					case errors.Is(err, context.DeadlineExceeded):
						late.Add(1)
					case err != nil && err.Error() == "call redis: too many abandoned calls":
						refused.Add(1)
					}
				}()
			}
			synctest.Wait()
		}
		makeCalls()
		require.EqualValues(t, crowd, made.Load())
		require.Zero(t, calls.Abandoned())
		<-time.After(time.Second)
		synctest.Wait()
		require.EqualValues(t, crowd, late.Load())
		require.Equal(t, crowd, calls.Abandoned())

		start := time.Now()
		makeCalls()
		require.EqualValues(t, crowd, refused.Load())
		require.Zero(t, time.Since(start), "Do must not wait while too many calls are abandoned")
		require.EqualValues(t, crowd, made.Load(), "a refused call must not start")

		close(release)
		synctest.Wait()
		require.Zero(t, calls.Abandoned())
		require.NoError(t, calls.Do(t.Context(), hangs))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, calls.Do(ended, hangs), context.Canceled)
		require.EqualValues(t, crowd+1, made.Load(), "a call with an ended context must not start")
	})
}

func TestDoAcceptsABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls rediscall.Calls
		var failed atomic.Int32
		for range 10_000 {
			go func() {
				if calls.Do(t.Context(), func(context.Context) error { <-time.After(time.Millisecond); return nil }) != nil {
					failed.Add(1)
				}
			}()
		}
		<-time.After(time.Second)
		require.Zero(t, failed.Load())
	})
}

func TestCallAtTheDeadlineIsCountedOnce(t *testing.T) {
	t.Parallel()
	var calls rediscall.Calls
	var group sync.WaitGroup
	for i := range 2000 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%100)*10*time.Microsecond)
			defer cancel()
			_ = calls.Do(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		})
	}
	group.Wait()
	require.Eventually(t, func() bool { return calls.Abandoned() == 0 }, 10*time.Second, time.Millisecond)
}

func TestBracketsAreAddedToIPv6(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"::1:6381": "[::1]:6381", "[::1]:6381": "[::1]:6381", "127.0.0.1:1": "127.0.0.1:1", "redis.example:6379": "redis.example:6379", "": "",
	} {
		require.Equal(t, want, rediscall.Bracketed(addr), addr)
	}
}
