package redisauth_test

import (
	"crypto/sha256"
	"encoding/hex"
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

// place returns the number of the master that has the sessions of a desk.
func place(t *testing.T, c *redistest.Cluster, d *desk, s *redisauth.SessionStore) int {
	t.Helper()
	sum := sha256.Sum256([]byte("owner\x00" + d.subject))
	key := s.Key(hex.EncodeToString(sum[:16]))
	return c.Owner(c.Slot(t, key))
}

// TestClusterConfirms holds that WAIT asks the replicas of the master that has
// the key.
func TestClusterConfirms(t *testing.T) {
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

// TestClusterLosesAMaster: with the client of doc.go sessions go on when the
// replica has taken over, and those of the other masters never stop.
func TestClusterLosesAMaster(t *testing.T) {
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
	// What confirms is gone with the master: a service that insists on it
	// answers 503 until there is another replica.
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

// TestSentinelFailover: the client finds the new master.
func TestSentinelFailover(t *testing.T) {
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

// TestClockOfRedisJumps: it opens nothing when it goes back, and ends what is
// over when it goes ahead.
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
