package token_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// signRSA signs with PKCS #1 v1.5 or PSS, by the options.
func signRSA(header, payload string, opts crypto.SignerOpts) string {
	input := b64(header) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	return input + "." + b64(string(errors.Must(material().rsa.Sign(rand.Reader, digest[:], opts))))
}

func TestClaimsAreChecked(t *testing.T) {
	v := verifier(t, nil)
	for _, row := range []struct {
		name    string
		changes object
		want    error
	}{
		{name: "TJ11 exp missing", changes: object{"exp": nil}, want: auth.ErrInvalid},
		{name: "TJ10 exp null", changes: object{"exp": jsonNull{}}, want: auth.ErrInvalid},
		{name: "TJ10 exp a string", changes: object{"exp": "1795518000"}, want: auth.ErrInvalid},
		{name: "TJ10 exp an object", changes: object{"exp": object{}}, want: auth.ErrInvalid},
		{name: "TJ10 exp negative", changes: object{"exp": -1}, want: auth.ErrInvalid},
		{name: "TJ10 exp 0", changes: object{"exp": 0}, want: auth.ErrInvalid},
		{name: "TJ10 exp 1e300", changes: object{"exp": 1e300}, want: auth.ErrInvalid},
		{name: "TJ10 exp 1e19", changes: object{"exp": 1e19}, want: auth.ErrInvalid},
		{name: "TJ9 EXP instead", changes: object{"exp": nil, "EXP": noon.Add(time.Minute).Unix()}, want: auth.ErrInvalid},
		{name: "TJ9 Nbf instead", changes: object{"Nbf": 1}, want: auth.ErrInvalid},
		{name: "TJ11 iat missing", changes: object{"iat": nil}, want: auth.ErrInvalid},
		{name: "TJ11 iat in the future", changes: object{"iat": noon.Add(31 * time.Second).Unix()}, want: auth.ErrInvalid},
		{name: "TJ11 exp before iat", changes: object{"exp": noon.Add(-time.Second).Unix()}, want: auth.ErrInvalid},
		{name: "TJ11 an hour and more than the leeway", changes: object{"exp": noon.Add(time.Hour + 31*time.Second).Unix()}, want: auth.ErrInvalid},
		{name: "TJ11 nbf in the future", changes: object{"nbf": noon.Add(31 * time.Second).Unix()}, want: auth.ErrInvalid},
		{name: "TJ10 nbf a fraction beyond", changes: object{"nbf": float64(noon.Unix()) + 30.5}, want: auth.ErrInvalid},
		{name: "TJ10 nbf 1e19", changes: object{"nbf": 1e19}, want: auth.ErrInvalid},
		{name: "TJ11 sub missing", changes: object{"sub": nil}, want: auth.ErrInvalid},
		{name: "TJ11 sub empty", changes: object{"sub": ""}, want: auth.ErrInvalid},
		{name: "TJ11 sub a number", changes: object{"sub": 7}, want: auth.ErrInvalid},
		{name: "TJ11 sub of 257 bytes", changes: object{"sub": strings.Repeat("a", 257)}, want: auth.ErrInvalid},
		{name: "TJ9 SUB beside sub", changes: object{"SUB": "root"}, want: auth.ErrInvalid},
		{name: "TJ14 iss missing", changes: object{"iss": nil}, want: auth.ErrInvalid},
		{name: "TJ14 iss with a slash", changes: object{"iss": issuerName + "/"}, want: auth.ErrInvalid},
		{name: "TJ14 iss in another case", changes: object{"iss": "HTTPS://api.example.com"}, want: auth.ErrInvalid},
		{name: "TJ13 aud missing", changes: object{"aud": nil}, want: auth.ErrInvalid},
		{name: "TJ13 aud of another", changes: object{"aud": "other"}, want: auth.ErrInvalid},
		{name: "TJ13 aud longer", changes: object{"aud": "api2"}, want: auth.ErrInvalid},
		{name: "TJ13 aud ours beside a number", changes: object{"aud": []any{audience, 1}}, want: auth.ErrInvalid},
		{name: "TJ13 aud of 3001", changes: object{"aud": strings.Split(strings.Repeat("a ", 3000)+audience, " ")}, want: auth.ErrInvalid},
		{name: "TJ13 aud empty list", changes: object{"aud": []string{}}, want: auth.ErrInvalid},
		{name: "TJ13 aud of numbers", changes: object{"aud": []any{1, audience}}, want: auth.ErrInvalid},
		{name: "TJ13 aud an object", changes: object{"aud": object{audience: audience}}, want: auth.ErrInvalid},
		{name: "TJ13 aud of 101", changes: object{"aud": strings.Split(strings.Repeat("api ", 101), " ")}, want: auth.ErrInvalid},
		{name: "scope a list", changes: object{"scope": []string{"a"}}, want: auth.ErrInvalid},
		{name: "roles a string", changes: object{"roles": "admin"}, want: auth.ErrInvalid},
		{name: "jti a number", changes: object{"jti": 1}, want: auth.ErrInvalid},
		{name: "sid a number", changes: object{"sid": 1}, want: auth.ErrInvalid},
		{name: "TJ21 bound to a certificate", changes: object{"cnf": object{"x5t#S256": "x"}}, want: auth.ErrInvalid},
		{name: "TJ21 bound to a key", changes: object{"cnf": object{"jkt": "x"}}, want: auth.ErrInvalid},
		{name: "TJ21 bound to nonsense", changes: object{"cnf": 1}, want: auth.ErrInvalid},
		{name: "TJ12 old", changes: object{"iat": noon.Add(-10 * time.Minute).Unix(), "exp": noon.Add(-30 * time.Second).Unix()}, want: auth.ErrExpired},
		{name: "TJ12 just in the leeway", changes: object{"iat": noon.Add(-10 * time.Minute).Unix(), "exp": noon.Add(-29 * time.Second).Unix()}},
		{name: "TJ10 exp a fraction", changes: object{"exp": float64(noon.Unix()) + 1.5}},
		{name: "TJ12 an hour and the leeway", changes: object{"exp": noon.Add(time.Hour + 30*time.Second).Unix()}},
		{name: "TJ12 iat in the leeway", changes: object{"iat": noon.Add(30 * time.Second).Unix()}},
		{name: "TJ12 nbf in the leeway", changes: object{"nbf": noon.Add(30 * time.Second).Unix()}},
		{name: "TJ13 aud among others", changes: object{"aud": []string{"other", audience}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			payload := strings.ReplaceAll(goodClaims().with(row.changes).json(), `{"null":0}`, "null")
			_, err := v.Verify(t.Context(), sign(goodHeader().json(), payload))
			require.ErrorIs(t, err, row.want)
			// TJ19: a forged token is invalid, whatever its claims are
			// (CVE-2024-51744).
			forged := sign(goodHeader().json(), payload)
			forged = forged[:len(forged)-86] + b64(strings.Repeat("x", 64))
			_, err = v.Verify(t.Context(), forged)
			require.ErrorIs(t, err, auth.ErrInvalid)
			require.NotErrorIs(t, err, auth.ErrExpired)
		})
	}
}

