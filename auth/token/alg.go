package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Alg is a signature algorithm of RFC 7518, section 3, or RFC 8037. A key has
// exactly one, and the alg that a token names must be its key's (RFC 8725,
// section 3.1).
type Alg string

// The algorithms that keys can have. "none" is not among them.
const (
	EdDSA Alg = "EdDSA" // Ed25519; the recommended one
	ES256 Alg = "ES256" // ECDSA with P-256 and SHA-256
	RS256 Alg = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, at least 2048 bits
	PS256 Alg = "PS256" // RSASSA-PSS with SHA-256 and a salt of 32 bytes
	HS256 Alg = "HS256" // HMAC with SHA-256: whoever verifies can sign too
)

// method returns golang-jwt's implementation, or nil for an unknown one.
func (a Alg) method() jwt.SigningMethod {
	switch a {
	case EdDSA:
		return jwt.SigningMethodEdDSA
	case ES256:
		return jwt.SigningMethodES256
	case RS256:
		return jwt.SigningMethodRS256
	case PS256:
		// golang-jwt's own takes a salt of any length; RFC 7518, section 3.5,
		// wants the length of the hash.
		return &jwt.SigningMethodRSAPSS{
			SigningMethodRSA: jwt.SigningMethodPS256.SigningMethodRSA,
			VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
		}
	case HS256:
		return jwt.SigningMethodHS256
	}
	return nil
}

// sign signs with a key that may live elsewhere, in a KMS or an HSM.
func (a Alg) sign(signer crypto.Signer, message []byte) ([]byte, error) {
	if a == EdDSA {
		return signer.Sign(rand.Reader, message, crypto.Hash(0))
	}
	var opts crypto.SignerOpts = crypto.SHA256
	if a == PS256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	digest := sha256.Sum256(message)
	signature, err := signer.Sign(rand.Reader, digest[:], opts)
	if err != nil || a != ES256 {
		return signature, err
	}
	// A JWS has the two numbers side by side (RFC 7518, section 3.4).
	var numbers struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &numbers); err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	size := (signer.Public().(*ecdsa.PublicKey).Curve.Params().BitSize + 7) / 8
	both := make([]byte, 2*size)
	numbers.R.FillBytes(both[:size])
	numbers.S.FillBytes(both[size:])
	return both, nil
}
