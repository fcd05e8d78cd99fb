package providers

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The clients of StartZITADEL, and its API.
var (
	ZITADELMachine = Client{"sid1", "verysecret"}         // JWT, for the API
	ZITADELWeb     = Client{"web", "web-secret"}          // JWT, for the API and the client
	ZITADELPlain   = Client{"web-plain", "web-secret"}    // JWT, for the client alone
	ZITADELOpaque  = Client{"web-opaque", "opaque+/%&sé"} // opaque
)

// ZITADELAudience is the aud of the API of StartZITADEL.
const ZITADELAudience = "orders"

// ZITADELUser has the fields of the login form for the user id2.
var ZITADELUser = map[string]string{"username": "test-user2", "password": "verysecure"}

// StartZITADEL starts a provider of zitadel/oidc with the storage and the login page of
// its example. Two things differ from the example: access tokens are JWTs, except those
// of one client, and their aud contains the API.
func StartZITADEL(t testing.TB) *Provider {
	t.Helper()
	authority := NewAuthority(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	issuer := "https://" + listener.Addr().String()

	clients := map[string]*storage.Client{}
	for _, c := range []Client{ZITADELWeb, ZITADELPlain, ZITADELOpaque} {
		clients[c.ID] = storage.WebClient(c.ID, c.Secret, Redirect)
	}
	state := zitadelStorage{storage.NewStorageWithClients(storage.NewUserStore(issuer), clients)}
	// SetupServer makes the logger that of the whole process.
	handler := exampleop.SetupServer(issuer, state, slog.New(slog.DiscardHandler), false)
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{authority.Certificate}, MinVersion: tls.VersionTLS12},
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.ServeTLS(listener, "", "") // until Close
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-ended
	})
	return newProvider(t, issuer, authority)
}

// A jwtClient gets JWTs as access tokens.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// A zitadelStorage is the storage of the example with JWTs and an API.
type zitadelStorage struct{ *storage.Storage }

func (s zitadelStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil || id == ZITADELOpaque.ID {
		return client, err
	}
	return jwtClient{client}, nil
}

func (s zitadelStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := s.Storage.ClientCredentials(ctx, id, secret)
	if err != nil {
		return nil, err
	}
	return jwtClient{client}, nil
}

func (s zitadelStorage) ClientCredentialsTokenRequest(ctx context.Context, id string, scopes []string) (op.TokenRequest, error) {
	if _, err := s.Storage.ClientCredentialsTokenRequest(ctx, id, scopes); err != nil {
		return nil, err
	}
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{id, ZITADELAudience}, Scopes: scopes}, nil
}

func (s zitadelStorage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	request, err := s.Storage.AuthRequestByCode(ctx, code)
	if err != nil || request.GetClientID() != ZITADELWeb.ID {
		return request, err
	}
	return apiRequest{request}, nil
}

// An apiRequest is a request for tokens that the API accepts too.
type apiRequest struct{ op.AuthRequest }

func (r apiRequest) GetAudience() []string { return []string{r.GetClientID(), ZITADELAudience} }
