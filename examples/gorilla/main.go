// Gorilla is the service of examples/stdlib on gorilla/mux, which the rings
// wrap from outside. A proxy on the same machine ends TLS in front of it.
//
//	cd examples/gorilla && go run .
package main

import (
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

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
	ref := errors.Must(validate.Input[orderRef](validate.Options{PathValue: pathValue}))
	own := auth.Require(auth.Object(errNoOrder, orders.load, isOwner))

	// UseEncodedPath keeps "%2F" inside of a parameter.
	router := mux.NewRouter().UseEncodedPath()
	router.MethodNotAllowedHandler = notAllowed(router)
	router.Handle("/auth/login", login).Methods("POST")
	router.Handle("/auth/refresh", sessions.Refresh())
	router.Handle("/auth/logout", sessions.Logout())
	router.Handle("/.well-known/jwks.json", keys.JWKS()).Methods("GET")
	router.Handle("/orders", writes(place)).Methods("POST")
	router.Handle("/orders/{id}", reads(ref(own(errors.HandlerFunc(show))))).Methods("GET")

	// router.Use would run the rings only for a match, not for a 404, a 405, a redirect
	// or a preflight. 2 MiB limit handlers that read a body without validate. The limits
	// of validate are all lower, even the largest Limits.File.
	handler := http.MaxBytesHandler(router, 2<<20)
	handler = callers.Handler(handler)  // who calls
	handler = limits.Handler(handler)   // how often
	handler = origins.Handler(handler)  // from which pages
	handler = secure.Handler(handler)   // over HTTPS, to which host
	handler = failures.Handler(handler) // how errors are reported
	return handler
}

// pathValue returns an unescaped path parameter. UseEncodedPath leaves parameters escaped.
func pathValue(r *http.Request, name string) string {
	value, err := url.PathUnescape(mux.Vars(r)[name])
	if err != nil {
		return "" // as for a missing parameter
	}
	return value
}

// notAllowed responds with 405 and the Allow header that it must have (RFC 9110,
// section 15.5.6). The router's own 405 has none.
func notAllowed(router *mux.Router) http.Handler {
	return errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			other := *r
			other.Method = method
			var match mux.RouteMatch
			if router.Match(&other, &match) && match.MatchErr == nil {
				allowed = append(allowed, method)
			}
		}
		return errors.ErrMethodNotAllowed.Header("Allow", strings.Join(allowed, ", "))
	})
}

// server returns a server with timeouts. Its ReadTimeout bounds every body, even if no
// handler reads it. It replaces validate's BodyTimeout of 10 s, which servers without a
// ReadTimeout need.
func server() *http.Server {
	return &http.Server{
		Addr: "127.0.0.1:8083", Handler: service(newUsers(), &orders{}),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

func main() {
	srv := server()
	log.Print(`try, in the proxy's place: curl -H 'Host: ` + host + `' -H 'X-Forwarded-Proto: https' -H 'Content-Type: application/json' -d '{"email":"ada@example.com","password":"` +
		demoPassword + `"}' http://` + srv.Addr + `/auth/login`)
	log.Fatal(srv.ListenAndServe())
}
