package token

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the algorithms
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Alg is a signature algorithm of RFC 7518, section 3, or RFC 8037. A key has
// exactly one, and the alg that a token names must be its key's (RFC 8725,
// section 3.1). EdDSA and Ed25519 are two names of one algorithm.
type Alg string

// The algorithms of keys. "none" is not among them. The numbers are the bits of
// the hash. Use EdDSA if nothing requires another.
const (
	EdDSA   Alg = "EdDSA"   // Ed25519
	Ed25519 Alg = "Ed25519" // EdDSA by the name of RFC 9864, section 2.2
	ES256   Alg = "ES256"   // ECDSA with P-256
	ES384   Alg = "ES384"   // ECDSA with P-384
	ES512   Alg = "ES512"   // ECDSA with P-521
	RS256   Alg = "RS256"   // RSASSA-PKCS1-v1_5, at least 2048 bits
	RS384   Alg = "RS384"
	RS512   Alg = "RS512"
	PS256   Alg = "PS256" // RSASSA-PSS with a salt as long as the hash
	PS384   Alg = "PS384"
	PS512   Alg = "PS512"
	HS256   Alg = "HS256" // HMAC: a verifier can also sign
	HS384   Alg = "HS384"
	HS512   Alg = "HS512"
)

// A family is a set of algorithms with the same type of key.
type family byte

const (
	unknown family = iota
	edwards
	weierstrass
	pkcs1
	pss
	secret
)

// algorithm is the definition of an Alg.
type algorithm struct {
	family family
	method jwt.SigningMethod // golang-jwt's implementation
	hash   crypto.Hash
	curve  elliptic.Curve
}

// spec returns the definition of the Alg. Its family is unknown if there is none.
func (a Alg) spec() algorithm {
	switch a {
	case EdDSA, Ed25519:
		return algorithm{edwards, jwt.SigningMethodEdDSA, 0, nil}
	case ES256:
		return algorithm{weierstrass, jwt.SigningMethodES256, crypto.SHA256, elliptic.P256()}
	case ES384:
		return algorithm{weierstrass, jwt.SigningMethodES384, crypto.SHA384, elliptic.P384()}
	case ES512:
		return algorithm{weierstrass, jwt.SigningMethodES512, crypto.SHA512, elliptic.P521()}
	case RS256:
		return algorithm{pkcs1, jwt.SigningMethodRS256, crypto.SHA256, nil}
	case RS384:
		return algorithm{pkcs1, jwt.SigningMethodRS384, crypto.SHA384, nil}
	case RS512:
		return algorithm{pkcs1, jwt.SigningMethodRS512, crypto.SHA512, nil}
	case PS256:
		return algorithm{pss, strictPSS(jwt.SigningMethodPS256), crypto.SHA256, nil}
	case PS384:
		return algorithm{pss, strictPSS(jwt.SigningMethodPS384), crypto.SHA384, nil}
	case PS512:
		return algorithm{pss, strictPSS(jwt.SigningMethodPS512), crypto.SHA512, nil}
	case HS256:
		return algorithm{secret, jwt.SigningMethodHS256, crypto.SHA256, nil}
	case HS384:
		return algorithm{secret, jwt.SigningMethodHS384, crypto.SHA384, nil}
	case HS512:
		return algorithm{secret, jwt.SigningMethodHS512, crypto.SHA512, nil}
	}
	return algorithm{}
}

// sameAs reports whether two names are those of one algorithm. RFC 9864 names EdDSA with an
// Ed25519 key Ed25519.
func (a Alg) sameAs(other Alg) bool {
	return a == other || a.spec().family == edwards && other.spec().family == edwards
}

// strictPSS returns a method that accepts only a salt with the length of the hash (RFC 7518,
// section 3.5). The method of golang-jwt accepts any length.
func strictPSS(m *jwt.SigningMethodRSAPSS) jwt.SigningMethod {
	return &jwt.SigningMethodRSAPSS{SigningMethodRSA: m.SigningMethodRSA, VerifyOptions: &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}}
}

// sign returns a signature. The signer may be a key in a KMS or an HSM.
func (a algorithm) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	if a.family == edwards {
		return signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	var opts crypto.SignerOpts = a.hash
	if a.family == pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	h := a.hash.New()
	h.Write(message)
	signature, err := signer.Sign(rand.Reader, h.Sum(nil), opts)
	if err != nil || a.family != weierstrass {
		return signature, err
	}
	// A JWS has the two numbers side by side (RFC 7518, section 3.4).
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &numbers); err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	size := (a.curve.Params().BitSize + 7) / 8
	if numbers.R.Sign() < 0 || numbers.S.Sign() < 0 || max(numbers.R.BitLen(), numbers.S.BitLen()) > 8*size {
		return nil, fmt.Errorf("read the signature: its numbers do not fit the curve")
	}
	both := make([]byte, 2*size)
	numbers.R.FillBytes(both[:size])
	numbers.S.FillBytes(both[size:])
	return both, nil
}
