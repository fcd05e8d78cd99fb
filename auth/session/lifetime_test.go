package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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

func isRevoked(err error) bool { return errors.Is(err, auth.ErrRevoked) }

func issue(_ context.Context, s session.Session) (string, time.Time, error) {
	return "access-" + s.ID, time.Now().Add(5 * time.Minute), nil
}

// codeOf returns the code of an error response.
func codeOf(t *testing.T, w *httptest.ResponseRecorder) string {
	var body struct{ Code string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	return body.Code
}

// TestRefreshDoesNotExtendAbsolute holds SR15: refreshing does not extend a session beyond Absolute.
func TestRefreshDoesNotExtendAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) { o.Idle, o.Absolute = time.Hour, 2*time.Hour })
		token := d.login()
		for _, want := range []int{3600, 3600, 1800} {
			pass(30 * time.Minute)
			d.login() // one that is idle for longer, and still lives in the end
			w := d.post(d.Refresh(), token)
			require.Equal(t, 200, w.Code)
			require.Equal(t, want, w.Result().Cookies()[0].MaxAge)
			token = cookieOf(t, w)
		}
		pass(30 * time.Minute)
		w := d.post(d.Refresh(), token)
		require.Equal(t, 401, w.Code)
		require.Equal(t, auth.ErrInvalid.Code(), codeOf(t, w))
		require.Empty(t, cookieOf(t, w))
	})
}

// TestIdleSessionExpires holds SR16.
func TestIdleSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) { o.Idle = time.Hour })
		early, late := d.login(), d.login()
		pass(time.Hour - 1)
		require.Equal(t, 200, d.post(d.Refresh(), early).Code)
		pass(1)
		require.Equal(t, 401, d.post(d.Refresh(), late).Code)
		require.Empty(t, d.events, "age is no theft")
	})
}

// TestKeysAreReplacedWithoutLogout holds SR23: a key is replaced without a logout, and one that was
// removed makes nothing.
func TestKeysAreReplacedWithoutLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two := []session.Key{
			{ID: 1, Secret: keys[0].Secret, Remove: time.Now().Add(2 * time.Hour)},
			{ID: 2, Secret: []byte("fedcba9876543210fedcba9876543210"), Sign: time.Now().Add(time.Hour)},
		}
		d := newDesk(t, func(o *session.Options) { o.Keys = two })
		staying, leaving := d.login(), d.login()
		require.EqualValues(t, 1, keyOf(t, staying))
		pass(time.Hour)
		w := d.post(d.Refresh(), staying)
		require.Equal(t, 200, w.Code)
		require.EqualValues(t, 2, keyOf(t, cookieOf(t, w)))
		pass(time.Hour)
		require.Equal(t, 401, d.post(d.Refresh(), leaving).Code)
		require.Equal(t, 200, d.post(d.Refresh(), cookieOf(t, w)).Code)
	})
}

// keyOf returns the ID of the key that made a token.
func keyOf(t *testing.T, token string) uint8 {
	b, err := base64.RawURLEncoding.DecodeString(token[3:])
	require.NoError(t, err)
	return b[1]
}

// TestAccountChangesApplyAtRefresh checks the effect of a change of the account, and that no failure
// after the rotation loses the client's session.
func TestAccountChangesApplyAtRefresh(t *testing.T) {
	keep := func(s session.Session) (session.Session, error) { return s, nil }
	for _, tt := range []struct {
		name    string
		account func(session.Session) (session.Session, error)
		failing error
		status  int
		over    bool
	}{
		{name: "locked", account: func(session.Session) (session.Session, error) {
			return session.Session{}, errors.Join(errors.New("locked"), auth.ErrRevoked)
		}, status: 401, over: true},
		{
			name:    "another kind does not show",
			account: func(session.Session) (session.Session, error) { return session.Session{}, auth.ErrDenied },
			status:  503,
		},
		{name: "database down", account: func(session.Session) (session.Session, error) { return session.Session{}, errors.New("down") }, status: 503},
		{name: "panic", account: func(session.Session) (session.Session, error) { panic("hook") }, status: 503},
		{name: "signer down", account: keep, failing: errors.New("down"), status: 503},
		{name: "only Account ends a session", account: keep, failing: auth.ErrRevoked, status: 503},
		{name: "unchanged", account: keep, status: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t)
			token := d.login()
			d.account, d.failing = tt.account, tt.failing
			w := d.post(d.Refresh(), token)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.over, cookieOf(t, w) == "")
			require.Equal(t, tt.over, isRevoked(d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now())))
			if tt.status == 503 {
				require.Equal(t, "1", w.Header().Get("Retry-After"))
				d.account, d.failing = nil, nil
				require.Equal(t, 200, d.post(d.Refresh(), cookieOf(t, w)).Code, "the session goes on")
			}
			if tt.over {
				require.Equal(t, []session.Reason{session.AccountRevoked}, d.events)
				require.Equal(t, 401, d.post(d.Refresh(), token).Code)
			}
		})
	}
}

