package redistest_test

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

// quick is a client that tries once, and no longer than a second.
func quick(t *testing.T, o *redis.Options) *redis.Client {
	o.MaxRetries, o.ContextTimeoutEnabled, o.DialerRetries = -1, true, 1
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestServerPausesRestartsAndReplicates(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "maxmemory 50mb")
	client := quick(t, s.Options())
	require.Equal(t, int64(1), client.Incr(t.Context(), "n").Val())
	require.Equal(t, "52428800", s.Info(t, "maxmemory"))
	require.Equal(t, 1, s.Calls(t, "incr"))
	require.Equal(t, "1", s.Do(t, "GET", "n"))
	require.Empty(t, s.Info(t, "no_such_field"))
	require.Zero(t, s.Calls(t, "hset"))

	s.Pause(t)
	require.ErrorContains(t, client.Incr(within(t, 50*time.Millisecond), "n").Err(), "timeout")
	s.Resume(t)
	redistest.Await(t, time.Minute, "the abandoned command is executed", func() bool { return s.Do(t, "GET", "n") == "2" })

	pid := s.PID()
	s.Kill()
	require.Error(t, client.Ping(t.Context()).Err())
	s.Restart(t)
	require.NotEqual(t, pid, s.PID())
	require.Nil(t, s.Do(t, "GET", "n"), "the server must not write to disk")
	require.NoError(t, client.Set(t.Context(), "n", 7, 0).Err())

	replica := redistest.Start(t)
	replica.ReplicaOf(t, s)
	require.Equal(t, "7", replica.Do(t, "GET", "n"))
	require.True(t, redis.IsReadOnlyError(quick(t, replica.Options()).Incr(t.Context(), "n").Err()))
	replica.Promote(t)
	require.Equal(t, int64(8), replica.Do(t, "INCR", "n"))
}

func TestClockJumpsInBothDirections(t *testing.T) {
	t.Parallel()
	s, clock := redistest.StartClock(t)
	now := func() time.Duration {
		reply, _ := s.Do(t, "TIME").([]any)
		seconds, err := strconv.ParseInt(reply[0].(string), 10, 64)
		require.NoError(t, err)
		return time.Since(time.Unix(seconds, 0)).Abs()
	}
	require.Less(t, now(), time.Minute)
	s.Do(t, "SET", "x", 1, "PX", 60_000)
	clock.Jump(t, 2*time.Hour)
	require.InDelta(t, 2*time.Hour, now(), float64(time.Minute))
	require.Nil(t, s.Do(t, "GET", "x"))
	clock.Jump(t, -3*time.Hour)
	require.InDelta(t, time.Hour, now(), float64(time.Minute))
}

func TestTLSServerAcceptsOnlyItsUsers(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t, "user limits on >secret resetkeys ~rl:* resetchannels -@all +get")
	require.Equal(t, "redistest", s.Do(t, "ACL", "WHOAMI"))
	o := s.Options()
	o.Username, o.Password = "limits", "secret"
	client := quick(t, o)
	require.ErrorIs(t, client.Get(t.Context(), "rl:x").Err(), redis.Nil)
	require.True(t, redis.IsPermissionError(client.Get(t.Context(), "other").Err()))

	o = s.Options()
	o.Username, o.Password = "", ""
	require.True(t, redis.IsAuthError(quick(t, o).Get(t.Context(), "rl:x").Err()))
	o = s.Options()
	o.TLSConfig.RootCAs = x509.NewCertPool()
	require.ErrorContains(t, quick(t, o).Ping(t.Context()).Err(), "unknown authority")
	o = s.Options()
	o.TLSConfig = nil
	require.Error(t, quick(t, o).Ping(t.Context()).Err(), "plaintext must be refused")
}

