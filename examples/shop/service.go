package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
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

// config has the options of the command line.
type config struct {
	listens string   // the URL on which the shop listens
	self    string   // the URL that clients use, which is the issuer of the tokens
	origins []string // whose pages may call
	trusted []netip.Prefix
	redis   string // the URL of the Redis that shops share
	// limitsRedis is the URL of a Redis for the counts of limits. Empty means redis.
	limitsRedis string
	keys        string // the folder of secrets
	insecure    bool   // clients use plain HTTP, on a loopback address
	demo        bool
	rounds      int // of the password hash
	logger      *slog.Logger
}

// plaintext returns how plain HTTP requests are handled.
func (c config) plaintext() headers.HTTPS {
	if c.insecure {
		return headers.InsecureAllowHTTP
	}
	return headers.RejectOrRedirect
}

// service has the dependencies of the handlers.
type service struct {
	handler  http.Handler
	logger   *slog.Logger
	secrets  *secrets
	shared   bool // with other shops, in Redis
	ready    func(context.Context) error
	users    *users
	orders   orders
	pictures pictures
	tickets  tickets
	streams  chan struct{} // one element for each open stream
	stopping chan struct{} // closed when the server stops
	keys     *token.Keys
	revoked  *auth.Revocations
	sessions *session.Manager
	accounts *ratelimit.Limiter
	partners *apikey.Manager

	newestKey string // the kid of the newest signing key
}

// newService builds the rings around the routes. Invalid options of the command line are
// returned as an error, and invalid options of this program panic, before the shop serves
// a request.
func newService(c config) (*service, error) {
	s := &service{users: newUsers(c.rounds), logger: c.logger, shared: c.redis != "", streams: make(chan struct{}, maxStreams), stopping: make(chan struct{})}
	var err error
	if s.secrets, err = newSecrets(c.keys); err != nil {
		return nil, err
	}
	state, err := openState(c, s.secrets)
	if err != nil {
		return nil, err
	}
	s.orders, s.pictures, s.tickets, s.ready = orders{state.shelf}, pictures{state.shelf}, tickets{state.shelf}, state.ready
	clientIP, scheme, err := c.client()
	if err != nil {
		return nil, err
	}

	// The rings, from the outside in.
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: c.logger}))
	secure := errors.Must(headers.New(headers.Options{
		Scheme: scheme, HTTPS: c.plaintext(), AllowedHosts: hosts(c), Logger: c.logger,
		Exempt: []string{"GET /healthz", "GET /readyz"}, // a probe uses plain HTTP, and an IP address as the host
	}))
	origins, err := cors.New(cors.Options{
		Origins: c.origins, Credentials: true, Methods: []string{"PATCH", "PUT", "DELETE"},
		Headers: []string{"Authorization", "Content-Type", session.AttemptHeader}, Scheme: scheme,
	})
	if err != nil {
		return nil, err
	}
	limits := errors.Must(ratelimit.New(ratelimit.Options{Store: state.limits, ClientIP: clientIP, Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()}, // all other requests
	}}))
	callers := s.callers(c, state, clientIP)

	s.sessions = errors.Must(session.New(session.Options{
		Issue: s.issuer(c).ForSession, Account: s.users.current, Revocations: s.revoked, Store: state.sessions, Keys: state.refreshKeys,
		Scheme: scheme, AllowsOrigin: origins.AllowsOrigin, InsecureCookie: c.insecure, Logger: c.logger,
	}))
	s.accounts = newAccountLimits(state.limits)

	mux := http.NewServeMux()
	s.routes(mux)
	pageRoutes(mux, c, scheme)
	if c.demo {
		demoRoutes(mux)
	}
	// 2 MiB limit handlers that read a body without validate. The limits of validate
	// are all lower, even the largest Limits.File.
	s.handler = http.MaxBytesHandler(mux, 2<<20)
	s.handler = callers.Handler(s.handler)  // who calls
	s.handler = limits.Handler(s.handler)   // how often
	s.handler = origins.Handler(s.handler)  // from which pages
	s.handler = secure.Handler(s.handler)   // over HTTPS, to which host
	s.handler = failures.Handler(s.handler) // how errors are reported
	return s, nil
}

// newAccountLimits returns the limit of failed logins for each account, from all addresses
// together: 10 in 15 minutes. The cost is that ten wrong guesses of any client lock out the
// owner for that time. Sessions continue. Offer another way to log in, such as a link by
// email.
func newAccountLimits(store ratelimit.Store) *ratelimit.Limiter {
	return errors.Must(ratelimit.New(ratelimit.Options{Store: store, Tiers: []ratelimit.Tier{
		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute}}},
	}}))
}

// client returns the functions for the client's address and scheme. Behind trusted
// proxies they read the forwarding headers.
func (c config) client() (address func(*http.Request) (netip.Addr, bool), scheme func(*http.Request) string, err error) {
	if len(c.trusted) == 0 {
		return headers.PeerIP, nil, nil
	}
	proxy, err := headers.NewForwarded(headers.ForwardedOptions{Trusted: c.trusted, Proto: "X-Forwarded-Proto"})
	if err != nil {
		return nil, nil, err
	}
	return proxy.ClientIP, proxy.Scheme, nil
}

// hosts lists the allowed hosts of a shop without TLS. Another name may resolve to a
// loopback address, and a page of that name would then have the shop's origin (DNS
// rebinding). With TLS, any host is allowed, because the certificate has no such name.
func hosts(c config) []string {
	listens, err := url.Parse(c.listens)
	if err != nil || listens.Scheme != "http" {
		return nil
	}
	self := errors.Must(url.Parse(c.self)) // checkPlain has checked it
	return []string{"localhost", listens.Host, self.Host}
}

var audience = []string{"shop"}

// callers returns the ring that authenticates persons by access tokens or, for a stream,
// by a ticket, and programs by API keys.
func (s *service) callers(c config, state state, clientIP func(*http.Request) (netip.Addr, bool)) *auth.Middleware {
	s.keys, s.newestKey = errors.Must(token.NewKeys(state.signingKeys...)), state.signingKeys[len(state.signingKeys)-1].ID()
	s.revoked = errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: state.revocations, Logger: c.logger}))
	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: s.keys, Issuer: c.self, Audience: audience, Revocations: s.revoked}))
	s.partners = errors.Must(apikey.New(apikey.Options{
		Prefix: "shop", Store: state.partners, ClientIP: clientIP, Routes: []string{"/partner/"}, OnEvent: s.partnerEvent, Logger: c.logger,
	}))
	return errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens, s.partners, s.tickets}, Public: public(c.demo)}))
}

func (s *service) issuer(c config) *token.Issuer {
	return errors.Must(token.NewIssuer(token.IssuerOptions{Keys: s.keys, Issuer: c.self, Audience: audience}))
}

// public lists the routes for anonymous clients. All others need a principal.
func public(demo bool) []string {
	patterns := []string{"/{$}", "/page/{file}", "/healthz", "/readyz", "/products", "GET /products/{sku}/picture", "/auth/login", "/auth/refresh", "/auth/logout", "/.well-known/jwks.json"}
	if demo {
		patterns = append(patterns, "/boom", "/leak")
	}
	return patterns
}
