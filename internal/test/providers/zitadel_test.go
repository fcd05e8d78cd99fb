package providers_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/providers"
)

func TestTokensOfZITADELAreVerified(t *testing.T) {
	p := providers.StartZITADEL(t)
	keys, requests := newRemote(t, p)
	byDefault := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Audience: []string{providers.ZITADELAudience}})))
	strict := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.ZITADELAudience}, AllowTypes: []string{"JWT"}, Identity: token.RFC9068,
	})))
	// The name of the client as Audience is a mistake, which the marks of ID tokens limit.
	loose := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.ZITADELPlain.ID}, AllowTypes: []string{"JWT"}, Identity: token.RFC9068,
	})))
	openID := url.Values{"scope": {"openid profile offline_access"}, "nonce": {"n"}}
	user := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELWeb, openID)
	plain := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELPlain, url.Values{"scope": {"openid"}})
	opaque := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELOpaque, openID)
	machine := p.Machine(t, providers.ZITADELMachine, url.Values{"scope": {"orders:read"}})
	for _, row := range []struct {
		name    string
		service *service
		token   string
		want    response
	}{
		{"user's access token is accepted", strict, user.Access, accepted(auth.Person, "id2")},
		{"machine's access token is accepted", strict, machine.Access, accepted(auth.Program, "sid1")},
		{"typ JWT needs AllowTypes", byDefault, user.Access, refused(token.ReasonType)},
		{"ID token with the audience of the API is refused by its marks", strict, user.ID, refused(token.ReasonIDToken)},
		{"ID token for the client is refused by its audience", strict, plain.ID, refused(token.ReasonAudience)},
		{"access token for the client is refused by its audience", strict, plain.Access, refused(token.ReasonAudience)},
		{"ID token without a nonce is refused by at_hash", loose, plain.ID, refused(token.ReasonIDToken)},
		{"refresh token is refused", strict, user.Refresh, refused(token.ReasonParts)},
		{"opaque access token is refused by a verifier", strict, opaque.Access, refused(token.ReasonParts)},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.NotEmpty(t, row.token)
			require.Equal(t, row.want, row.service.call(t, row.token))
		})
	}
	require.Equal(t, 1, requests.To("/.well-known/openid-configuration"), "discovery is fetched once")
	require.Equal(t, 1, requests.To(p.KeysPath()), "the keys are fetched once")
}

func TestOpaqueTokensOfZITADELAreIntrospected(t *testing.T) {
	p := providers.StartZITADEL(t)
	keys, _ := newRemote(t, p)
	verifier := errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.ZITADELAudience}, AllowTypes: []string{"JWT"}, Identity: token.RFC9068,
	}))
	client, requests := p.Authority.Client(t)
	introspector := func(secret string, change func(*token.IntrospectorOptions)) *token.Introspector {
		o := token.IntrospectorOptions{
			URL: p.Metadata.Introspection, Issuer: p.Issuer, ClientID: providers.ZITADELOpaque.ID, Secret: []byte(secret), CacheFor: -1,
			Identity: token.RFC9068, Client: client, Logger: quiet,
			InsecureNoAudience: true, // the replies have no aud, and are active for the audience of the token alone
		}
		change(&o)
		return errors.Must(token.NewIntrospector(o))
	}
	with := func(opaque *token.Introspector) *service {
		return startService(t, p.Authority, errors.Must(token.Bearer(token.BearerOptions{JWT: []*token.Verifier{verifier}, Opaque: opaque})))
	}
	same := func(*token.IntrospectorOptions) {}
	right := with(introspector(providers.ZITADELOpaque.Secret, same))
	wrong := with(introspector("guessed", same))
	withAudience := with(introspector(providers.ZITADELOpaque.Secret, func(o *token.IntrospectorOptions) {
		o.InsecureNoAudience, o.Audience = false, []string{providers.ZITADELAudience}
	}))
	other := with(introspector(providers.ZITADELWeb.Secret, func(o *token.IntrospectorOptions) { o.ClientID = providers.ZITADELWeb.ID }))

	openID := url.Values{"scope": {"openid profile"}}
	opaque := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELOpaque, openID).Access
	revoked := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELOpaque, openID).Access
	p.Revoke(t, providers.ZITADELOpaque, revoked)
	jwt := p.NewBrowser(t, providers.ZITADELUser).Login(t, providers.ZITADELWeb, openID)
	unavailable := response{Status: 503, Code: "auth_unavailable"}
	for _, row := range []struct {
		name    string
		service *service
		token   string
		want    response
		calls   int // of the introspection endpoint
	}{
		{"opaque token is introspected", right, opaque, accepted(auth.Person, "id2", "openid", "profile"), 1},
		{"JWT beside it is not introspected", right, jwt.Access, accepted(auth.Person, "id2"), 0},
		{"ID token is not introspected", right, jwt.ID, refused(token.ReasonIDToken), 0},
		{"revoked token is inactive", right, revoked, refused(token.ReasonInactive), 1},
		{"made-up token is inactive", right, "made-up", refused(token.ReasonInactive), 1},
		{"token for another service is inactive", other, opaque, refused(token.ReasonInactive), 1},
		{"reply without an aud needs InsecureNoAudience", withAudience, opaque, refused(token.ReasonAudience), 1},
		{"wrong secret is an outage, not a bad token", wrong, opaque, unavailable, 1},
		{"wrong secret is an outage for a revoked token too", wrong, revoked, unavailable, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := requests.To("/oauth/introspect")
			require.Equal(t, row.want, row.service.call(t, row.token))
			require.Equal(t, row.calls, requests.To("/oauth/introspect")-before)
		})
	}
}

// A client of another authority must never see the keys of a provider as good.
func TestDiscoveryOfZITADELNeedsItsAuthorityAndItsName(t *testing.T) {
	p := providers.StartZITADEL(t)
	machine := p.Machine(t, providers.ZITADELMachine, nil).Access
	trusting, _ := p.Authority.Client(t)
	strange, _ := providers.NewAuthority(t).Client(t)
	unreachable := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}, Timeout: time.Second}
	for _, row := range []struct {
		name   string
		issuer string
		client *http.Client
		status int
	}{
		{"right issuer", p.Issuer, trusting, 200},
		{"slash too many in the issuer", p.Issuer + "/", trusting, 503},
		{"certificate of another authority", p.Issuer, strange, 503},
		{"certificate that the system does not trust", p.Issuer, unreachable, 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys := errors.Must(token.NewRemote(token.RemoteOptions{Issuer: row.issuer, Client: row.client, Logger: quiet}))
			s := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{
				Keys: keys, Audience: []string{providers.ZITADELAudience}, AllowTypes: []string{"JWT"}, Identity: token.RFC9068,
			})))
			require.Equal(t, row.status, s.call(t, machine).Status)
		})
	}
}
