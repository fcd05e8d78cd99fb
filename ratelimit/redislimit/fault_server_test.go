package redislimit_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// fault is a failure of a server: begin starts it, and returns the function that
// ends it.
type fault struct {
	name  string
	begin func(t *testing.T, s *redistest.Server) (end func())
	says  string // in the cause, for the log
}

func faults() []fault {
	return []fault{
		{"OOM with noeviction", func(t *testing.T, s *redistest.Server) func() {
			s.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
			s.Do(t, "CONFIG", "SET", "maxmemory", "1")
			return func() { s.Do(t, "CONFIG", "SET", "maxmemory", "0") }
		}, "OOM "},
		{"READONLY", func(t *testing.T, s *redistest.Server) func() {
			s.ReplicaOf(t, redistest.Start(t))
			return func() { s.Promote(t) }
		}, "READONLY "},
		{"NOREPLICAS", func(t *testing.T, s *redistest.Server) func() {
			s.Do(t, "CONFIG", "SET", "min-replicas-to-write", "1")
			return func() { s.Do(t, "CONFIG", "SET", "min-replicas-to-write", "0") }
		}, "NOREPLICAS "},
		{"BUSY script", func(t *testing.T, s *redistest.Server) func() {
			s.Do(t, "CONFIG", "SET", "busy-reply-threshold", "20")
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = s.Try("EVAL", "while true do end", "0") // until it is killed
			}()
			redistest.Await(t, patient, "the server is busy", func() bool {
				_, err := s.Try("GET", "x")
				return redis.HasErrorPrefix(err, "BUSY")
			})
			return func() {
				s.Do(t, "SCRIPT", "KILL")
				<-ended
			}
		}, "BUSY "},
		{"MISCONF", func(t *testing.T, s *redistest.Server) func() {
			s.Do(t, "CONFIG", "SET", "save", "3600 1")
			dir, _ := s.Do(t, "CONFIG", "GET", "dir").(map[any]any)
			require.NoError(t, os.Mkdir(filepath.Join(fmt.Sprint(dir["dir"]), "folder"), 0o700))
			s.Do(t, "CONFIG", "SET", "dbfilename", "folder")
			s.Do(t, "SET", "x", "1")
			s.Do(t, "BGSAVE")
			redistest.Await(t, patient, "a snapshot fails", func() bool { return s.Info(t, "rdb_last_bgsave_status") == "err" })
			return func() { s.Do(t, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no") }
		}, "MISCONF "},
	}
}

// The strict tier refuses while the server does not decide, and no other response
// shows the failure.
func TestFaultServer(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 40
	for _, row := range faults() {
		t.Run(row.name, func(t *testing.T) {
			server := redistest.Start(t, "enable-protected-configs local")
			client := connect(t, server.Options())
			w := serveWithin(t, client, limit, slack/2) // it replies at once, however busy the machine is
			for range limit / 2 {
				require.Equal(t, 200, w.get("/local", "a"))
			}
			end := row.begin(t, server)
			require.Equal(t, 503, w.get("/strict", "b", 503))
			require.Equal(t, 200, w.get("/open", "b"))
			w.fails("/local", "a")
			for range limit {
				w.get("/local", "a")
				w.get("/strict", "b", 503)
			}
			require.Equal(t, limit, w.count("/local", 200), "this process knows what it admitted")
			require.ErrorContains(t, w.events[0].Err, row.says)
			require.NotErrorIs(t, w.events[0].Err, ratelimit.ErrMisconfigured, "it passes by itself")
			end()
			recovery := w.recovers("/local", "b")
			require.Equal(t, 200, w.get("/strict", "c"))
			w.report(w.admitted("/local", "a")-limit, 0, recovery)
		})
	}
}

// The server loses its scripts again and again, and every response is right.
func TestFaultScriptFlush(t *testing.T) {
	t.Parallel()
	const limit = 400
	server := redistest.Start(t)
	client := connect(t, server.Options())
	w := serveWithin(t, client, limit, patient)
	ended := make(chan struct{})
	var flusher sync.WaitGroup
	flushes := 0
	flusher.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				_, err := server.Try("SCRIPT", "FLUSH")
				require.NoError(t, err)
				flushes++
			}
		}
	})
	stop := w.flood("/three", "a")
	redistest.Await(t, patient, "all are admitted", func() bool { return w.count("/three", 200) >= limit && w.count("/three", 429) > 0 })
	stop()
	close(ended)
	flusher.Wait()
	t.Logf("%d flushes, %d times the script was sent", flushes, server.Calls(t, "eval"))
	w.report(w.count("/three", 200)-limit, 0, 0)
	require.Zero(t, w.degraded)
	require.Equal(t, limit, w.count("/three", 200))
	require.NotZero(t, server.Calls(t, "eval"))
}

// A pipeline whose commands all get NOSCRIPT did nothing, and is sent once more
// with the script.
func TestFaultScriptFlushPipeline(t *testing.T) {
	t.Parallel()
	one, two := redistest.Start(t), redistest.Start(t)
	client := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": one.Addr, "two": two.Addr}})
	t.Cleanup(func() { _ = client.Close() })
	s := open(t, client, redislimit.Options{})
	const runs = 100
	for i := range runs {
		one.Do(t, "SCRIPT", "FLUSH")
		two.Do(t, "SCRIPT", "FLUSH")
		charges := make([]ratelimit.Charge, 8)
		for j := range charges {
			charges[j] = charge("/p", fmt.Sprint(i, j), 10)
		}
		v := make([]ratelimit.Verdict, 8)
		require.NoError(t, s.Take(t.Context(), charges, v))
		for j := range v {
			require.Equal(t, 9, v[j].Remaining)
		}
	}
	t.Logf("%d pipelines of 8 scripts, all flushed before: all counted once", runs)
}

