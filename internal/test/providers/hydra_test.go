package providers_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/providers"
)

// identifyHydra is that of the recipe in auth/token: a program has its client ID as the
// subject. Scopes are an array in a JWT, and one text in a reply of the introspection.
func identifyHydra(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id, err := token.RFC9068(p, id)
	if scopes := p.Words("scp"); scopes != nil {
		id.Scope = scopes
	}
	return id, err
}

func TestTokensOfHydra(t *testing.T) {
	p := providers.StartHydra(t)
	keys, requests := newRemote(t, p.Provider)
	byDefault := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Audience: []string{providers.HydraAudience}})))
	verifier := errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.HydraAudience}, AllowTypes: []string{"JWT"}, Identity: identifyHydra,
	}))
	strict := startService(t, p.Authority, verifier)
	// The name of the client as Audience is a mistake, which the marks of ID tokens limit.
	loose := startService(t, p.Authority, errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{providers.HydraWeb.ID}, AllowTypes: []string{"JWT"}, Identity: identifyHydra,
	})))
	client, _ := p.Authority.Client(t)
	opaque := startService(t, p.Authority, errors.Must(token.Bearer(token.BearerOptions{
		JWT: []*token.Verifier{verifier},
		Opaque: errors.Must(token.NewIntrospector(token.IntrospectorOptions{
			URL: p.Introspection, Issuer: p.Issuer, ClientID: providers.HydraWeb.ID, Secret: []byte(providers.HydraWeb.Secret), CacheFor: -1,
			Audience: []string{providers.HydraAudience}, Identity: identifyHydra, Client: client, Logger: quiet,
		})),
	})))
	params := url.Values{"scope": {"openid offline_access orders:read"}, "audience": {providers.HydraAudience}, "nonce": {"a nonce of a client"}}
	user := p.NewBrowser(t, nil).Login(t, providers.HydraWeb, params)
	machine := p.Machine(t, providers.HydraMachine, url.Values{"scope": {"orders:read"}, "audience": {providers.HydraAudience}})
	plain := p.Machine(t, providers.HydraMachine, url.Values{"scope": {"orders:read"}})
	handle := p.Machine(t, providers.HydraOpaque, url.Values{"scope": {"orders:read"}, "audience": {providers.HydraAudience}})
	revoked := p.Machine(t, providers.HydraOpaque, url.Values{"scope": {"orders:read"}, "audience": {providers.HydraAudience}})
	p.Revoke(t, providers.HydraOpaque, revoked.Access)
	for _, row := range []struct {
		name    string
		service *service
		token   string
		want    response
	}{
		{name: "user's access token is accepted", service: strict, token: user.Access, want: accepted(auth.Person, "alice", "openid", "offline_access", "orders:read")},
		{name: "machine's access token is accepted", service: strict, token: machine.Access, want: accepted(auth.Program, "machine", "orders:read")},
		{name: "typ JWT needs AllowTypes", service: byDefault, token: user.Access, want: refused(token.ReasonType)},
		{name: "ID token is refused by its audience", service: strict, token: user.ID, want: refused(token.ReasonAudience)},
		{name: "ID token with the audience of the client is refused by its marks", service: loose, token: user.ID, want: refused(token.ReasonIDToken)},
		{name: "token without an audience is refused", service: strict, token: plain.Access, want: refused(token.ReasonAudience)},
		{name: "refresh token is refused", service: strict, token: user.Refresh, want: refused(token.ReasonParts)},
		{name: "opaque token is refused by a verifier", service: strict, token: handle.Access, want: refused(token.ReasonParts)},
		{name: "opaque token is introspected", service: opaque, token: handle.Access, want: accepted(auth.Program, "opaque", "orders:read")},
		{name: "JWT beside it is verified", service: opaque, token: machine.Access, want: accepted(auth.Program, "machine", "orders:read")},
		{name: "revoked token is inactive", service: opaque, token: revoked.Access, want: refused(token.ReasonInactive)},
		{name: "refresh token is active, and refused", service: opaque, token: user.Refresh, want: refused(token.ReasonType)},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.NotEmpty(t, row.token)
			require.Equal(t, row.want, row.service.call(t, row.token))
		})
	}
	require.Equal(t, 1, requests.To("/.well-known/openid-configuration"), "discovery is fetched once")
	require.Equal(t, 1, requests.To(p.KeysPath()), "the keys are fetched once")
}
