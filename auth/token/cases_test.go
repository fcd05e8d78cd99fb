package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// CVE-2015-9235, CVE-2023-48223, CVE-2026-34950.
func TestPublicKeysAreNotSecrets(t *testing.T) {
	v := verifier(t, nil)
	m := material()
	for alg, public := range map[token.Alg]any{token.RS256: &m.rsa.PublicKey, token.ES256: &m.ec.PublicKey, token.EdDSA: m.ed.Public()} {
		der := errors.Must(x509.MarshalPKIXPublicKey(public))
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := map[string][]byte{
			"DER": der, "PEM": text, "PEM without the last line break": text[:len(text)-1], "PEM after a space": append([]byte(" "), text...),
			"PEM after a line break": append([]byte("\n"), text...), "PEM with CRLF": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
			"JWK": []byte(jwkOf(t, alg).json()), "JWK set": []byte(object{"keys": []any{jwkOf(t, alg)}}.json()), "kid": []byte(alg), "empty": {},
		}
		if k, ok := public.(*rsa.PublicKey); ok {
			secrets["modulus"] = k.N.Bytes()
			secrets["PKCS #1"] = x509.MarshalPKCS1PublicKey(k)
		}
		for name, secret := range secrets {
			t.Run("TJ2 "+string(alg)+" "+name, func(t *testing.T) {
				for _, claimed := range []string{"HS256", "HS384", "HS512"} {
					_, err := v.Verify(t.Context(), mac(goodHeader().with(object{"alg": claimed, "kid": string(alg)}).json(), goodClaims().json(), secret))
					require.ErrorIs(t, err, auth.ErrInvalid)
				}
			})
		}
	}
}

func TestKeyWithoutAlgHasTheConfiguredOne_TJ3(t *testing.T) {
	for name, signed := range map[string]string{
		"HS256 with an empty secret": mac(goodHeader().with(object{"alg": "HS256", "kid": "RS256"}).json(), goodClaims().json(), nil),
		"PS256":                      signAs(token.PS256, goodHeader().with(object{"alg": "PS256", "kid": "RS256"}).json(), goodClaims().json()),
		"RS512":                      signAs(token.RS512, goodHeader().with(object{"alg": "RS512", "kid": "RS256"}).json(), goodClaims().json()),
	} {
		t.Run("TJ3 "+name, func(t *testing.T) {
			s := newRemoteService(t, newPublisher(t, says(200, object{"keys": []any{jwkOf(t, token.RS256).with(object{"alg": nil})}}.json())))
			require.Equal(t, 401, s.send(t.Context(), signed).StatusCode)
			require.Equal(t, 200, s.ask(token.RS256).StatusCode, "the one configured alg")
		})
	}
}

func TestKeysInTheHeaderAreIgnored_TJ6(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	asked := 0
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(evil.Close)
	h := guarded(t, verifier(t, nil), nothing)
	own := object{"kty": "OKP", "crv": "Ed25519", "x": b64(string(private.Public().(ed25519.PublicKey))), "kid": "evil"}
	for name, extra := range map[string]object{
		"jwk": {"jwk": own}, "jwk under its own kid": {"jwk": own, "kid": "evil"}, "jku": {"jku": evil.URL}, "x5u": {"x5u": evil.URL}, "x5c": {"x5c": []string{"MIIB"}}, "kid is a URL": {"kid": evil.URL},
		"kid is a path": {"kid": "../../dev/null"},
	} {
		t.Run("TJ6 "+name, func(t *testing.T) {
			input := b64(goodHeader().with(extra).json()) + "." + b64(goodClaims().json())
			status, code := send(t, h, "/", input+"."+b64(string(ed25519.Sign(private, []byte(input)))))
			require.Equal(t, 401, status)
			require.Equal(t, "auth_invalid", code)
		})
	}
	require.Zero(t, asked)
}

// A flood of long tokens costs their length at most once, and no memory that
// grows with it (CVE-2025-30204, CVE-2025-27144).
func TestLongTokensAreRefusedWithoutAllocation_TJ17(t *testing.T) {
	v := verifier(t, nil)
	for name, unit := range map[string]string{"dots": ".", "letters": "A", "spaces": " ", "open brackets": "W1"} {
		t.Run("TJ17 "+name, func(t *testing.T) {
			short, long := strings.Repeat(unit, 4<<10), strings.Repeat(unit, 1<<20)
			base := testing.AllocsPerRun(20, func() { _, _ = v.Verify(t.Context(), short) })
			require.LessOrEqual(t, testing.AllocsPerRun(20, func() { _, _ = v.Verify(t.Context(), long) }), base)
		})
	}
	t.Run("TJ17 a header that is all brackets", func(t *testing.T) {
		for _, open := range []string{"[", `{"a":`, `["x",`} {
			text := b64(`{"a":`+strings.Repeat(open, 5000/len(open))) + ".e30.AAAA"
			require.LessOrEqual(t, testing.AllocsPerRun(20, func() { _, _ = v.Verify(t.Context(), text) }), 40.0)
		}
	})
}

