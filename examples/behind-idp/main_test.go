package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// world is the service behind a real provider.
type world struct {
	*provider
	service *httptest.Server
}

func start(t *testing.T) *world {
	t.Helper()
	p := startProvider(t)
	handler, keys := service(config{
		issuer: p.URL, audience: "orders", page: "web", clientID: "orders", secret: "api-secret", introspection: p.endpoint(t, "introspection_endpoint"),
		provider: p.Client(), insecurePlainHTTP: true, mayChangePrices: []string{mfa}, freshLogin: 5 * time.Minute,
	})
	require.NoError(t, keys.Ready(t.Context()))
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return &world{p, s}
}

// call returns the status, the body and the challenge of a request.
func (w *world) call(t *testing.T, method, path, token string) (status int, body, challenge string) {
	t.Helper()
	req := errors.Must(http.NewRequest(method, w.service.URL+path, nil))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res := errors.Must(w.service.Client().Do(req))
	return res.StatusCode, read(t, res), res.Header.Get("WWW-Authenticate")
}

func TestUserLogsInAndStepsUp(t *testing.T) {
	w := start(t)
	status, _, challenge := w.call(t, "GET", "/me", "")
	require.Equal(t, 401, status)
	require.Equal(t, `Bearer realm="api"`, challenge)

	user := w.login(t, "")
	status, body, _ := w.call(t, "GET", "/orders", user.AccessToken)
	require.Equal(t, 200, status, body)
	require.JSONEq(t, `{"subject":"id2","type":"person","roles":["orders"],"acr":""}`, body)

	status, _, challenge = w.call(t, "POST", "/prices", user.AccessToken)
	require.Equal(t, 401, status)
	require.Equal(t, `Bearer realm="api", error="insufficient_user_authentication", acr_values="`+mfa+`"`, challenge)
	strong := w.login(t, mfa) // the page reads acr_values from the challenge
	status, body, _ = w.call(t, "POST", "/prices", strong.AccessToken)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, mfa)
}

func TestOldLoginIsAskedAgain(t *testing.T) {
	w := start(t)
	w.storage.age = 6 * time.Minute
	old := w.login(t, mfa)
	status, body, challenge := w.call(t, "POST", "/prices", old.AccessToken)
	require.Equal(t, 401, status)
	require.Contains(t, body, `"code":"login_too_old"`)
	require.Equal(t, `Bearer realm="api", error="insufficient_user_authentication", max_age="300"`, challenge)
	status, _, _ = w.call(t, "GET", "/me", old.AccessToken)
	require.Equal(t, 200, status, "other actions do not need a recent login")
	w.storage.age = 0
	status, _, _ = w.call(t, "POST", "/prices", w.login(t, mfa).AccessToken)
	require.Equal(t, 200, status)
}

func TestTokensThatAreNotForTheServiceAreRefused(t *testing.T) {
	w := start(t)
	user := w.login(t, "")
	for name, text := range map[string]string{
		"ID token":                    user.IDToken,
		"ID token with another part":  user.IDToken[:len(user.IDToken)-4] + "AAAA",
		"changed access token":        user.AccessToken[:len(user.AccessToken)-4] + "AAAA",
		"invented opaque token":       "invented",
		"encrypted token of another":  "a.b.c.d.e",
		"access token of nobody":      strings.Repeat("x", 100),
		"access token in wrong parts": user.AccessToken + ".x",
	} {
		t.Run(name, func(t *testing.T) {
			status, body, challenge := w.call(t, "GET", "/me", text)
			require.Equal(t, 401, status, body)
			require.Contains(t, challenge, `error="invalid_token"`)
		})
	}
}

func TestMachineHasItsToken(t *testing.T) {
	w := start(t)
	machine := w.request(t, "sid1", "verysecret", url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	require.Equal(t, 2, strings.Count(machine.AccessToken, "."), "a JWT")
	status, body, _ := w.call(t, "GET", "/orders", machine.AccessToken)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"subject":"sid1","type":"program","roles":["orders"],"acr":""}`, body)
	status, _, _ = w.call(t, "POST", "/prices", machine.AccessToken)
	require.Equal(t, 403, status, "prices are for persons")
}

func TestOpaqueTokensAreIntrospected(t *testing.T) {
	w := start(t)
	w.storage.opaque = true
	user := w.login(t, "")
	require.NotEqual(t, 2, strings.Count(user.AccessToken, "."), "not a JWT")
	status, body, _ := w.call(t, "GET", "/me", user.AccessToken)
	require.Equal(t, 200, status, body)
	require.Contains(t, body, `"subject":"id2"`)
	w.Close() // the provider is down
	status, _, _ = w.call(t, "GET", "/me", user.AccessToken)
	require.Equal(t, 200, status, "the result is cached")
	status, _, _ = w.call(t, "GET", "/me", "another")
	require.Equal(t, 503, status, "an outage is never a 401")
}

func TestLogoutAtTheProviderRefusesAccessTokens(t *testing.T) {
	w := start(t)
	user := w.login(t, "")
	status, _, _ := w.call(t, "GET", "/me", user.AccessToken)
	require.Equal(t, 200, status)
	logout := func(text string) int {
		res := errors.Must(w.service.Client().PostForm(w.service.URL+"/backchannel-logout", url.Values{"logout_token": {text}}))
		_ = read(t, res)
		return res.StatusCode
	}
	require.Equal(t, 400, logout(user.IDToken), "an ID token is not a logout token")
	require.Eventually(t, func() bool { // a token of the same second may be one of the next login
		require.Equal(t, 204, logout(w.logoutToken(t, "id2")))
		status, _, _ := w.call(t, "GET", "/me", user.AccessToken)
		return status == 401
	}, 10*time.Second, 200*time.Millisecond)
	require.Equal(t, 401, first(w.call(t, "GET", "/me", w.logoutToken(t, "id2"))), "a logout token opens nothing")
}

func first(status int, _, _ string) int { return status }
