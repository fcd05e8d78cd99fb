package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/big"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

// A Key is key material with one name, one algorithm and one schedule. It is
// made by [GenerateKey], [NewKey], [NewPublicKey] or [NewSecret], and prints
// as its name.
type Key struct {
	kid       string
	alg       Alg
	algorithm algorithm
	schedule  Schedule
	verify    any           // what golang-jwt verifies with: a public key, or the secret
	signer    crypto.Signer // nil for public keys and secrets
}

// GenerateKey returns a new Ed25519 key whose kid is its thumbprint (RFC
// 7638). It is lost with the process, and so are the tokens that it signed.
func GenerateKey(s Schedule) (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	kid, err := Thumbprint(public)
	if err != nil {
		return Key{}, err
	}
	return NewKey(kid, EdDSA, private, s)
}

// NewKey returns a key that signs and verifies. The signer may be a private
// key of the standard library or one that a KMS holds. It refuses keys that do
// not fit the algorithm or are weak: RSA below 2048 bits or with an exponent
// below 65537, or from a generator known to be broken (CVE-2017-15361); Ed25519
// points of a small order, for which any client can sign, and encodings that are
// not canonical (RFC 8032, section 5.1.3).
func NewKey(kid string, alg Alg, key crypto.Signer, s Schedule) (Key, error) {
	if key == nil {
		return Key{}, errors.New("token: key: is nil")
	}
	k, err := NewPublicKey(kid, alg, key.Public(), s)
	k.signer = key
	return k, err
}

// NewPublicKey returns a key that only verifies. See [NewKey] for what it
// refuses.
func NewPublicKey(kid string, alg Alg, key crypto.PublicKey, s Schedule) (Key, error) {
	if alg.spec().family == secret {
		return Key{}, errors.New("token: alg " + string(alg) + ": has no public key; did you mean NewSecret?")
	}
	return newKey(kid, alg, key, s, checkPublic(alg, key))
}

// NewSecret returns a key for HS256, HS384 or HS512 that signs and verifies.
// It refuses secrets that are shorter than the hash (RFC 7518, section 3.2),
// and such as a person would type: secrets come from a generator of random
// bytes.
func NewSecret(kid string, alg Alg, key []byte, s Schedule) (Key, error) {
	if alg.spec().family != secret {
		return Key{}, errors.New("token: alg " + strconv.Quote(string(alg)) + ": has no secret; did you mean NewKey, or HS256?")
	}
	return newKey(kid, alg, bytes.Clone(key), s, checkSecret(alg, key))
}

func newKey(kid string, alg Alg, verify any, s Schedule, problem string) (Key, error) {
	var problems []error
	if kid == "" || len(kid) > 128 || !visible(kid) {
		problems = append(problems, errors.New("token: kid "+strconv.Quote(kid)+": is not 1 to 128 visible ASCII characters"))
	}
	if problem != "" {
		problems = append(problems, errors.New("token: key "+strconv.Quote(kid)+": "+problem))
	}
	problems = append(problems, s.checkOrder(kid))
	if err := errors.Join(problems...); err != nil {
		return Key{}, err
	}
	return Key{kid: kid, alg: alg, algorithm: alg.spec(), schedule: s, verify: verify}, nil
}

// checkPublic says what is wrong with a public key.
func checkPublic(alg Alg, key crypto.PublicKey) string {
	misfit := fmt.Sprintf("a %T does not fit %s", key, alg)
	spec := alg.spec()
	switch spec.family {
	case edwards:
		k, ok := key.(ed25519.PublicKey)
		if !ok || len(k) != ed25519.PublicKeySize {
			return misfit
		}
		return checkEdwards(k)
	case weierstrass:
		k, ok := key.(*ecdsa.PublicKey)
		if !ok || k == nil || k.Curve != spec.curve {
			return misfit
		}
		if !onCurve(k) {
			return "the point is not on the curve"
		}
	case pkcs1, pss:
		k, ok := key.(*rsa.PublicKey)
		if !ok || k == nil || k.N == nil {
			return misfit
		}
		return checkRSA(k)
	default:
		return "alg " + strconv.Quote(string(alg)) + " is unknown"
	}
	return ""
}

// onCurve reports whether the key has a point of its curve. The standard
// library panics on a key without one, and reading its coordinates is
// deprecated.
func onCurve(k *ecdsa.PublicKey) (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	_, err := k.ECDH()
	return err == nil
}

func checkRSA(k *rsa.PublicKey) string {
	switch bits := k.N.BitLen(); {
	case bits < 2048:
		return "RSA below 2048 bits (RFC 7518, section 3.3)"
	case bits > 8192:
		return "RSA above 8192 bits costs too much to verify"
	case k.E < 65537 || k.E%2 == 0:
		return "an RSA exponent below 65537, or even"
	case k.N.Bit(0) == 0 || hasROCAFingerprint(k.N):
		return "a broken RSA modulus (CVE-2017-15361)"
	}
	return ""
}

// hasROCAFingerprint finds the fingerprint of the generator of CVE-2017-15361: for every
// small prime, such a modulus is a power of 65537. Another modulus is so by
// chance once in many millions.
func hasROCAFingerprint(n *big.Int) bool {
	var rest big.Int
	for _, p := range [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		want := rest.Mod(n, big.NewInt(p)).Int64()
		power := int64(1)
		for power != want {
			if power = power * 65537 % p; power == 1 {
				return false
			}
		}
	}
	return true
}

// checkSecret says what is wrong with a secret.
func checkSecret(alg Alg, key []byte) string {
	text, distinct := true, make(map[byte]struct{})
	for _, c := range key {
		text = text && c >= ' ' && c <= '~'
		distinct[c] = struct{}{}
	}
	size := alg.spec().hash.Size()
	switch {
	case len(key) < size:
		return fmt.Sprintf("%s needs a secret of at least %d bytes (RFC 7518, section 3.2)", alg, size)
	case bytes.Contains(key, []byte("-----BEGIN")):
		return "the secret is PEM; is it a public key?"
	case len(distinct) < 10, text && len(key) < base64.RawStdEncoding.EncodedLen(size):
		return fmt.Sprintf("the secret looks typed; take %d bytes from crypto/rand", size)
	}
	return ""
}

func visible(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// ID returns the kid.
func (k Key) ID() string { return k.kid }

// String returns the kid and the algorithm, and keeps secrets out of fmt's
// output.
func (k Key) String() string { return k.kid + " " + string(k.alg) }

// GoString is [Key.String], for %#v.
func (k Key) GoString() string { return k.String() }

// LogValue is [Key.String], for logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k *Key) canSign() bool { return k.signer != nil || k.algorithm.family == secret }

// sign returns the signature of a signing input.
func (k *Key) sign(input string) ([]byte, error) {
	if k.algorithm.family == secret {
		return k.algorithm.method.Sign(input, k.verify)
	}
	return k.algorithm.sign(k.signer, []byte(input))
}
