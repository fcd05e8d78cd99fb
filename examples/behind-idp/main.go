// Behind-idp is a service that accepts the tokens of an OpenID provider. It issues none,
// and stores no passwords.
//
//	ISSUER=https://idp.example.com SECRET=... go run .
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
)

// config has the provider and the name of this service there.
type config struct {
	issuer, audience  string
	clientID, secret  string // of this service, for the introspection of opaque tokens
	page              string // the client ID of the login page
	introspection     string // the URL of the endpoint
	provider          *http.Client
	insecurePlainHTTP bool     // for tests and this machine only
	mayChangePrices   []string // the ACRs of a strong login
	freshLogin        time.Duration
}

// service builds the rings around the routes.
func service(c config) (http.Handler, *token.Remote) {
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	keys := errors.Must(token.NewRemote(token.RemoteOptions{Issuer: c.issuer, Client: c.provider}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{
		Keys: keys, Audience: []string{c.audience}, AllowTypes: []string{"JWT"}, Revocations: revoked, Identity: identify,
	}))
	// This provider's reply has no aud: it says "active" only to a client in the audience.
	opaque := errors.Must(token.NewIntrospector(token.IntrospectorOptions{
		URL: c.introspection, Issuer: c.issuer, ClientID: c.clientID, Secret: []byte(c.secret), Audience: []string{c.audience},
		Revocations: revoked, Identity: identify, Client: c.provider, InsecureNoAudience: true,
	}))
	bearer := errors.Must(token.Bearer(token.BearerOptions{JWT: []*token.Verifier{tokens}, Opaque: opaque}))

	mux := http.NewServeMux()
	mux.Handle("POST /backchannel-logout", errors.Must(token.BackChannelLogout(token.LogoutOptions{
		Keys: keys, Audience: []string{c.page}, Revocations: revoked,
	})))
	mux.Handle("GET /me", auth.Require()(http.HandlerFunc(me)))
	mux.Handle("GET /orders", auth.Require(auth.Role("orders"))(http.HandlerFunc(me)))
	mux.Handle("POST /prices", auth.Require(auth.CallerTypes(auth.Person), auth.MaxAuthAge(c.freshLogin), auth.ACR(c.mayChangePrices...))(http.HandlerFunc(me)))

	https := headers.RejectOrRedirect
	if c.insecurePlainHTTP {
		https = headers.InsecureAllowHTTP
	}
	handler := http.Handler(mux)
	handler = errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{bearer}, Public: []string{"/backchannel-logout"}})).Handler(handler)
	handler = errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{{Limits: ratelimit.Reads()}}})).Handler(handler)
	handler = errors.Must(headers.New(headers.Options{HTTPS: https})).Handler(handler)
	return errors.Must(errors.NewResponder(errors.Options{})).Handler(handler), keys
}

// identify reads the roles and the login from the claims of the provider. See
// docs/providers.md for those of others.
func identify(p token.Payload, id auth.Identity) (auth.Identity, error) {
	id.Roles = p.Words("roles")
	return token.RFC9068(p, id)
}

// me responds with the caller.
func me(w http.ResponseWriter, r *http.Request) {
	p, _ := auth.From(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"subject": p.Subject(), "type": p.CallerType(), "roles": p.Roles(), "acr": p.ACR()})
}

func main() {
	handler, keys := service(config{
		issuer: os.Getenv("ISSUER"), audience: "orders", page: "web", clientID: "orders", secret: os.Getenv("SECRET"),
		introspection: os.Getenv("ISSUER") + "/oauth/introspect", mayChangePrices: []string{"urn:example:mfa"}, freshLogin: 5 * time.Minute,
	})
	go func() { log.Print(keys.Run(context.Background())) }()
	srv := &http.Server{Addr: "127.0.0.1:8082", Handler: handler, ReadTimeout: 30 * time.Second}
	log.Fatal(srv.ListenAndServe())
}
