package redisauth_test

import (
	"context"
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

// forgetful loses the first reply to a deletion, with all its attempts.
type forgetful struct {
	session.Store
	lost bool
}

func (f *forgetful) Delete(ctx context.Context, owner string, ids ...string) ([]session.Ended, error) {
	ended, err := f.Store.Delete(ctx, owner, ids...)
	if !f.lost {
		f.lost = true
		return nil, errDown
	}
	return ended, err
}

func (f *forgetful) DeleteAll(ctx context.Context, owner string, except ...string) ([]session.Ended, error) {
	ended, err := f.Store.DeleteAll(ctx, owner, except...)
	if !f.lost {
		f.lost = true
		return nil, errDown
	}
	return ended, err
}

// TestNextRevokeAllReportsLostSessions checks that the next call reports the sessions that the lost
// one ended.
func TestNextRevokeAllReportsLostSessions(t *testing.T) {
	t.Parallel()
	store := sessions(t, single(t), redisauth.Options{})
	d := newDesk(t, store, store.Advance)
	other := d.again(func(o *session.Options) { o.Store = &forgetful{Store: store} })
	d.login()
	require.ErrorIs(t, other.RevokeAll(t.Context(), d.subject), auth.ErrUnavailable)
	require.False(t, d.over(), "nobody was told of the access tokens")
	d.pass(time.Hour)
	kept := d.login()
	require.NoError(t, other.RevokeAll(t.Context(), d.subject, d.issued[len(d.issued)-1]))
	require.NoError(t, d.revoked.Check(t.Context(), "", d.issued[len(d.issued)-1], "", time.Now()))
	require.True(t, d.over())
	d.mustRefresh(kept)
}

// TestNextLogoutReportsLostSessions checks that the next call reports the sessions that the lost one
// ended, for as long as their access tokens live.
func TestNextLogoutReportsLostSessions(t *testing.T) {
	t.Parallel()
	store := sessions(t, single(t), redisauth.Options{})
	d := newDesk(t, store, store.Advance)
	other := d.again(func(o *session.Options) { o.Store = &forgetful{Store: store} })
	token := d.login()
	require.Equal(t, 503, other.post(other.Logout(), token).Code)
	require.False(t, d.over(), "nobody was told of the access tokens")
	d.refused(token)
	d.pass(time.Minute - time.Second)
	d.login() // which deletes expired entries
	require.Equal(t, 204, other.post(other.Logout(), token).Code)
	require.True(t, d.over())
}

// TestLostRevokeAllAges checks that the sessions that a call ended are reported
// for as long as their access tokens live, however often all are ended meanwhile.
func TestLostRevokeAllAges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	store := sessions(t, single(t), redisauth.Options{})
	ctx, owner := t.Context(), "00000000000000000000000000000001"
	logins := 0
	create := func(n int) (ids []string) {
		for range n {
			logins++
			ids = append(ids, fmt.Sprintf("%032x", logins))
			_, err := store.Create(ctx, session.Creation{Owner: owner, ID: ids[len(ids)-1], Value: []byte("v"), Idle: 24 * time.Hour, Absolute: 24 * time.Hour, Max: 1000})
			require.NoError(t, err)
		}
		return ids
	}
	deleteAll := func() (ids []string, longest time.Duration) {
		ended, err := store.DeleteAll(ctx, owner)
		require.NoError(t, err)
		for _, e := range ended {
			ids, longest = append(ids, e.ID), max(longest, e.Ago)
		}
		return ids, longest
	}
	first := create(600)
	ids, ago := deleteAll()
	require.ElementsMatch(t, first, ids)
	require.Zero(t, ago)
	for range 2 {
		store.Advance(30 * time.Minute)
		ids, ago = deleteAll()
		require.ElementsMatch(t, first, ids, "each of them")
	}
	require.InDelta(t, time.Hour, ago, float64(time.Minute))
	second := create(450)
	ids, _ = deleteAll()
	require.Len(t, ids, 1000)
	require.ElementsMatch(t, second, ids[:450], "the newest, when there are more")
	store.Advance(3 * time.Minute)
	ids, ago = deleteAll()
	require.ElementsMatch(t, second, ids, "the others are dead by now")
	require.InDelta(t, 3*time.Minute, ago, float64(time.Minute))
}

// unheard loses the reply to a reuse, with all its attempts, a few times.
type unheard struct {
	session.Store
	times int
}

func (u *unheard) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	rotated, err := u.Store.Rotate(ctx, r)
	if rotated.Outcome == session.Reused && u.times > 0 {
		u.times--
		return session.Rotated{}, errDown
	}
	return rotated, err
}

// TestLostReuseIsReportedOnce checks that a client that retries after each 503 causes one
// report of the theft, and that the reports end.
func TestLostReuseIsReportedOnce(t *testing.T) {
	t.Parallel()
	store := sessions(t, single(t), redisauth.Options{})
	for _, times := range []int{1, 2, 15} {
		t.Run(fmt.Sprint(times, " lost replies"), func(t *testing.T) {
			d := newDesk(t, store, store.Advance)
			other := d.again(func(o *session.Options) { o.Store = &unheard{store, times} })
			spent := d.login()
			d.mustRefresh(spent)
			for range times {
				status, _ := other.refresh(spent, session.AttemptHeader, once)
				require.Equal(t, 503, status)
				require.False(t, d.over())
			}
			other.refused(spent, session.AttemptHeader, once)
			require.Equal(t, []session.Reason{session.TokenReused}, d.events)
			require.True(t, d.over())
			for range 30 {
				other.refused(spent, session.AttemptHeader, once)
			}
			require.Len(t, d.events, 16-times)
		})
	}
}
