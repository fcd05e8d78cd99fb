package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

// jwk is a public key as RFC 7517 has it. It has no member that could hold a
// private one.
type jwk struct {
	// The members of a thumbprint, in the order of RFC 7638, section 3.3.
	Crv string `json:"crv,omitempty"`
	E   string `json:"e,omitempty"`
	Kty string `json:"kty"`
	N   string `json:"n,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`

	Kid string `json:"kid,omitempty"`
	Alg Alg    `json:"alg,omitempty"`
	Use string `json:"use,omitempty"`
}

// jwkOf returns the JWK of a public key, or false for a secret.
func jwkOf(key any) (jwk, bool) {
	encode := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: encode(k)}, true
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return jwk{}, false
		}
		half := (len(point) - 1) / 2 // after the byte for the uncompressed form
		return jwk{Kty: "EC", Crv: k.Curve.Params().Name, X: encode(point[1 : 1+half]), Y: encode(point[1+half:])}, true
	case *rsa.PublicKey:
		return jwk{Kty: "RSA", N: encode(k.N.Bytes()), E: encode(big.NewInt(int64(k.E)).Bytes())}, true
	}
	return jwk{}, false
}

// Thumbprint returns the SHA-256 thumbprint of a public key (RFC 7638), in
// base64url. [GenerateKey] uses it as the kid.
func Thumbprint(key crypto.PublicKey) (string, error) {
	if !isPublicKey(key) {
		return "", fmt.Errorf("token: thumbprint: a %T has none, or is not complete; did you mean its Public()?", key)
	}
	k, ok := jwkOf(key)
	if !ok {
		return "", fmt.Errorf("token: thumbprint: a %T has none", key)
	}
	text, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("token: thumbprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// isPublicKey reports whether a key is complete, so that it has a JWK.
func isPublicKey(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return len(k) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		return k != nil && k.Curve != nil && isOnCurve(k)
	case *rsa.PublicKey:
		return k != nil && k.N != nil && k.N.Sign() > 0 && k.E > 0
	}
	return false
}

// JWKS serves the public keys that are published now, as a JWK Set (RFC 7517),
// with an ETag; caches may keep it for 5 minutes. Secrets are never in it. It
// takes GET and HEAD.
func (k *Keys) JWKS() http.Handler {
	wiring.RequireNew("token: JWKS", k == nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			errors.Respond(w, r, errors.ErrMethodNotAllowed.Header("Allow", "GET, HEAD"))
			return
		}
		if !k.usable() {
			errors.Respond(w, r, auth.ErrUnavailable.With("reason", "the keys were not made by NewKeys"))
			return
		}
		set := struct {
			Keys []jwk `json:"keys"`
		}{[]jwk{}}
		now := k.now()
		for _, key := range k.currentKeys() {
			if public, ok := jwkOf(key.verify); ok && key.schedule.published(now) {
				public.Kid, public.Alg, public.Use = key.kid, key.alg, "sig"
				set.Keys = append(set.Keys, public)
			}
		}
		body, err := json.Marshal(set)
		if err != nil {
			errors.Respond(w, r, fmt.Errorf("encode the key set: %w", err))
			return
		}
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:16]) + `"`
		w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(jwksMaxAge.Seconds())))
		w.Header().Set("Etag", tag)
		if matchesETag(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_, _ = w.Write(body) // the client may have disconnected
	})
}

// matchesETag reports whether If-None-Match names the tag, or any (RFC 9110,
// section 13.1.2).
func matchesETag(lines []string, tag string) bool {
	for _, line := range lines {
		for candidate := range strings.SplitSeq(line, ",") {
			if candidate = strings.Trim(candidate, " \t"); candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
