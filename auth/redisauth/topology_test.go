package redisauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/internal/redistest"
)

// recommended are the options of doc.go.
func recommended(o *redis.ClusterOptions) *redis.ClusterOptions {
	o.MaxRetries, o.ContextTimeoutEnabled, o.ClusterStateReloadInterval = -1, true, time.Second
	return o
}

// slotOf returns the slot of the sessions of a desk.
func slotOf(t *testing.T, c *redistest.Cluster, d *desk, s *redisauth.SessionStore) int {
	t.Helper()
	sum := sha256.Sum256([]byte("owner\x00" + d.subject))
	return c.Slot(t, s.Key(hex.EncodeToString(sum[:16])))
}

// place returns the number of the master that has the sessions of a desk.
func place(t *testing.T, c *redistest.Cluster, d *desk, s *redisauth.SessionStore) int {
	t.Helper()
	return c.Owner(slotOf(t, c, d, s))
}

// TestReplicasOfTheKeyConfirm checks that WAIT applies to the replicas of the master that
// has the key.
func TestReplicasOfTheKeyConfirm(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	c := redistest.StartCluster(t)
	store := sessions(t, connect(t, redis.NewClusterClient(recommended(c.Options()))), redisauth.Options{Replicas: 1, WaitRotations: true, Timeout: timeout})
	require.NoError(t, store.Ready(t.Context()))
	d := newDesk(t, store, store.Advance)
	token := d.mustRefresh(d.login())
	replica := c.Replicas[place(t, c, d, store)]
	replica.Pause(t)
	require.ErrorIs(t, d.RevokeAll(t.Context(), d.subject), auth.ErrUnavailable)
	replica.Resume(t)
	require.Eventually(t, func() bool { return d.RevokeAll(t.Context(), d.subject) == nil }, 20*time.Second, 50*time.Millisecond)
	d.refused(token)
}

// leastRights gives the nodes of a Cluster the user of doc.go, and a client its
// name.
func leastRights(t *testing.T, o *redis.ClusterOptions, nodes ...*redistest.Server) *redis.ClusterOptions {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?s)user (auth on >secret .*?)\n//\n// and on a Cluster (.*?)\.\n`).FindStringSubmatch(string(doc))
	require.NotNil(t, found)
	rights := []any{"ACL", "SETUSER"}
	for _, right := range strings.Fields(strings.ReplaceAll(found[1]+" "+found[2], "//", " ")) {
		rights = append(rights, right)
	}
	for _, node := range nodes {
		node.Do(t, rights...)
	}
	o.Username, o.Password = "auth", "secret"
	return o
}

// TestRotationsContinueWhileASlotMoves checks that rotations continue while the slot of their
// sessions moves, to a master that the client knows and to a new one, and that
// the confirming replicas are those of the node with the write.
func TestRotationsContinueWhileASlotMoves(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, row := range []struct {
		name string
		to   func(t *testing.T, c *redistest.Cluster, from int) (master, replica *redistest.Server)
	}{
		{name: "to a master that has others", to: func(_ *testing.T, c *redistest.Cluster, from int) (master, replica *redistest.Server) {
			return c.Masters[(from+1)%3], c.Replicas[(from+1)%3]
		}},
		{name: "to a new master", to: func(t *testing.T, c *redistest.Cluster, _ int) (master, replica *redistest.Server) { return c.Grow(t) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := redistest.StartCluster(t)
			f := &fault{redis: sessions(t, connect(t, redis.NewClusterClient(leastRights(t, recommended(c.Options()), append(c.Masters, c.Replicas...)...))),
				redisauth.Options{Replicas: 1, WaitRotations: true, Timeout: timeout})}
			f.desk = newDesk(t, f.redis, f.redis.Advance)
			slot, number := slotOf(t, c, f.desk, f.redis), place(t, c, f.desk, f.redis)
			from, fromReplica := c.Masters[number], c.Replicas[number]
			to, toReplica := row.to(t, c, number)
			leastRights(t, &redis.ClusterOptions{}, to, toReplica)
			tabs := f.tabs(4)
			rotations := 0
			rotate := func(what string) {
				t.Helper()
				for _, tab := range tabs {
					// A busy replica may confirm late, so the call is repeated
					// with the same attempt. The slot stays where it is
					// meanwhile.
					require.Eventually(t, func() bool { return f.try(tab) == 200 }, 5*time.Second, 50*time.Millisecond, what)
					rotations++
				}
			}
			// confirms checks that WAIT is sent to one replica, and not to
			// another.
			confirms := func(asked, other *redistest.Server, what string) {
				t.Helper()
				other.Pause(t)
				tab := tabs[0]
				require.Eventually(t, func() bool { return f.try(tab) == 200 }, 5*time.Second, 50*time.Millisecond, what)
				rotations++
				other.Resume(t)
				asked.Pause(t)
				attempt := fmt.Sprintf("%s-%08d", tab.token[60:], tab.attempts)
				status, next := f.refresh(tab.token, session.AttemptHeader, attempt)
				require.Equal(t, 503, status, what)
				require.NotEmpty(t, next, "made, and not confirmed: %s", what)
				asked.Resume(t)
				require.Eventually(t, func() bool { return f.try(tab) == 200 }, 20*time.Second, 50*time.Millisecond)
				require.Equal(t, next, tab.token, "the same attempt")
				rotations++
			}
			rotate("before")
			c.Migrate(t, slot, from, to)
			rotate("the key is here")
			confirms(fromReplica, toReplica, "the key is here")
			f.underLoad(tabs, func() { c.MoveKeys(t, slot, from, to); <-time.After(100 * time.Millisecond) })
			rotate("the key is there")
			confirms(toReplica, fromReplica, "the key is there")
			login := f.login() // one more session of the key that is there
			from.Do(t, "SCRIPT", "FLUSH")
			to.Do(t, "SCRIPT", "FLUSH")
			rotate("no script is known")
			f.underLoad(tabs, func() { c.Assign(t, slot, to); <-time.After(100 * time.Millisecond) })
			rotate("the slot is there")
			confirms(toReplica, fromReplica, "the slot is there")
			f.mustRefresh(login)

			f.pass(10 * time.Second)
			f.replay(tabs)
			t.Logf("%d rotations one after the other, %d requests with those under load", rotations, f.requests)
			f.report()
		})
	}
}

