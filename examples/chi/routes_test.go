package main

import (
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/errors"
)

// listRoutes has the loop that the documentation of authtest.Routes shows.
func listRoutes(router chi.Router) (routes authtest.Routes, err error) {
	err = chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes.Patterns = append(routes.Patterns, method+" "+pattern)
		return nil
	})
	return routes, err
}

// The documentation shows the loop that runs here.
func TestDocumentedLoopIsTested_FT10(t *testing.T) {
	source, err := os.ReadFile("routes_test.go")
	require.NoError(t, err)
	_, loop, found := strings.Cut(string(source), "\terr = chi.Walk(")
	require.True(t, found)
	loop, _, found = strings.Cut(loop, "\n\t})\n")
	require.True(t, found)
	documented, err := os.ReadFile("../../auth/authtest/routes.go")
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(string(documented), "\n//\t", "\n\t"), "\terr := chi.Walk("+loop+"\n\t})\n")
}

type nobody struct{}

func (nobody) Authenticate(*http.Request) (*auth.Principal, error) { return nil, nil }
func (nobody) Challenge() string                                   { return "Bearer" }

var ok = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// A route of every method is listed by each method, and so is one of a router
// that is mounted.
func TestEveryChiRouteIsAsked_FT10(t *testing.T) {
	closed := auth.Require()(ok)
	for name, row := range map[string]struct {
		open func(chi.Router)
		want string
	}{
		"FT10 all are closed": {open: func(chi.Router) {}},
		"FT10 a route of every method that forgets Require for one": {open: func(r chi.Router) {
			r.Handle("/export", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "PATCH" {
					closed.ServeHTTP(w, r)
				}
			}))
		}, want: `authtest: "PATCH /export": has no auth.Require`},
		"FT10 a route of a mounted router that forgets Require": {open: func(r chi.Router) {
			inner := chi.NewRouter()
			inner.Method("PUT", "/x", ok)
			r.Mount("/v2", inner)
		}, want: `authtest: "PUT /v2/x": has no auth.Require`},
	} {
		t.Run(name, func(t *testing.T) {
			router := chi.NewRouter()
			router.Method("GET", "/orders/{id:[0-9]{1,3}}", closed)
			router.Handle("/files/*", closed)
			router.Route("/admin", func(r chi.Router) { r.Method("DELETE", "/users", closed) })
			row.open(router)
			routes, err := listRoutes(router)
			require.NoError(t, err)
			require.Subset(t, routes.Patterns, []string{"GET /orders/{id:[0-9]{1,3}}", "PATCH /files/*", "DELETE /admin/users"})
			callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{nobody{}}}))
			failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
			routes.Callers, routes.Router, routes.Service = callers, router, failures.Handler(callers.Handler(router))
			if row.want == "" {
				require.NoError(t, routes.Check())
				return
			}
			require.EqualError(t, routes.Check(), row.want)
		})
	}
}
