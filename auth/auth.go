package auth

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/wiring"
)

// An Authenticator verifies one kind of credential. It is safe for concurrent
// use.
type Authenticator interface {
	// Authenticate returns the principal of a request, or nil and nil when the
	// request has no credential of this kind, or an error when it has one that
	// is refused: one of the kinds of this package, or one that wraps it. Any
	// other error becomes a 500.
	Authenticate(*http.Request) (*Principal, error)
	// Challenge returns the scheme and the parameters of its own for
	// WWW-Authenticate (RFC 9110, section 11.6.1), such as "Bearer". "" when
	// the credential has no scheme. It is asked once, by [New].
	Challenge() string
}

// Options configures a [Middleware]. At least one authenticator is required.
// Without patterns, every request needs a principal.
type Options struct {
	// Authenticators verify credentials. A request with credentials for two of
	// them is refused: which of them counts would be a guess. At most one takes
	// bearer tokens; token.ByIssuer makes one of several verifiers.
	Authenticators []Authenticator
	// Public are patterns of requests whose credentials are not even read:
	// login, refresh, public keys, health. The language is that of
	// http.ServeMux without hosts; only a clean path matches. "/" is refused.
	Public []string
	// Optional are patterns of requests that may be anonymous. A credential
	// that is there and bad is refused all the same.
	Optional []string
	// Realm is the protection space that challenges name. "": "api".
	Realm string
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Public and Optional are then compared with
	// it. nil: the path decides.
	Route func(*http.Request) string
	// OnEvent is told of each refusal, after it was decided. It must not block.
	OnEvent func(context.Context, Event)
	// Logger gets an error when OnEvent panics. nil: slog.Default().
	Logger *slog.Logger
	// ErrorHandler answers refused requests. nil: errors.Respond. Challenges
	// are set before it runs.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// A Middleware finds out who is calling, and lets nobody pass unknown but
// where a route says so. It is immutable and safe for concurrent use.
type Middleware struct {
	authenticators []Authenticator
	challenges     []string // of each authenticator, with the realm; "" for none
	routes         *route.Table
	onEvent        func(context.Context, Event)
	logger         *slog.Logger
	respond        func(http.ResponseWriter, *http.Request, error)
}

// The fields of the table of routes.
const (
	public = iota
	optional
)

// New returns a Middleware. It refuses a set-up without authenticators, one
// with two that would claim the same credentials, as two that take bearer
// tokens do, and patterns that open everything. The error joins all problems.
func New(o Options) (*Middleware, error) {
	routes, err := route.Opening(o.Route, route.Field{Name: "auth: Public", Patterns: o.Public}, route.Field{Name: "auth: Optional", Patterns: o.Optional})
	problems := []error{err}
	realm := o.Realm
	if realm == "" {
		realm = "api"
	}
	challenges, wrong := checkAuthenticators(o.Authenticators, realm)
	problems = append(problems, wrong...)
	if !quotable(o.Realm) {
		problems = append(problems, errors.New("auth: Realm "+strconv.Quote(o.Realm)+`: contains characters other than visible ASCII and space, or " or \`))
	}
	m := &Middleware{
		authenticators: slices.Clone(o.Authenticators), challenges: challenges, routes: routes, onEvent: o.OnEvent, logger: o.Logger, respond: o.ErrorHandler,
	}
	if m.respond == nil {
		m.respond = errors.Respond
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return m, nil
}

// Handler serves next with the principal in the request's context; see [From].
// A public or anonymous request has none there. Handler panics if next is nil: a
// service finds that when it starts.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	wiring.RequireHandler("auth: Handler", next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, used, err := m.authenticate(r)
		if err != nil {
			m.writeRefusal(w, r, used, err, Event{Reason: CredentialRefused, Cause: ReasonOf(err), Err: err})
			return
		}
		ctx := context.WithValue(r.Context(), contextKey{}, &state{principal: p, from: m, used: used})
		handled := nethttp.CopyRequest(ctx, r)
		defer nethttp.CarryBack(r, handled)
		next.ServeHTTP(w, handled)
	})
}

// Authenticate returns the principal of a request that Handler would serve,
// nil for one that it would serve anonymously, and the error for one that it
// would refuse.
func (m *Middleware) Authenticate(r *http.Request) (*Principal, error) {
	p, _, err := m.authenticate(r)
	return p, err
}

// authenticate also returns the index of the authenticator whose credential
// the request has, or -1.
func (m *Middleware) authenticate(r *http.Request) (*Principal, int, error) {
	if m == nil || m.routes == nil {
		return nil, -1, errNotMade
	}
	field, open := m.routes.Find(r)
	if open && field == public {
		return nil, -1, nil
	}
	used := -1
	var principal *Principal
	var refused error
	for i, a := range m.authenticators {
		p, err := a.Authenticate(r)
		if p == nil && err == nil {
			continue
		}
		if used >= 0 {
			return nil, -1, ErrMalformed.With("reason", "two authenticators find a credential of theirs").Wrap(SeveralCredentials)
		}
		used, principal, refused = i, p, err
	}
	switch {
	case refused != nil:
		return nil, used, refused
	case principal != nil:
		return principal, used, nil
	case len(r.Header["Authorization"]) > 0:
		// On an optional route too: whoever sends credentials does not mean to be
		// anonymous.
		return nil, -1, errUnknownScheme
	case open:
		return nil, -1, nil
	}
	return nil, -1, ErrMissing
}

var errNotMade = ErrUnavailable.With("reason", "the Middleware was not made by New")

var errUnknownScheme = ErrMissing.With("reason", "no authenticator takes this Authorization, on this route").Wrap(UnknownScheme)