// OWASP CheatSheetSeries #2235: another spelling of a revoked token.
func TestOtherSpellingsOfARevokedTokenAreRefused_TJ18(t *testing.T) {
	revoked := errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))
	h := guarded(t, verifier(t, func(o *token.VerifierOptions) { o.Revocations = revoked }), nothing)
	text := signAs(token.ES256, goodHeader().with(object{"alg": "ES256", "kid": "ES256"}).json(), goodClaims().json())
	status, _ := send(t, h, "/", text)
	require.Equal(t, 200, status)
	require.NoError(t, revoked.RevokeToken(t.Context(), "t1", time.Now().Add(time.Hour)))

	status, code := send(t, h, "/", text[:len(text)-1]+next(text[len(text)-1]))
	require.Equal(t, 401, status)
	require.Equal(t, "auth_invalid", code, "TJ18: bits beyond the last byte")

	input, last := text[:strings.LastIndexByte(text, '.')], text[strings.LastIndexByte(text, '.')+1:]
	signature := unb64(t, last)
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(signature[32:]))
	s.FillBytes(signature[32:])
	flipped := input + "." + b64(string(signature))
	require.NotEqual(t, text, flipped)
	require.NoError(t, token.VerifySignature(key(token.ES256, token.Schedule{}), flipped), "it is genuine")
	status, code = send(t, h, "/", flipped)
	require.Equal(t, 401, status)
	require.Equal(t, "auth_revoked", code, "TJ18: n-s")
}

// A forged token is invalid, whatever times it has, so that no client learns that
// it was genuine.
func TestForgedExpiredTokenIsInvalid_TJ19(t *testing.T) {
	h := guarded(t, verifier(t, nil), nothing)
	old := goodClaims().with(object{"iat": noon.Add(-time.Hour).Unix(), "exp": noon.Add(-time.Minute).Unix()}).json()
	genuine := sign(goodHeader().json(), old)
	_, code := send(t, h, "/", genuine)
	require.Equal(t, "auth_expired", code)
	status, code := send(t, h, "/", genuine[:len(genuine)-86]+b64(strings.Repeat("x", 64)))
	require.Equal(t, 401, status)
	require.Equal(t, "auth_invalid", code)
}

// RFC 8725, section 3.8.
func TestKeysStayWithTheirIssuer_TJ20(t *testing.T) {
	const other = "https://other.example"
	theirKey := errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	theirs := errors.Must(token.NewKeys(errors.Must(token.NewKey("EdDSA", token.ES256, theirKey))))
	a := verifier(t, nil)
	b := verifier(t, func(o *token.VerifierOptions) { o.Keys, o.Issuer = theirs, other })
	both, err := token.ByIssuer(a, b)
	require.NoError(t, err)
	require.Equal(t, "Bearer", both.Challenge())
	h := guarded(t, both, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := auth.From(r.Context())
		w.Header().Set("X-Issuer", p.Issuer())
	}))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: theirs, Issuer: other, Audience: []string{audience}}))
	token.SetClock(clock, issuer)
	fromB, _, err := issuer.Issue(t.Context(), token.Grant{Subject: "ada"})
	require.NoError(t, err)
	for _, row := range []struct {
		name, text string
		status     int
	}{
		{name: "TJ20 A's key and kid, B's iss", text: sign(goodHeader().json(), goodClaims().with(object{"iss": other}).json()), status: 401},
		{name: "TJ20 an iss of nobody", text: sign(goodHeader().json(), goodClaims().with(object{"iss": "https://evil.example"}).json()), status: 401},
		{name: "TJ20 no iss", text: sign(goodHeader().json(), goodClaims().with(object{"iss": nil}).json()), status: 401},
		{name: "TJ20 iss is a list", text: sign(goodHeader().json(), goodClaims().with(object{"iss": []string{issuerName}}).json()), status: 401},
		{name: "TJ20 iss twice", text: sign(goodHeader().json(), strings.Replace(goodClaims().json(), `{`, `{"iss":"`+other+`",`, 1)), status: 401},
		{name: "TJ20 iss with a slash", text: sign(goodHeader().json(), goodClaims().with(object{"iss": issuerName + "/"}).json()), status: 401},
		{name: "TJ20 no JSON", text: sign(goodHeader().json(), "x"), status: 401},
		{name: "TJ20 no base64url", text: "a.b.c", status: 401},
		{name: "TJ20 too long", text: strings.Repeat("A", 9<<10), status: 401},
		{name: "TJ20 genuine, A", text: sign(goodHeader().json(), goodClaims().json()), status: 200},
		{name: "TJ20 genuine, B", text: fromB, status: 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // the second one meets the caches
				status, _ := send(t, h, "/", row.text)
				require.Equal(t, row.status, status)
			}
		})
	}
	r := httptest.NewRequest("GET", "/", nil)
	p, err := both.Authenticate(r)
	require.NoError(t, err)
	require.Nil(t, p, "no token is not ours")
	_, err = token.ByIssuer(a, nil, b, a, new(token.Verifier))
	require.EqualError(t, err, "token: verifiers[1]: is nil or zero; did you drop the constructor's error?\ntoken: verifiers[3]: \""+issuerName+"\" has a verifier already\n"+
		"token: verifiers[4]: is nil or zero; did you drop the constructor's error?")
	_, err = token.ByIssuer()
	require.EqualError(t, err, "token: verifiers: must not be empty; did you mean NewVerifier?")
}

