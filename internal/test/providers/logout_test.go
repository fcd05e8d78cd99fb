package providers_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/providers"
)

// A logout token has the issuer, the keys and the subject of an access token.
func TestLogoutTokenOfNodeIsNoAccessToken(t *testing.T) {
	authority, sent := providers.NewAuthority(t), make(chan string, 1)
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent <- r.PostFormValue("logout_token") }))
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Certificate}, MinVersion: tls.VersionTLS12}
	receiver.StartTLS()
	t.Cleanup(receiver.Close)
	p := providers.StartNodeWithLogout(t, authority, receiver.URL)
	browser := p.NewBrowser(t, providers.NodeUser)
	user := browser.Login(t, providers.NodeApp, url.Values{"resource": {api}, "scope": {"openid"}})
	browser.Open(t, p.Metadata.EndSession+"?"+url.Values{"id_token_hint": {user.ID}, "post_logout_redirect_uri": {providers.Redirect}}.Encode())
	var logout string
	select {
	case logout = <-sent:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the provider sends no logout token")
	}

	keys, _ := newRemote(t, p.Provider)
	for _, row := range []struct {
		name    string
		options token.VerifierOptions
		want    response
	}{
		{name: "by default", options: token.VerifierOptions{Audience: []string{api}}, want: refused(token.ReasonType)},
		{name: "with its typ and the name of the client as Audience", options: token.VerifierOptions{
			Audience: []string{providers.NodeApp.ID}, Type: "logout+jwt", Identity: token.RFC9068,
		}, want: refused(token.ReasonEvents)},
		{name: "with all marks of ID tokens accepted", options: token.VerifierOptions{
			Audience: []string{providers.NodeApp.ID}, AllowTypes: []string{"logout+jwt", "JWT"}, InsecureNoType: true, InsecureIDTokens: true, Identity: token.RFC9068,
		}, want: refused(token.ReasonEvents)},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.options.Keys = keys
			require.Equal(t, row.want, startService(t, authority, errors.Must(token.NewVerifier(row.options))).call(t, logout))
		})
	}
}
