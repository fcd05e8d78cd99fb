package providers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Provider is a running OpenID provider. Its clients and users are those of the
// function that started it.
type Provider struct {
	Issuer    string
	Authority *Authority
	Metadata  Metadata

	client *http.Client
}

// Metadata has the endpoints of a provider.
type Metadata struct {
	Issuer        string `json:"issuer"`
	Keys          string `json:"jwks_uri"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
}

// Tokens is a reply of the token endpoint.
type Tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Error   string `json:"error"`
}

// newProvider reads the metadata of a running provider.
func newProvider(t testing.TB, issuer string, a *Authority) *Provider {
	t.Helper()
	client, _ := a.Client(t)
	p := &Provider{Issuer: issuer, Authority: a, client: client}
	res, err := client.Get(issuer + "/.well-known/openid-configuration")
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, json.NewDecoder(res.Body).Decode(&p.Metadata))
	require.Equal(t, issuer, p.Metadata.Issuer)
	return p
}

// KeysPath returns the path of the key set.
func (p *Provider) KeysPath() string {
	u, _ := url.Parse(p.Metadata.Keys)
	return u.Path
}

// A Client is a client of a provider. Without a secret it is public.
type Client struct{ ID, Secret string }

// Machine returns the tokens that a client gets for itself. The parameters are
// added to those of the grant.
func (p *Provider) Machine(t testing.TB, c Client, params url.Values) Tokens {
	t.Helper()
	return p.Grant(t, c, merge(url.Values{"grant_type": {"client_credentials"}}, params), nil)
}

// Grant returns the reply of the token endpoint, which must have an access token.
func (p *Provider) Grant(t testing.TB, c Client, params url.Values, header http.Header) Tokens {
	t.Helper()
	status, body := p.post(t, p.Metadata.Token, c, params, header)
	require.Equal(t, http.StatusOK, status, body)
	var tokens Tokens
	require.NoError(t, json.Unmarshal([]byte(body), &tokens))
	require.NotEmpty(t, tokens.Access, body)
	return tokens
}

// Revoke revokes a token of a client at the provider.
func (p *Provider) Revoke(t testing.TB, c Client, token string) {
	t.Helper()
	status, body := p.post(t, p.Metadata.Revocation, c, url.Values{"token": {token}}, nil)
	require.Equal(t, http.StatusOK, status, body)
}

// post sends a form to an endpoint with the credentials of a client.
func (p *Provider) post(t testing.TB, endpoint string, c Client, params url.Values, header http.Header) (status int, body string) {
	t.Helper()
	if c.Secret == "" {
		params = merge(params, url.Values{"client_id": {c.ID}})
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(params.Encode()))
	require.NoError(t, err)
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.Secret != "" {
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	}
	res, err := p.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	all, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(all)
}

// merge returns a copy of the values with more.
func merge(values, more url.Values) url.Values {
	all := url.Values{}
	for _, from := range []url.Values{values, more} {
		for name, list := range from {
			all[name] = list
		}
	}
	return all
}
