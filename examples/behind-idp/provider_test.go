package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/ringwall/ringwall/errors"
)

const mfa = "urn:example:mfa"

// A provider is a real OpenID provider, zitadel/oidc, over TLS.
type provider struct {
	*httptest.Server
	storage *users
}

// users is the storage of the provider. It adds the audience of the service, roles, and
// the class of the login to access tokens.
type users struct {
	*storage.Storage
	mu     sync.Mutex
	acr    map[string]string // by authentication request
	opaque bool
	age    time.Duration // of each login
}

// jwtClient gets JWTs as access tokens.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// apiRequest is a login at a page that calls the service.
type apiRequest struct{ op.AuthRequest }

func (r apiRequest) GetAudience() []string { return append(r.AuthRequest.GetAudience(), "orders") }

func (u *users) client(c op.Client, err error) (op.Client, error) {
	if err != nil || u.opaque {
		return c, err
	}
	return jwtClient{c}, nil
}

func (u *users) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	return u.client(u.Storage.GetClientByClientID(ctx, id))
}

func (u *users) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	return u.client(u.Storage.ClientCredentials(ctx, id, secret))
}

func (u *users) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{id, "orders"}, Scopes: scopes}, nil
}

func (u *users) CreateAuthRequest(ctx context.Context, r *oidc.AuthRequest, user string) (op.AuthRequest, error) {
	created, err := u.Storage.CreateAuthRequest(ctx, r, user)
	if err == nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.acr[created.GetID()] = strings.Join(r.ACRValues, " ") // a real provider would ask for a second factor
	}
	return created, err
}

func (u *users) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := u.Storage.AuthRequestByCode(ctx, code)
	if err != nil {
		return nil, err
	}
	return apiRequest{r}, nil
}

func (u *users) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, _ []string) (map[string]any, error) {
	claims := map[string]any{"roles": []string{"orders"}}
	if api, ok := r.(apiRequest); ok {
		u.mu.Lock()
		defer u.mu.Unlock()
		claims["auth_time"] = api.GetAuthTime().Add(-u.age).Unix()
		if acr := u.acr[api.GetID()]; acr != "" {
			claims["acr"] = acr
		}
	}
	return claims, nil
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	var router http.Handler
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { router.ServeHTTP(w, r) }))
	t.Cleanup(p.Close)
	storage.RegisterClients(storage.WebClient("web", "web-secret", p.URL+"/callback"), storage.WebClient("orders", "api-secret"))
	p.storage = &users{Storage: storage.NewStorage(storage.NewUserStore(p.URL)), acr: make(map[string]string)}
	router = exampleop.SetupServer(p.URL, p.storage, slog.New(slog.DiscardHandler), false)
	return p
}

// tokens are the response of the token endpoint.
type tokens struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
}

// login plays a browser: the authorization code flow with PKCE, through the form.
func (p *provider) login(t *testing.T, acr string) tokens {
	t.Helper()
	browser := p.Client()
	jar := errors.Must(cookiejar.New(nil))
	visitor := &http.Client{Transport: browser.Transport, Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {"web"}, "redirect_uri": {p.URL + "/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if acr != "" {
		query.Set("acr_values", acr)
	}
	form := read(t, errors.Must(visitor.Get(p.endpoint(t, "authorization_endpoint")+"?"+query.Encode())))
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(form)
	require.NotNil(t, id, form)
	res := errors.Must(visitor.PostForm(p.URL+"/login/username", url.Values{"id": {id[1]}, "username": {"test-user2"}, "password": {"verysecure"}}))
	_ = read(t, res)
	location := errors.Must(url.Parse(res.Header.Get("Location")))
	require.NotEmpty(t, location.Query().Get("code"), res.Header)
	return p.request(t, "web", "web-secret", url.Values{
		"grant_type": {"authorization_code"}, "code": {location.Query().Get("code")}, "redirect_uri": {p.URL + "/callback"}, "code_verifier": {verifier},
	})
}

// endpoint returns a URL of the metadata.
func (p *provider) endpoint(t *testing.T, name string) string {
	t.Helper()
	var metadata map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, errors.Must(p.Client().Get(p.URL+"/.well-known/openid-configuration")))), &metadata))
	location, _ := metadata[name].(string)
	require.NotEmpty(t, location, name)
	return location
}

// request calls the token endpoint.
func (p *provider) request(t *testing.T, client, secret string, form url.Values) tokens {
	t.Helper()
	req := errors.Must(http.NewRequest(http.MethodPost, p.endpoint(t, "token_endpoint"), strings.NewReader(form.Encode())))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, secret)
	body := read(t, errors.Must(p.Client().Do(req)))
	var got tokens
	require.NoError(t, json.Unmarshal([]byte(body), &got), body)
	require.NotEmpty(t, got.AccessToken, body)
	return got
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	return string(errors.Must(io.ReadAll(res.Body)))
}

// logoutToken returns a logout token that is signed by the key of the provider.
func (p *provider) logoutToken(t *testing.T, subject string) string {
	t.Helper()
	signer := errors.Must(op.SignerFromKey(errors.Must(p.storage.SigningKey(t.Context()))))
	now := time.Now()
	return errors.Must(crypto.Sign(map[string]any{
		"iss": p.URL, "aud": "web", "sub": subject, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, signer))
}
