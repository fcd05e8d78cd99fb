package redisauth_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
)

// A pair is a master whose replica can be cut off.
type pair struct {
	master, replica *redistest.Server
	link            *redistest.Proxy
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{master: redistest.Start(t), replica: redistest.Start(t)}
	p.link = redistest.StartProxy(t, p.master.Addr)
	host, port, err := net.SplitHostPort(p.link.Addr)
	require.NoError(t, err)
	p.replica.Do(t, "REPLICAOF", host, port)
	redistest.Await(t, 20*time.Second, "the replica follows", func() bool {
		return p.replica.Info(t, "master_link_status") == "up" && p.master.Do(t, "WAIT", 1, 1000) == int64(1)
	})
	return p
}

// settle waits until the replica has everything.
func (p *pair) settle(t *testing.T) {
	t.Helper()
	redistest.Await(t, 10*time.Second, "the replica has everything", func() bool {
		return p.replica.Info(t, "slave_repl_offset") == p.master.Info(t, "master_repl_offset")
	})
}

// fail loses the master, and the writes that the replica does not have.
func (p *pair) fail(t *testing.T) *redis.Client {
	t.Helper()
	p.master.Kill()
	p.replica.Promote(t)
	return connect(t, redis.NewClient(p.replica.Options()))
}

// TestFailoverLosesTheLastWrite checks a rotation whose reply arrived, and whose write is
// lost.
func TestFailoverLosesTheLastWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	withGrace(t, func(t *testing.T, g func(*session.Options)) {
		p := newPair(t)
		f := &fault{client: connect(t, redis.NewClient(p.master.Options()))}
		f.redis = sessions(t, f.client, redisauth.Options{})
		f.desk = newDesk(t, f.redis, f.redis.Advance, g)
		tabs := f.tabs(20)
		for _, c := range tabs {
			f.must(c)
		}
		thief := &tab{token: f.login()}
		p.settle(t)
		p.link.BlackHole(true)
		for _, c := range tabs {
			f.must(c)
		}
		stolen := thief.token
		f.must(thief)
		store := sessions(t, p.fail(t), redisauth.Options{})
		before := f.desk // which receives the events
		f.desk = f.again(func(o *session.Options) { o.Store = store })
		f.pass = store.Advance
		for _, c := range tabs {
			f.must(c) // the newest token, which this Redis has not seen
		}
		require.Equal(t, slices.Repeat([]session.Reason{session.StoreRolledBack}, 20), before.events)
		if f.options.Grace > 0 {
			require.Equal(t, tabs[0].token, f.mustRefresh(tabs[0].spent), "another tab of an honest client")
		}
		f.pass(10 * time.Second)
		f.replay(tabs)

		// A thief who uses the restored token is detected at the next difference.
		taken := f.mustRefresh(stolen)
		require.Equal(t, taken, thief.token, "no line of their own")
		newest := f.mustRefresh(thief.token)
		f.pass(10 * time.Second)
		f.desk.refused(taken)
		f.desk.refused(newest)
		require.Contains(t, before.events, session.TokenReused)
		f.report()
	})
}

