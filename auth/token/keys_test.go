package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

// brokenModulus is a product of powers of 65537 modulo the small primes, as
// the generator of CVE-2017-15361 makes them.
func brokenModulus() *big.Int {
	primorial := big.NewInt(1)
	for _, p := range []int64{2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167} {
		primorial.Mul(primorial, big.NewInt(p))
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(12345), primorial)
	n.Add(n, new(big.Int).Mul(primorial, new(big.Int).Lsh(big.NewInt(1), 2048)))
	if n.Bit(0) == 0 {
		n.Add(n, primorial)
	}
	return n
}

func TestWeakKeysAreRefused(t *testing.T) {
	m := material()
	small := errors.Must(rsa.GenerateKey(rand.Reader, 1024))
	p384 := errors.Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	n := m.rsa.N
	for _, row := range []struct {
		name string
		alg  token.Alg
		key  crypto.PublicKey
		want string
	}{
		{name: "TJ1 none", alg: "none", key: m.ed.Public(), want: `alg "none" is unknown`},
		{name: "TJ22 RSA 1024", alg: token.RS256, key: &small.PublicKey, want: "is an RSA key below 2048 bits (RFC 7518, section 3.3)"},
		{
			name: "TJ22 RSA 16384",
			alg:  token.RS256,
			key:  &rsa.PublicKey{N: new(big.Int).Lsh(n, 14336), E: 65537},
			want: "is an RSA key above 8192 bits, which costs too much to verify",
		},
		{name: "TJ22 RSA exponent 1", alg: token.PS256, key: &rsa.PublicKey{N: n, E: 1}, want: "has an RSA exponent below 65537, or an even one"},
		{name: "TJ22 RSA exponent 3", alg: token.PS256, key: &rsa.PublicKey{N: n, E: 3}, want: "has an RSA exponent below 65537, or an even one"},
		{name: "TJ22 RSA even modulus", alg: token.RS256, key: &rsa.PublicKey{N: new(big.Int).Lsh(n, 1), E: 65537}, want: "has a broken RSA modulus (CVE-2017-15361)"},
		{name: "TJ22 RSA of a broken generator", alg: token.RS256, key: &rsa.PublicKey{N: brokenModulus(), E: 65537}, want: "has a broken RSA modulus (CVE-2017-15361)"},
		{
			name: "FT2 RSA exponent of 33 bits",
			alg:  token.RS256,
			key:  &rsa.PublicKey{N: n, E: 1<<32 + 1},
			want: "has an RSA exponent of more than 31 bits, which crypto/rsa never verifies with",
		},
		{name: "FT2 RSA modulus that is negative", alg: token.RS256, key: &rsa.PublicKey{N: new(big.Int).Neg(n), E: 65537}, want: "has a negative RSA modulus"},
		{
			name: "FT2 RSA modulus that is a Mersenne prime",
			alg:  token.RS256,
			key:  &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 2203), big.NewInt(1)), E: 65537},
			want: "has an RSA modulus that is prime: any client can sign for it",
		},
		{
			name: "FT2 RSA modulus with a factor of 997",
			alg:  token.PS512,
			key:  &rsa.PublicKey{N: new(big.Int).Mul(n, big.NewInt(997)), E: 65537},
			want: "has an RSA modulus with a factor below 1000: any client can sign for it",
		},
		{name: "RSA without a modulus", alg: token.RS256, key: &rsa.PublicKey{}, want: "a *rsa.PublicKey does not fit RS256"},
		{name: "TJ4 P-384 for ES256", alg: token.ES256, key: &p384.PublicKey, want: "a *ecdsa.PublicKey does not fit ES256"},
		{name: "TJ4 P-256 for ES384", alg: token.ES384, key: &m.ec.PublicKey, want: "a *ecdsa.PublicKey does not fit ES384"},
		{name: "TJ4 P-384 for ES512", alg: token.ES512, key: &p384.PublicKey, want: "a *ecdsa.PublicKey does not fit ES512"},
		{name: "a key without a point", alg: token.ES256, key: &ecdsa.PublicKey{Curve: elliptic.P256()}, want: "the point is not on the curve"},
		{name: "TJ4 RSA for EdDSA", alg: token.EdDSA, key: &m.rsa.PublicKey, want: "a *rsa.PublicKey does not fit EdDSA"},
		{name: "Ed25519 cut short", alg: token.EdDSA, key: ed25519.PublicKey{1}, want: "a ed25519.PublicKey does not fit EdDSA"},
		{name: "TJ2 a public key for HS256", alg: token.HS256, key: &m.rsa.PublicKey, want: "has no public key; did you mean NewSecret?"},
		{name: "TJ24 nil", alg: token.EdDSA, want: "a <nil> does not fit EdDSA"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := token.NewPublicKey("k", row.alg, row.key)
			require.ErrorContains(t, err, row.want)
		})
	}
	for name, secret := range map[string][]byte{
		"TJ22 31 bytes":        bytes.Clone(m.secret[:31]),
		"TJ22 a word, doubled": []byte(strings.Repeat("secret", 10)),
		"TJ22 a sentence":      []byte("this is my very secret signing key!!"),
		"TJ22 one byte":        make([]byte, 64),
		"TJ22 PEM":             []byte("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n"),
		"TJ22 PEM, indented":   []byte("\n -----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.NewSecret("k", token.HS256, secret)
			require.Error(t, err)
		})
	}
	_, err := token.NewSecret("k", token.RS256, m.secret)
	require.ErrorContains(t, err, "did you mean NewKey, or HS256?")
	_, err = token.NewKey("k", token.EdDSA, nil)
	require.EqualError(t, err, "token: key: must not be nil")
	_, err = token.NewSecret("a b", token.HS256, m.secret)
	require.EqualError(t, err, `token: kid "a b": must have 1 to 128 visible ASCII characters`)
	_, err = token.NewSecret("k", token.HS256, []byte(base64.StdEncoding.EncodeToString(m.secret)))
	require.NoError(t, err)
}

