package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// native is an Options that lets clients keep their token themselves.
func native(o *session.Options) { o.NativeClients = true }

// loginBody is a login whose response has the tokens.
func (d *desk) loginBody(w http.ResponseWriter, r *http.Request) error {
	tokens, err := d.Manager.Login(w, r, session.Session{Subject: "ann"})
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(tokens)
}

// bodyToken returns the refresh token in the body of a response that sets no
// cookie.
func bodyToken(t *testing.T, w *httptest.ResponseRecorder) string {
	require.Empty(t, cookieOf(t, w))
	var tokens session.Tokens
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &tokens))
	return tokens.RefreshToken
}

// TestNativeClientsKeepTheirTokens is the life of a client that keeps its token itself.
func TestNativeClientsKeepTheirTokens(t *testing.T) {
	d := newDesk(t, native)
	login := errors.HandlerFunc(d.loginBody)
	first := bodyToken(t, d.post(login, "", session.TokenHeader, "new"))
	second := bodyToken(t, d.post(d.Refresh(), "", session.TokenHeader, first, session.AttemptHeader, once))
	require.NotEqual(t, first, second)
	require.Equal(t, second, bodyToken(t, d.post(d.Refresh(), "", session.TokenHeader, first, session.AttemptHeader, once)), "the same attempt")
	third := bodyToken(t, d.post(login, "", session.TokenHeader, second))
	require.Equal(t, 401, d.post(d.Refresh(), "", session.TokenHeader, second, session.AttemptHeader, other).Code, "a login ends the session that it comes with")
	w := d.post(d.Logout(), "", session.TokenHeader, third)
	require.Equal(t, 204, w.Code)
	require.Empty(t, cookieOf(t, w))
	require.Equal(t, 401, d.post(d.Refresh(), "", session.TokenHeader, third, session.AttemptHeader, other).Code)
	all := bodyToken(t, d.post(login, "", session.TokenHeader, "new"))
	require.Equal(t, 204, d.post(d.LogoutAll(), "", session.TokenHeader, all, session.AttemptHeader, once).Code)
	require.Empty(t, d.events)

	used := bodyToken(t, d.post(login, "", session.TokenHeader, "new"))
	d.failing = errors.New("down")
	require.Equal(t, 503, d.post(d.Refresh(), "", session.TokenHeader, used, session.AttemptHeader, once).Code)
	d.failing = nil
	require.NotEmpty(t, bodyToken(t, d.post(d.Refresh(), "", session.TokenHeader, used, session.AttemptHeader, once)), "the attempt finds the successor of a 503")
	require.Equal(t, 401, d.post(d.Refresh(), "", session.TokenHeader, used, session.AttemptHeader, other).Code)
	require.Equal(t, theft, d.events)
}

// TestScriptsGetNoToken checks that a page's script cannot get a response with
// a token. The cookie is HttpOnly because of XSS (RFC 9700).
func TestScriptsGetNoToken(t *testing.T) {
	d := newDesk(t, native)
	token := bodyToken(t, d.post(errors.HandlerFunc(d.loginBody), "", session.TokenHeader, "new"))
	cookie := d.login()
	handlers := map[string]http.Handler{"login": errors.HandlerFunc(d.loginBody), "refresh": d.Refresh(), "logout": d.Logout(), "logout all": d.LogoutAll()}
	for _, tt := range []struct {
		name   string
		cookie string
		header []string
		kind   *errors.Kind
	}{
		{name: "own origin", header: []string{"Origin", "https://api.example.com"}, kind: auth.ErrDenied},
		{name: "same origin", header: []string{"Sec-Fetch-Site", "same-origin"}, kind: auth.ErrDenied},
		{name: "another of its headers", header: []string{"Sec-Fetch-Mode", "cors"}, kind: auth.ErrDenied},
		{name: "a client hint", header: []string{"Sec-Ch-Ua", "x"}, kind: auth.ErrDenied},
		{name: "foreign", header: []string{"Origin", evil}, kind: auth.ErrDenied},
		{name: "beside a cookie", cookie: cookie, kind: auth.ErrMalformed},
		{name: "two", header: []string{session.TokenHeader, token}, kind: auth.ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, h := range handlers {
				w := d.post(h, tt.cookie, append(tt.header, session.TokenHeader, token, session.AttemptHeader, once)...)
				require.Equal(t, tt.kind.Code(), codeOf(t, w), name)
				require.Empty(t, cookieOf(t, w))
				require.NotContains(t, w.Body.String(), "rt_")
			}
		})
	}
	w := d.post(d.Refresh(), "", session.TokenHeader, token)
	require.Equal(t, auth.ErrMalformed.Code(), codeOf(t, w), "no attempt")
	require.Equal(t, 200, d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, other).Code, "nothing was rotated")
	w = d.post(d.Refresh(), cookie)
	require.NotContains(t, w.Body.String(), "rt_", "what came in a cookie leaves in a cookie")

	closed := newDesk(t)
	w = closed.post(errors.HandlerFunc(closed.loginBody), "", session.TokenHeader, "new")
	require.NotContains(t, w.Body.String(), "rt_")
	require.NotEmpty(t, cookieOf(t, w))
	require.Equal(t, auth.ErrMissing.Code(), codeOf(t, closed.post(closed.Refresh(), "", session.TokenHeader, cookieOf(t, w), session.AttemptHeader, once)))
}

