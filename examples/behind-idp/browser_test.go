package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/browser"
)

// page is a single-page application without a secret. It logs in by the authorization
// code flow with PKCE (RFC 7636), and keeps its token in memory.
const page = `<!DOCTYPE html><title>page</title><script>
const authorize = %q, exchange = %q, me = location.origin + '/callback'
const b64 = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
let token = ''
async function login(more) {
  const verifier = b64(crypto.getRandomValues(new Uint8Array(32))), state = b64(crypto.getRandomValues(new Uint8Array(16)))
  sessionStorage.setItem('login', JSON.stringify({verifier, state}))
  const challenge = b64(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)))
  location.href = authorize + '?' + new URLSearchParams({client_id: 'page', redirect_uri: me, response_type: 'code',
    scope: 'openid', state, code_challenge: challenge, code_challenge_method: 'S256', ...more})
}
async function finish() {
  const {verifier, state} = JSON.parse(sessionStorage.getItem('login')), query = new URLSearchParams(location.search)
  history.replaceState(null, '', '/callback')
  if (query.get('state') !== state) throw new Error('another login')
  const reply = await fetch(exchange, {method: 'POST', body: new URLSearchParams({grant_type: 'authorization_code',
    client_id: 'page', redirect_uri: me, code: query.get('code'), code_verifier: verifier})})
  token = (await reply.json()).access_token
  document.title = token ? 'logged in' : 'failed'
}
async function call(method, path) {
  const reply = await fetch(path, {method, headers: {Authorization: 'Bearer ' + token}})
  return [reply.status, reply.headers.get('WWW-Authenticate') || await reply.text()].join(' ')
}
// RFC 9470: the challenge names the login that the action needs.
const stepUp = challenge => login({prompt: 'login', acr_values: /acr_values="([^"]*)"/.exec(challenge)[1]})
if (location.search.includes('code=')) finish()
</script>`

func TestBrowserLogsInAndStepsUp(t *testing.T) {
	w := start(t)
	authorize, exchange := w.endpoint(t, "authorization_endpoint"), w.endpoint(t, "token_endpoint")
	mux := http.NewServeMux()
	mux.Handle("/", w.service.Config.Handler)
	for _, path := range []string{"GET /{$}", "GET /callback"} {
		mux.HandleFunc(path, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprintf(out, page, authorize, exchange)
		})
	}
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	storage.RegisterClients(storage.NativeClient("page", site.URL+"/callback"))

	chromium, err := browser.Start(w.Certificate())
	if errors.Is(err, browser.ErrMissing) && os.Getenv("RINGWALL_REQUIRE_SERVERS") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(chromium.Stop)
	tab, end, err := chromium.Tab(2 * time.Minute)
	require.NoError(t, err)
	t.Cleanup(end)
	require.NoError(t, tab.Open(site.URL+"/"))

	// logIn starts a login, fills the form of the provider, and waits for the page.
	logIn := func(script string) {
		t.Helper()
		require.NoError(t, firstError(tab.Ask(`{ `+script+`; return '' }`)))
		waitFor(t, tab, `document.querySelector('input[name=password]') ? 'form' : ''`, "form")
		require.NoError(t, firstError(tab.Ask(`{
			document.querySelector('input[name=username]').value = 'test-user2'
			document.querySelector('input[name=password]').value = 'verysecure'
			document.querySelector('form').requestSubmit(); return '' }`)))
		waitFor(t, tab, `document.title`, "logged in")
	}
	ask := func(method, path string) string {
		t.Helper()
		reply, err := tab.Ask(fmt.Sprintf(`call(%q, %q)`, method, path))
		require.NoError(t, err)
		return reply
	}
	logIn(`login({})`)
	require.Contains(t, ask("GET", "/me"), `200 {"acr":"","roles":["orders"],"subject":"id2","type":"person"}`)
	challenge := ask("POST", "/prices")
	require.Equal(t, `401 Bearer realm="api", error="insufficient_user_authentication", acr_values="`+mfa+`"`, challenge)
	logIn(fmt.Sprintf(`stepUp(%q)`, challenge))
	require.Contains(t, ask("POST", "/prices"), `200 {"acr":"`+mfa+`"`)

	// The user logs out at the provider, which calls the service.
	require.Eventually(t, func() bool {
		_ = read(t, errors.Must(http.PostForm(w.service.URL+"/backchannel-logout", url.Values{"logout_token": {w.logoutToken(t, "id2")}})))
		return ask("GET", "/me") == `401 Bearer realm="api", error="invalid_token"`
	}, 10*time.Second, 200*time.Millisecond)
}

// waitFor waits until an expression has a value. A script fails while a page is loaded.
func waitFor(t *testing.T, tab *browser.Tab, expression, want string) {
	t.Helper()
	var got string
	var err error
	require.Eventually(t, func() bool {
		got, err = tab.Ask(`{ return ` + expression + ` }`)
		return err == nil && got == want
	}, time.Minute, 50*time.Millisecond, "%s", expression)
}

func firstError(_ string, err error) error { return err }