// TestIssueReceivesTheSession holds what reaches Issue and the client.
func TestIssueReceivesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		token, created := d.login("User-Agent", "Firefox"), time.Now().UTC()
		d.account = func(s session.Session) (session.Session, error) {
			require.Equal(t, "ann", s.Subject)
			return session.Session{ID: "x", Subject: "eve", Scope: []string{"a", "b"}, Roles: []string{"r"}, Data: []byte("d")}, nil
		}
		pass(time.Hour)
		w := d.post(d.Refresh(), token)
		id := d.issued[0].ID
		require.Regexp(t, "^[0-9a-f]{32}$", id)
		require.Equal(t, `{"access_token":"access-`+id+`","token_type":"Bearer","expires_in":300,"scope":"a b"}`+"\n", w.Body.String())
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Equal(t, session.Session{
			ID: id, Subject: "ann", Scope: []string{"a", "b"}, Roles: []string{"r"}, Data: []byte("d"), Client: session.Client{UserAgent: "Firefox"},
			AuthTime: created, Created: created, LastUsed: created.Add(time.Hour), Expires: created.Add(169 * time.Hour),
		}, d.issued[1])
		list, err := d.List(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, []string{"orders:read"}, list[0].Scope, "what Login gave stays")
	})
}

// TestAccessTokensDoNotOutliveRevocations holds that none outlives its revocation.
func TestAccessTokensDoNotOutliveRevocations(t *testing.T) {
	for name, expires := range map[string]time.Duration{"too long": 62 * time.Minute, "expired": -1, "never": 1 << 62} {
		d := newDesk(t, func(o *session.Options) {
			o.Issue = func(context.Context, session.Session) (string, time.Time, error) {
				return "t", time.Now().Add(expires), nil
			}
		})
		w := d.post(errors.HandlerFunc(d.Login), "")
		require.Equal(t, 503, w.Code, name)
		require.Empty(t, cookieOf(t, w))
		records, owners := d.store.Len()
		require.Zero(t, records+owners, "no session is left behind")
	}
}

// TestTokensOutliveNoSession checks that a token that would outlive its session
// is a 503, because it could not be revoked.
func TestTokensOutliveNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := func(s session.Session) time.Time { return time.Now().Add(5 * time.Minute) }
		var log bytes.Buffer
		d := newDesk(t, func(o *session.Options) {
			o.Idle, o.Absolute = time.Hour, 2*time.Hour
			o.Issue = func(_ context.Context, s session.Session) (string, time.Time, error) { return "access", ends(s), nil }
			o.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
				log.WriteString(err.Error())
				errors.Respond(w, r, err)
			}
		})
		token := d.login()
		for range 3 {
			pass(38 * time.Minute)
			w := d.post(d.Refresh(), token)
			require.Equal(t, 200, w.Code)
			token = cookieOf(t, w)
		}
		pass(time.Minute) // five remain
		w := d.post(d.Refresh(), token)
		require.Equal(t, 200, w.Code)
		pass(time.Second)
		w = d.post(d.Refresh(), cookieOf(t, w))
		require.Equal(t, auth.ErrUnavailable.Code(), codeOf(t, w))
		require.Contains(t, log.String(), "session: Issue: the token expires 1s after its session; did you mean the earlier of the two times?")
		ends = func(s session.Session) time.Time { return s.Expires }
		w = d.post(d.Refresh(), cookieOf(t, w))
		require.Equal(t, 200, w.Code, "the session was not lost by it")
		require.Contains(t, w.Body.String(), `"expires_in":299`)

		short := newDesk(t, func(o *session.Options) { o.Idle = time.Minute })
		w = short.post(errors.HandlerFunc(short.Login), "")
		require.Equal(t, 503, w.Code, "a login shows it at once, where Idle is shorter than the tokens' life")
		require.Empty(t, cookieOf(t, w))
	})
}
