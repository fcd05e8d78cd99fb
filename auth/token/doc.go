// Package token issues and verifies short-lived access tokens, JWTs as RFC
// 9068 has them.
//
// # What it refuses by default
//
// A [Verifier] accepts a subset of what golang-jwt, which does the
// cryptography, accepts: three parts in canonical base64url; JSON without
// doubled names; the one algorithm that the key of this kid has; a typ of
// at+jwt; no critical extensions; exp, iat and sub; exactly our issuer, one of
// our audiences, at most an hour between iat and exp. A token that is bound to
// a key (cnf) is no bearer token. What a token says is read after its
// signature was verified, so [auth.ErrExpired] always means genuine.
//
// An [Issuer] refuses claims with names such as password, token or
// card_number, at every depth: a payload is encoded, not encrypted.
//
// # A program
//
//	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey(token.Schedule{}))))
//	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: self, Audience: []string{"api"}}))
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"api"}}))
//	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}, Public: []string{"/.well-known/jwks.json"}}))
//	mux.Handle("GET /.well-known/jwks.json", keys.JWKS())
//
// Keys that outlive the process come from [NewKey], and change over by their
// [Schedule]: published first, signing ten minutes later at the earliest,
// retired when the next one signs, removed when their last token is dead.
//
// # Its place
//
// A Verifier is an authenticator of auth's Middleware.
//
// # Threats
//
//   - alg none, and a public key taken for a secret (CVE-2015-9235,
//     CVE-2026-44699): a key has one algorithm, and the token's must be it.
//   - Tokens of another kind, service or issuer (RFC 8725, sections 3.8 to
//     3.12): typ, aud and iss are required and compared exactly.
//   - Two parsers that read one token differently (CVE-2020-26160): what is
//     ambiguous is refused before any decoder sees it.
//   - Floods of long tokens (CVE-2025-30204): size and characters are looked at
//     first; the payload is not decoded as JSON before the signature is verified.
//   - A header that brings its own key (jwk, jku, x5u): not looked at.
//   - Weak keys: refused by the constructors.
package token
