package redisauth_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestRetryAfterALostReplyIsNotTheft: the rotation ran, and its reply is lost. Our own retry is
// never theft.
func TestRetryAfterALostReplyIsNotTheft(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	withGrace(t, func(t *testing.T, g func(*session.Options)) {
		f := newFault(t, g)
		tabs := f.tabs(25)
		for i, c := range tabs {
			f.must(c)
			var lost <-chan struct{}
			if i == 0 {
				lost = f.proxy.DropReply("evalsha") // and the connection stays
			} else {
				lost = f.proxy.ResetReply("evalsha")
			}
			require.Equal(t, 200, f.try(c), "our retry finds what was done")
			<-lost
		}
		// A request without an attempt gets one of ours, for the same reason.
		lost := f.proxy.ResetReply("evalsha")
		bare := f.mustRefresh(f.login())
		<-lost
		f.mustRefresh(bare)
		require.Empty(t, f.events)
		f.pass(10 * time.Second)
		f.replay(tabs)
		require.Len(t, f.events, 25)
		f.report()
	})
}

// TestLostReplyToAReuseIsReported checks that a theft is reported although its reply was
// lost.
func TestLostReplyToAReuseIsReported(t *testing.T) {
	t.Parallel()
	f := newFault(t)
	t0 := f.login()
	f.mustRefresh(t0)
	lost := f.proxy.ResetReply("evalsha")
	f.desk.refused(t0)
	<-lost
	require.Equal(t, []session.Reason{session.TokenReused}, f.events)
	require.True(t, f.over())
}

// TestLostReplyToALoginCreatesOneSession checks that there is no second session, and that the
// evicted ones are reported.
func TestLostReplyToALoginCreatesOneSession(t *testing.T) {
	t.Parallel()
	f := newFault(t, func(o *session.Options) { o.MaxSessions = 2 })
	f.login()
	f.login()
	lost := f.proxy.ResetReply("evalsha")
	f.login()
	<-lost
	require.Equal(t, []session.Reason{session.SessionEvicted}, f.events)
	require.True(t, f.over())
	list, err := f.List(t.Context(), f.subject)
	require.NoError(t, err)
	require.Len(t, list, 2)
}

// TestLostReplyToAnOvertakenLoginRevokesTokens checks a login that replaced one session and
// evicted another. Its reply was lost, and RevokeAll ran before its retry. The
// access tokens of both are revoked, although RevokeAll found neither.
func TestLostReplyToAnOvertakenLoginRevokesTokens(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	f := newFault(t, func(o *session.Options) { o.MaxSessions = 2 })
	direct := sessions(t, connect(t, redis.NewClient(f.server.Options())), redisauth.Options{})
	other := f.again(func(o *session.Options) { o.Store = direct })
	evicting := f.again(func(o *session.Options) { o.MaxSessions = 1 })
	f.login() // to be evicted
	replaced := f.login()
	lost, status := f.proxy.DropReply("evalsha"), make(chan int, 1)
	go func() {
		w := f.post(errors.HandlerFunc(evicting.Login), replaced)
		status <- w.Code
	}()
	<-lost
	require.NoError(t, other.RevokeAll(t.Context(), f.subject))
	require.Equal(t, 401, <-status)
	require.Len(t, f.issued, 2)
	for _, id := range f.issued {
		require.ErrorIs(t, f.revoked.Check(t.Context(), "", id, "", time.Now()), auth.ErrRevoked)
	}
	require.Equal(t, []session.Reason{session.SessionEvicted}, f.events)
	list, err := f.List(t.Context(), f.subject)
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestOvertakenRetryIsNotTheft checks a retry that comes after other calls continued from
// the write of the first attempt. It is not a theft, and returns nothing.
// internal/test/linear found this.
func TestOvertakenRetryIsNotTheft(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, tt := range []struct {
		name string
		then func(f *fault, c *tab)
		want int // of the newest token
	}{
		{name: "the same attempt was made twice, and went on", then: func(f *fault, c *tab) {
			f.must(c)
			f.must(c)
		}, want: 200},
		{name: "all was ended", then: func(f *fault, _ *tab) { require.NoError(f.t, f.RevokeAll(f.t.Context(), f.subject)) }, want: 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFault(t)
			direct := sessions(t, connect(t, redis.NewClient(f.server.Options())), redisauth.Options{})
			other := &fault{desk: f.again(func(o *session.Options) { o.Store = direct })}
			f.mustRefresh(f.login()) // Redis then has the script
			c := &tab{token: f.login()}
			twin := *c
			lost := f.proxy.DropReply("evalsha")
			answered := make(chan int, 1)
			go func() { answered <- f.try(c) }()
			<-lost
			tt.then(other, &twin)
			require.Equal(t, 503, <-answered)
			require.Empty(t, f.events)
			status, _ := f.refresh(twin.token)
			require.Equal(t, tt.want, status)
		})
	}
}

