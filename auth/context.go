package auth

import (
	"context"
	"encoding/json"
	"fmt"
)

// contextKey finds the *state.
type contextKey struct{}

// state is the value in the context of a request. The principal is nil for an anonymous
// request.
type state struct {
	principal *Principal
	from      *Middleware // nil if no Middleware ran
	used      int         // the index of the authenticator that returned the principal
	objects   []loaded    // that Object loaded; Require copies the slice for each request
}

func stateOf(ctx context.Context) state {
	if s, ok := ctx.Value(contextKey{}).(*state); ok {
		return *s
	}
	return state{}
}

// NewContext returns a context with a principal, for tests and for transports
// other than HTTP. A [Middleware] does it for requests.
func NewContext(ctx context.Context, p *Principal) context.Context {
	s := stateOf(ctx)
	s.principal = p
	return context.WithValue(ctx, contextKey{}, &s)
}

// From returns the principal of a request's context. It is false for an
// anonymous request, and if no [Middleware] ran.
func From(ctx context.Context) (*Principal, bool) {
	s, ok := ctx.Value(contextKey{}).(*state)
	if !ok || s.principal == nil {
		return nil, false
	}
	return s.principal, true
}

// Claims decodes the verified payload of the request's credential into T. It returns
// [ErrMissing] for an anonymous request and for a credential without claims, and the
// error of the decoder if the payload does not fit T.
func Claims[T any](ctx context.Context) (T, error) {
	var claims T
	p, ok := From(ctx)
	if !ok || len(p.id.Claims) == 0 {
		return claims, ErrMissing
	}
	if err := json.Unmarshal(p.id.Claims, &claims); err != nil {
		return claims, fmt.Errorf("decode claims: %w", err)
	}
	return claims, nil
}
