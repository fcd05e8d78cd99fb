package token_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
)

// BenchmarkBoundToken compares a request with a cached token that is bound to a key with
// a request whose bearer token is verified for the first time: each costs about one
// signature.
func BenchmarkBoundToken(b *testing.B) {
	d := newDPoP(b, token.DPoPOptions{Replays: forgetful{}})
	o := token.VerifierOptions{Keys: keys(b), Issuer: issuerName, Audience: []string{audience}}
	cold := o
	cold.CacheEntries = -1
	first := newVerifierAt(b, cold)
	o.DPoP = d
	warm := newVerifierAt(b, o)
	for _, alg := range []token.Alg{token.ES256, token.EdDSA} {
		text := signAs(alg, goodHeader().with(object{"alg": string(alg), "kid": string(alg)}).json(), goodClaims().json())
		b.Run(fmt.Sprintf("bearer, first use, %s", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := first.Authenticate(requestWith("Bearer", text))
				require.NoError(b, err)
			}
		})
		bound := boundToken(b, alg)
		r := requestWith("DPoP", bound, proofOf(b, alg, bound, nil, nil))
		b.Run(fmt.Sprintf("bound, cached, %s", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := warm.Authenticate(r)
				require.NoError(b, err)
			}
		})
	}
}

// newVerifierAt returns a verifier at the time of the tests.
func newVerifierAt(t testing.TB, o token.VerifierOptions) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(o)
	require.NoError(t, err)
	token.SetClock(clock, v)
	return v
}

// forgetful is a ReplayStore that accepts every proof, so that one can be measured.
type forgetful struct{}

func (forgetful) Use(context.Context, string, time.Time) (bool, error) { return true, nil }
