package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

const (
	issuerName = "https://api.example.com"
	audience   = "api"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// material has a private key for each algorithm.
var material = sync.OnceValue(func() (m struct {
	rsa              *rsa.PrivateKey
	ec, ec384, ec521 *ecdsa.PrivateKey
	ed               ed25519.PrivateKey
	secret           []byte
}) {
	m.rsa = errors.Must(rsa.GenerateKey(rand.Reader, 2048))
	m.ec = errors.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	m.ec384 = errors.Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	m.ec521 = errors.Must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, m.ed, _ = ed25519.GenerateKey(rand.Reader)
	m.secret = make([]byte, 64)
	_, _ = rand.Read(m.secret)
	return m
})

var algorithms = []token.Alg{
	token.EdDSA, token.ES256, token.ES384, token.ES512, token.RS256, token.RS384, token.RS512,
	token.PS256, token.PS384, token.PS512, token.HS256, token.HS384, token.HS512,
}

// signer returns the private key of an algorithm, or nil for a secret.
func signer(alg token.Alg) crypto.Signer {
	m := material()
	switch alg {
	case token.EdDSA:
		return m.ed
	case token.ES256:
		return m.ec
	case token.ES384:
		return m.ec384
	case token.ES512:
		return m.ec521
	case token.HS256, token.HS384, token.HS512:
		return nil
	}
	return m.rsa
}

// key returns the key of an algorithm, named after it.
func key(alg token.Alg, s token.Schedule) token.Key {
	return errors.Must(unscheduled()[alg].On(s))
}

// unscheduled returns a key for each algorithm. They are created once, because NewKey
// checks the primes of an RSA key for 20 ms.
var unscheduled = sync.OnceValue(func() map[token.Alg]token.Key {
	all := make(map[token.Alg]token.Key)
	for _, alg := range algorithms {
		if private := signer(alg); private != nil {
			all[alg] = errors.Must(token.NewKey(string(alg), alg, private))
			continue
		}
		all[alg] = errors.Must(token.NewSecret(string(alg), alg, material().secret))
	}
	return all
})

// keys has a key for each algorithm, named after it. EdDSA signs.
func keys(t testing.TB) *token.Keys {
	t.Helper()
	var all []token.Key
	for _, alg := range append(algorithms[1:], token.EdDSA) {
		all = append(all, key(alg, token.Schedule{}))
	}
	k, err := token.NewKeys(all...)
	require.NoError(t, err)
	return k
}

func verifier(t testing.TB, change func(*token.VerifierOptions)) *token.Verifier {
	t.Helper()
	o := token.VerifierOptions{Keys: keys(t), Issuer: issuerName, Audience: []string{audience}}
	if change != nil {
		change(&o)
	}
	v, err := token.NewVerifier(o)
	require.NoError(t, err)
	token.SetClock(clock, v)
	return v
}

// object is a JSON object whose members a test changes; a string value that
// starts with "raw:" is JSON as it is.
type object map[string]any

func (o object) with(changes object) object {
	o = maps.Clone(o)
	for name, value := range changes {
		o[name] = value
		if value == nil {
			delete(o, name)
		}
	}
	return o
}

func (o object) json() string { return string(errors.Must(json.Marshal(o))) }

func goodHeader() object { return object{"alg": "EdDSA", "kid": "EdDSA", "typ": "at+jwt"} }

func goodClaims() object {
	return object{"iss": issuerName, "sub": "ada", "aud": audience, "iat": noon.Unix(), "exp": noon.Add(5 * time.Minute).Unix(), "jti": "t1"}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign makes a token of any header and payload with the Ed25519 key.
func sign(header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(string(ed25519.Sign(material().ed, []byte(input))))
}

// signAs makes a token of any header and payload with the key of an algorithm.
func signAs(alg token.Alg, header, payload string) string {
	input := b64(header) + "." + b64(payload)
	var private any = material().secret
	if s := signer(alg); s != nil {
		private = s
	}
	return input + "." + b64(string(errors.Must(jwt.GetSigningMethod(string(alg)).Sign(input, private))))
}

func mac(header, payload string, secret []byte) string {
	input := b64(header) + "." + b64(payload)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + b64(string(h.Sum(nil)))
}

// RFC 7515, RFC 7519, RFC 8725.
func TestMalformedTokensAreRefused(t *testing.T) {
	v := verifier(t, nil)
	good := sign(goodHeader().json(), goodClaims().json())
	parts := strings.Split(good, ".")
	for name, bad := range map[string]string{
		"TJ16 empty":                   "",
		"TJ16 two parts":               parts[0] + "." + parts[1],
		"TJ16 four parts":              good + ".x",
		"TJ16 five parts, encrypted":   "a.b.c.d.e",
		"TJ1 no signature":             parts[0] + "." + parts[1] + ".",
		"TJ16 no header":               "." + parts[1] + "." + parts[2],
		"TJ16 JSON serialization":      `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"TJ16 space before":            " " + good,
		"TJ16 space after":             good + " ",
		"TJ16 padding":                 good + "==",
		"TJ16 line break":              parts[0] + ".\r\n" + parts[1] + "." + parts[2],
		"TJ16 standard alphabet":       parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "/",
		"TJ16 bits beyond the byte":    good[:len(good)-1] + next(good[len(good)-1]),
		"TJ2 another signature":        parts[0] + "." + parts[1] + "." + b64(strings.Repeat("x", 64)),
		"TJ2 another payload":          parts[0] + "." + b64(goodClaims().with(object{"sub": "root"}).json()) + "." + parts[2],
		"TJ17 1 MiB of dots":           strings.Repeat(".", 1<<20),
		"TJ17 1 MiB of A":              strings.Repeat("A", 1<<20),
		"TJ17 9 KiB, genuine":          sign(goodHeader().json(), goodClaims().with(object{"x": strings.Repeat("x", 9<<10)}).json()),
		"TJ15 header null":             sign("null", goodClaims().json()),
		"TJ15 header with trailing":    sign(goodHeader().json()+"{}", goodClaims().json()),
		"TJ15 header UTF-16":           sign("\xff\xfe{\x00}\x00", goodClaims().json()),
		"TJ15 payload null":            sign(goodHeader().json(), "null"),
		"TJ15 payload array":           sign(goodHeader().json(), "[]"),
		"TJ15 payload string":          sign(goodHeader().json(), `"x"`),
		"TJ15 payload trailing":        sign(goodHeader().json(), goodClaims().json()+"x"),
		"TJ15 payload BOM":             sign(goodHeader().json(), "\xef\xbb\xbf"+goodClaims().json()),
		"TJ15 payload invalid UTF-8":   sign(goodHeader().json(), strings.Replace(goodClaims().json(), "ada", "ad\xff", 1)),
		"TJ15 payload lone surrogate":  sign(goodHeader().json(), strings.Replace(goodClaims().json(), "ada", `\ud800`, 1)),
		"TJ15 payload 5000 deep":       sign(goodHeader().json(), `{"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500)+`,"sub":1}`),
		"TJ15 header 5000 deep":        sign(`{"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500)+`,"alg":"EdDSA"}`, goodClaims().json()),
		"TJ15 payload with 65 members": sign(goodHeader().json(), many(65)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), bad)
			require.ErrorIs(t, err, auth.ErrInvalid)
		})
	}
	p, err := v.Verify(t.Context(), good)
	require.NoError(t, err)
	require.Equal(t, "ada", p.Subject())
}

// next returns the letter whose bits differ in the last one only.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}

func many(n int) string {
	claims := goodClaims()
	for i := range n - len(claims) {
		claims[fmt.Sprint("x", i)] = i
	}
	return claims.json()
}

func TestHeadersAreChecked(t *testing.T) {
	v := verifier(t, nil)
	m := material()
	claims := goodClaims().json()
	hs := goodHeader().with(object{"alg": "HS256"})
	for name, bad := range map[string]string{
		"TJ1 none":                        b64(goodHeader().with(object{"alg": "none"}).json()) + "." + b64(claims) + ".",
		"TJ1 None with a signature":       sign(goodHeader().with(object{"alg": "None"}).json(), claims),
		"TJ1 nOnE":                        sign(goodHeader().with(object{"alg": "nOnE"}).json(), claims),
		"TJ1 no alg":                      sign(goodHeader().with(object{"alg": nil}).json(), claims),
		"TJ1 alg is a number":             sign(goodHeader().with(object{"alg": 1}).json(), claims),
		"TJ1 eddsa":                       sign(goodHeader().with(object{"alg": "eddsa"}).json(), claims),
		"TJ3 an empty secret":             mac(hs.with(object{"kid": "RS256"}).json(), claims, nil),
		"TJ2 Ed25519 key as a secret":     mac(hs.json(), claims, m.ed.Public().(ed25519.PublicKey)),
		"TJ4 RS256 with the PS256 key":    signRSA(goodHeader().with(object{"alg": "RS256", "kid": "PS256"}).json(), claims, crypto.SHA256),
		"TJ5 PS256 with a salt of 20":     signRSA(goodHeader().with(object{"alg": "PS256", "kid": "PS256"}).json(), claims, &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}),
		"TJ5 PS256 with the longest salt": signRSA(goodHeader().with(object{"alg": "PS256", "kid": "PS256"}).json(), claims, &rsa.PSSOptions{SaltLength: 222, Hash: crypto.SHA256}),
		"TJ1 no kid":                      sign(goodHeader().with(object{"kid": nil}).json(), claims),
		"TJ1 an unknown kid":              sign(goodHeader().with(object{"kid": "x"}).json(), claims),
		"TJ4 kid of another key":          sign(goodHeader().with(object{"kid": "ES256"}).json(), claims),
		"TJ7 crit":                        sign(goodHeader().with(object{"crit": []string{"x"}}).json(), claims),
		"TJ7 crit, empty":                 sign(goodHeader().with(object{"crit": []string{}}).json(), claims),
		"TJ7 crit of alg":                 sign(goodHeader().with(object{"crit": []string{"alg"}}).json(), claims),
		"TJ7 crit twice":                  sign(`{"alg":"EdDSA","kid":"EdDSA","typ":"at+jwt","crit":["exp"],"crit":["exp"]}`, claims),
		"TJ7 b64 with crit":               sign(goodHeader().with(object{"b64": false, "crit": []string{"b64"}}).json(), claims),
		"TJ7 crit, a string":              sign(goodHeader().with(object{"crit": "x"}).json(), claims),
		"TJ7 b64 without crit":            sign(goodHeader().with(object{"b64": false}).json(), claims),
		"TJ7 zip":                         sign(goodHeader().with(object{"zip": "DEF"}).json(), claims),
		"TJ8 no typ":                      sign(goodHeader().with(object{"typ": nil}).json(), claims),
		"TJ8 typ JWT":                     sign(goodHeader().with(object{"typ": "JWT"}).json(), claims),
		"TJ8 typ logout+jwt":              sign(goodHeader().with(object{"typ": "logout+jwt"}).json(), claims),
		"TJ8 typ dpop+jwt":                sign(goodHeader().with(object{"typ": "dpop+jwt"}).json(), claims),
		"TJ9 alg twice":                   sign(`{"alg":"none","alg":"EdDSA","kid":"EdDSA","typ":"at+jwt"}`, claims),
		"TJ9 ALG beside alg":              sign(`{"ALG":"none","alg":"EdDSA","kid":"EdDSA","typ":"at+jwt"}`, claims),
		"TJ9 alg twice, once as escapes":  sign(`{"alg":"EdDSA","\u0061lg":"EdDSA","kid":"EdDSA","typ":"at+jwt"}`, claims),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), bad)
			require.ErrorIs(t, err, auth.ErrInvalid)
		})
	}
	for name, good := range map[string]string{
		"TJ8 at+JWT":             sign(goodHeader().with(object{"typ": "at+JWT"}).json(), claims),
		"TJ8 application/at+jwt": sign(goodHeader().with(object{"typ": "application/at+jwt"}).json(), claims),
		"TJ6 jwk and jku of somebody are not looked at": sign(goodHeader().with(object{"jwk": object{"kty": "OKP"}, "jku": "https://evil.example/"}).json(), claims),
		"TJ5 PS256 with a salt of 32":                   signRSA(goodHeader().with(object{"alg": "PS256", "kid": "PS256"}).json(), claims, &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), good)
			require.NoError(t, err)
		})
	}
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}