// TestRevocationsSurviveAFailover checks that with Replicas, a revocation without
// an error survives, and that a revocation that may not survive returns an error.
func TestRevocationsSurviveAFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	p := newPair(t)
	client := connect(t, redis.NewClient(p.master.Options()))
	o := redisauth.Options{Replicas: 1, Timeout: timeout}
	store, apikeys, feed := sessions(t, client, o), apiKeys(t, client, o), revocations(t, client, o)
	require.NoError(t, store.Ready(t.Context()))
	d := newDesk(t, store, store.Advance)
	sure, unsure := d.login(), newDesk(t, store, store.Advance)
	lost := unsure.login()
	r := newRing(t, apikeys)
	r.create()
	doubtful := newRing(t, apikeys)
	doubtful.create()

	require.NoError(t, d.RevokeAll(t.Context(), d.subject))
	require.NoError(t, r.Revoke(t.Context(), r.key.ID))
	require.NoError(t, feed.Add(t.Context(), auth.Revocation{Session: "sure", Until: time.Now().Add(time.Hour)}))
	p.link.BlackHole(true)
	for range 2 { // a retry is not sure either, although there is nothing left to do
		require.ErrorIs(t, unsure.RevokeAll(t.Context(), unsure.subject), auth.ErrUnavailable)
		w := unsure.post(unsure.Logout(), lost)
		require.Equal(t, 503, w.Code)
		require.Empty(t, w.Header().Get("Set-Cookie"), "for another try")
	}
	w := unsure.post(errors.HandlerFunc(unsure.Login), lost)
	require.Equal(t, 503, w.Code, "a login in the place of another")
	require.Empty(t, w.Header().Get("Set-Cookie"))
	require.ErrorIs(t, doubtful.Revoke(t.Context(), doubtful.key.ID), auth.ErrUnavailable)
	require.ErrorIs(t, feed.Add(t.Context(), auth.Revocation{Session: "unsure", Until: time.Now().Add(time.Hour)}), auth.ErrUnavailable)
	require.ErrorIs(t, doubtful.Revoke(t.Context(), doubtful.key.ID), auth.ErrUnavailable, "nor is another try")

	after := p.fail(t)
	later := sessions(t, after, redisauth.Options{})
	d = d.again(func(o *session.Options) { o.Store = later })
	d.refused(sure)
	require.ErrorIs(t, newRing(t, apiKeys(t, after, redisauth.Options{})).call(r.text, home), auth.ErrInvalid)
	all, _, err := revocations(t, after, redisauth.Options{}).Load(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "sure", all[0].Session)
	require.ErrorIs(t, sessions(t, after, o).Ready(t.Context()), auth.ErrUnavailable, "no replica is there to confirm")
	t.Log("revoked with an error: 3, of them undone by the failover: 3; revoked without: 3, undone: 0")
}

// TestUnconfirmedRotationReturnsTheSuccessor: with WaitRotations a 503 has the successor, since
// the presented token is used up.
func TestUnconfirmedRotationReturnsTheSuccessor(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	p := newPair(t)
	store := sessions(t, connect(t, redis.NewClient(p.master.Options())), redisauth.Options{Replicas: 1, WaitRotations: true, Timeout: timeout})
	d := newDesk(t, store, store.Advance)
	// A busy replica may confirm late, so each call is repeated with its attempt.
	refresh := func(token, attempt string) (next string) {
		t.Helper()
		require.Eventually(t, func() bool {
			var status int
			status, next = d.refresh(token, session.AttemptHeader, attempt)
			return status == 200
		}, 10*time.Second, 50*time.Millisecond)
		return next
	}
	t0 := d.login()
	p.settle(t)
	t1 := refresh(t0, another)
	p.link.BlackHole(true)
	status, t2 := d.refresh(t1, session.AttemptHeader, once)
	require.Equal(t, 503, status)
	require.NotEmpty(t, t2)
	status, again := d.refresh(t1, session.AttemptHeader, once)
	require.Equal(t, [2]any{503, t2}, [2]any{status, again}, "the same attempt is still not sure")
	p.link.BlackHole(false)
	p.settle(t)
	require.Equal(t, t2, refresh(t1, once))
	refresh(t2, another)
	require.Empty(t, d.events)
}

// TestReadyRefusesPoliciesThatEvict checks that every policy that evicts is an error.
func TestReadyRefusesPoliciesThatEvict(t *testing.T) {
	for _, kind := range kindsOf() {
		t.Run(kind.name, func(t *testing.T) {
			client := kind.start(t)
			store := sessions(t, client, redisauth.Options{})
			require.NoError(t, store.Ready(t.Context()))
			set := func(policy string) {
				if c, ok := client.(*redis.ClusterClient); ok {
					master, err := c.MasterForKey(t.Context(), "one of three")
					require.NoError(t, err)
					require.NoError(t, master.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
					return
				}
				require.NoError(t, client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
			}
			for _, policy := range []string{"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random"} {
				set(policy)
				err := store.Ready(t.Context())
				require.ErrorIs(t, err, auth.ErrUnavailable)
				require.ErrorContains(t, err, "maxmemory-policy is "+policy)
			}
			set("noeviction")
			require.NoError(t, store.Ready(t.Context()))
		})
	}
	nobody := sessions(t, connect(t, redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})), redisauth.Options{Timeout: 50 * time.Millisecond})
	require.ErrorIs(t, nobody.Ready(t.Context()), auth.ErrUnavailable)
}
