package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestLoginEndsTheOldSession holds SR21: a session from before the login does not
// continue.
func TestLoginEndsTheOldSession(t *testing.T) {
	for _, tt := range []struct {
		name, cookie string // of the request; "planted" is another session's
		status       int
		planted      int // the status of the other session's refresh afterwards
	}{
		{name: "two cookies", cookie: "__Host-refresh=planted; __Host-refresh=planted", status: 400, planted: 200},
		{name: "planted", cookie: "__Host-refresh=planted", status: 200, planted: 401},
		{name: "forged", cookie: "__Host-refresh=plantedA", status: 200, planted: 200},
		{name: "garbage", cookie: "__Host-refresh=x", status: 200, planted: 200},
		{name: "another name", cookie: "__host-refresh=planted", status: 200, planted: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			planted := d.login()
			w := d.post(errors.HandlerFunc(d.Login), "", "Cookie", strings.ReplaceAll(tt.cookie, "planted", planted))
			require.Equal(t, tt.status, w.Code)
			require.NotEqual(t, planted, cookieOf(t, w))
			require.Equal(t, tt.planted, d.post(d.Refresh(), planted).Code)
			require.Equal(t, tt.planted == 401, isRevoked(d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now())))
			if tt.status == 200 {
				require.NotEqual(t, d.issued[0].ID, d.issued[1].ID)
			}
		})
	}
}

// closing is a store that refuses new sessions, or refuses to end any, while its
// fields are set.
type closing struct {
	*session.Memory
	full, stuck bool
}

func (c *closing) Create(ctx context.Context, creation session.Creation) (session.Created, error) {
	if c.full {
		return session.Created{}, errDown
	}
	return c.Memory.Create(ctx, creation)
}

func (c *closing) Delete(ctx context.Context, owner string, ids ...string) ([]session.Ended, error) {
	if c.stuck && owner == session.OwnerID("bob") {
		return nil, errDown
	}
	return c.Memory.Delete(ctx, owner, ids...)
}

// TestFailedLoginKeepsTheOldSession checks that the session whose cookie the request has
// continues, whoever owns it, and that no other session remains.
func TestFailedLoginKeepsTheOldSession(t *testing.T) {
	for _, tt := range []struct {
		name, subject string
		change        func(*closing)
	}{
		{name: "one's own, and no new one fits", subject: "ann", change: func(c *closing) { c.full = true }},
		{name: "another's, and no new one fits", subject: "bob", change: func(c *closing) { c.full = true }},
		{name: "another's, which cannot be ended", subject: "bob", change: func(c *closing) { c.stuck = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := &closing{Memory: session.NewMemory()}
			d := newDesk(t, func(o *session.Options) { o.Store = store })
			old := cookieOf(t, d.post(errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				_, err := d.Manager.Login(w, r, session.Session{Subject: tt.subject})
				return err
			}), ""))
			tt.change(store)
			w := d.post(errors.HandlerFunc(d.Login), old)
			require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w))
			require.Empty(t, cookieOf(t, w))
			require.NoError(t, d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now()))
			require.Equal(t, 200, d.post(d.Refresh(), old).Code)
			records, _ := store.Len()
			require.Equal(t, 1, records)
			require.Empty(t, d.events)
		})
	}
}

// TestLoginReplacesTheOwnSession checks that a login replaces the client's old session,
// so that no other has to end.
func TestLoginReplacesTheOwnSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) { o.MaxSessions = 2 })
		first := d.login()
		pass(time.Second)
		second := d.login()
		pass(time.Second)
		third := d.login("Cookie", "__Host-refresh="+second)
		require.Empty(t, d.events)
		require.Equal(t, 200, d.post(d.Refresh(), first).Code)
		require.Equal(t, 200, d.post(d.Refresh(), third).Code)
		require.Equal(t, 401, d.post(d.Refresh(), second).Code)
		require.True(t, isRevoked(d.revoked.Check(t.Context(), "", d.issued[1].ID, "", time.Now())))
		require.Empty(t, d.events, "it is no theft")
	})
}