// TestSessionsSurviveALostMaster: with the client of doc.go sessions go on when the
// replica has taken over, and those of the other masters never stop.
func TestSessionsSurviveALostMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	c := redistest.StartCluster(t)
	f := &fault{redis: sessions(t, connect(t, redis.NewClusterClient(recommended(c.Options()))), redisauth.Options{Replicas: 1, WaitRotations: true, Timeout: timeout})}
	f.desk = newDesk(t, f.redis, f.redis.Advance)
	tabs := f.tabs(4)
	for _, tab := range tabs {
		f.must(tab)
	}
	dead := place(t, c, f.desk, f.redis)
	elsewhere := newDesk(t, f.redis, f.redis.Advance)
	for place(t, c, elsewhere, f.redis) == dead {
		elsewhere = newDesk(t, f.redis, f.redis.Advance)
	}
	other := elsewhere.login()
	c.Masters[dead].Kill()
	at := time.Now()
	elsewhere.mustRefresh(other)
	// The confirming replica is lost with the master, so a service with Replicas
	// responds with 503 until there is another.
	f.redis = sessions(t, connect(t, redis.NewClusterClient(recommended(c.Options()))), redisauth.Options{Timeout: timeout})
	f.desk = newDesk(t, f.redis, f.redis.Advance)
	for _, tab := range tabs {
		require.Eventually(t, func() bool { return f.try(tab) == 200 }, 30*time.Second, 50*time.Millisecond)
	}
	t.Logf("refreshed again %s after the master died", time.Since(at).Round(time.Millisecond))
	f.pass(10 * time.Second)
	f.replay(tabs)
	f.report()
}

// TestClientFollowsASentinelFailover: the client finds the new master.
func TestClientFollowsASentinelFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	s := redistest.StartSentinel(t)
	o := s.Options()
	o.MaxRetries, o.ContextTimeoutEnabled = -1, true
	client := connect(t, redis.NewFailoverClient(o))
	f := &fault{redis: sessions(t, client, redisauth.Options{Replicas: 1, WaitRotations: true, Timeout: timeout})}
	f.desk = newDesk(t, f.redis, f.redis.Advance)
	tabs := f.tabs(4)
	for _, tab := range tabs {
		f.must(tab)
	}
	require.NoError(t, f.redis.Ready(t.Context()))
	old := s.Master(t)
	old.Kill()
	at := time.Now()
	redistest.Await(t, time.Minute, "the Sentinels agree on another", func() bool {
		master := s.Master(t)
		return master != old && master.Info(t, "role") == "master"
	})
	elected := time.Now()
	for _, tab := range tabs {
		require.Eventually(t, func() bool { return f.try(tab) == 200 }, 30*time.Second, 50*time.Millisecond)
	}
	t.Logf("the Sentinels took %s, and the store %s after that", elected.Sub(at).Round(time.Millisecond), time.Since(elected).Round(time.Millisecond))
	f.pass(10 * time.Second)
	f.replay(tabs)
	f.report()
}

// TestClockOfRedisJumps checks that a clock that goes back makes nothing valid
// again, and that one that goes ahead expires records.
func TestClockOfRedisJumps(t *testing.T) {
	withGrace(t, func(t *testing.T, g func(*session.Options)) {
		server, clock := redistest.StartClock(t)
		store := sessions(t, connect(t, redis.NewClient(server.Options())), redisauth.Options{})
		d := newDesk(t, store, store.Advance, g)
		spent := d.login()
		token := d.mustRefresh(spent)
		clock.Jump(t, -2*time.Hour)
		token = d.mustRefresh(token)
		d.refused(spent)
		d.refused(token)
		require.Equal(t, []session.Reason{session.TokenReused}, d.events)
		other := d.login()
		clock.Jump(t, 3*time.Hour)
		other = d.mustRefresh(other)
		clock.Jump(t, 8*24*time.Hour)
		d.refused(other)
		require.Len(t, d.events, 1, "age is no theft")
		d.mustRefresh(d.login())
	})
}
