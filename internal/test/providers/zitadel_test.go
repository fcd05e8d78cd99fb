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
		{name: "user's access token is accepted", service: strict, token: user.Access, want: accepted(auth.Person, "id2")},
		{name: "machine's access token is accepted", service: strict, token: machine.Access, want: accepted(auth.Program, "sid1")},
		{name: "typ JWT needs AllowTypes", service: byDefault, token: user.Access, want: refused(token.ReasonType)},
		{name: "ID token with the audience of the API is refused by its marks", service: strict, token: user.ID, want: refused(token.ReasonIDToken)},
		{name: "ID token for the client is refused by its audience", service: strict, token: plain.ID, want: refused(token.ReasonAudience)},
		{name: "access token for the client is refused by its audience", service: strict, token: plain.Access, want: refused(token.ReasonAudience)},
		{name: "ID token without a nonce is refused by at_hash", service: loose, token: plain.ID, want: refused(token.ReasonIDToken)},
		{name: "refresh token is refused", service: strict, token: user.Refresh, want: refused(token.ReasonParts)},
		{name: "opaque access token is refused by a verifier", service: strict, token: opaque.Access, want: refused(token.ReasonParts)},
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
		{name: "opaque token is introspected", service: right, token: opaque, want: accepted(auth.Person, "id2", "openid", "profile"), calls: 1},
		{name: "JWT beside it is not introspected", service: right, token: jwt.Access, want: accepted(auth.Person, "id2"), calls: 0},
		{name: "ID token is not introspected", service: right, token: jwt.ID, want: refused(token.ReasonIDToken), calls: 0},
		{name: "revoked token is inactive", service: right, token: revoked, want: refused(token.ReasonInactive), calls: 1},
		{name: "made-up token is inactive", service: right, token: "made-up", want: refused(token.ReasonInactive), calls: 1},
		{name: "token for another service is inactive", service: other, token: opaque, want: refused(token.ReasonInactive), calls: 1},
		{name: "reply without an aud needs InsecureNoAudience", service: withAudience, token: opaque, want: refused(token.ReasonAudience), calls: 1},
		{name: "wrong secret is an outage, not a bad token", service: wrong, token: opaque, want: unavailable, calls: 1},
		{name: "wrong secret is an outage for a revoked token too", service: wrong, token: revoked, want: unavailable, calls: 1},
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
		{name: "right issuer", issuer: p.Issuer, client: trusting, status: 200},
		{name: "slash too many in the issuer", issuer: p.Issuer + "/", client: trusting, status: 503},
		{name: "certificate of another authority", issuer: p.Issuer, client: strange, status: 503},
		{name: "certificate that the system does not trust", issuer: p.Issuer, client: unreachable, status: 503},
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
