package redislimit_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
	"github.com/ringwall/ringwall/ratelimit/storetest"
)

var secret = []byte("a secret of 32 bytes for tests..")

func open(t *testing.T, client redis.UniversalClient, o redislimit.Options) *redislimit.Store {
	t.Helper()
	o.Secret = secret
	s, err := redislimit.New(client, o)
	require.NoError(t, err)
	return s
}

func connect(t *testing.T, o *redis.Options) *redis.Client {
	t.Helper()
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// caseName returns the name of the kit's case that t runs, which fits a prefix
// of at most 64 bytes.
func caseName(t *testing.T) string {
	_, name, _ := strings.Cut(t.Name(), "/")
	return name
}

// conform runs the conformance kit, with the server's own clock.
func conform(t *testing.T, client redis.UniversalClient) {
	storetest.Run(t, func(t *testing.T) ratelimit.Store {
		return open(t, client, redislimit.Options{Prefix: "rl:" + caseName(t)})
	}, storetest.Options{})
}

func TestStorePassesTheKitOnOneServer(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: plays the kit in real time")
	}
	t.Parallel()
	conform(t, connect(t, redistest.Start(t).Options()))
}

// The test controls the clock, so all verdicts are checked.
func TestStorePassesTheKitOnATestClock(t *testing.T) {
	t.Parallel()
	client := connect(t, redistest.Start(t).Options())
	var store *redislimit.Store
	now := time.Hour
	storetest.Run(t, func(t *testing.T) ratelimit.Store {
		store = open(t, client, redislimit.Options{Prefix: "rl:" + caseName(t)})
		store.SetClock(now)
		return store
	}, storetest.Options{Window: 8 * time.Minute, Advance: func(d time.Duration) {
		now += d
		store.SetClock(now)
	}})
}

// The manual's user over TLS, with the manual's permissions.
func TestStorePassesTheKitOverTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: plays the kit in real time")
	}
	t.Parallel()
	server := redistest.StartTLS(t, aclOf(t, "limits"))
	for _, protocol := range []int{2, 3} {
		o := server.Options()
		o.Username, o.Password, o.Protocol = "limits", "change-me", protocol
		client := connect(t, o)
		require.True(t, redis.IsPermissionError(client.Get(t.Context(), "another:key").Err()))
		require.True(t, redis.IsPermissionError(client.Keys(t.Context(), "*").Err()))
		if protocol == 3 {
			conform(t, client)
			continue
		}
		store := open(t, client, redislimit.Options{})
		require.NoError(t, store.Take(t.Context(), []ratelimit.Charge{{Requests: 1, Window: time.Minute, Cost: 1}}, make([]ratelimit.Verdict, 1)))
	}
}

// A Cluster, whose user is the one of the manual too.
func TestStorePassesTheKitOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: plays the kit in real time")
	}
	t.Parallel()
	cluster := redistest.StartCluster(t)
	rules := regexp.MustCompile(`\s+`).Split(aclOf(t, "limits-cluster"), -1)
	for _, node := range append(cluster.Masters[:3:3], cluster.Replicas...) {
		args := []any{"ACL", "SETUSER"}
		for _, rule := range rules[1:] {
			args = append(args, rule)
		}
		node.Do(t, args...)
		node.Do(t, "ACL", "SETUSER", "default", "off")
	}
	o := cluster.Options()
	recommend(t, o)
	o.Username, o.Password = "limits-cluster", "change-me"
	client := redis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	conform(t, client)
}

// A Ring is several independent servers.
func TestStorePassesTheKitOnARing(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: plays the kit in real time")
	}
	t.Parallel()
	one, two := redistest.Start(t), redistest.Start(t)
	client := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"one": one.Addr, "two": two.Addr}})
	t.Cleanup(func() { _ = client.Close() })
	conform(t, client)
	require.NotZero(t, one.Calls(t, "evalsha"))
	require.NotZero(t, two.Calls(t, "evalsha"))
}