// TestLoginRacesRevokeAll holds SR14: a login that began before it makes no
// session after it, and one that begins later does.
func TestLoginRacesRevokeAll(t *testing.T) {
	for _, tt := range []struct {
		name   string
		began  time.Duration // before RevokeAll; negative: after
		passes time.Duration // until Login is called
		code   string
	}{
		{name: "while the password was looked at", began: time.Second, passes: time.Second, code: auth.ErrStepUp.Code()},
		{name: "at the same moment", began: 0, passes: time.Second, code: auth.ErrStepUp.Code()},
		{name: "slowly", began: time.Second, passes: session.EpochWindow - 1, code: auth.ErrStepUp.Code()},
		{name: "just after", began: -1, passes: 1},
		{name: "long after", began: -time.Minute, passes: 2 * time.Minute},
		{name: "an old login, after all that can race", began: time.Hour, passes: session.EpochWindow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				other := d.login()
				pass(time.Hour)
				began := time.Now().Add(-tt.began)
				require.NoError(t, d.RevokeAll(t.Context(), "ann"))
				pass(tt.passes)
				w := d.post(errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					_, err := d.Manager.Login(w, r, session.Session{Subject: "ann", AuthTime: began})
					return err
				}), "")
				require.Equal(t, tt.code == "", cookieOf(t, w) != "")
				require.Equal(t, tt.code != "", w.Header().Get("WWW-Authenticate") != "")
				if tt.code != "" {
					require.Equal(t, tt.code, codeOf(t, w))
				}
				require.Equal(t, 401, d.post(d.Refresh(), other).Code)
				list, err := d.List(t.Context(), "ann")
				require.NoError(t, err)
				require.Equal(t, tt.code == "", len(list) == 1)
			})
		})
	}
}

// TestEpochsAreBounded holds that they go as new calls come.
func TestEpochsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory()
		for i := range 100 {
			for range 3 {
				_, err := m.DeleteAll(t.Context(), string(rune(i)))
				require.NoError(t, err)
			}
		}
		require.Equal(t, 100, m.Epochs())
		pass(session.EpochWindow)
		for range 51 {
			_, err := m.DeleteAll(t.Context(), "x")
			require.NoError(t, err)
		}
		require.Equal(t, 1, m.Epochs())
	})
}

// TestNativeClientsSurviveAnOutage holds that one that lasts longer than an attempt
// costs them the session as little as it costs a browser.
func TestNativeClientsSurviveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, native)
		token := bodyToken(t, d.post(errors.HandlerFunc(d.loginBody), "", session.TokenHeader, "new"))
		d.failing = errors.New("down")
		for range 3 {
			w := d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, once)
			require.Equal(t, 503, w.Code)
			require.Empty(t, cookieOf(t, w))
			token = w.Header().Get(session.TokenHeader)
			require.NotEmpty(t, token)
			pass(5 * time.Minute)
		}
		d.failing = nil
		w := d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, once)
		require.Equal(t, 200, w.Code)
		require.Empty(t, w.Header()[session.TokenHeader], "it is in the body")
		token = bodyToken(t, w)
		d.account = func(session.Session) (session.Session, error) { return session.Session{}, auth.ErrRevoked }
		w = d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, other)
		require.Equal(t, 401, w.Code)
		require.Empty(t, w.Header()[session.TokenHeader], "nothing is left of the session")
	})
}

// TestNativeClientsLogOutEverywhere holds that one whose LogoutAll fails after
// its token was used up gets the successor with the 503, for another try.
func TestNativeClientsLogOutEverywhere(t *testing.T) {
	for _, tt := range []struct {
		name  string
		store func(failing *error) session.Store
	}{
		{name: "the store ends nothing", store: func(failing *error) session.Store { return &lasting{session.NewMemory(), failing} }},
		{name: "no replica confirms the rotation", store: func(failing *error) session.Store { return &doubtful{session.NewMemory(), failing} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var failing error
			d := newDesk(t, native, func(o *session.Options) { o.Store = tt.store(&failing) })
			token := bodyToken(t, d.post(errors.HandlerFunc(d.loginBody), "", session.TokenHeader, "new"))
			failing = errDown
			for i := range 3 {
				w := d.post(d.LogoutAll(), "", session.TokenHeader, token, session.AttemptHeader, fmt.Sprintf("%016d", i))
				require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w))
				require.Empty(t, cookieOf(t, w))
				require.Len(t, w.Header()[session.TokenHeader], 1)
				require.NotEqual(t, token, w.Header().Get(session.TokenHeader))
				require.NotContains(t, w.Body.String(), "rt_")
				token = w.Header().Get(session.TokenHeader)
			}
			failing = nil
			w := d.post(d.LogoutAll(), "", session.TokenHeader, token, session.AttemptHeader, once)
			require.Equal(t, 204, w.Code)
			require.Empty(t, w.Header()[session.TokenHeader], "it is of no use any longer")
			require.Empty(t, cookieOf(t, w))
			list, err := d.List(t.Context(), "ann")
			require.NoError(t, err)
			require.Empty(t, list)
			require.Empty(t, d.events)
		})
	}
}

// lasting is a store that ends nothing while it fails.
type lasting struct {
	*session.Memory
	failing *error
}

func (s *lasting) DeleteAll(ctx context.Context, owner string, except ...string) ([]session.Ended, error) {
	if *s.failing != nil {
		return nil, *s.failing
	}
	return s.Memory.DeleteAll(ctx, owner, except...)
}

// doubtful is a store whose rotations may not last while it fails.
type doubtful struct {
	*session.Memory
	failing *error
}

func (s *doubtful) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	rotated, _ := s.Memory.Rotate(ctx, r)
	return rotated, *s.failing
}
