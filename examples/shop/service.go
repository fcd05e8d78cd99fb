package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
)

// config is what the command line says.
type config struct {
	self     string   // our own address, which is the issuer of the tokens
	origins  []string // pages that may call
	trusted  []netip.Prefix
	insecure bool // plain HTTP, on a loopback address
	demo     bool
	logger   *slog.Logger
}

// service has what the handlers need.
type service struct {
	users    *users
	orders   *orders
	keys     *token.Keys
	sessions *session.Manager
	accounts *ratelimit.Limiter
	partners *apikey.Manager
}

// newService builds the rings around the routes, and an API key to try. Wrong
// options are found here, before anybody is served.
func newService(c config) (handler http.Handler, apiKey string) {
	s := &service{users: newUsers(), orders: &orders{}}
	clientIP := headers.PeerIP
	if len(c.trusted) > 0 {
		clientIP = errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: c.trusted})).ClientIP
	}

	// Who is calling.
	s.keys = errors.Must(token.NewKeys(errors.Must(token.GenerateKey(token.Schedule{}))))
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: s.keys, Issuer: c.self, Audience: []string{"shop"}}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: s.keys, Issuer: c.self, Audience: []string{"shop"}, Revocations: revoked}))

	s.partners = errors.Must(apikey.New(apikey.Options{Prefix: "shop", Store: apikey.NewMemory(), ClientIP: clientIP, Routes: []string{"/partner/"}, Logger: c.logger}))
	_, apiKey, err := s.partners.Create(context.Background(), apikey.Key{
		Name: "demo", Subject: "warehouse", Scope: []string{"stock:read"},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")},
	})
	errors.Must(apiKey, err)

	// The rings, from the outside in.
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: c.logger}))
	secure := errors.Must(headers.New(headers.Options{InsecureAllowHTTP: c.insecure, Logger: c.logger}))
	origins := errors.Must(cors.New(cors.Options{
		Origins:     c.origins,
		Credentials: true,
		Methods:     []string{"PATCH", "DELETE"},
		Headers:     []string{"Authorization", "Content-Type", session.AttemptHeader},
	}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: clientIP, Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()}, // all the rest
	}}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens, s.partners}, Public: public(c.demo)}))

	s.sessions = errors.Must(session.New(session.Options{
		Issue: issuer.ForSession, Account: s.users.current, Revocations: revoked, AllowsOrigin: origins.AllowsOrigin,
		InsecureCookie: c.insecure, Logger: c.logger,
	}))
	// No account can be worked on from many addresses: 10 failures in 15 minutes.
	s.accounts = errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
	}}))

	mux := http.NewServeMux()
	s.routes(mux)
	pageRoutes(mux, c)
	if c.demo {
		demoRoutes(mux)
	}
	// The last bound is for routes that read no body.
	handler = http.MaxBytesHandler(mux, 2<<20)
	for _, ring := range []func(http.Handler) http.Handler{callers.Handler, limits.Handler, origins.Handler, secure.Handler, failures.Handler} {
		handler = ring(handler)
	}
	return handler, apiKey
}

// public lists what anybody may ask for. All else needs a principal.
func public(demo bool) []string {
	patterns := []string{"/{$}", "/page/{file}", "/healthz", "/products", "/auth/login", "/auth/refresh", "/auth/logout", "/.well-known/jwks.json"}
	if demo {
		patterns = append(patterns, "/boom", "/leak")
	}
	return patterns
}
