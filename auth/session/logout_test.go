package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

const cleared = "__Host-refresh=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"

// TestLogoutEndsTheSession holds SR22.
func TestLogoutEndsTheSession(t *testing.T) {
	for _, tt := range []struct {
		name          string
		present       func(d *desk, token string) string
		ends, revoked bool
	}{
		{name: "garbage", present: func(*desk, string) string { return "garbage" }},
		{name: "none", present: func(*desk, string) string { return "" }},
		{name: "forged", present: func(_ *desk, token string) string { return token[:77] + swap(token[77]) }},
		{name: "used", present: func(d *desk, token string) string { d.post(d.Refresh(), token); return token }, ends: true, revoked: true},
		{name: "expired", present: func(_ *desk, token string) string { pass(1000 * time.Hour); return token }, ends: true}, // its access tokens before it
		{name: "good", present: func(_ *desk, token string) string { return token }, ends: true, revoked: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				token := tt.present(d, d.login())
				for range 2 {
					w := d.post(d.Logout(), token)
					require.Equal(t, 204, w.Code)
					require.Equal(t, []string{cleared}, w.Header()["Set-Cookie"])
					require.Equal(t, tt.revoked, isRevoked(d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now())))
				}
				list, err := d.List(t.Context(), "ann")
				require.NoError(t, err)
				require.Equal(t, tt.ends, len(list) == 0)
				require.Empty(t, d.events, "a logout is no theft")
			})
		})
	}
}

// TestLogoutAllEndsAllSessions holds that all sessions of one subject end, for a token that
// was not used before.
func TestLogoutAllEndsAllSessions(t *testing.T) {
	d := newDesk(t)
	first, second := d.login(), d.login()
	w := d.post(d.LogoutAll(), second)
	require.Equal(t, 204, w.Code)
	require.Equal(t, []string{cleared}, w.Header()["Set-Cookie"])
	require.Equal(t, 401, d.post(d.Refresh(), first).Code)
	require.Equal(t, 401, d.post(d.LogoutAll(), second).Code)
	for _, s := range d.issued {
		require.ErrorIs(t, d.revoked.Check(t.Context(), "", s.ID, "", time.Now()), auth.ErrRevoked)
	}
	require.ErrorIs(t, d.revoked.Check(t.Context(), "", "", "ann", time.Now()), auth.ErrRevoked, "tokens without a session")

	used, other := d.login(), d.login()
	require.Equal(t, 200, d.post(d.Refresh(), used).Code)
	require.Equal(t, 401, d.post(d.LogoutAll(), used).Code)
	require.Equal(t, theft, d.events)
	require.Equal(t, 200, d.post(d.Refresh(), other).Code, "a thief of an old token ends one session alone")
}

// TestOtherMethodsAreRefused holds SR19, also for the order: nothing else is looked at.
func TestOtherMethodsAreRefused(t *testing.T) {
	d := newDesk(t)
	token := d.login()
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"} {
		for _, h := range []http.Handler{d.Refresh(), d.Logout(), d.LogoutAll(), errors.HandlerFunc(d.Login)} {
			r := httptest.NewRequest(method, "https://api.example.com/", nil)
			r.Header.Set("Cookie", "__Host-refresh="+token)
			r.Header.Set("Origin", "https://evil.example")
			w := httptest.NewRecorder()
			errors.Must(errors.NewResponder(errors.Options{})).Handler(h).ServeHTTP(w, r)
			require.Equal(t, 405, w.Code)
			require.Equal(t, "POST", w.Header().Get("Allow"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Empty(t, cookieOf(t, w))
		}
	}
	require.Equal(t, 200, d.post(d.Refresh(), token).Code)
}

// counting is a feed that counts additions.
type counting struct{ told atomic.Int64 }

func (c *counting) Load(context.Context) ([]auth.Revocation, string, error) { return nil, "", nil }

func (c *counting) Next(ctx context.Context, after string) ([]auth.Revocation, string, error) {
	<-ctx.Done()
	return nil, after, ctx.Err()
}

func (c *counting) Add(context.Context, auth.Revocation) error {
	c.told.Add(1)
	return nil
}

// TestFloodOfLogoutsDoesNotFillTheFeed checks that a client with one token of an ended session
// cannot fill the feed of revocations.
func TestFloodOfLogoutsDoesNotFillTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := new(counting)
		d := newDesk(t, func(o *session.Options) {
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		})
		token := d.login()
		for range 1000 {
			require.Equal(t, 204, d.post(d.Logout(), token).Code)
		}
		require.EqualValues(t, 1, feed.told.Load())
		for range 10 {
			pass(time.Minute)
			for range 100 {
				require.Equal(t, 204, d.post(d.Logout(), token).Code)
			}
		}
		require.EqualValues(t, 1, feed.told.Load(), "it ended once")
	})
}

