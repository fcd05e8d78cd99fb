package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

var logoutEvents = object{"http://schemas.openid.net/event/backchannel-logout": object{}}

func TestBackChannelLogoutRevokesAccessTokens(t *testing.T) {
	logoutToken := func(claims object) string {
		return sign(goodHeader().with(object{"typ": "logout+jwt"}).json(), goodClaims().with(object{"aud": "web", "iat": time.Now().Unix(), "exp": time.Now().Add(2 * time.Minute).Unix(), "events": logoutEvents}).with(claims).json())
	}
	for _, row := range []struct {
		name    string
		access  object // the claims of the access token; nil means those of the session s1
		form    url.Values
		status  int
		revoked bool
	}{
		{name: "session", form: url.Values{"logout_token": {logoutToken(object{"sid": "s1"})}}, status: 204, revoked: true},
		{name: "session without a subject", form: url.Values{"logout_token": {logoutToken(object{"sid": "s1", "sub": nil})}}, status: 204, revoked: true},
		{name: "subject", access: object{}, form: url.Values{"logout_token": {logoutToken(nil)}}, status: 204, revoked: true},
		{name: "another session", form: url.Values{"logout_token": {logoutToken(object{"sid": "s2"})}}, status: 204},
		{name: "subject of a token with a session", form: url.Values{"logout_token": {logoutToken(nil)}}, status: 204},
		{name: "another subject", access: object{}, form: url.Values{"logout_token": {logoutToken(object{"sub": "eve"})}}, status: 204},
		{name: "neither", form: url.Values{"logout_token": {logoutToken(object{"sub": nil})}}, status: 400},
		{name: "no events", form: url.Values{"logout_token": {logoutToken(object{"events": nil})}}, status: 400},
		{name: "other events", form: url.Values{"logout_token": {logoutToken(object{"events": object{"x": object{}}})}}, status: 400},
		{name: "nonce", form: url.Values{"logout_token": {logoutToken(object{"nonce": "n"})}}, status: 400},
		{name: "for an API", form: url.Values{"logout_token": {logoutToken(object{"aud": audience})}}, status: 400},
		{name: "another issuer", form: url.Values{"logout_token": {logoutToken(object{"iss": "https://evil.example"})}}, status: 400},
		{name: "no expiry", form: url.Values{"logout_token": {logoutToken(object{"exp": nil})}}, status: 400},
		{name: "access token", form: url.Values{"logout_token": {signNow(t, nil)}}, status: 400},
		{name: "forged", form: url.Values{"logout_token": {logoutToken(nil)[:40]}}, status: 400},
		{name: "two tokens", form: url.Values{"logout_token": {logoutToken(nil), logoutToken(nil)}}, status: 400},
		{name: "no token", form: url.Values{}, status: 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.access == nil {
				row.access = object{"sid": "s1"}
			}
			access := signNow(t, row.access.with(object{"iat": time.Now().Add(-10 * time.Second).Unix()}))
			revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
			logout := errors.Must(token.BackChannelLogout(token.LogoutOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{"web"}, Revocations: revoked}))
			v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}, Revocations: revoked}))
			_, err := v.Verify(t.Context(), access)
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "/backchannel", strings.NewReader(row.form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			logout.ServeHTTP(w, r)
			require.Equal(t, row.status, w.Code, w.Body)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			_, err = v.Verify(t.Context(), access)
			require.Equal(t, row.revoked, errors.Is(err, auth.ErrRevoked), "%v", err)
			if row.status == 204 && row.form.Has("logout_token") {
				_, err = v.Verify(t.Context(), row.form.Get("logout_token"))
				require.ErrorIs(t, err, auth.ErrInvalid, "a logout token is not an access token")
			}
		})
	}
}

func TestBackChannelLogoutReportsAllProblems(t *testing.T) {
	_, err := token.BackChannelLogout(token.LogoutOptions{})
	for _, part := range []string{"token: Revocations: must not be nil", "token: Keys: must not be nil", "token: Issuer: must not be empty", "token: Audience: must not be empty"} {
		require.ErrorContains(t, err, part)
	}
	logout := errors.Must(token.BackChannelLogout(token.LogoutOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{"web"}, Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))}))
	w := httptest.NewRecorder()
	logout.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/backchannel", nil))
	require.Equal(t, 405, w.Code)
}