func TestClusterMovesSlotsAndFailsOver(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts a cluster")
	}
	t.Parallel()
	begin := time.Now()
	c := redistest.StartCluster(t)
	t.Logf("a Cluster started in %v", time.Since(begin))
	o := c.Options()
	o.MaxRetries, o.ClusterStateReloadInterval = -1, 100*time.Millisecond
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	for i := range 50 {
		require.NoError(t, client.Incr(t.Context(), "k"+strconv.Itoa(i)).Err())
	}
	for i, m := range c.Masters {
		require.Equal(t, "master", m.Info(t, "role"))
		require.NotZero(t, m.Calls(t, "incr"))
		require.Equal(t, "slave", c.Replicas[i].Info(t, "role"))
	}

	slot := c.Slot(t, "k1")
	owner := c.Owner(slot)
	from, to := c.Masters[owner], c.Masters[(owner+1)%3]
	c.Migrate(t, slot, from, to)
	_, err := from.Try("GET", "not-there{k1}")
	require.True(t, strings.HasPrefix(err.Error(), "ASK "), err)
	_, err = from.Try("MGET", "k1", "not-there{k1}")
	require.True(t, redis.IsTryAgainError(err), err)
	c.MoveKeys(t, slot, from, to)
	c.Assign(t, slot, to)
	_, err = from.Try("GET", "k1")
	require.True(t, strings.HasPrefix(err.Error(), "MOVED "), err)
	require.Equal(t, "1", to.Do(t, "GET", "k1"))
	_, err = to.Try("MGET", "a", "b")
	require.ErrorContains(t, err, "CROSSSLOT")

	master, second := c.Grow(t)
	c.Migrate(t, slot, to, master)
	c.MoveKeys(t, slot, to, master)
	c.Assign(t, slot, master)
	require.Equal(t, "1", client.Get(t.Context(), "k1").Val())
	require.Equal(t, "1", master.Do(t, "GET", "k1"))
	require.Equal(t, "slave", second.Info(t, "role"))

	begin = time.Now()
	c.Masters[0].Kill()
	redistest.Await(t, time.Minute, "the replica takes over", func() bool { return c.Replicas[0].Info(t, "role") == "master" })
	t.Logf("a replica took over after %v", time.Since(begin))
	c.Replicas[1].Promote(t)
}

func TestSentinelsPromoteAReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: starts Sentinel")
	}
	t.Parallel()
	begin := time.Now()
	s := redistest.StartSentinel(t)
	t.Logf("Sentinels started in %v", time.Since(begin))
	require.Same(t, s.Servers[0], s.Master(t))
	o := s.Options()
	client := redis.NewFailoverClient(o)
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, client.Set(t.Context(), "n", 1, 0).Err())
	require.Equal(t, "1", s.Servers[0].Do(t, "GET", "n"))

	begin = time.Now()
	s.Servers[0].Kill()
	redistest.Await(t, time.Minute, "the Sentinels choose another", func() bool { return s.Master(t) != s.Servers[0] })
	t.Logf("another master after %v", time.Since(begin))
	require.Contains(t, s.Servers[1:], s.Master(t))
	redistest.Await(t, time.Minute, "it takes writes", func() bool { return client.Incr(t.Context(), "n").Err() == nil })
}

func TestProxyDelaysDropsAndResetsReplies(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.StartProxy(t, s.Addr)
	o := s.Options()
	o.Addr = p.Addr
	client := quick(t, o)
	count := func(want string) {
		t.Helper()
		redistest.Await(t, time.Minute, "n is "+want, func() bool { return s.Do(t, "GET", "n") == want })
	}
	require.NoError(t, client.Incr(t.Context(), "n").Err())
	before := p.Requests()
	require.NoError(t, client.Incr(t.Context(), "n").Err())
	require.Equal(t, 1, p.Requests()-before)

	p.Delay(50 * time.Millisecond)
	begin := time.Now()
	require.NoError(t, client.Incr(t.Context(), "n").Err())
	require.GreaterOrEqual(t, time.Since(begin), 50*time.Millisecond)
	p.Delay(0)
	count("3")

	fired := p.DropReply("INCR")
	require.NoError(t, client.Ping(t.Context()).Err(), "replies to other commands must arrive")
	require.ErrorContains(t, client.Incr(within(t, 50*time.Millisecond), "n").Err(), "timeout")
	<-fired
	require.NoError(t, client.Incr(t.Context(), "n").Err(), "once")
	count("5")

	fired = p.ResetReply("incr")
	raw, err := net.Dial("tcp", p.Addr)
	require.NoError(t, err)
	_, err = raw.Write([]byte("INCR n\r\n"))
	require.NoError(t, err)
	_, err = raw.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.NoError(t, raw.Close())
	<-fired
	require.NoError(t, client.Incr(t.Context(), "n").Err(), "once")
	count("7")

	p.BlackHole(true)
	require.ErrorContains(t, client.Incr(within(t, 50*time.Millisecond), "n").Err(), "timeout")
	count("7")
	p.BlackHole(false)
	require.NoError(t, client.Ping(t.Context()).Err())

}

