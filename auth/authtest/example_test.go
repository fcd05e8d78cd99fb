package authtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// secretFor stands for any authenticator.
type secretFor string

func (s secretFor) Authenticate(r *http.Request) (*auth.Principal, error) { return nil, nil }
func (s secretFor) Challenge() string                                     { return string(s) }

func ExampleRoutes() {
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", ok)
	mux.Handle("GET /orders", auth.Require(auth.Scopes("orders:read"))(ok))
	mux.Handle("GET /orders/export", ok) // forgotten
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{secretFor("Bearer")}, Public: []string{"GET /healthz"}}))

	fmt.Println(authtest.Routes{
		Service: quiet.Handler(callers.Handler(mux)), Callers: callers, Router: mux,
		Patterns: []string{"GET /healthz", "GET /orders", "GET /orders/export"},
		Open:     []string{"GET /healthz"},
	}.Check())
	// Output:
	// authtest: "GET /orders/export": has no auth.Require
}

// The classic mistake: a list of routes that the author keeps by hand. A route
// that is missing from the list is never tested; so take the patterns from where
// the routes are registered.
func Example_incorrect() {
	type route struct {
		pattern string
		handler http.Handler
	}
	routes := []route{
		{"GET /orders", auth.Require()(ok)},
		{"GET /orders/export", ok}, // forgotten
	}
	mux := http.NewServeMux()
	var registered []string
	for _, r := range routes {
		mux.Handle(r.pattern, r.handler)
		registered = append(registered, r.pattern)
	}
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{secretFor("Bearer")}}))
	check := authtest.Routes{Service: quiet.Handler(callers.Handler(mux)), Callers: callers, Router: mux}

	check.Patterns = []string{"GET /orders"}
	fmt.Println("wrong:", check.Check())
	check.Patterns = registered
	fmt.Println("right:", check.Check())
	// Output:
	// wrong: <nil>
	// right: authtest: "GET /orders/export": has no auth.Require
}

func ExampleNewTokens() {
	var t testing.TB = new(testing.T) // a test has its own
	tokens := authtest.NewTokens(t)
	service := quiet.Handler(errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens.Verifier}})).Handler(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, _ := auth.From(r.Context())
			fmt.Fprint(w, p)
		})))

	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.Token(token.Grant{Subject: "ada"}))
	w := httptest.NewRecorder()
	service.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 person ada
}
