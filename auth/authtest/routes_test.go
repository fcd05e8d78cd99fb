package authtest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// quiet keeps refusals out of the test's output.
var quiet = errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))

var ok = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// shop is a service of a few routes, some of which a row spoils.
type shop struct {
	mux      *http.ServeMux
	public   []string
	optional []string
	outside  bool // the orders are served past the Middleware
}

func newShop() *shop {
	s := &shop{mux: http.NewServeMux(), public: []string{"GET /healthz"}, optional: []string{"GET /products/"}}
	s.mux.Handle("GET /healthz", ok)
	s.mux.Handle("GET /products/{$}", ok)
	s.mux.Handle("GET /orders/{id}", auth.Require(auth.Scopes("orders:read"))(ok))
	s.mux.Handle("POST /orders", auth.Require()(ok))
	s.mux.Handle("/files/{path...}", auth.Require()(ok))
	return s
}

func (s *shop) callers(t *testing.T) (*auth.Middleware, http.Handler) {
	t.Helper()
	m := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{authtest.NewTokens(t).Verifier}, Public: s.public, Optional: s.optional}))
	return m, quiet.Handler(m.Handler(s.mux))
}

func (s *shop) routes(t *testing.T) authtest.Routes {
	t.Helper()
	callers, service := s.callers(t)
	if s.outside {
		inner := service
		service = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				ok(w, r)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
	return authtest.Routes{
		Service: quiet.Handler(service), Callers: callers, Router: s.mux,
		Patterns: []string{"GET /healthz", "GET /products/{$}", "GET /orders/{id}", "POST /orders", "/files/{path...}"},
		Open:     []string{"GET /healthz", "GET /products/{$}"},
	}
}

func TestEveryRouteIsAsked_AZ6(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(s *shop, o *authtest.Routes)
		want  string
	}{
		{name: "AZ6 a route without Require", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /invoices", ok)
			o.Patterns = append(o.Patterns, "GET /invoices")
		}, want: `authtest: "GET /invoices": has no auth.Require`},
		{name: "AZ6 a route without Require that refuses by itself", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /invoices", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }))
			o.Patterns = append(o.Patterns, "GET /invoices")
		}, want: `authtest: "GET /invoices": has no auth.Require`},
		{name: "AZ6 a route without Require that panics", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /invoices", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				p, _ := auth.From(r.Context())
				_ = p.Subject()
			}))
			o.Patterns = append(o.Patterns, "GET /invoices")
		}, want: `authtest: "GET /invoices": has no auth.Require`},
		{name: "AZ6 an open route that nobody meant", spoil: func(_ *shop, o *authtest.Routes) { o.Open = o.Open[:1] },
			want: "authtest: \"GET /products/{$}\": a Public or Optional pattern covers it\nauthtest: \"GET /products/{$}\": answers an anonymous caller with 200\nauthtest: \"GET /products/{$}\": has no auth.Require"},
		{name: "AZ6 a route in the shadow of a Public pattern", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /products/{id}/costs", auth.Require(auth.Role("admin"))(ok))
			o.Patterns = append(o.Patterns, "GET /products/{id}/costs")
		}, want: `authtest: "GET /products/{id}/costs": a Public or Optional pattern covers it`},
		{name: "AZ6 a route of every method, one of which is Public", spoil: func(s *shop, o *authtest.Routes) {
			s.public = append(s.public, "POST /files/")
			o.Callers, o.Service = s.callers(t)
		}, want: "authtest: \"/files/{path...}\": POST: a Public or Optional pattern covers it"},
		{name: "AZ6 a route of every method, one of which forgets Require", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("/notes", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "PATCH" {
					auth.Require()(ok).ServeHTTP(w, r)
				}
			}))
			o.Patterns = append(o.Patterns, "/notes")
		}, want: `authtest: "/notes": PATCH: has no auth.Require`},
		{name: "AZ6 an open route of every method, none of which is", spoil: func(s *shop, o *authtest.Routes) { o.Open = append(o.Open, "/files/{path...}") },
			want: `authtest: "/files/{path...}": is meant to be open, and the Middleware wants credentials`},
		{name: "an open route of every method, one of which is", spoil: func(s *shop, o *authtest.Routes) {
			s.public = append(s.public, "POST /files/")
			o.Callers, o.Service = s.callers(t)
			o.Open = append(o.Open, "/files/{path...}")
		}},
		{name: "AZ6 a route that is not there", spoil: func(_ *shop, o *authtest.Routes) { o.Patterns = append(o.Patterns, "GET /gone") },
			want: `authtest: "GET /gone": the router picks "" for /gone`},
		{name: "AZ6 a route that another hides", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /orders/1", ok)
		}, want: `authtest: "GET /orders/{id}": the router picks "GET /orders/1" for /orders/1`},
		{name: "a route that another listed one hides from one method", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("GET /files/1", auth.Require()(ok))
			o.Patterns = append(o.Patterns, "GET /files/1")
		}},
		{name: "AZ6 a route that another listed one hides", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("/files/1", auth.Require()(ok))
			o.Patterns = append(o.Patterns, "/files/1")
		}, want: `authtest: "/files/{path...}": other routes hide it for /files/1`},
		{name: "AZ6 a route that another hides from one method", spoil: func(s *shop, o *authtest.Routes) {
			s.mux.Handle("PUT /files/1", auth.Require()(ok))
		}, want: `authtest: "/files/{path...}": PUT: the router picks "PUT /files/1" for /files/1`},
		{name: "AZ6 an open route that is closed", spoil: func(_ *shop, o *authtest.Routes) { o.Open = append(o.Open, "POST /orders") },
			want: `authtest: "POST /orders": is meant to be open, and the Middleware wants credentials`},
		{name: "AZ6 an open route that is no route", spoil: func(_ *shop, o *authtest.Routes) { o.Open = append(o.Open, "GET /x") },
			want: `authtest: Open "GET /x": is not among Patterns`},
		{name: "FT10 a value for a wildcard that no pattern has", spoil: func(_ *shop, o *authtest.Routes) { o.Values = map[string]string{"id": "7", "ids": "7", "path": "a"} },
			want: `authtest: Values "ids": no pattern has this wildcard`},
		{name: "FT10 a nil Service", spoil: func(_ *shop, o *authtest.Routes) { o.Service = http.HandlerFunc(nil) },
			want: "authtest: Routes: Service must not be a nil http.HandlerFunc"},
		{name: "FT10 a nil Router", spoil: func(_ *shop, o *authtest.Routes) { o.Router = (*http.ServeMux)(nil) },
			want: "authtest: Routes: Router must not be a nil *http.ServeMux"},
		{name: "AZ6 no path", spoil: func(_ *shop, o *authtest.Routes) { o.Patterns = append(o.Patterns, "orders") },
			want: `authtest: "orders": is not [METHOD ][HOST]/path`},
		{name: "AZ6 nothing", spoil: func(_ *shop, o *authtest.Routes) { *o = authtest.Routes{} },
			want: "authtest: Routes: Service, Callers, Router and Patterns are required"},
		{name: "nothing is wrong", spoil: func(*shop, *authtest.Routes) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShop()
			o := s.routes(t)
			row.spoil(s, &o)
			err := o.Check()
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, row.want)
		})
	}
	t.Run("AZ6 a route past the Middleware", func(t *testing.T) {
		s := newShop()
		s.outside = true
		require.EqualError(t, s.routes(t).Check(), "authtest: \"POST /orders\": answers an anonymous caller with 200\nauthtest: \"/files/{path...}\": POST: answers an anonymous caller with 200")
	})
}

