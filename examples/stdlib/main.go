// Stdlib is a small service with every ring around http.ServeMux. A proxy on the same
// machine terminates TLS.
//
//	go run ./examples/stdlib
package main

import (
	"log"
	"net/http"
	"net/netip"
	"time"

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

	mux := http.NewServeMux()
	mux.Handle("POST /auth/login", login)
	mux.Handle("/auth/refresh", sessions.Refresh())
	mux.Handle("/auth/logout", sessions.Logout())
	mux.Handle("GET /.well-known/jwks.json", keys.JWKS())
	mux.Handle("POST /orders", writes(place))
	mux.Handle("GET /orders/{id}", reads(ref(own(errors.HandlerFunc(show)))))

	// 2 MiB limit handlers that read a body without validate. The limits of validate
	// are all lower, even the largest Limits.File.
	handler := http.MaxBytesHandler(mux, 2<<20)
	handler = callers.Handler(handler)  // who calls
	handler = limits.Handler(handler)   // how often
	handler = origins.Handler(handler)  // from which pages
	handler = secure.Handler(handler)   // over HTTPS, to which host
	handler = failures.Handler(handler) // how errors are reported
	return handler
}

// server returns a server with timeouts. Its ReadTimeout bounds every body, even if no
// handler reads it. It replaces validate's BodyTimeout of 10 s, which servers without a
// ReadTimeout need.
func server() *http.Server {
	return &http.Server{
		Addr: "127.0.0.1:8081", Handler: service(newUsers(), &orders{}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

func main() {
	srv := server()
	log.Print(`try, in the proxy's place: curl -H 'Host: ` + host + `' -H 'X-Forwarded-Proto: https' -H 'Content-Type: application/json' -d '{"email":"ada@example.com","password":"` +
		demoPassword + `"}' http://` + srv.Addr + `/auth/login`)
	log.Fatal(srv.ListenAndServe())
}
