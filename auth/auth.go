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
	// Authenticate returns the principal of a request, nil and nil if the
	// request has no credential of this kind, or an error if its credential is
	// refused. The error must be or wrap one of the kinds of this package. Any
	// other error becomes a 500.
	Authenticate(*http.Request) (*Principal, error)
	// Challenge returns the scheme and its parameters for WWW-Authenticate (RFC
	// 9110, section 11.6.1), such as "Bearer". It returns "" if the credential
	// has no scheme. It is called once, by [New].
	Challenge() string
}

// A MultiSchemer is an [Authenticator] that accepts more than one scheme, such as
// "DPoP" and "Bearer". [New] calls Challenges in place of Challenge.
type MultiSchemer interface {
	Authenticator
	// Challenges returns one challenge for each scheme, the preferred one first.
	Challenges() []string
}

// A Middleware authenticates each request. Only Public and Optional routes accept a
// request without a principal. It is immutable and safe for concurrent use.
type Middleware struct {
	authenticators []Authenticator
	challenges     [][]string // of each authenticator, with the realm; empty if it has no scheme
	routes         *route.Table
	onEvent        func(context.Context, Event)
	logger         *slog.Logger
	respond        func(http.ResponseWriter, *http.Request, error)
	reportOnly     bool
}

// The fields of the table of routes.
const (
	public = iota
	optional
)

// New returns a Middleware. It reports all invalid options, joined. Among them are
// two authenticators that would claim the same credentials, and patterns that match
// every request.
func New(o Options) (*Middleware, error) {
	routes, err := route.Opening(o.Route, route.Field{Name: "auth: Public", Patterns: o.Public}, route.Field{Name: "auth: Optional", Patterns: o.Optional})
	problems := []error{err}
	realm := o.Realm
	if realm == "" {
		realm = "api"
	}
	challenges, wrong := checkAuthenticators(o.Authenticators, realm)
	problems = append(problems, wrong...)
	if !isQuotable(o.Realm) {
		problems = append(problems, errors.New("auth: Realm "+strconv.Quote(o.Realm)+`: contains characters other than visible ASCII and space, or " or \`))
	}
	m := &Middleware{
		authenticators: slices.Clone(o.Authenticators), challenges: challenges, routes: routes, onEvent: o.OnEvent, logger: o.Logger, respond: o.ErrorHandler,
		reportOnly: o.InsecureReportOnly,
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
		if err != nil && m.refuse(w, r, used, err, Event{Reason: CredentialRefused, Cause: ReasonOf(err), Err: err}) {
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
		// On an optional route too, because a client that sends credentials does
		// not mean to be anonymous.
		return nil, -1, errUnknownScheme
	case open:
		return nil, -1, nil
	}
	return nil, -1, ErrMissing
}

var errNotMade = ErrUnavailable.With("reason", "the Middleware was not made by New")

var errUnknownScheme = ErrMissing.With("reason", "no authenticator takes this Authorization, on this route").Wrap(UnknownScheme)
