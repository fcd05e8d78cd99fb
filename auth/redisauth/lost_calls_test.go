package redisauth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
)

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
