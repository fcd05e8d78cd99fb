package main

import (
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/errors"
)

// listRoutes has the loop that the documentation of authtest.Routes shows.
func listRoutes(router *mux.Router) (routes authtest.Routes, err error) {
	err = router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if route.GetHandler() == nil {
			return nil // a subrouter; its routes come next
		}
		pattern, err := route.GetPathTemplate()
		if err != nil {
			return err // a route without a path has to be listed by hand
		}
		methods, _ := route.GetMethods()
		if len(methods) == 0 {
			routes.Patterns = append(routes.Patterns, pattern) // every method
		}
		for _, method := range methods {
			routes.Patterns = append(routes.Patterns, method+" "+pattern)
		}
		return nil
	})
	return routes, err
}

// The documentation shows the loop that runs here.
func TestDocumentedLoopIsTested_FT10(t *testing.T) {
	source, err := os.ReadFile("routes_test.go")
	require.NoError(t, err)
	_, loop, found := strings.Cut(string(source), "\terr = router.Walk(")
	require.True(t, found)
	loop, _, found = strings.Cut(loop, "\n\t})\n")
	require.True(t, found)
	documented, err := os.ReadFile("../../auth/authtest/routes.go")
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(string(documented), "\n//\t", "\n\t"), "\terr := router.Walk("+loop+"\n\t})\n")
}

type nobody struct{}

func (nobody) Authenticate(*http.Request) (*auth.Principal, error) { return nil, nil }
func (nobody) Challenge() string                                   { return "Bearer" }

// ringed returns a service around a router, as service has it.
func ringed(router http.Handler, public ...string) (*auth.Middleware, http.Handler) {
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{nobody{}}, Public: public}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	return callers, failures.Handler(callers.Handler(router))
}

// closedRouter has routes of every form, all of which are closed.
func closedRouter() *mux.Router {
	closed := auth.Require()(ok)
	router := mux.NewRouter().UseEncodedPath()
	router.Handle("/orders", closed).Methods("GET", "POST")
	router.Handle("/orders/{id:[0-9]{1,3}}", closed).Methods("GET")
	router.Handle("/notes", closed)
	admin := router.PathPrefix("/admin").Subrouter()
	admin.Handle("/users", closed).Methods("DELETE")
	admin.Handle("/log", closed)
	reads := router.Methods("GET").Subrouter()
	reads.Handle("/stock", closed)
	return router
}

var ok = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

func TestEveryGorillaRouteIsAsked_FT10(t *testing.T) {
	t.Run("FT10 all routes are listed", func(t *testing.T) {
		routes, err := listRoutes(closedRouter())
		require.NoError(t, err)
		require.Equal(t, []string{"GET /orders", "POST /orders", "GET /orders/{id:[0-9]{1,3}}", "/notes", "DELETE /admin/users", "/admin/log", "GET /stock"}, routes.Patterns)
		routes.Router = closedRouter()
		routes.Callers, routes.Service = ringed(routes.Router)
		require.NoError(t, routes.Check())
	})
	for name, row := range map[string]struct {
		open func(*mux.Router)
		want string
	}{
		"FT10 a route without Methods that forgets Require": {open: func(r *mux.Router) { r.Handle("/export", ok) },
			want: "authtest: \"/export\": GET: has no auth.Require\nauthtest: \"/export\": POST: has no auth.Require\nauthtest: \"/export\": PUT: has no auth.Require\nauthtest: \"/export\": PATCH: has no auth.Require\nauthtest: \"/export\": DELETE: has no auth.Require"},
		"FT10 a prefix without Methods that forgets Require for one method": {open: func(r *mux.Router) {
			r.PathPrefix("/files/").Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "PATCH" {
					auth.Require()(ok).ServeHTTP(w, r)
				}
			}))
		}, want: `authtest: "/files/": PATCH: has no auth.Require`},
		"FT10 a route of a subrouter that forgets Require": {open: func(r *mux.Router) { r.PathPrefix("/v2").Subrouter().Handle("/x", ok).Methods("PUT") },
			want: `authtest: "PUT /v2/x": has no auth.Require`},
		"FT10 a route of one method before one of all": {open: func(r *mux.Router) {
			r.Handle("/both", ok).Methods("POST")
			r.Handle("/both", auth.Require()(ok))
		}, want: `authtest: "POST /both": has no auth.Require`},
	} {
		t.Run(name, func(t *testing.T) {
			router := closedRouter()
			row.open(router)
			routes, err := listRoutes(router)
			require.NoError(t, err)
			routes.Router = router
			routes.Callers, routes.Service = ringed(router)
			require.EqualError(t, routes.Check(), row.want)
		})
	}
	t.Run("FT10 a route without Methods that stands outside the middleware", func(t *testing.T) {
		router := closedRouter()
		routes, err := listRoutes(router)
		require.NoError(t, err)
		routes.Router = router
		callers, inside := ringed(router)
		routes.Callers = callers
		outer := mux.NewRouter()
		outer.Handle("/notes", ok)
		outer.NotFoundHandler = inside
		routes.Service = outer
		require.EqualError(t, routes.Check(), "authtest: \"/notes\": GET: answers an anonymous caller with 200\nauthtest: \"/notes\": POST: answers an anonymous caller with 200\n"+
			"authtest: \"/notes\": PUT: answers an anonymous caller with 200\nauthtest: \"/notes\": PATCH: answers an anonymous caller with 200\nauthtest: \"/notes\": DELETE: answers an anonymous caller with 200")
	})
	t.Run("FT10 a route without a path stops the list", func(t *testing.T) {
		router := closedRouter()
		router.Host("old.example.com").Handler(ok)
		_, err := listRoutes(router)
		require.ErrorContains(t, err, "doesn't have a path")
	})
	t.Run("FT10 an open route of every method beside a closed one", func(t *testing.T) {
		router := closedRouter()
		router.Handle("/login", ok)
		routes, err := listRoutes(router)
		require.NoError(t, err)
		routes.Open, routes.Router = []string{"/login"}, router
		routes.Callers, routes.Service = ringed(router, "POST /login")
		require.NoError(t, routes.Check())
	})
}