// TestHoardedTokensDoNotFillTheRevocations checks that a client with many tokens of ended sessions
// cannot fill the revocations, which would answer every request with a 503.
func TestHoardedTokensDoNotFillTheRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{MaxEntries: 100}))
		d := newDesk(t, func(o *session.Options) { o.Revocations, o.MaxSessions = revoked, 1 })
		var hoard []string
		for range 150 {
			hoard = append(hoard, d.login()) // and ends the one before
			pass(time.Minute)
		}
		pass(2 * time.Hour)
		for range 2 {
			for _, token := range hoard[:len(hoard)-1] {
				require.Equal(t, 204, d.post(d.Logout(), token).Code)
			}
		}
		require.NoError(t, revoked.Ready(t.Context()))
	})
}

// TestRepeatedLogoutReportsEndedSessions checks that the call after a 503 reports the sessions that the
// first ended.
func TestRepeatedLogoutReportsEndedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := &failing{err: errDown}
		d := newDesk(t, func(o *session.Options) {
			o.Revocations = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		})
		token := d.login()
		require.Equal(t, 503, d.post(d.Logout(), token).Code)
		feed.err = nil
		pass(time.Second)
		require.Equal(t, 204, d.post(d.Logout(), token).Code)
		require.EqualValues(t, 1, feed.told.Load())
	})
}

// failing is a feed that takes nothing while it fails, or from some addition on.
type failing struct {
	counting
	err  error
	from int64
}

func (f *failing) Add(ctx context.Context, r auth.Revocation) error {
	if f.err != nil && f.told.Load() >= f.from {
		return f.err
	}
	return f.counting.Add(ctx, r)
}

// TestFailedLogoutAllCanBeRepeated holds that a LogoutAll that failed half way, wherever that
// is, can be made again, with the successor that came with the 503.
func TestFailedLogoutAllCanBeRepeated(t *testing.T) {
	for from := range int64(3) {
		t.Run(fmt.Sprint("after ", from), func(t *testing.T) { logoutAllAgain(t, from) })
	}
}

func logoutAllAgain(t *testing.T, from int64) {
	synctest.Test(t, func(t *testing.T) {
		feed := &failing{err: errDown, from: from}
		revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: feed}))
		d := newDesk(t, func(o *session.Options) {
			o.Store, o.Revocations = carrying{session.NewMemory(), map[string]time.Time{}}, revoked
		})
		d.login()
		token := d.login()
		w := d.post(d.LogoutAll(), token)
		require.Equal(t, 503, w.Code)
		feed.err = nil
		pass(time.Second)
		w = d.post(d.LogoutAll(), cookieOf(t, w))
		require.Equal(t, 204, w.Code)
		again := min(1, from) // a subject's mark has its time
		require.EqualValues(t, 3+again, feed.told.Load(), "both, and the tokens without a session")
		list, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		require.Empty(t, list)
		require.Empty(t, d.events)
	})
}
