package adopting

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

// A Ring is one ring around the service, as its owner would add it first.
type Ring struct {
	Name string
	// Wrap returns the service behind the ring.
	Wrap func(next http.Handler, reportOnly bool) http.Handler
	// Changed are the requests of the record whose responses change when the ring is
	// enforced, and Reported those that it reports before.
	Changed, Reported []string
}

// forwarded finds the client and the scheme behind the proxy.
var forwarded = errors.Must(headers.NewForwarded(headers.ForwardedOptions{
	Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, Header: "X-Forwarded-For", Proto: "X-Forwarded-Proto",
}))

// tokens is the authenticator of the tokens that the service accepts today.
type tokens struct{}

func (tokens) Challenge() string { return "Bearer" }

func (tokens) Authenticate(r *http.Request) (*auth.Principal, error) {
	switch r.Header.Get("Authorization") {
	case "":
		return nil, nil
	case "Bearer good":
		return auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: "ada"})
	}
	return nil, auth.ErrInvalid
}

// Rings returns the rings in the order in which they are added.
func Rings() []Ring {
	return []Ring{
		{
			Name: "headers",
			Wrap: func(next http.Handler, reportOnly bool) http.Handler {
				return errors.Must(headers.New(headers.Options{Scheme: forwarded.Scheme, InsecureReportOnly: reportOnly})).Handler(next)
			},
			Changed:  []string{"probe health", "scrape metrics"},
			Reported: []string{"probe health", "scrape metrics"},
		},
		{
			Name: "cors",
			Wrap: func(next http.Handler, reportOnly bool) http.Handler {
				return errors.Must(cors.New(cors.Options{
					Origins: []string{"https://www.example.com"}, Scheme: forwarded.Scheme, InsecureReportOnly: reportOnly,
				})).Handler(next)
			},
			Changed:  []string{"login at a provider", "preflight of PUT"},
			Reported: []string{"login at a provider"},
		},
		{
			Name: "ratelimit",
			Wrap: func(next http.Handler, reportOnly bool) http.Handler {
				limit := ratelimit.Limit{Requests: 600, Window: time.Minute, InsecureShadow: reportOnly}
				return errors.Must(ratelimit.New(ratelimit.Options{
					ClientIP: forwarded.ClientIP, Fields: ratelimit.NoFields, Tiers: []ratelimit.Tier{{Name: "all", Limits: []ratelimit.Limit{limit}}},
				})).Handler(next)
			},
		},
		{
			Name: "auth",
			Wrap: func(next http.Handler, reportOnly bool) http.Handler {
				return errors.Must(auth.New(auth.Options{
					Authenticators: []auth.Authenticator{tokens{}}, InsecureReportOnly: reportOnly,
					Public: []string{
						"/healthz", "/metrics", "/version", "/robots.txt", "/hooks/", "/oidc/callback", "POST /api/users", "/api/users/",
						"GET /api/tags", "GET /api/articles", "GET /api/articles/", "GET /api/profiles/", "GET /images/", "OPTIONS /api/",
					},
				})).Handler(next)
			},
			Changed:  []string{"user without a token", "stream with a token in the query", "unknown path"},
			Reported: []string{"user without a token", "stream with a token in the query", "unknown path"},
		},
		{
			Name: "validate",
			Wrap: func(next http.Handler, reportOnly bool) http.Handler {
				return routeOnly(http.MethodPost, "/api/articles", createChecked(next, reportOnly), next)
			},
			Reported: []string{"create by an old client", "create with an unknown member", "create without a title"},
			Changed:  []string{"create by an old client", "create with an unknown member", "create without a title"},
		},
	}
}

// createChecked returns the handler that creates articles, behind the check of its body. The
// service's own handler reads the body itself, so it stays while the ring only reports.
func createChecked(own http.Handler, reportOnly bool) http.Handler {
	type input struct {
		Slug  string `json:"slug" validate:"required,max=99"`
		Title string `json:"title" validate:"required,max=99"`
		Body  string `json:"body" validate:"max=9999"`
	}
	if !reportOnly {
		own = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(validate.From[input](r.Context()))
		})
	}
	return errors.Must(validate.JSON[input](validate.Options{InsecureReportOnly: reportOnly}))(own)
}

// routeOnly sends the requests of one route to a handler, as a line in the router would.
func routeOnly(method, path string, handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method && r.URL.Path == path {
			handler.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Respond returns the service behind the Responder, which every other ring needs to report.
func Respond(next http.Handler, reportOnly bool, report func(errors.Event)) http.Handler {
	return errors.Must(errors.NewResponder(errors.Options{
		InsecureReportOnly: reportOnly, OnEvent: func(_ context.Context, e errors.Event) { report(e) },
	})).Handler(next)
}