func TestSchedulesAreChecked(t *testing.T) {
	for name, row := range map[string]struct {
		s    token.Schedule
		want string
	}{
		"signs too early":       {s: token.Schedule{Publish: noon, Sign: noon.Add(9 * time.Minute)}, want: "Sign is less than 10 minutes after Publish, so verifiers may not know the key"},
		"retired before":        {s: token.Schedule{Sign: noon, Retire: noon.Add(-1)}, want: "Retire is before Sign or Publish"},
		"removed while signing": {s: token.Schedule{Remove: noon}, want: "Remove without Retire would end tokens that were just signed"},
		"removed before":        {s: token.Schedule{Retire: noon, Remove: noon.Add(-1)}, want: "Remove is before Retire"},
	} {
		t.Run(name, func(t *testing.T) {
			key := errors.Must(token.GenerateKey())
			k, err := key.On(row.s)
			require.EqualError(t, err, "token: key \""+key.ID()+"\": Schedule: "+row.want)
			require.Empty(t, k)
		})
	}
}

// A schedule is set on a copy, and replaces the one before it.
func TestOnSetsTheScheduleOfACopy(t *testing.T) {
	key := errors.Must(token.GenerateKey())
	accepted := func(k token.Key) int {
		w := httptest.NewRecorder()
		errors.Must(token.NewKeys(k)).JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return strings.Count(w.Body.String(), `"kid"`)
	}
	later := errors.Must(key.On(token.Schedule{Publish: time.Now().Add(time.Hour)}))
	require.Equal(t, 0, accepted(later), "a key must not be published before its time")
	require.Equal(t, 1, accepted(key), "On must not change its receiver")
	require.Equal(t, 1, accepted(errors.Must(later.On(token.Schedule{}))), "a schedule must replace the one before")
}

// A zero Key comes from a constructor whose error was dropped.
func TestOnRefusesAZeroKey(t *testing.T) {
	k, err := token.Key{}.On(token.Schedule{})
	require.EqualError(t, err, "token: key: is a zero Key; did you drop the constructor's error?")
	require.Empty(t, k)
}

func TestNewKeysRefuses(t *testing.T) {
	_, err := token.NewKeys()
	require.EqualError(t, err, "token: keys: must not be empty; did you mean GenerateKey?")
	one := errors.Must(token.GenerateKey())
	_, err = token.NewKeys(one, token.Key{}, one)
	require.EqualError(t, err, "token: keys[1]: is a zero Key; did you drop the constructor's error?\ntoken: keys[2] \""+one.ID()+"\": has the kid of another key")
}

func TestKeysDoNotPrintSecrets(t *testing.T) {
	k := errors.Must(token.NewSecret("k1", token.HS256, material().secret))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", k)
	require.Equal(t, "k1 HS256 k1 HS256 k1 HS256", fmt.Sprintf("%v %+v %#v", k, k, k))
	require.Contains(t, log.String(), `key="k1 HS256"`)
}