// RFC 7518, section 3.2.
func TestSecretsAreAtLeastAsLongAsTheHash_TJ22(t *testing.T) {
	secret := material().secret
	for alg, size := range map[token.Alg]int{token.HS256: 32, token.HS384: 48, token.HS512: 64} {
		_, err := token.NewSecret("k", alg, secret[:size-1])
		require.ErrorContains(t, err, string(alg)+" needs a secret of at least "+strconv.Itoa(size)+" bytes")
		_, err = token.NewSecret("k", alg, secret[:size])
		require.NoError(t, err)
	}
}

func TestZeroValuesAcceptNothing_TJ24(t *testing.T) {
	good := sign(goodHeader().json(), goodClaims().json())
	for name, source := range map[string]token.KeySource{"nil": nil, "nil Keys": (*token.Keys)(nil), "zero Keys": new(token.Keys), "nil Remote": (*token.Remote)(nil), "zero Remote": new(token.Remote)} {
		t.Run("TJ24 "+name, func(t *testing.T) {
			_, err := token.NewVerifier(token.VerifierOptions{Keys: source, Issuer: issuerName, Audience: []string{audience}})
			require.EqualError(t, err, "token: Keys: must not be nil or zero; did you mean NewKeys or NewRemote?")
		})
	}
	t.Run("TJ24 verifier zero", func(t *testing.T) {
		status, code := send(t, guarded(t, new(token.Verifier), nothing), "/", good)
		require.Equal(t, 503, status)
		require.Equal(t, "auth_unavailable", code)
	})
	t.Run("TJ24 verifier nil", func(t *testing.T) { // auth.New refuses it
		_, err := (*token.Verifier)(nil).Verify(t.Context(), good)
		require.ErrorIs(t, err, auth.ErrUnavailable)
	})
	t.Run("TJ24 what else is zero", func(t *testing.T) {
		require.ErrorIs(t, new(token.Remote).Ready(t.Context()), auth.ErrUnavailable)
		require.ErrorIs(t, new(token.Remote).Run(t.Context()), auth.ErrUnavailable)
		_, err := token.NewIssuer(token.IssuerOptions{Keys: new(token.Keys), Issuer: issuerName, Audience: []string{audience}})
		require.EqualError(t, err, "token: Keys: must not be nil or zero; did you mean NewKeys?")
		w := httptest.NewRecorder()
		new(token.Keys).JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.Equal(t, 503, w.Code)
	})
}

// The responses of a login and a refresh are not cached (RFC 6749, section 5.1).
func TestTokensAreNotCached_AZ8(t *testing.T) {
	i := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}))
	sessions := errors.Must(session.New(session.Options{
		Issue: i.ForSession, Account: func(_ context.Context, s session.Session) (session.Session, error) { return s, nil },
		Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{})),
	}))
	mux := http.NewServeMux()
	mux.Handle("POST /login", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		tokens, err := sessions.Login(w, r, session.Session{Subject: "ada"})
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(tokens)
	}))
	mux.Handle("/refresh", sessions.Refresh())
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Jar = errors.Must(cookiejar.New(nil))
	for _, path := range []string{"/login", "/refresh"} {
		t.Run("AZ8 "+path, func(t *testing.T) {
			res, err := client.Post(srv.URL+path, "", nil)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			var answer map[string]any
			require.NoError(t, json.Unmarshal(body, &answer))
			v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}))
			status, _ := send(t, guarded(t, v, nothing), "/", fmt.Sprint(answer["access_token"]))
			require.Equal(t, 200, status)
		})
	}
}