func TestProxyRefusesAndResetsConnections(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	p := redistest.StartProxy(t, s.Addr)
	o := s.Options()
	o.Addr = p.Addr
	client := quick(t, o)
	p.Storm(true)
	for range 3 {
		require.Error(t, client.Incr(t.Context(), "n").Err())
	}
	p.Storm(false)
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, time.Minute, 5*time.Millisecond)

	p.Refuse(true)
	require.Error(t, client.Ping(t.Context()).Err())
	p.Refuse(false)
	require.NoError(t, client.Ping(t.Context()).Err())
	p.Reset()
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, time.Minute, 5*time.Millisecond)
}

// The process is killed before it can stop its server or remove its folder.
func TestKilledProcessLeavesNoServerAndFolder(t *testing.T) {
	t.Parallel()
	if os.Getenv("REDISTEST_CHILD") == "1" {
		s := redistest.Start(t)
		_, _ = os.Stdout.WriteString("pid=" + strconv.Itoa(s.PID()) + " addr=" + s.Addr + "\n")
		<-t.Context().Done()
	}
	child := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLeavesNoServerAndFolder$")
	folders := t.TempDir()
	child.Env = append(os.Environ(), "REDISTEST_CHILD=1", "TMPDIR="+folders)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	buffer := make([]byte, 4096)
	n, err := out.Read(buffer)
	require.NoError(t, err)
	_, addr, found := strings.Cut(strings.TrimSpace(string(buffer[:n])), " addr=")
	require.True(t, found, "%s", buffer[:n])
	client := quick(t, &redis.Options{Addr: addr})
	require.NoError(t, client.Ping(t.Context()).Err())
	left := func() int {
		entries, err := os.ReadDir(folders)
		require.NoError(t, err)
		return len(entries)
	}
	require.NotZero(t, left())
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	redistest.Await(t, time.Minute, "the server ends", func() bool { return client.Ping(t.Context()).Err() != nil })
	redistest.Await(t, 20*time.Second, "its folder is gone", func() bool { return left() == 0 })
}

// Without a server, a test is skipped. It fails if servers are required, or if
// RINGWALL_REDIS_SERVER names one.
func TestMissingServerSkipsOrFails(t *testing.T) {
	t.Parallel()
	if os.Getenv("REDISTEST_CHILD") == "2" {
		redistest.Start(t)
	}
	for _, row := range []struct{ name, require, named, want, says string }{
		{name: "required", require: "1", want: "--- FAIL", says: "needs redis-server"},
		{name: "not required", want: "--- SKIP", says: "needs redis-server"},
		{name: "another one is named", named: "/nowhere/redis-server", want: "--- FAIL", says: "RINGWALL_REDIS_SERVER: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			child := exec.Command(os.Args[0], "-test.run=^TestMissingServerSkipsOrFails$", "-test.v")
			child.Env = []string{"REDISTEST_CHILD=2", "PATH=/nowhere", "RINGWALL_REQUIRE_SERVERS=" + row.require, "RINGWALL_REDIS_SERVER=" + row.named}
			out, _ := child.CombinedOutput()
			require.Contains(t, string(out), row.want)
			require.Contains(t, string(out), row.says)
		})
	}
}
