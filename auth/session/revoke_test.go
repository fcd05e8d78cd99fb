package session_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestRevokeEndsOnlyOwnSessions checks that a user cannot end the session of another.
func TestRevokeEndsOnlyOwnSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		a, b, c := d.login(), "", ""
		pass(time.Second)
		b = d.login()
		pass(time.Second)
		c = d.login()
		list, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, []string{d.issued[2].ID, d.issued[1].ID, d.issued[0].ID}, []string{list[0].ID, list[1].ID, list[2].ID})

		require.NoError(t, d.Revoke(t.Context(), "eve", list[2].ID))
		require.NoError(t, d.revoked.Check(t.Context(), "", list[2].ID, "", time.Now()))
		require.NoError(t, d.Revoke(t.Context(), "ann", list[2].ID))
		require.Equal(t, 401, d.post(d.Refresh(), a).Code)
		require.ErrorIs(t, d.revoked.Check(t.Context(), "", list[2].ID, "", time.Now()), auth.ErrRevoked)

		require.NoError(t, d.RevokeAll(t.Context(), "ann", list[1].ID))
		require.Equal(t, 401, d.post(d.Refresh(), c).Code)
		require.Equal(t, 200, d.post(d.Refresh(), b).Code)
		require.NoError(t, d.revoked.Check(t.Context(), "", list[1].ID, "ann", time.Now()))
		list, err = d.List(t.Context(), "nobody")
		require.NoError(t, err)
		require.Empty(t, list)
	})
}

// TestRepeatedRevokeCompletesTheFirst checks that a call after a failure completes the first, and
// that an ID reaches the store only as an ID.
func TestRepeatedRevokeCompletesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &failing{err: errDown}
		d := newDesk(t, func(o *session.Options) {
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		})
		d.login()
		require.ErrorIs(t, d.Revoke(t.Context(), "ann", d.issued[0].ID), auth.ErrUnavailable)
		feed.err = nil
		pass(time.Second)
		require.NoError(t, d.Revoke(t.Context(), "ann", d.issued[0].ID))
		require.EqualValues(t, 1, feed.told.Load())

		asked := newDesk(t, func(o *session.Options) { o.Store = broken{} })
		for _, id := range []string{"", "e", strings.Repeat("e", 31), strings.Repeat("e", 33), strings.Repeat("g", 32), strings.Repeat("E", 32), strings.Repeat("e", 31) + " "} {
			require.NoError(t, asked.Revoke(t.Context(), "ann", id), "no session has it")
		}
		require.ErrorIs(t, asked.Revoke(t.Context(), "ann", strings.Repeat("e", 32)), auth.ErrUnavailable)
	})
}

// TestRevokeAllRaces holds SR13 and SR14: whatever is under way, no session that
// RevokeAll ended gives another token that works, and none comes back.
func TestRevokeAllRaces(t *testing.T) {
	d := newDesk(t, func(o *session.Options) { o.Grace, o.Issue = time.Minute, issue })
	for range 50 {
		token := d.login()
		before, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		var running sync.WaitGroup
		answers := make([]*httptest.ResponseRecorder, 4)
		for i := range answers {
			running.Go(func() { answers[i] = d.post(d.Refresh(), token) })
		}
		require.NoError(t, d.RevokeAll(t.Context(), "ann"))
		require.Equal(t, 401, d.post(d.Refresh(), token).Code)
		running.Wait()
		for _, w := range answers {
			if successor := cookieOf(t, w); successor != "" {
				require.Equal(t, 401, d.post(d.Refresh(), successor).Code)
			}
		}
		for _, s := range before {
			require.ErrorIs(t, d.revoked.Check(t.Context(), "", s.ID, "", time.Now()), auth.ErrRevoked)
		}
	}
	records, owners := d.store.Len()
	require.Zero(t, records+owners)
}

// slow is a feed that takes its time.
type slow struct {
	counting
	takes time.Duration
}

func (f *slow) Add(ctx context.Context, r auth.Revocation) error {
	pass(f.takes)
	return f.counting.Add(ctx, r)
}

// TestRevokeAllRevokesConcurrently holds that many sessions do not wait for one another.
func TestRevokeAllRevokesConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &slow{takes: 250 * time.Millisecond}
		d := newDesk(t, func(o *session.Options) {
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		})
		for range 50 {
			d.login()
		}
		pass(time.Second)
		start := time.Now()
		require.NoError(t, d.RevokeAll(t.Context(), "ann"))
		require.EqualValues(t, 51, feed.told.Load(), "and the tokens without a session")
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
	})
}

// TestRevokeAllReturnsInTime checks that RevokeAll returns in time if a thousand
// revocations hang, with an error.
func TestRevokeAllReturnsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &slow{takes: 3 * time.Second}
		d := newDesk(t, func(o *session.Options) {
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
			o.MaxSessions = 1000
		})
		for range 1000 {
			d.login()
		}
		pass(time.Second)
		start := time.Now()
		err := d.RevokeAll(t.Context(), "ann")
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.LessOrEqual(t, time.Since(start), 13*time.Second)
		list, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		require.Empty(t, list, "the sessions themselves have ended")
	})
}

// carrying is a store that returns the sessions that earlier calls ended.
type carrying struct {
	*session.Memory
	at map[string]time.Time
}

func (c carrying) DeleteAll(ctx context.Context, owner string, except ...string) ([]session.Ended, error) {
	ended, err := c.Memory.DeleteAll(ctx, owner, except...)
	for id, at := range c.at {
		ended = append(ended, session.Ended{ID: id, Ago: time.Since(at)})
	}
	for _, e := range ended {
		if e.Ago == 0 {
			c.at[e.ID] = time.Now()
		}
	}
	return ended, err
}

// TestEndedSessionsAreRevokedOnce checks that an ended session is revoked once, for as long as
// its access tokens live, however often all sessions are ended.
func TestEndedSessionsAreRevokedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := new(counting)
		d := newDesk(t, func(o *session.Options) {
			o.Store = carrying{session.NewMemory(), map[string]time.Time{}}
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		})
		for range 20 {
			d.login()
		}
		for range 30 {
			pass(time.Minute)
			require.NoError(t, d.RevokeAll(t.Context(), "ann"))
		}
		require.EqualValues(t, 20+30, feed.told.Load(), "and each time the tokens without a session")
	})
}