// The change-over of two replicas whose clocks differ by 20 s.
func TestKeyIsPublishedBeforeItSigns_TK9(t *testing.T) {
	old := errors.Must(errors.Must(token.GenerateKey()).On(token.Schedule{Retire: noon.Add(time.Hour), Remove: noon.Add(2 * time.Hour)}))
	young := errors.Must(errors.Must(token.GenerateKey()).On(token.Schedule{Publish: noon.Add(40 * time.Minute), Sign: noon.Add(50 * time.Minute)}))
	fast, slow := errors.Must(token.NewKeys(old, young)), errors.Must(token.NewKeys(young, old))
	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: fast, Issuer: issuerName, Audience: []string{audience}}))
	v := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: slow, Issuer: issuerName, Audience: []string{audience}}))
	for minute := range 150 {
		now := noon.Add(time.Duration(minute) * time.Minute)
		token.SetClock(func() time.Time { return now.Add(20 * time.Second) }, issuer)
		token.SetClock(func() time.Time { return now }, v, slow)
		text, _, err := issuer.Issue(t.Context(), token.Grant{Subject: "ada"})
		require.NoError(t, err)
		_, err = v.Verify(t.Context(), text)
		require.NoError(t, err, "minute %d", minute)

		kid := young.ID()
		if minute < 50 {
			kid = old.ID()
		}
		require.Contains(t, header(t, text), kid, "minute %d", minute)
		published := jwks(t, slow).Body.String()
		require.Equal(t, minute < 120, strings.Contains(published, old.ID()), "minute %d", minute)
		require.Equal(t, minute >= 40, strings.Contains(published, young.ID()), "minute %d", minute)
	}
}

func header(t *testing.T, text string) string {
	first, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	require.NoError(t, err)
	return string(raw)
}

func TestReplaceEndsAKeyAtOnce(t *testing.T) {
	k := keys(t)
	v := verifier(t, func(o *token.VerifierOptions) { o.Keys = k })
	text := sign(goodHeader().json(), goodClaims().json())
	_, err := v.Verify(t.Context(), text)
	require.NoError(t, err)
	require.Error(t, k.Replace(), "and an error changes nothing")
	_, err = v.Verify(t.Context(), text)
	require.NoError(t, err)
	require.NoError(t, k.Replace(errors.Must(token.GenerateKey())))
	_, err = v.Verify(t.Context(), text)
	require.ErrorIs(t, err, auth.ErrInvalid)
}

func jwks(t *testing.T, k *token.Keys) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	k.JWKS().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	require.Equal(t, 200, w.Code)
	return w
}

// RFC 7517. Private members never appear, nor do secrets.
func TestJWKSHasNoPrivateKey_TK10(t *testing.T) {
	k := keys(t)
	srv := httptest.NewServer(k.JWKS())
	t.Cleanup(srv.Close)
	res, err := http.Get(srv.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "application/jwk-set+json", res.Header.Get("Content-Type"))
	require.Equal(t, "public, max-age=300", res.Header.Get("Cache-Control"))
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	require.NoError(t, json.Unmarshal(body, &set))
	members := map[string]string{"EC": "alg crv kid kty use x y", "RSA": "alg e kid kty n use", "OKP": "alg crv kid kty use x"}
	require.Len(t, set.Keys, len(algorithms)-3, "no secrets")
	for _, key := range set.Keys {
		require.Equal(t, members[key["kty"]], strings.Join(slices.Sorted(maps.Keys(key)), " "))
		require.Equal(t, "sig", key["use"])
		require.Equal(t, key["kid"], key["alg"])
	}
	m := material()
	for name, private := range map[string][]byte{
		"RSA d": m.rsa.D.Bytes(), "RSA p": m.rsa.Primes[0].Bytes(), "RSA q": m.rsa.Primes[1].Bytes(), "Ed25519 seed": m.ed.Seed(), "secret": m.secret,
		"EC d": errors.Must(m.ec.Bytes()), "P-384 d": errors.Must(m.ec384.Bytes()), "P-521 d": errors.Must(m.ec521.Bytes()),
	} {
		require.NotContains(t, string(body), b64(string(private)), name)
	}

	tag := res.Header.Get("Etag")
	for sent, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200, strings.Trim(tag, `"`): 200} {
		again, err := http.NewRequest("GET", srv.URL, nil)
		require.NoError(t, err)
		again.Header.Set("If-None-Match", sent)
		res, err = http.DefaultClient.Do(again)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.StatusCode, "If-None-Match: %s", sent)
		require.Equal(t, tag, res.Header.Get("Etag"))
	}

	w := httptest.NewRecorder()
	k.JWKS().ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, 405, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}