// The server takes no more connections.
func TestFaultMaxClients(t *testing.T) {
	t.Parallel()
	const limit = 20
	server := redistest.Start(t)
	client := connect(t, server.Options())
	w := serve(t, client, limit)
	server.Do(t, "CONFIG", "SET", "maxclients", "12")
	var held []net.Conn
	for range 30 {
		c, err := net.Dial("tcp", server.Addr)
		require.NoError(t, err)
		held = append(held, c)
	}
	w.fails("/local", "a")
	require.Equal(t, 503, w.get("/strict", "b", 503))
	for range 2 * limit {
		w.get("/local", "a")
	}
	require.Equal(t, limit, w.count("/local", 200))
	for _, c := range held {
		require.NoError(t, c.Close())
	}
	recovery := w.recovers("/local", "b")
	w.report(0, 0, recovery)
}

// The application's own calls hold all connections of the pool.
func TestFaultPoolExhausted(t *testing.T) {
	t.Parallel()
	const limit = 20
	server := redistest.Start(t)
	o := server.Options()
	o.PoolSize, o.MaxActiveConns = 2, 2
	client := connect(t, o)
	w := serve(t, client, limit)
	require.Equal(t, 200, w.get("/local", "a"))
	var blocked sync.WaitGroup
	var held atomic.Int32
	for range 2 {
		blocked.Go(func() {
			held.Add(1)
			_ = client.BLPop(t.Context(), 0, "list").Err() // ended below
		})
	}
	redistest.Await(t, patient, "both wait", func() bool { return server.Info(t, "blocked_clients") == "2" })
	w.fails("/local", "a")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range limit {
				w.get("/local", "a")
			}
		})
	}
	group.Wait()
	require.Equal(t, limit, w.count("/local", 200))
	server.Do(t, "RPUSH", "list", 1, 2)
	blocked.Wait()
	recovery := w.recovers("/local", "b")
	w.report(0, 0, recovery)
	require.Less(t, w.longest, timeout+slack)
}

// A misconfiguration is no reason to count locally: all tiers deny, the log
// reports it, and limits work again after the repair.
func TestFaultMisconfigured(t *testing.T) {
	t.Parallel()
	user := "user limits on >right resetkeys ~rl:* resetchannels -@all +eval +evalsha +get +set +del +time"
	for _, row := range []struct {
		name, password, says string
		begin                func(t *testing.T, s *redistest.Server)
		repair               func(t *testing.T, s *redistest.Server)
	}{
		{"wrong password", "right", "WRONGPASS ",
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "resetpass", ">other") },
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", ">right") }},
		{"no password", "", "NOAUTH ", func(*testing.T, *redistest.Server) {},
			func(t *testing.T, s *redistest.Server) {
				s.Do(t, "ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all")
			}},
		{"no right to run scripts", "right", "NOPERM ",
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "-evalsha", "-eval") },
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "+evalsha", "+eval") }},
		{"no right to write", "right", "script",
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "-set") },
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "+set") }},
		{"no right to the keys", "right", "NOPERM ",
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "resetkeys", "~other:*") },
			func(t *testing.T, s *redistest.Server) { s.Do(t, "ACL", "SETUSER", "limits", "~rl:*") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := redistest.StartTLS(t, user)
			row.begin(t, server)
			o := server.Options()
			o.Username, o.Password = "limits", row.password
			if row.password == "" {
				o.Username = ""
			}
			w := serveWithin(t, connect(t, o), 20, patient)
			w.fails("/local", "a", 503)
			for _, path := range []string{"/local", "/strict", "/open"} {
				require.Equal(t, 503, w.get(path, "a", 503), path)
			}
			w.mu.Lock()
			said := w.events[len(w.events)-1].Err
			w.mu.Unlock()
			require.ErrorIs(t, said, ratelimit.ErrMisconfigured)
			require.ErrorContains(t, said, row.says)
			t.Log(said)
			row.repair(t, server)
			recovery := w.recovers("/local", "a", 503)
			require.Equal(t, 200, w.get("/strict", "b"))
			w.report(0, 0, recovery)
		})
	}
}

// Another application's key under our prefix does not pass by itself either.
func TestFaultForeignKey(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, connect(t, server.Options()), redislimit.Options{})
	c := []ratelimit.Charge{charge("/p", "a", 10)}
	require.NoError(t, s.Take(t.Context(), c, make([]ratelimit.Verdict, 1)))
	for _, row := range []struct {
		name  string
		write []any
	}{
		{"a list", []any{"LPUSH", "x"}},
		{"a short text", []any{"SET", "not ours"}},
		{"a number", []any{"SET", "1"}},
		{"JSON", []any{"SET", `{"user":"ada@example.org","since":1764061200}`}},
		{"zeros", []any{"SET", strings.Repeat("\x00", 40)}},
		{"ones", []any{"SET", strings.Repeat("\xff", 40)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, key := range keysOf(t, server) {
				server.Do(t, "DEL", key)
				server.Do(t, row.write[0], key, row.write[1])
			}
			begin := time.Now()
			require.ErrorIs(t, s.Take(t.Context(), c, make([]ratelimit.Verdict, 1)), ratelimit.ErrMisconfigured)
			require.ErrorIs(t, s.Reset(t.Context(), []ratelimit.Key{c[0].Key}), ratelimit.ErrMisconfigured)
			require.Less(t, time.Since(begin), slack)
		})
	}
}

func keysOf(t *testing.T, s *redistest.Server) []string {
	t.Helper()
	reply, _ := s.Do(t, "KEYS", "*").([]any)
	var keys []string
	for _, k := range reply {
		keys = append(keys, fmt.Sprint(k))
	}
	return keys
}