// TestLoginIgnoresIDsOfTheCaller checks that the caller cannot choose IDs.
func TestLoginIgnoresIDsOfTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		now, far := time.Now().UTC(), time.Now().Add(1e6*time.Hour)
		given := session.Session{ID: "chosen", Subject: "ann", AuthTime: now.Add(-time.Hour), Created: far, LastUsed: far, Expires: far,
			Client: session.Client{Name: "Kyiv", UserAgent: strings.Repeat("é", 200)}, Data: []byte{0, 255}}
		var tokens session.Tokens
		w := d.post(errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) (err error) {
			tokens, err = d.Manager.Login(w, r, given)
			return err
		}), "")
		require.Equal(t, 200, w.Code)
		id := d.issued[0].ID
		require.Equal(t, session.Tokens{AccessToken: "access-" + id, TokenType: "Bearer", ExpiresIn: 300}, tokens)
		want := session.Session{ID: id, Subject: "ann", AuthTime: given.AuthTime, Created: now, LastUsed: now, Expires: now.Add(168 * time.Hour),
			Client: session.Client{Name: "Kyiv", UserAgent: strings.Repeat("é", 128)}, Data: []byte{0, 255}}
		require.NotEqual(t, "chosen", id)
		require.Equal(t, want, d.issued[0])
		list, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, []session.Session{want}, list)
	})
}

func TestLoginRefusesUnfitSessions(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    session.Session
	}{
		{name: "no subject", s: session.Session{}},
		{name: "long subject", s: session.Session{Subject: strings.Repeat("a", 257)}},
		{name: "subject is not UTF-8", s: session.Session{Subject: "a\xff"}},
		{name: "role is not UTF-8", s: session.Session{Subject: "a", Roles: []string{"\xff"}}},
		{name: "halves of a character", s: session.Session{Subject: "a", Scope: []string{"\xc3", "\xa9"}}},
		{name: "data", s: session.Session{Subject: "a", Data: make([]byte, 16<<10)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			w := d.post(errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				_, err := d.Manager.Login(w, r, tt.s)
				return err
			}), "")
			require.Equal(t, 500, w.Code)
			require.Empty(t, cookieOf(t, w))
			require.Empty(t, d.issued)
		})
	}
}

// TestForgedTokensDoNotReachTheStore holds SR7, SR20 and SR26: text that is not a token never
// reaches the store, and ends no session.
func TestForgedTokensDoNotReachTheStore(t *testing.T) {
	d := newDesk(t)
	good := d.login()
	asked := newDesk(t, func(o *session.Options) { o.Store = broken{} })
	for _, tt := range []struct {
		name, cookie string
		kind         *errors.Kind
	}{
		{name: "SR20 two cookies", cookie: "__Host-refresh=" + good + "; __Host-refresh=other", kind: auth.ErrMalformed},
		{name: "SR20 the same cookie twice", cookie: "__Host-refresh=" + good + "; a=b; __Host-refresh=" + good, kind: auth.ErrMalformed},
		{name: "no cookie", kind: auth.ErrMissing},
		{name: "cookie of another name", cookie: "refresh=" + good, kind: auth.ErrMissing},
		{name: "empty", cookie: "__Host-refresh=", kind: auth.ErrInvalid},
		{name: "SR7 forged MAC", cookie: "__Host-refresh=" + good[:77] + swap(good[77]), kind: auth.ErrInvalid},
		{name: "SR7 forged generation", cookie: "__Host-refresh=" + good[:50] + swap(good[50]) + good[51:], kind: auth.ErrInvalid},
		{name: "SR26 an access token", cookie: "__Host-refresh=eyJhbGciOiJFZERTQSJ9.e30.c2ln", kind: auth.ErrInvalid},
		{name: "a page of it", cookie: "__Host-refresh=" + strings.Repeat("A", 9000), kind: auth.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, h := range []http.Handler{asked.Refresh(), asked.LogoutAll()} {
				w := d.post(h, "", "Cookie", tt.cookie)
				require.Equal(t, tt.kind.Status(), w.Code)
				require.Equal(t, tt.kind.Code(), codeOf(t, w))
				require.Empty(t, cookieOf(t, w))
				challenge := w.Header().Get("WWW-Authenticate")
				require.Equal(t, tt.kind.Status() == 401, challenge == `Cookie cookie-name="__Host-refresh"`, challenge)
			}
		})
	}
	require.Equal(t, 503, d.post(asked.Refresh(), good).Code, "the store is asked for a token of ours")
	require.Equal(t, 200, d.post(d.Refresh(), good).Code)
}

// swap returns another character of base64url.
func swap(c byte) string {
	if c == 'A' {
		return "Q"
	}
	return "A"
}

// broken is a store that always fails.
type broken struct{}