// The patterns of chi and gorilla/mux, with a router that sees any path.
func TestPatternsOfOtherRoutersAreFilled(t *testing.T) {
	var asked []string
	router := auth.Require()(ok)
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{authtest.NewTokens(t).Verifier}}))
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+r.URL.Path)
		callers.Handler(router).ServeHTTP(w, r)
	})
	o := authtest.Routes{
		Service: quiet.Handler(service), Callers: callers, Router: router, Values: map[string]string{"slug": "a-b"},
		Patterns: []string{"GET /a/{id:[0-9]{2,4}}/b/{slug:[a-z-]+}", "DELETE /files/*", "/x/{y...}", "PUT api.test/{$}"},
	}
	require.NoError(t, o.Check())
	require.Equal(t, []string{"GET example.com/a/1/b/a-b", "DELETE example.com/files/1", "GET example.com/x/1", "POST example.com/x/1", "PUT example.com/x/1", "PATCH example.com/x/1", "DELETE example.com/x/1", "PUT api.test/"}, asked)
}

func TestTokensAreAccepted(t *testing.T) {
	tokens := authtest.NewTokens(t)
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens.Verifier}}))
	seen := ""
	h := quiet.Handler(callers.Handler(auth.Require(auth.Scopes("read"))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		seen = p.String()
	}))))
	for _, row := range []struct {
		name, authorization string
		status              int
	}{
		{name: "of another test", authorization: "Bearer " + authtest.NewTokens(t).Token(token.Grant{Subject: "eve", Scope: []string{"read"}}), status: 401},
		{name: "without the scope", authorization: "Bearer " + tokens.Token(token.Grant{Subject: "ada"}), status: 403},
		{name: "good", authorization: "Bearer " + tokens.Token(token.Grant{Subject: "ada", Scope: []string{"read"}}), status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", row.authorization)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, row.status, w.Code)
		})
	}
	require.Equal(t, "person ada", seen)
}

func TestAsSetsThePrincipal(t *testing.T) {
	h := auth.Require(auth.CallerTypes(auth.Program))(ok)
	for kind, want := range map[auth.CallerType]int{"": 403, auth.Program: 200} {
		w := httptest.NewRecorder()
		quiet.Handler(h).ServeHTTP(w, authtest.As(t, httptest.NewRequest("GET", "/", nil), auth.Identity{CallerType: kind, Subject: "ada"}))
		require.Equal(t, want, w.Code)
	}
	require.True(t, slices.Equal([]string{"a"}, authtest.Principal(t, auth.Identity{Subject: "ada", Scope: []string{"a"}}).Scope()))
}
