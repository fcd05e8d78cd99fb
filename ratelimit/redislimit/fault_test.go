package redislimit_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// The server is killed during calls. Its counts are lost: each client gets its
// limit once more, and never more than that.
func TestFaultKilled(t *testing.T) {
	const limit = 200
	server := redistest.Start(t)
	client := connect(t, server.Options())
	w := serve(t, client, limit)
	stop := w.flood("/local", "a")
	redistest.Await(t, patient, "some are admitted", func() bool { return w.count("/local", 200) > limit/4 })
	server.Kill()
	w.fails("/local", "a")
	redistest.Await(t, patient, "this process admits what is left", func() bool { return w.count("/local", 200) >= limit })
	before := w.count("/local", 200)
	server.Restart(t)
	recovery := w.recovers("/local", "a")
	redistest.Await(t, patient, "Redis counts again", func() bool {
		w.get("/local", "b")
		return remaining(t, client, "/local", "b", limit) < limit
	})
	stop()
	w.report(w.admitted("/local", "a")-limit, 0, recovery)
	require.LessOrEqual(t, before, limit, "while Redis was gone, this process knew what it had admitted")
	require.Equal(t, limit, w.admitted("/local", "a"), "and when it was back, without a count, too")
}

// The server hangs, and the client has go-redis's default options, which would
// wait for five seconds, four times.
func TestFaultHangs(t *testing.T) {
	const limit = 300
	server := redistest.Start(t)
	client := connect(t, server.Options())
	require.False(t, client.Options().ContextTimeoutEnabled)
	w := serve(t, client, limit)
	stop := w.flood("/local", "a")
	stopStrict := w.flood("/strict", "b", 503)
	redistest.Await(t, patient, "some are admitted", func() bool { return w.count("/local", 200) > limit/4 })
	server.Pause(t)
	w.fails("/local", "a")
	redistest.Await(t, patient, "the strict tier refuses", func() bool { return w.count("/strict", 503) > 20 })
	redistest.Await(t, patient, "this process admits what is left", func() bool { return w.count("/local", 200) >= limit })
	require.LessOrEqual(t, w.count("/local", 200), limit)
	server.Resume(t)
	recovery := w.recovers("/local", "a")
	stop()
	stopStrict()
	// Abandoned calls are executed when the server continues: they count, and
	// admit no request. Redis does not have the requests that this process
	// admitted alone.
	used := limit - remaining(t, client, "/local", "a", limit)
	w.report(max(0, w.count("/local", 200)-limit), max(0, used-w.count("/local", 200)), recovery)
	require.LessOrEqual(t, w.count("/local", 200), limit)
}

// A Store returns when its context ends, with clients of any kind and of default
// options. The number of abandoned calls is bounded, and they end.
func TestFaultHangsStore(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	server := redistest.Start(t)
	enabled := server.Options()
	enabled.ContextTimeoutEnabled = true
	small := server.Options()
	small.PoolSize, small.PoolTimeout = 1, time.Hour
	for _, row := range []struct {
		name   string
		client redis.UniversalClient
	}{
		{"default options", connect(t, server.Options())},
		{"ContextTimeoutEnabled", connect(t, enabled)},
		{"a pool of one", connect(t, small)},
		{"Ring", redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": server.Addr}})},
		{"Ring with a large pool", redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": server.Addr}, PoolSize: 1000})},
		{"Cluster", redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}})},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, row.client, redislimit.Options{})
			_ = s.Take(t.Context(), []ratelimit.Charge{charge("/local", "a", 5)}, make([]ratelimit.Verdict, 1)) // connect
			before := runtime.NumGoroutine()
			server.Pause(t)
			longest, refused := crowd(t, s)
			abandoned, during := s.Abandoned(), runtime.NumGoroutine()-before
			server.Resume(t)
			redistest.Await(t, patient, "what was given up has returned", func() bool { return runtime.NumGoroutine() <= before+20 })
			t.Logf("2400 calls: longest wait %v, %d refused at once, %d given up that run, and %d goroutines", longest.Round(time.Millisecond), refused, abandoned, during)
			require.Less(t, longest, timeout+slack)
			require.LessOrEqual(t, abandoned, 128+400, "those of the crowd that was under way")
			require.LessOrEqual(t, during, 2*(128+400)+100, "a call of ours, and go-redis's to connect")
			if row.name != "Cluster" { // which is none
				require.Eventually(t, func() bool {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					return s.Take(ctx, []ratelimit.Charge{charge("/local", "b", 5)}, make([]ratelimit.Verdict, 1)) == nil
				}, patient, 10*time.Millisecond)
			}
			require.NoError(t, row.client.Close())
		})
	}
}