type jsonNull struct{}

func (jsonNull) MarshalJSON() ([]byte, error) { return []byte(`{"null":0}`), nil }

func TestRepeatedClaimsAreRefused(t *testing.T) {
	v := verifier(t, nil)
	good := goodClaims().json()
	for name, extra := range map[string]string{
		"TJ9 twice": `,"sub":"root"}`, "TJ9 twice, by an escape": `,"\u0073ub":"root"}`, "TJ9 twice, deep inside": `,"x":{"a":1,"a":2}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), sign(goodHeader().json(), strings.TrimSuffix(good, "}")+extra))
			require.ErrorIs(t, err, auth.ErrInvalid)
		})
	}
}

func TestBoundariesToTheNanosecond(t *testing.T) {
	v := verifier(t, nil)
	text := sign(goodHeader().json(), goodClaims().with(object{"nbf": noon.Unix()}).json())
	for _, row := range []struct {
		name string
		now  time.Time
		want error
	}{
		{name: "TJ12 before nbf", now: noon.Add(-30*time.Second - 1), want: auth.ErrInvalid},
		{name: "TJ12 at nbf", now: noon.Add(-30 * time.Second)},
		{name: "TJ12 before exp", now: noon.Add(5*time.Minute + 30*time.Second - 1)},
		{name: "TJ12 at exp", now: noon.Add(5*time.Minute + 30*time.Second), want: auth.ErrExpired},
	} {
		t.Run(row.name, func(t *testing.T) {
			token.SetClock(func() time.Time { return row.now }, v)
			_, err := v.Verify(t.Context(), text)
			require.ErrorIs(t, err, row.want)
		})
	}
}

func TestRevokedTokensAreRefused(t *testing.T) {
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	v := verifier(t, func(o *token.VerifierOptions) { o.Revocations = revoked })
	text := sign(goodHeader().json(), goodClaims().with(object{"sid": "s1"}).json())
	_, err := v.Verify(t.Context(), text)
	require.NoError(t, err)
	require.NoError(t, revoked.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
	_, err = v.Verify(t.Context(), text)
	require.ErrorIs(t, err, auth.ErrRevoked)
}

func TestValidateHasTheLastWord(t *testing.T) {
	v := verifier(t, func(o *token.VerifierOptions) {
		o.Validate = func(_ context.Context, p *auth.Principal) error {
			if p.Subject() == "ada" {
				return auth.ErrDenied
			}
			return nil
		}
	})
	_, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().json()))
	require.ErrorIs(t, err, auth.ErrDenied)
	_, err = v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(object{"sub": "eve"}).json()))
	require.NoError(t, err)
}

// RFC 9068, section 5; RFC 9700, section 4.15.
func TestClientsAreServices(t *testing.T) {
	v := verifier(t, nil)
	for client, want := range map[string]auth.CallerType{"": auth.Person, "web": auth.Person, "ada": auth.Program} {
		p, err := v.Verify(t.Context(), sign(goodHeader().json(), goodClaims().with(object{"client_id": client}).json()))
		require.NoError(t, err)
		require.Equal(t, want, p.CallerType(), client)
	}
}

// A mark in time ends the tokens without a session that were issued up to its
// second, and no login, before or after it: those are ended by their sessions.
func TestAMarkNeverEndsALoginMadeAfterIt(t *testing.T) {
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	k := keys(t)
	i := issuer(t, func(o *token.IssuerOptions) { o.Keys = k })
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Revocations = k, revoked })
	issue := func(session string) string {
		text, _, err := i.Issue(t.Context(), token.Grant{Subject: "ada", SessionID: session})
		require.NoError(t, err)
		return text
	}
	check := func(text string, want error) {
		t.Helper()
		for range 2 { // the second time it may be cached
			_, err := v.Verify(t.Context(), text)
			require.ErrorIs(t, err, want)
		}
	}
	now := noon.Add(300 * time.Millisecond)
	token.SetClock(func() time.Time { return now }, i, v)
	before, bare := issue("s1"), issue("")
	check(before, nil)
	check(bare, nil)
	require.NoError(t, revoked.RevokeSubject(t.Context(), "ada", now, time.Now().Add(time.Hour)))
	require.NoError(t, revoked.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
	check(before, auth.ErrRevoked)
	check(bare, auth.ErrRevoked)

	now = now.Add(time.Millisecond)
	check(issue("s2"), nil)
	check(issue(""), auth.ErrRevoked)
	now = noon.Add(time.Second)
	check(issue("s3"), nil)
	check(issue(""), nil)
}
