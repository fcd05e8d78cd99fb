package session_test

import (
	"context"
	"encoding/base64"
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

// lossy is a store whose next replies to rotations are lost: a rotation of the
// list is done, or was not.
type lossy struct {
	*session.Memory
	done []bool
}

func (s *lossy) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	if len(s.done) == 0 {
		return s.Memory.Rotate(ctx, r)
	}
	done := s.done[0]
	s.done = s.done[1:]
	if done {
		_, _ = s.Memory.Rotate(ctx, r)
	}
	return session.Rotated{}, errDown
}

// lossyDesk returns a desk on such a store.
func lossyDesk(t *testing.T, change ...func(*session.Options)) (*desk, *lossy) {
	store := &lossy{Memory: session.NewMemory()}
	return newDesk(t, append(change, func(o *session.Options) { o.Store = store })...), store
}

const attemptCookie = "__Host-refresh-attempt"

// attemptIn returns the attempt cookie that a response sets, or "".
func attemptIn(w *httptest.ResponseRecorder) string {
	for _, c := range w.Result().Cookies() {
		if c.Name == attemptCookie {
			return c.Value
		}
	}
	return ""
}

// lost presents a token, and returns the attempt cookie of the 503.
func (d *desk) lost(h http.Handler, token string, header ...string) string {
	d.t.Helper()
	w := d.post(h, token, header...)
	require.Equal(d.t, 503, w.Code)
	require.Empty(d.t, cookieOf(d.t, w), "no successor, and the token stays")
	require.NotContains(d.t, w.Body.String(), "rt_")
	require.Len(d.t, w.Header()["Set-Cookie"], 1)
	require.NotEmpty(d.t, attemptIn(w))
	return attemptIn(w)
}

// with returns a Cookie header with an attempt, in addition to that of the token.
func with(attempt string) []string { return []string{"Cookie", attemptCookie + "=" + attempt} }

// TestRetryAfter503IsNoTheft_FS2 holds that a browser that does not number its
// attempts, and comes back after a 503 with the cookies that it was given, gets
// one successor, whatever became of the rotation.
func TestRetryAfter503IsNoTheft_FS2(t *testing.T) {
	for _, tt := range []struct {
		name string
		done []bool
	}{
		{name: "the rotation was not done", done: []bool{false}},
		{name: "the rotation was done", done: []bool{true}},
		{name: "it was done, and the retry is lost twice", done: []bool{true, true, false}},
		{name: "it was not done, and the retry was", done: []bool{false, true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, store := lossyDesk(t)
			token := d.login()
			store.done = tt.done
			attempt := d.lost(d.Refresh(), token)
			for len(store.done) > 0 {
				attempt = d.lost(d.Refresh(), token, with(attempt)...)
			}
			w := d.post(d.Refresh(), token, with(attempt)...)
			require.Equal(t, 200, w.Code)
			require.Contains(t, w.Header()["Set-Cookie"], attemptCookie+"=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict", "it is of no use any longer")
			next := cookieOf(t, w)
			require.Equal(t, next, cookieOf(t, d.post(d.Refresh(), token, with(attempt)...)), "the answer to the retry may be lost too")
			require.Equal(t, 200, d.post(d.Refresh(), next, with(attempt)...).Code)
			require.Empty(t, d.events)
			require.Equal(t, 401, d.post(d.Refresh(), token, with(attempt)...).Code, "the successor was presented")
			require.Equal(t, theft, d.events)
		})
	}
	t.Run("over the wire, with the jar of a browser", func(t *testing.T) {
		d, store := lossyDesk(t)
		client, at := d.serve(httptest.NewTLSServer)
		send(t, client, "POST", at+"/auth/login")
		for _, done := range [][]bool{{true}, {false, true}, {true, false}} {
			store.done = done
			for range done {
				res, _ := send(t, client, "POST", at+"/auth/refresh")
				require.Equal(t, 503, res.StatusCode)
			}
			res, _ := send(t, client, "POST", at+"/auth/refresh")
			require.Equal(t, 200, res.StatusCode)
		}
		store.done = []bool{true}
		res, _ := send(t, client, "POST", at+"/auth/logout-all")
		require.Equal(t, 503, res.StatusCode)
		res, _ = send(t, client, "POST", at+"/auth/logout-all")
		require.Equal(t, 204, res.StatusCode)
		require.Empty(t, jarred(t, client, at), "a logout leaves no cookie, nor one of an attempt")
		require.Empty(t, d.events)
	})
	t.Run("FS4 a browser that slept for a day", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d, store := lossyDesk(t)
			token := d.login()
			store.done = []bool{true}
			attempt := d.lost(d.Refresh(), token)
			pass(24 * time.Hour)
			require.Equal(t, 200, d.post(d.Refresh(), token, with(attempt)...).Code)
			require.Empty(t, d.events)
		})
	})
	t.Run("after the keys have changed", func(t *testing.T) {
		d, store := lossyDesk(t)
		token := d.login()
		store.done = []bool{true, true}
		attempt := d.lost(d.Refresh(), token)
		next := session.Key{ID: 2, Secret: []byte("fedcba9876543210fedcba9876543210")}
		both := newDesk(t, func(o *session.Options) { o.Store, o.Keys = store, append([]session.Key{next}, keys...) })
		attempt = both.lost(both.Refresh(), token, with(attempt)...)
		require.Equal(t, 200, both.post(both.Refresh(), token, with(attempt)...).Code)
	})
	t.Run("a native client, which sends its attempt again", func(t *testing.T) {
		d, store := lossyDesk(t, native)
		token := bodyToken(t, d.post(errors.HandlerFunc(d.loginBody), "", session.TokenHeader, "new"))
		store.done = []bool{true, false, true}
		for range 3 {
			w := d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, once)
			require.Equal(t, 503, w.Code)
			require.Empty(t, w.Header()["Set-Cookie"])
			require.Empty(t, w.Header()[session.TokenHeader])
		}
		require.NotEmpty(t, bodyToken(t, d.post(d.Refresh(), "", session.TokenHeader, token, session.AttemptHeader, once)))
		require.Empty(t, d.events)
	})
}