// crowd makes 2400 calls, 400 at a time, and returns how long the longest took, and
// how many were refused at once.
func crowd(t *testing.T, s *redislimit.Store) (longest time.Duration, refused int) {
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 6 {
		for range 400 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				begin := time.Now()
				err := s.Take(ctx, []ratelimit.Charge{charge("/local", "a", 5)}, make([]ratelimit.Verdict, 1))
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, time.Since(begin))
				if ctx.Err() == nil {
					refused++
				}
				if err == nil {
					t.Error("an answer of a server that hangs")
				}
			})
		}
		group.Wait()
	}
	return longest, refused
}

// A hook of the client panics, as one that instruments it may: that is a failed
// call, and does not end the process.
func TestFaultPanic(t *testing.T) {
	t.Parallel()
	client := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": redistest.Start(t).Addr}})
	t.Cleanup(func() { _ = client.Close() })
	client.AddHook(panics{})
	w := serve(t, client, 10)
	require.Equal(t, 200, w.get("/local", "a"))
	require.Equal(t, 503, w.get("/strict", "a", 503))
	w.report(0, 0, 0)
}

// panics is a hook that panics in place of each command.
type panics struct{}

func (panics) DialHook(next redis.DialHook) redis.DialHook { return next }

func (panics) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { panic("a mistake") }
}

func (panics) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { panic("a mistake") }
}

// Replies are late: within the timeout, at its end, and after it.
func TestFaultSlow(t *testing.T) {
	for _, row := range []struct {
		delay time.Duration
		local bool // or from Redis
	}{{10 * time.Millisecond, false}, {100 * time.Millisecond, true}, {400 * time.Millisecond, true}} {
		t.Run(row.delay.String(), func(t *testing.T) {
			t.Parallel()
			const limit = 30
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			o := server.Options()
			o.Addr = proxy.Addr
			client := connect(t, o)
			w := serve(t, client, limit)
			if !row.local {
				w = serveWithin(t, client, limit, patient)
			}
			require.Equal(t, 200, w.get("/three", "a"))
			proxy.Delay(row.delay)
			if row.local {
				w.fails("/three", "a")
			}
			for range limit {
				w.get("/three", "a")
			}
			require.LessOrEqual(t, w.count("/three", 200), limit)
			proxy.Delay(0)
			recovery := w.recovers("/three", "a")
			direct := connect(t, server.Options())
			// Calls that were abandoned after they were sent count nevertheless.
			under := max(0, limit-remaining(t, direct, "/three", "a", limit)-w.count("/three", 200))
			w.report(max(0, w.count("/three", 200)-limit), under, recovery)
			require.LessOrEqual(t, w.count("/three", 200), 2*limit)
			if !row.local {
				require.Zero(t, w.degraded)
				require.Equal(t, limit, w.count("/three", 200))
			}
		})
	}
}

// A reply is lost after the script ran. The client's default is to try four
// times, and an ordinary command is counted twice then; ours is counted once.
func TestFaultLostReply(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	for _, row := range []struct {
		name string
		lose func(*redistest.Proxy, string) <-chan struct{}
	}{
		{"reset", (*redistest.Proxy).ResetReply},
		{"dropped", (*redistest.Proxy).DropReply},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.StartProxy(t, server.Addr)
			o := server.Options()
			o.Addr, o.ReadTimeout = proxy.Addr, 300*time.Millisecond
			client := connect(t, o)
			require.NoError(t, client.Incr(t.Context(), "control").Err())
			fired := row.lose(proxy, "incr")
			require.NoError(t, client.Incr(t.Context(), "control").Err())
			<-fired
			require.Equal(t, "3", server.Do(t, "GET", "control"), "the fault that this test is about")

			const runs = 8
			wrong := 0
			for i := range runs {
				w := serveWithin(t, client, 10, 500*time.Millisecond)
				key := row.name + strconv.Itoa(i)
				require.Equal(t, 200, w.get("/local", key))
				fired := row.lose(proxy, "evalsha")
				require.Equal(t, 200, w.get("/local", key), "this process decided")
				<-fired
				require.Equal(t, 200, w.get("/local", key))
				if left := remaining(t, connect(t, server.Options()), "/local", key, 10); left != 7 {
					wrong++
					t.Errorf("3 requests, one reply lost, and %d of 10 are left", left)
				}
				require.Empty(t, w.wrong)
			}
			t.Logf("requests %d, replies lost %d, counted wrongly %d", 3*runs, runs, wrong)
		})
	}
}

