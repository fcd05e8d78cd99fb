package wiring_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

var quiet = slog.New(slog.DiscardHandler)

type input struct {
	Name string `json:"name" validate:"required,max=9"`
}

// handlers returns the Handler of each package, and the functions that are used
// like one.
func handlers(t *testing.T) map[string]func(http.Handler) http.Handler {
	t.Helper()
	keys := errors.Must(apikey.New(apikey.Options{Prefix: "test", Store: apikey.NewMemory(), ClientIP: headers.PeerIP, Routes: []string{"/partner/"}}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{ClientIP: headers.PeerIP, Tiers: []ratelimit.Tier{
		{Name: "all", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Minute}}},
	}}))
	policy := errors.Must(cors.New(cors.Options{Origins: []string{"https://a.example"}}))
	return map[string]func(http.Handler) http.Handler{
		"errors: Handler":           errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler,
		"headers: Handler":          errors.Must(headers.New(headers.Options{Logger: quiet})).Handler,
		"cors: Handler":             policy.Handler,
		"cors: Routes":              errors.Must(cors.Routes(map[string]*cors.Middleware{"/": policy})),
		"ratelimit: Handler":        limits.Handler,
		"auth: Handler":             errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{keys}})).Handler,
		"auth: Require":             auth.Require(),
		"validate: the middleware":  errors.Must(validate.JSON[input](validate.Options{Logger: quiet})),
		"validate: the middleware ": errors.Must(validate.Input[input](validate.Options{Logger: quiet})),
	}
}

// A router that was not created yet is reported when the service starts.
func TestNilHandlerIsRefusedAtStart_FE9(t *testing.T) {
	for name, wrap := range handlers(t) {
		for kind, next := range map[string]http.Handler{
			"nil": nil, "a nil router": (*http.ServeMux)(nil), "a nil function": http.HandlerFunc(nil), "a nil function of errors": errors.HandlerFunc(nil),
		} {
			t.Run("FE9 "+name+" of "+kind, func(t *testing.T) {
				require.Contains(t, panicOf(t, func() { wrap(next) }), "(nil): the next handler must not be nil; did you mean the router?")
			})
		}
		t.Run("FE9 "+name+" of a handler", func(t *testing.T) {
			require.NotPanics(t, func() { wrap(http.NewServeMux()) })
			require.NotPanics(t, func() { wrap(stateless{}) })
		})
	}
}

type stateless struct{}

func (stateless) ServeHTTP(http.ResponseWriter, *http.Request) {}

func panicOf(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		p := recover()
		require.NotNil(t, p, "it must panic")
		text, _ = p.(string)
	}()
	f()
	return ""
}

// A nil in other places is reported at the start, not with a 500 for each
// request.
func TestNilIsRefusedAtStart_FE9(t *testing.T) {
	allow := auth.Role("admin")
	find := func(*http.Request) (int, error) { return 0, nil }
	may := func(context.Context, *auth.Principal, int) bool { return true }
	notFound := errors.ErrNotFound
	next := http.NewServeMux()
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{name: "auth.Require(nil)", do: func() { auth.Require(nil) }, want: "auth: Require: policies[0]: must not be nil; did you mean Require()?"},
		{name: "auth.Require(allow, nil)", do: func() { auth.Require(allow, nil) }, want: "auth: Require: policies[1]: must not be nil; did you mean Require()?"},
		{name: "auth.AllOf(nil)", do: func() { auth.AllOf(nil) }, want: "auth: AllOf: policies[0]: must not be nil"},
		{name: "auth.AnyOf(allow, nil)", do: func() { auth.AnyOf(allow, nil) }, want: "auth: AnyOf: policies[1]: must not be nil"},
		{
			name: "auth.Object without a kind",
			do:   func() { auth.Object(nil, find, may) },
			want: "auth: Object: notFound must not be nil; did you mean errors.ErrNotFound?",
		},
		{name: "auth.Object without load", do: func() { auth.Object[int](notFound, nil, may) }, want: "auth: Object: load must not be nil"},
		{name: "auth.Object without can", do: func() { auth.Object(notFound, find, nil) }, want: "auth: Object: can must not be nil"},
		{
			name: "a nil Responder",
			do:   func() { (*errors.Responder)(nil).Handler(next) },
			want: "errors: Handler: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "a nil headers.Policy",
			do:   func() { (*headers.Policy)(nil).Handler(next) },
			want: "headers: Handler: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "a nil cors.Middleware",
			do:   func() { (*cors.Middleware)(nil).Handler(next) },
			want: "cors: Handler: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "a cors.Middleware that New did not make",
			do:   func() { new(cors.Middleware).Handler(next) },
			want: "cors: Handler: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "a nil Limiter",
			do:   func() { (*ratelimit.Limiter)(nil).Handler(next) },
			want: "ratelimit: Handler: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "session.Refresh of nil",
			do:   func() { (*session.Manager)(nil).Refresh() },
			want: "session: Refresh: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "session.Logout of nil",
			do:   func() { (*session.Manager)(nil).Logout() },
			want: "session: Logout: the receiver must not be nil; did you mean to check the error of New?",
		},
		{
			name: "session.LogoutAll of nil",
			do:   func() { (*session.Manager)(nil).LogoutAll() },
			want: "session: LogoutAll: the receiver must not be nil; did you mean to check the error of New?",
		},
		{name: "JWKS of nil", do: func() { (*token.Keys)(nil).JWKS() }, want: "token: JWKS: the receiver must not be nil; did you mean to check the error of New?"},
	} {
		t.Run("FE9 "+tt.name, func(t *testing.T) { require.Equal(t, tt.want, panicOf(t, tt.do)) })
	}
}

// A function that returns an error returns one for nil, and for a nil pointer in
// an interface.
func TestNewRefusesNil_FE9(t *testing.T) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	for _, tt := range []struct {
		name string
		do   func() error
		want string
	}{
		{name: "validate.Handle(nil)", do: func() error {
			_, err := validate.Handle[input](nil, validate.Options{Logger: quiet})
			return err
		}, want: "validate: Handle: fn must not be nil"},
		{name: "a nil pointer as a store of API keys", do: func() error {
			_, err := apikey.New(apikey.Options{Prefix: "test", Store: (*keyStore)(nil), ClientIP: headers.PeerIP, Routes: []string{"/partner/"}})
			return err
		}, want: "apikey: Store: "},
		{name: "a nil pointer as a store of sessions", do: func() error {
			_, err := session.New(session.Options{Store: (*sessionStore)(nil)})
			return err
		}, want: "session: Store: must not be a nil pointer; did you mean to check the error of its New?"},
		{name: "a nil pointer as a store of limits", do: func() error {
			_, err := ratelimit.New(ratelimit.Options{ClientIP: headers.PeerIP, Store: (*limitStore)(nil), Tiers: []ratelimit.Tier{
				{Name: "all", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Minute}}},
			}})
			return err
		}, want: "ratelimit: Store: must not be a nil pointer; did you mean to check the error of its New?"},
	} {
		t.Run("FE9 "+tt.name, func(t *testing.T) { require.ErrorContains(t, tt.do(), tt.want) })
	}
}

type (
	keyStore     struct{ apikey.Store }
	sessionStore struct{ session.Store }
	limitStore   struct{ ratelimit.Store }
)
