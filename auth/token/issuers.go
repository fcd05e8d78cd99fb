package token

import "github.com/ringwall/ringwall/auth"

// ByIssuer returns an authenticator for the JWTs of several issuers. The iss of a
// token selects the verifier, and is compared exactly, so a key of one issuer never
// verifies a token of another, whatever its kid is (RFC 8725, section 3.8). It is
// [Bearer] without Opaque, and reports the same problems.
func ByIssuer(verifiers ...*Verifier) (auth.Authenticator, error) {
	return newBearerRouter("verifiers", BearerOptions{JWT: verifiers})
}