// TestLostReplyToRevokeAllKeepsNewLogins checks that the ended sessions are reported, and that
// a login of the time between stays, also after another RevokeAll before it.
func TestLostReplyToRevokeAllKeepsNewLogins(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, others := range []int{0, 1, 7} {
		t.Run(fmt.Sprint("others ", others), func(t *testing.T) {
			f := newFault(t)
			direct := sessions(t, connect(t, redis.NewClient(f.server.Options())), redisauth.Options{})
			other := f.again(func(o *session.Options) { o.Store = direct })
			require.NoError(t, f.RevokeAll(t.Context(), "somebody else"), "Redis knows the script")
			f.login()
			lost, done := f.proxy.DropReply("evalsha"), make(chan error, 1)
			go func() { done <- f.RevokeAll(t.Context(), f.subject) }()
			<-lost
			for range others {
				require.NoError(t, other.RevokeAll(t.Context(), f.subject))
			}
			meanwhile := other.login()
			require.NoError(t, <-done)
			require.True(t, f.over(), "its access tokens too")
			f.mustRefresh(meanwhile)
		})
	}
}

// TestLateCallsDoNothing checks that a call whose first attempt hung in a network does
// nothing when it arrives after the second.
func TestLateCallsDoNothing(t *testing.T) {
	t.Parallel()
	store := sessions(t, single(t), redisauth.Options{})
	ctx, owner := t.Context(), "00000000000000000000000000000001"
	creation := session.Creation{Owner: owner, ID: "0000000000000000000000000000000a", Value: []byte("v"), Idle: time.Hour, Absolute: time.Hour, Max: 5}
	create := func() session.Created {
		created, err := store.Create(ctx, creation)
		require.NoError(t, err)
		return created
	}
	rotate := func(call string, generation uint64) (session.Rotated, error) {
		return store.RotateAs(ctx, call, session.Rotation{Owner: owner, ID: creation.ID, Generation: generation, Attempt: sha256.Sum256([]byte(call)), Idle: time.Hour})
	}
	require.False(t, create().Superseded)
	for generation, call := range []string{"call-one", "call-two"} {
		rotated, err := rotate(call, uint64(generation))
		require.NoError(t, err)
		require.Equal(t, session.Advanced, rotated.Outcome)
	}
	_, err := rotate("call-one", 0)
	require.ErrorIs(t, err, auth.ErrUnavailable, "no theft")
	rotated, err := rotate("call-six", 2)
	require.NoError(t, err)
	require.Equal(t, session.Advanced, rotated.Outcome, "the session lives")

	remove := func(message string) {
		_, err := store.Delete(ctx, owner, creation.ID)
		require.NoError(t, err, message)
	}
	remove("a logout")
	require.True(t, create().Superseded, "a login that was logged out does not come back")
	creation.ID = "0000000000000000000000000000000b"
	remove("a login that failed")
	require.True(t, create().Superseded, "nor does one that nobody waited for")
	store.Advance(2 * time.Minute)
	creation.ID = "0000000000000000000000000000000c"
	require.False(t, create().Superseded)
	list, err := store.List(ctx, owner)
	require.NoError(t, err)
	require.Len(t, list, 1)

	r := newRing(t, apiKeys(t, single(t), redisauth.Options{}))
	r.create()
	record, _, err := r.store.Get(ctx, r.key.ID)
	require.NoError(t, err)
	require.NoError(t, r.Revoke(ctx, r.key.ID))
	record.Version = 1
	ok, err := r.store.Put(ctx, record)
	require.NoError(t, err)
	require.False(t, ok, "a revoked key does not come back")
	keys, err := r.List(ctx)
	require.NoError(t, err)
	require.Empty(t, keys)
}
