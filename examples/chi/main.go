// Chi is the service of examples/stdlib on chi: the rings by Use, the policies
// by With. A proxy on the same machine ends TLS in front of it.
//
//	cd examples/chi && go run .
package main

import (
	"log"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

const host, self, page = "api.example.com", "https://api.example.com", "https://app.example.com"

// service builds the rings around the routes. Invalid options panic here, before the
// service accepts a request.
func service(users *users, orders *orders) http.Handler {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Proto: "X-Forwarded-Proto",
	}))

	// The callers.
	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: self, Audience: []string{"api"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"api"}, Revocations: revoked}))

	// The rings, from the outside in.
	failures := errors.Must(errors.NewResponder(errors.Options{}))
	secure := errors.Must(headers.New(headers.Options{Scheme: proxy.Scheme, AllowedHosts: []string{host}}))
	origins := errors.Must(cors.New(cors.Options{
		Origins: []string{page}, Credentials: true, Headers: []string{"Authorization", "Content-Type", session.AttemptHeader}, Scheme: proxy.Scheme,
	}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()}, // all other requests
	}}))
	callers := errors.Must(auth.New(auth.Options{
		Authenticators: []auth.Authenticator{tokens},
		Public:         []string{"/auth/login", "/auth/refresh", "/auth/logout", "/.well-known/jwks.json"},
	}))

	// The sessions.
	sessions := errors.Must(session.New(session.Options{
		Issue: issuer.ForSession, Account: users.current, Revocations: revoked, Scheme: proxy.Scheme, AllowsOrigin: origins.AllowsOrigin,
	}))
	login := errors.Must(validate.Handle(users.login(sessions, newAccountLimits())))
	place := errors.Must(validate.Handle(orders.place))
	reads, writes := auth.Require(auth.Scopes("orders:read")), auth.Require(auth.Scopes("orders:write"))
	ref := errors.Must(validate.Input[orderRef]())
	own := auth.Require(auth.Object(errNoOrder, orders.load, isOwner))

	// Call Use first, on the outermost router, so that the rings are also around the
	// router's own 404 and 405.
	r := chi.NewRouter()
	r.Use(failures.Handler, secure.Handler, origins.Handler, limits.Handler, callers.Handler, limitBody)

	r.Method("POST", "/auth/login", login)
	r.Handle("/auth/refresh", sessions.Refresh())
	r.Handle("/auth/logout", sessions.Logout())
	r.Method("GET", "/.well-known/jwks.json", keys.JWKS())
	r.Group(func(r chi.Router) {
		r.Use(auth.Require()) // every route needs a principal; the scopes are added below
		r.With(writes).Method("POST", "/orders", place)
		r.With(reads, ref, own).Method("GET", "/orders/{id}", errors.HandlerFunc(show))
	})
	return r
}

// limitBody limits the bodies of handlers that read them without validate to 2 MiB. The
// limits of validate are all lower, even the largest Limits.File.
func limitBody(next http.Handler) http.Handler { return http.MaxBytesHandler(next, 2<<20) }

// server returns a server with timeouts. Its ReadTimeout bounds every body, even if no
// handler reads it. It replaces validate's BodyTimeout of 10 s, which servers without a
// ReadTimeout need.
func server() *http.Server {
	return &http.Server{
		Addr: "127.0.0.1:8082", Handler: service(newUsers(), &orders{}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

func main() {
	srv := server()
	log.Print(`try, in the proxy's place: curl -H 'Host: ` + host + `' -H 'X-Forwarded-Proto: https' -H 'Content-Type: application/json' -d '{"email":"ada@example.com","password":"` +
		demoPassword + `"}' http://` + srv.Addr + `/auth/login`)
	log.Fatal(srv.ListenAndServe())
}
