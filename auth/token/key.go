package token

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ringwall/ringwall/errors"
)

// A Key is key material with one name (kid), one algorithm and one [Schedule].
// [GenerateKey], [NewKey], [NewPublicKey] and [NewSecret] return a key with the zero
// Schedule; [Key.On] sets another. A key prints as its name and algorithm.
type Key struct {
	kid       string
	alg       Alg
	algorithm algorithm
	schedule  Schedule
	issuer    string        // the member issuer of a key set: the only iss whose tokens it verifies; "" means any
	x5t       string        // the member x5t of a key set
	verify    any           // the key for golang-jwt: a public key, or the secret
	signer    crypto.Signer // nil for public keys and secrets
}

// GenerateKey returns a new Ed25519 key whose kid is its thumbprint (RFC 7638). The key
// exists only in this process, so its tokens become invalid when the process ends.
func GenerateKey() (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("token: generate key: %w", err)
	}
	kid, err := Thumbprint(public)
	if err != nil {
		return Key{}, err
	}
	return NewKey(kid, EdDSA, private)
}

// NewKey returns a key that signs and verifies. The kid must have 1 to 128 visible ASCII
// characters. The signer may be a private key of the standard library, or one in a KMS.
// NewKey signs with it once, and verifies the signature with its Public(). If it cannot
// sign, NewKey returns the signer's error, wrapped.
//
// NewKey refuses a key that does not fit the algorithm, and weak keys:
//
//   - RSA keys below 2048 bits (RFC 7518, section 3.3), or above 8192 bits, which cost
//     too much to verify; with an exponent that is even, below 65537 or above 31 bits; and
//     with a broken modulus, such as that of CVE-2017-15361
//   - Ed25519 points of a small order, for which any client can sign, and encodings that
//     are not canonical (RFC 8032, section 5.1.3)
//   - Ed25519 private keys whose seed is not random, or does not belong to the public half
//   - ECDSA points that are not on the curve
func NewKey(kid string, alg Alg, key crypto.Signer) (Key, error) {
	if key == nil {
		return Key{}, errors.New("token: key: must not be nil")
	}
	if alg.spec().family == secret {
		return Key{}, errNoPublicKey(alg)
	}
	public, problem := publicHalf(key)
	if problem == "" {
		problem = checkPublic(alg, public)
	}
	k, err := newKey(kid, alg, public, problem)
	if err != nil {
		return Key{}, err
	}
	k.signer = key
	if err := k.checkSigner(); err != nil {
		return Key{}, fmt.Errorf("token: key %q: %w", kid, err)
	}
	return k, nil
}

// NewPublicKey returns a key that only verifies. It has the rules of [NewKey] for the kid
// and for public keys.
func NewPublicKey(kid string, alg Alg, key crypto.PublicKey) (Key, error) {
	if alg.spec().family == secret {
		return Key{}, errNoPublicKey(alg)
	}
	return newKey(kid, alg, key, checkPublic(alg, key))
}

func errNoPublicKey(alg Alg) error {
	return errors.New("token: alg " + string(alg) + ": has no public key; did you mean NewSecret?")
}

// NewSecret returns a key for HS256, HS384 or HS512 that signs and verifies. It copies
// the secret. The kid must have 1 to 128 visible ASCII characters.
//
// NewSecret refuses a secret that is shorter than the hash (32, 48 or 64 bytes; RFC 7518,
// section 3.2), PEM, and a secret that does not look random: with few distinct
// characters, sequences or words. Generate it with crypto/rand: random bytes, raw or in
// base64 or hex, or as many random letters and digits as the hash has bytes. There is no
// maximum length.
func NewSecret(kid string, alg Alg, key []byte) (Key, error) {
	if alg.spec().family != secret {
		return Key{}, errors.New("token: alg " + strconv.Quote(string(alg)) + ": has no secret; did you mean NewKey, or HS256?")
	}
	return newKey(kid, alg, bytes.Clone(key), checkSecret(alg, key))
}

func newKey(kid string, alg Alg, verify any, problem string) (Key, error) {
	var problems []error
	if kid == "" || len(kid) > 128 || !isVisible(kid) {
		problems = append(problems, errors.New("token: kid "+strconv.Quote(kid)+": must have 1 to 128 visible ASCII characters"))
	}
	if problem != "" {
		problems = append(problems, errors.New("token: key "+strconv.Quote(kid)+": "+problem))
	}
	if err := errors.Join(problems...); err != nil {
		return Key{}, err
	}
	return Key{kid: kid, alg: alg, algorithm: alg.spec(), verify: verify}, nil
}

// On returns a copy of the key with the schedule s instead of its own. It
// reports a schedule whose times are out of order, and a zero Key.
func (k Key) On(s Schedule) (Key, error) {
	if k.algorithm.family == unknown {
		return Key{}, errors.New("token: key: is a zero Key; did you drop the constructor's error?")
	}
	if err := s.checkOrder(k.kid); err != nil {
		return Key{}, err
	}
	k.schedule = s
	return k, nil
}

// isVisible reports whether s has only visible ASCII characters.
func isVisible(s string) bool {
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