// TestAttemptCookieOpensNothing_FS2 checks that the cookie of a 503 is useful
// only together with its token, and for the attempt that used the token. Each row
// ends in a theft.
func TestAttemptCookieOpensNothing_FS2(t *testing.T) {
	// garbled changes the first character of the nonce.
	garbled := func(attempt string) string {
		b, _ := base64.RawURLEncoding.DecodeString(attempt)
		b[1] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for _, tt := range []struct {
		name string
		// header is sent by the thief with the token, after an attempt with this
		// cookie used it and its response was lost.
		header func(d *desk, store *lossy, token, attempt string) []string
	}{
		{name: "the token alone", header: func(*desk, *lossy, string, string) []string { return nil }},
		{name: "an attempt of their own", header: func(*desk, *lossy, string, string) []string { return []string{session.AttemptHeader, once} }},
		{name: "the cookie's text as an attempt of their own", header: func(_ *desk, _ *lossy, _, attempt string) []string {
			return []string{session.AttemptHeader, attempt}
		}},
		{name: "a header wins over the cookie", header: func(_ *desk, _ *lossy, _, attempt string) []string {
			return append(with(attempt), session.AttemptHeader, once)
		}},
		{name: "a cookie that they were given while the store failed", header: func(d *desk, store *lossy, token, _ string) []string {
			store.done = []bool{false}
			return with(d.lost(d.Refresh(), token))
		}},
		{name: "a cookie of another session", header: func(d *desk, store *lossy, _, _ string) []string {
			another := d.login()
			store.done = []bool{true}
			return with(d.lost(d.Refresh(), another))
		}},
		{name: "a changed cookie", header: func(_ *desk, _ *lossy, _, attempt string) []string { return with(garbled(attempt)) }},
		{name: "the cookie twice", header: func(_ *desk, _ *lossy, _, attempt string) []string { return append(with(attempt), with(attempt)...) }},
		{name: "an empty cookie", header: func(*desk, *lossy, string, string) []string { return with("") }},
		{name: "a long cookie", header: func(_ *desk, _ *lossy, _, attempt string) []string { return with(strings.Repeat(attempt, 50)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, store := lossyDesk(t)
			token := d.login()
			store.done = []bool{true}
			attempt := d.lost(d.Refresh(), token)
			w := d.post(d.Refresh(), token, tt.header(d, store, token, attempt)...)
			require.Equal(t, auth.ErrRevoked.Code(), codeOf(t, w))
			require.Empty(t, w.Header()["Set-Cookie"])
			require.Equal(t, theft, d.events)
			require.Equal(t, 401, d.post(d.Refresh(), token, with(attempt)...).Code, "the session is over for its owner too")
		})
	}
	t.Run("a spent token during an outage", func(t *testing.T) {
		d, store := lossyDesk(t)
		spent := d.login()
		current := cookieOf(t, d.post(d.Refresh(), spent))
		store.done = []bool{false, false}
		attempt := d.lost(d.Refresh(), spent)
		attempt = d.lost(d.Refresh(), spent, with(attempt)...)
		w := d.post(d.Refresh(), spent, with(attempt)...)
		require.Equal(t, auth.ErrRevoked.Code(), codeOf(t, w))
		require.Equal(t, theft, d.events)
		require.Equal(t, 401, d.post(d.Refresh(), current).Code)
	})
	t.Run("one of an earlier token of the session", func(t *testing.T) {
		d, store := lossyDesk(t)
		first := d.login()
		store.done = []bool{true}
		attempt := d.lost(d.Refresh(), first)
		second := cookieOf(t, d.post(d.Refresh(), first, with(attempt)...))
		require.Equal(t, 200, d.post(d.Refresh(), second, with(attempt)...).Code)
		require.Equal(t, 401, d.post(d.Refresh(), second, with(attempt)...).Code, "each token has its own")
		require.Equal(t, theft, d.events)
	})
	t.Run("one that a script planted", func(t *testing.T) {
		d, store := lossyDesk(t)
		token := d.login()
		planted := base64.RawURLEncoding.EncodeToString(append([]byte{keys[0].ID}, make([]byte, 32)...))
		store.done = []bool{true}
		require.NotEqual(t, planted, d.lost(d.Refresh(), token, with(planted)...))
		require.Equal(t, 401, d.post(d.Refresh(), token, with(planted)...).Code)
		require.Equal(t, theft, d.events)
	})
}

// TestAttemptCookie_FS2 checks the whole Set-Cookie header, and which responses
// have it.
func TestAttemptCookie_FS2(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*session.Options)
	}{
		{name: "default", want: "__Host-refresh-attempt=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict", change: func(*session.Options) {}},
		{
			name:   "named",
			want:   "__Host-r-attempt=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict",
			change: func(o *session.Options) { o.Cookie.Name = "__Host-r" },
		},
		{name: "transient", want: "__Host-refresh-attempt=*; Path=/; HttpOnly; Secure; SameSite=Strict", change: func(o *session.Options) { o.Cookie.Transient = true }},
		{name: "insecure", want: "refresh-attempt=*; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict", change: func(o *session.Options) { o.InsecureCookie = true }},
		{
			name:   "a short session",
			want:   "__Host-refresh-attempt=*; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict",
			change: func(o *session.Options) { o.Idle = time.Hour },
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, store := lossyDesk(t, tt.change)
			w := d.post(errors.HandlerFunc(d.Login), "")
			name, _, _ := strings.Cut(tt.want, "-attempt=")
			token := "Cookie " + name + "=" + cookieOf(t, w)
			store.done = []bool{true}
			w = d.post(d.Refresh(), "", strings.SplitN(token, " ", 2)...)
			require.Equal(t, 503, w.Code)
			lines := w.Header()["Set-Cookie"]
			require.Len(t, lines, 1)
			value := w.Result().Cookies()[0].Value
			require.Regexp(t, `^[A-Za-z0-9_-]{44}$`, value)
			require.Equal(t, strings.Replace(tt.want, "*", value, 1), lines[0], tt.name)
		})
	}
	d, store := lossyDesk(t)
	token := d.login()
	store.done = []bool{false}
	w := d.post(d.Refresh(), token, session.AttemptHeader, once)
	require.Equal(t, 503, w.Code)
	require.Empty(t, w.Header()["Set-Cookie"], "a client that numbers its attempts needs none")
	d.failing = errDown
	w = d.post(d.Refresh(), token)
	require.Equal(t, 503, w.Code)
	require.Len(t, w.Header()["Set-Cookie"], 1, "the successor needs none")
	require.NotEmpty(t, cookieOf(t, w))
}

// TestNoAnswerSetsTheAttemptCookieTwice_FS2 checks the rule of RFC 6265, section
// 4.1.1, for a retry that is a logout.
func TestNoAnswerSetsTheAttemptCookieTwice_FS2(t *testing.T) {
	d, store := lossyDesk(t)
	token := d.login()
	store.done = []bool{true}
	attempt := d.lost(d.LogoutAll(), token)
	w := d.post(d.LogoutAll(), token, with(attempt)...)
	require.Equal(t, 204, w.Code)
	cleared := "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
	require.ElementsMatch(t, []string{"__Host-refresh" + cleared, attemptCookie + cleared}, w.Header()["Set-Cookie"])
}
