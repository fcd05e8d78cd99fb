package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/errors"
)

const seedHint = "did you mean ed25519.NewKeyFromSeed?"

// A bare seed has a public half of zeros, which is a point of order 4. Any
// client can sign tokens for it.
func TestSeedIsNoPrivateKey_FT1(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	long := append(bytes.Clone(private), 0)
	for size := range 66 {
		if size != ed25519.PrivateKeySize {
			t.Run(fmt.Sprintf("FT1 %d bytes are no private key", size), func(t *testing.T) {
				_, err := token.NewKey("k", token.EdDSA, ed25519.PrivateKey(long[:size]))
				require.ErrorContains(t, err, fmt.Sprintf(`token: key "k": an Ed25519 private key has 64 bytes, not %d; `, size)+seedHint)
			})
		}
	}
	swapped := append(bytes.Clone(private[:32]), other[32:]...)
	pointer := ed25519.PrivateKey(long[:32])
	for name, row := range map[string]struct {
		key  crypto.Signer
		want string
	}{
		"FT1 the public half of another key":        {key: ed25519.PrivateKey(swapped), want: "the public half does not belong to the seed; " + seedHint},
		"FT1 a public half of zeros":                {key: ed25519.PrivateKey(append(bytes.Clone(private[:32]), make([]byte, 32)...)), want: "the public half does not belong to the seed; " + seedHint},
		"FT1 a pointer to a seed":                   {key: &pointer, want: "an Ed25519 private key has 64 bytes, not 32; " + seedHint},
		"FT1 a nil pointer to an Ed25519 key":       {key: (*ed25519.PrivateKey)(nil), want: "token: key \"k\": must not be a nil *ed25519.PrivateKey"},
		"FT1 a nil pointer to an RSA key":           {key: (*rsa.PrivateKey)(nil), want: "token: key \"k\": must not be a nil *rsa.PrivateKey"},
		"FT1 a nil pointer to an ECDSA key":         {key: (*ecdsa.PrivateKey)(nil), want: "token: key \"k\": must not be a nil *ecdsa.PrivateKey"},
		"FT1 a signer that has a seed inside":       {key: struct{ ed25519.PrivateKey }{ed25519.PrivateKey(long[:31])}, want: "panics"},
		"FT1 a signer without a public key":         {key: signerOf{nil, private}, want: "a <nil> does not fit EdDSA"},
		"FT1 a seed of zeros":                       {key: ed25519.NewKeyFromSeed(make([]byte, 32)), want: "the seed is not random; read 32 bytes from crypto/rand"},
		"FT1 a seed of one character":               {key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte("x"), 32)), want: "the seed is not random; read 32 bytes from crypto/rand"},
		"FT1 a nil pointer to a signer in a struct": {key: struct{ *ecdsa.PrivateKey }{nil}, want: "panics"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.NewKey("k", token.EdDSA, row.key)
			require.ErrorContains(t, err, row.want)
		})
	}
	good := ed25519.PrivateKey(long[:64])
	for name, key := range map[string]crypto.Signer{"a private key": good, "a pointer to one": &good} {
		_, err := token.NewKey("k", token.EdDSA, key)
		require.NoError(t, err, name)
	}
}

// brokenSigner fails as a KMS does.
type brokenSigner struct {
	signerOf
	sign func() ([]byte, error)
}

func (b brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return b.sign() }