// The comparison of secrets, which follows a decision, hangs: the decision
// stands, and is not late.
func TestFaultSecretHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	o := server.Options()
	o.Addr = proxy.Addr
	for _, client := range []redis.UniversalClient{connect(t, o), redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": proxy.Addr}})} {
		s := open(t, client, redislimit.Options{})
		fired := proxy.DropReply("rl:secret")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		v := make([]ratelimit.Verdict, 1)
		require.NoError(t, s.Take(ctx, []ratelimit.Charge{charge("/local", "a", 5)}, v))
		require.NoError(t, ctx.Err(), "half of the time was left to it")
		require.NotZero(t, v[0].Mark)
		<-fired
		require.NoError(t, client.Close())
	}
}

// Every reply is replaced by a reset of the connection.
func TestFaultResetStorm(t *testing.T) {
	t.Parallel()
	const limit = 200
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	o := server.Options()
	o.Addr = proxy.Addr
	w := serve(t, connect(t, o), limit)
	stop := w.flood("/local", "a")
	redistest.Await(t, patient, "some are admitted", func() bool { return w.count("/local", 200) > limit/4 })
	proxy.Storm(true)
	w.fails("/local", "a")
	redistest.Await(t, patient, "this process admits what is left", func() bool { return w.count("/local", 200) >= limit })
	require.LessOrEqual(t, w.count("/local", 200), limit)
	proxy.Storm(false)
	recovery := w.recovers("/local", "a")
	stop()
	used := limit - remaining(t, connect(t, server.Options()), "/local", "a", limit)
	w.report(max(0, w.count("/local", 200)-limit), max(0, used-w.count("/local", 200)), recovery)
	require.LessOrEqual(t, w.count("/local", 200), 2*limit)
}

// The server has nothing: it was absent when the service started.
func TestFaultAbsentAtStart(t *testing.T) {
	t.Parallel()
	const limit = 20
	server := redistest.Start(t)
	server.Kill()
	client := connect(t, server.Options())
	begin := time.Now()
	w := serve(t, client, limit)
	started := time.Since(begin)
	require.Equal(t, 200, w.get("/local", "a"))
	require.Equal(t, 503, w.get("/strict", "a", 503))
	require.Equal(t, 200, w.get("/open", "a"))
	w.fails("/local", "a")
	for range 2 * limit {
		w.get("/local", "a")
	}
	require.Equal(t, limit, w.count("/local", 200))
	server.Restart(t)
	recovery := w.recovers("/local", "b")
	require.Equal(t, 200, w.get("/strict", "a"))
	t.Logf("the service started in %v", started.Round(time.Millisecond))
	w.report(0, 0, recovery)
}

// The server restarts empty: the lost counts are admitted once more.
func TestFaultEmptyAfterRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 20
	server := redistest.Start(t)
	client := connect(t, server.Options())
	w := serve(t, client, limit)
	for range 2 * limit {
		w.get("/local", "a")
	}
	require.Equal(t, limit, w.count("/local", 200))
	server.Restart(t)
	recovery := w.recovers("/local", "b")
	redistest.Await(t, patient, "all is admitted again", func() bool { w.get("/local", "a"); return remaining(t, client, "/local", "a", limit) == 0 })
	for range 2 * limit {
		w.get("/local", "a")
	}
	w.report(w.admitted("/local", "a")-limit, 0, recovery)
	require.Equal(t, 2*limit, w.admitted("/local", "a"))
}
