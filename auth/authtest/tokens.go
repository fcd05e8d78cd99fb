package authtest

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
)

// Principal returns a principal of this identity. An empty CallerType means
// auth.Person.
func Principal(t testing.TB, id auth.Identity) *auth.Principal {
	t.Helper()
	if id.CallerType == "" {
		id.CallerType = auth.Person
	}
	p, err := auth.NewPrincipal(id)
	require.NoError(t, err)
	return p
}

// As returns a copy of r with a principal of this identity in its context. See
// [Principal].
func As(t testing.TB, r *http.Request, id auth.Identity) *http.Request {
	t.Helper()
	return r.WithContext(auth.NewContext(r.Context(), Principal(t, id)))
}

// The issuer and the audience of tokens of [NewTokens].
const (
	Issuer   = "https://issuer.test"
	Audience = "test"
)

// Tokens issues access tokens for tests, and verifies them.
type Tokens struct {
	Keys     *token.Keys
	Issuer   *token.Issuer
	Verifier *token.Verifier
	t        testing.TB
}

// NewTokens returns Tokens with a new key.
func NewTokens(t testing.TB) *Tokens {
	t.Helper()
	key, err := token.GenerateKey()
	require.NoError(t, err)
	x := &Tokens{t: t}
	x.Keys, err = token.NewKeys(key)
	require.NoError(t, err)
	x.Issuer, err = token.NewIssuer(token.IssuerOptions{Keys: x.Keys, Issuer: Issuer, Audience: []string{Audience}})
	require.NoError(t, err)
	x.Verifier, err = token.NewVerifier(token.VerifierOptions{Keys: x.Keys, Issuer: Issuer, Audience: []string{Audience}})
	require.NoError(t, err)
	return x
}

// Token returns a token of a grant, which is valid for 5 minutes.
func (x *Tokens) Token(g token.Grant) string {
	x.t.Helper()
	text, _, err := x.Issuer.Issue(context.Background(), g)
	require.NoError(x.t, err)
	return text
}