var errDown = errors.Join(errors.New("connection refused"), auth.ErrRevoked)

func (broken) Create(context.Context, session.Creation) (session.Created, error) {
	return session.Created{}, errDown
}

func (broken) Rotate(context.Context, session.Rotation) (session.Rotated, error) {
	return session.Rotated{}, errDown
}
func (broken) List(context.Context, string) ([]session.Record, error) { return nil, errDown }
func (broken) Delete(context.Context, string, ...string) ([]session.Ended, error) {
	return nil, errDown
}
func (broken) DeleteAll(context.Context, string, ...string) ([]session.Ended, error) {
	return nil, errDown
}

// TestFailingStoreLogsOutNoClient holds SR24: a store that is down logs out no client, even if its
// error has a kind of this package.
func TestFailingStoreLogsOutNoClient(t *testing.T) {
	token := newDesk(t).login()
	d := newDesk(t, func(o *session.Options) { o.Store = broken{} })
	for name, h := range map[string]http.Handler{
		"login": errors.HandlerFunc(d.Login), "refresh": d.Refresh(), "logout": d.Logout(), "logout all": d.LogoutAll(),
	} {
		t.Run(name, func(t *testing.T) {
			w := d.post(h, token)
			require.Equal(t, 503, w.Code)
			require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w))
			require.Empty(t, cookieOf(t, w))
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		})
	}
	_, err := d.List(t.Context(), "ann")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorIs(t, d.Revoke(t.Context(), "ann", strings.Repeat("a", 32)), auth.ErrUnavailable)
	require.ErrorIs(t, d.RevokeAll(t.Context(), "ann"), auth.ErrUnavailable)
}

// unsure is a store whose replicas do not confirm its changes.
type unsure struct{ *session.Memory }

func (u unsure) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	rotated, _ := u.Memory.Rotate(ctx, r)
	return rotated, errors.New("no replica confirmed")
}

func (u unsure) DeleteAll(ctx context.Context, owner string, except ...string) ([]session.Ended, error) {
	ended, _ := u.Memory.DeleteAll(ctx, owner, except...)
	return ended, errors.New("no replica confirmed")
}

// TestUnconfirmedChangesAreReported checks that a change that may not last is reported, and treated
// as made: the client gets the successor of its used token, a theft is a theft,
// and the access tokens of ended sessions are revoked.
func TestUnconfirmedChangesAreReported(t *testing.T) {
	d := newDesk(t, func(o *session.Options) { o.Store = unsure{session.NewMemory()} })
	first := d.login()
	w := d.post(d.Refresh(), first)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	second := cookieOf(t, w)
	require.NotEmpty(t, second)
	require.NotEmpty(t, cookieOf(t, d.post(d.Refresh(), second)))
	w = d.post(d.Refresh(), second)
	require.Equal(t, auth.ErrRevoked.Code(), codeOf(t, w))
	require.Equal(t, theft, d.events)

	d.login()
	require.ErrorIs(t, d.RevokeAll(t.Context(), "ann"), auth.ErrUnavailable)
	for _, s := range d.issued {
		require.ErrorIs(t, d.revoked.Check(t.Context(), "", s.ID, "", time.Now()), auth.ErrRevoked)
	}
}

// listening is a store whose calls end with their context, as over a network.
type listening struct{ *session.Memory }

func (l listening) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	if err := ctx.Err(); err != nil {
		return session.Rotated{}, err
	}
	_, limited := ctx.Deadline()
	if !limited {
		return session.Rotated{}, errors.New("no deadline")
	}
	return l.Memory.Rotate(ctx, r)
}

// TestDisconnectLeavesNothingHalfDone checks that a client that disconnects leaves nothing half done.
func TestDisconnectLeavesNothingHalfDone(t *testing.T) {
	d := newDesk(t, func(o *session.Options) { o.Store = listening{session.NewMemory()} })
	token := d.login()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "https://api.example.com/", nil)
	r.Header.Set("Cookie", "__Host-refresh="+token)
	w := httptest.NewRecorder()
	d.Refresh().ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	token = cookieOf(t, w)
	require.Equal(t, 200, d.post(d.Refresh(), token).Code)

	r.Header.Set("Cookie", "__Host-refresh="+token)
	w = httptest.NewRecorder()
	d.Logout().ServeHTTP(w, r)
	require.Equal(t, 204, w.Code)
	require.True(t, isRevoked(d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now())))
}