func TestNewKeySignsAndVerifiesOnce_FT3(t *testing.T) {
	m := material()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pair := map[token.Alg][2]crypto.Signer{token.EdDSA: {m.ed, ed}}
	for alg, curve := range map[token.Alg]elliptic.Curve{token.ES256: elliptic.P256(), token.ES384: elliptic.P384(), token.ES512: elliptic.P521()} {
		pair[alg] = [2]crypto.Signer{errors.Must(ecdsa.GenerateKey(curve, rand.Reader)), errors.Must(ecdsa.GenerateKey(curve, rand.Reader))}
	}
	foreign := errors.Must(rsa.GenerateKey(rand.Reader, 2048))
	for _, alg := range []token.Alg{token.RS256, token.RS384, token.RS512, token.PS256, token.PS384, token.PS512} {
		pair[alg] = [2]crypto.Signer{m.rsa, foreign}
	}
	for alg, keys := range pair {
		t.Run("FT3 a KMS that shows another key, "+string(alg), func(t *testing.T) {
			_, err := token.NewKey("k", alg, signerOf{keys[0].Public(), keys[1]})
			require.ErrorContains(t, err, `token: key "k": the signature does not verify with Public(); did you mean the public half of the key that signs?`)
			_, err = token.NewKey("k", alg, signerOf{keys[0].Public(), keys[0]})
			require.NoError(t, err)
		})
	}
	t.Run("FT3 an RSA private key with the modulus of another", func(t *testing.T) {
		mixed := *foreign
		mixed.PublicKey = m.rsa.PublicKey
		mixed.Precomputed = rsa.PrecomputedValues{}
		_, err := token.NewKey("k", token.RS256, &mixed)
		require.ErrorContains(t, err, `token: key "k": `)
	})
	t.Run("FT3 an ECDSA private key with the point of another", func(t *testing.T) {
		mixed := *pair[token.ES256][0].(*ecdsa.PrivateKey)
		mixed.PublicKey = pair[token.ES256][1].(*ecdsa.PrivateKey).PublicKey
		_, err := token.NewKey("k", token.ES256, &mixed)
		require.ErrorContains(t, err, `token: key "k": `)
	})
	down := errors.New("the KMS is down")
	for name, row := range map[string]struct {
		alg  token.Alg
		sign func() ([]byte, error)
		want string
	}{
		"FT3 a KMS that is down":                  {alg: token.EdDSA, sign: func() ([]byte, error) { return nil, down }, want: "sign once: the KMS is down"},
		"FT3 a KMS that panics":                   {alg: token.EdDSA, sign: func() ([]byte, error) { panic("nil map") }, want: "sign once: the signer panics: nil map"},
		"FT3 a signature of nothing":              {alg: token.EdDSA, sign: func() ([]byte, error) { return nil, nil }, want: "does not verify with Public()"},
		"FT3 an ECDSA signature that is no ASN.1": {alg: token.ES256, sign: func() ([]byte, error) { return make([]byte, 64), nil }, want: "sign once: read the signature"},
		"FT3 an ECDSA signature of a number too large": {alg: token.ES256, sign: func() ([]byte, error) {
			return slices.Concat([]byte{0x30, 0x28, 2, 35, 1}, make([]byte, 34), []byte{2, 1, 1}), nil
		}, want: "do not fit the curve"},
		"FT3 an ECDSA signature of negative numbers": {
			alg:  token.ES256,
			sign: func() ([]byte, error) { return []byte{0x30, 6, 2, 1, 0xff, 2, 1, 1}, nil },
			want: "do not fit the curve",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.NewKey("k", row.alg, brokenSigner{signerOf{pair[row.alg][0].Public(), nil}, row.sign})
			require.ErrorContains(t, err, row.want)
		})
	}
	_, err = token.NewKey("k", token.EdDSA, brokenSigner{signerOf{m.ed.Public(), nil}, func() ([]byte, error) { return nil, down }})
	require.ErrorIs(t, err, down, "a start can tell an outage from a wrong key")
}

// All problems of a key are reported at once.
func TestNewKeyReportsAllProblems_FT3(t *testing.T) {
	k, err := token.NewKey("a b", token.EdDSA, (ed25519.PrivateKey)(nil))
	require.EqualError(t, err, "token: kid \"a b\": must have 1 to 128 visible ASCII characters\n"+
		"token: key \"a b\": an Ed25519 private key has 64 bytes, not 0; "+seedHint)
	require.Empty(t, k)
}

// Thumbprint refuses the broken keys that constructors refuse.
func TestThumbprintRefusesBrokenKeys_FT1(t *testing.T) {
	for name, key := range map[string]crypto.PublicKey{
		"nil": nil, "a nil RSA key": (*rsa.PublicKey)(nil), "an RSA key without a modulus": &rsa.PublicKey{E: 65537},
		"a nil ECDSA key": (*ecdsa.PublicKey)(nil), "an ECDSA key without a point": &ecdsa.PublicKey{Curve: elliptic.P256()}, "an ECDSA key without a curve": &ecdsa.PublicKey{},
		"a short Ed25519 key": ed25519.PublicKey{1}, "a private key": material().ed,
	} {
		t.Run("FT1 "+name, func(t *testing.T) {
			_, err := token.Thumbprint(key)
			require.ErrorContains(t, err, "token: thumbprint: ")
		})
	}
}
