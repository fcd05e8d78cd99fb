package redislimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

func clusterClient(t *testing.T, c *redistest.Cluster) *redis.ClusterClient {
	t.Helper()
	o := c.Options()
	recommend(t, o)
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// place returns the keys of a principal, their slot, and the node of the slot. No
// other test may have keys in the Cluster.
func place(t *testing.T, c *redistest.Cluster) (keys []string, slot int, from, to *redistest.Server) {
	t.Helper()
	for i, m := range c.Masters {
		for _, key := range keysOf(t, m) {
			if key == "rl:secret" {
				continue
			}
			keys, from, to = append(keys, key), m, c.Masters[(i+1)%3]
		}
	}
	require.NotEmpty(t, keys)
	return keys, c.Slot(t, keys[0]), from, to
}

// A slot moves from one master to another, with requests on the way: keys that
// are here, that are there, some of both, and new ones; then the old master
// knows nothing of it. Every answer comes from Redis, and every count is right.
func TestFaultClusterSlotMoves(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 60
	cluster := redistest.StartCluster(t)
	client := clusterClient(t, cluster)
	w := serveWithin(t, client, limit, patient)
	s := open(t, client, redislimit.Options{})
	served := 0
	// some sends requests whose limits are in one key, and in two.
	some := func(what string) {
		t.Helper()
		for range limit / 6 {
			require.Equal(t, 200, w.get("/three", "a"), what)
			v := make([]ratelimit.Verdict, 2)
			require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/x", "a", limit), charge("/y", "a", 1000)}, v), what)
			served++
			require.Equal(t, []int{limit - served, 1000 - served}, []int{v[0].Remaining, v[1].Remaining}, what)
		}
		require.Zero(t, w.degraded, what)
		require.Equal(t, limit-served, remaining(t, client, "/three", "a", limit), what)
	}
	some("before")
	keys, slot, from, to := place(t, cluster)
	require.Len(t, keys, 3)
	cluster.Migrate(t, slot, from, to)
	some("all keys are here")
	cluster.MoveKey(t, keys[0], from, to)
	some("the first is there")
	cluster.MoveKey(t, keys[1], from, to)
	_, err := from.Try("MGET", keys[0], keys[2])
	require.True(t, redis.IsTryAgainError(err), "the fault that this test is about")
	some("the second is there")
	cluster.MoveKeys(t, slot, from, to)
	some("all keys are there")
	cluster.Assign(t, slot, to)
	some("the slot is there")
	require.Equal(t, 429, w.get("/three", "a"))
	v := make([]ratelimit.Verdict, 2)
	require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/x", "a", limit), charge("/y", "a", 1000)}, v))
	require.Positive(t, v[0].Wait)
	require.Equal(t, 1000-served, v[1].Remaining)

	// A slot that moves, and a principal that is new in it.
	for _, key := range keys {
		require.NoError(t, client.Del(t.Context(), key).Err())
	}
	cluster.Migrate(t, slot, to, from)
	w, served = serveWithin(t, client, limit, patient), 0 // another process, without a cached denial
	some("all is new on the other side")
	cluster.MoveKeys(t, slot, to, from)
	cluster.Assign(t, slot, from)
	some("it is back")
	w.report(w.admitted("/three", "a")-served, 0, 0)
}

// An address and an account are in different slots: both are charged, or none.
func TestFaultClusterTwoPrincipals(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s := open(t, clusterClient(t, cluster), redislimit.Options{})
	const clients, limit = 16, 50
	var group sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for i := range clients {
		group.Go(func() {
			v := make([]ratelimit.Verdict, 2)
			for range 10 {
				err := s.Take(t.Context(), []ratelimit.Charge{charge("/account", "one", limit), charge("/address", fmt.Sprint(i), 1000)}, v)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				if v[0].Wait == 0 && v[1].Wait == 0 {
					admitted++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	used := 0
	for i := range clients {
		v := make([]ratelimit.Verdict, 1)
		require.NoError(t, s.Peek(t.Context(), []ratelimit.Charge{charge("/address", fmt.Sprint(i), 1000)}, v))
		used += 1000 - v[0].Remaining
	}
	t.Logf("requests %d, admitted %d of %d, charged to addresses %d", clients*10, admitted, limit, used)
	require.Equal(t, limit, admitted)
	require.Equal(t, limit, used, "what was denied was given back")
}

// The Cluster replies that it is down, for a slot without a node.
func TestFaultClusterDown(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 30
	cluster := redistest.StartCluster(t, "cluster-require-full-coverage yes")
	client := clusterClient(t, cluster)
	w := serve(t, client, limit)
	for range limit / 2 {
		require.Equal(t, 200, w.get("/three", "a"))
	}
	s := open(t, client, redislimit.Options{}) // with no timeout, however busy the machine is
	require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/probe", "a", limit)}, make([]ratelimit.Verdict, 1)))
	_, slot, from, _ := place(t, cluster)
	other := slot + 1
	if cluster.Owner(other%16384) != cluster.Owner(slot) {
		other = slot - 1
	}
	from.Do(t, "CLUSTER", "DELSLOTS", other)
	redistest.Await(t, patient, "it is down", func() bool {
		_, err := from.Try("GET", "x")
		return redis.IsClusterDownError(err)
	})
	w.fails("/three", "a")
	require.ErrorContains(t, w.events[0].Err, "CLUSTERDOWN")
	for range 2 * limit {
		w.get("/three", "a")
	}
	require.Equal(t, limit, w.admitted("/three", "a"))
	from.Do(t, "CLUSTER", "ADDSLOTS", other)
	recovery := w.recovers("/three", "a")
	w.report(w.admitted("/three", "a")-limit, 0, recovery)
	require.LessOrEqual(t, w.admitted("/three", "a"), 2*limit)
}

// A client of one server, on a Cluster: that is a mistake, and said aloud.
func TestFaultCrossSlot(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	cluster := redistest.StartCluster(t)
	client := connect(t, cluster.Masters[0].Options())
	s := open(t, client, redislimit.Options{})
	err := s.Take(t.Context(), []ratelimit.Charge{charge("/account", "one", 5), charge("/address", "two", 5)}, make([]ratelimit.Verdict, 2))
	require.ErrorIs(t, err, ratelimit.ErrMisconfigured)
	require.ErrorContains(t, err, "CROSSSLOT")
	w := serveWithin(t, client, 10, patient)
	moved := 0
	for i := range 20 {
		if w.get("/local", fmt.Sprint(i), 503) == 503 {
			moved++
		}
	}
	require.NotZero(t, moved)
	require.ErrorContains(t, w.events[0].Err, "MOVED")
	require.ErrorIs(t, w.events[0].Err, ratelimit.ErrMisconfigured)
	w.report(0, 0, 0)
}

// A master fails. Its replica takes over, and go-redis finds it with the manual's
// options; by default it takes a minute (redis/go-redis issue 3979).
func TestFaultClusterMasterKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 50
	cluster := redistest.StartCluster(t)
	client := clusterClient(t, cluster)
	w := serve(t, client, limit)
	s := open(t, client, redislimit.Options{})
	require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/local", "a", limit)}, make([]ratelimit.Verdict, 1)))
	_, slot, from, _ := place(t, cluster)
	var stops []func()
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		stops = append(stops, w.flood("/local", key))
	}
	redistest.Await(t, patient, "some are admitted", func() bool { return w.admitted("/local", "a") > limit/4 })
	begin := time.Now()
	from.Kill()
	c := charge("/probe", "a", 1_000_000)
	require.Eventually(t, func() bool { // in the slot that has no master
		return s.Take(t.Context(), []ratelimit.Charge{c}, make([]ratelimit.Verdict, 1)) == nil
	}, patient, 10*time.Millisecond)
	found := time.Since(begin)
	w.recovers("/local", "a")
	for _, stop := range stops {
		stop()
	}
	over := 0
	for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
		over += max(0, w.admitted("/local", key)-limit)
		require.LessOrEqual(t, w.admitted("/local", key), 2*limit)
	}
	t.Logf("slot %d of %s: another master answered after %v", slot, from.Addr, found.Round(time.Millisecond))
	w.report(over, 0, found)
	require.Less(t, found, 30*time.Second)
}

// Sentinels replace a master that died.
func TestFaultSentinelFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	t.Parallel()
	const limit = 400
	sentinel := redistest.StartSentinel(t)
	o := sentinel.Options()
	recommend(t, o)
	client := redis.NewFailoverClient(o)
	t.Cleanup(func() { _ = client.Close() })
	w := serve(t, client, limit)
	stop := w.flood("/local", "a")
	redistest.Await(t, patient, "some are admitted", func() bool { return w.admitted("/local", "a") > limit/4 })
	begin := time.Now()
	sentinel.Master(t).Kill()
	w.fails("/local", "a")
	w.recovers("/local", "a")
	recovery := time.Since(begin)
	redistest.Await(t, patient, "the new master counts", func() bool {
		w.get("/local", "b")
		return remaining(t, client, "/local", "b", limit) < limit
	})
	redistest.Await(t, patient, "the limit is spent", func() bool { return w.count("/local", 429) > 0 })
	stop()
	w.report(w.admitted("/local", "a")-limit, 0, recovery)
	require.NotSame(t, sentinel.Servers[0], sentinel.Master(t))
	require.LessOrEqual(t, w.admitted("/local", "a"), limit, "one process knows what it has admitted")
}
