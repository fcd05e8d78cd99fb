// Package token issues and verifies short-lived access tokens, JWTs as RFC
// 9068 has them.
//
// # What it refuses by default
//
// A [Verifier] accepts a subset of what golang-jwt, which does the
// cryptography, accepts: three parts in canonical base64url; JSON without
// doubled names; the one algorithm that the key of this kid has; a typ of
// at+jwt; no critical extensions; exp, iat and sub; exactly our issuer, one of
// our audiences, at most an hour between iat and exp; 8 KiB. A token that is
// bound to a key (cnf) is no bearer token: proofs of possession (DPoP, RFC
// 9449) are not implemented, so it is refused. What a token says is read after
// its signature was verified, so [auth.ErrExpired] always means genuine.
//
// An [Issuer] refuses claims with names such as password, token or
// card_number, at every depth, in a name space or not: a payload is encoded,
// not encrypted.
//
// # A program
//
//	keys := errors.Must(token.NewKeys(errors.Must(token.GenerateKey())))
//	issuer := errors.Must(token.NewIssuer(token.IssuerOptions{Keys: keys, Issuer: self, Audience: []string{"api"}}))
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"api"}, Revocations: revoked}))
//	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens}, Public: []string{"/.well-known/jwks.json"}}))
//	mux.Handle("GET /.well-known/jwks.json", keys.JWKS())
//
// # Keys
//
// Keys that outlive the process come from [NewKey]:
//
//	signer := ed25519.NewKeyFromSeed(seed) // 32 secret bytes, the same in all processes
//	kid := errors.Must(token.Thumbprint(signer.Public()))
//	key := errors.Must(token.NewKey(kid, token.EdDSA, signer))
//
// A key signs and verifies from now on, unless [Key.On] sets its [Schedule]. On
// returns an error, as the constructors do, so that a schedule whose times are
// out of order is found when the service starts, and not when a key expires.
// Keys change over by their schedules: published first, signing ten minutes
// later at the earliest, retired when the next one signs, removed when their
// last token is dead. What a key does depends on the clock alone, so replicas
// that have the same keys change over together without talking, and clocks may
// differ by minutes. A job that brings new keys calls [Keys.Replace], hours
// before the first of them signs.
//
// A service that has no keys of its own takes those that an issuer publishes:
//
//	remote := errors.Must(token.NewRemote(token.RemoteOptions{URL: "https://issuer.example/.well-known/jwks.json"}))
//	go remote.Run(ctx)
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: remote, Issuer: "https://issuer.example", Audience: []string{"orders"}}))
//
// A caller of another issuer is of the kind [auth.Unknown], unless its subject
// is its client_id: each issuer marks its programs in its own way.
// [VerifierOptions].CallerType declares the type where all other callers have one.
//
// [Remote.Ready] belongs into the service's readiness check, so that no request
// has to wait for the first fetch.
//
// A key that the issuer takes back is refused after the next refresh, 5
// minutes by default. An issuer that cannot be reached costs nobody a login
// for an hour; then the answer is 503, and never 401.
//
// # Reasons
//
// A client learns the kind of a refusal alone. Code and the log have the reason
// too, also outside HTTP:
//
//	_, err := tokens.Verify(ctx, text)
//	if auth.ReasonOf(err) == token.ReasonAudience { // the token is another service's
//
// [auth.Event] has it as its Cause.
//
// # The cache
//
// A token that was verified is remembered, by all of its bytes and for one
// verifier, so that the next request with it costs a look into a map. Each
// such request looks again at the clock, the key, revocations and Validate;
// refusals and decisions are never remembered. The memory is bounded by
// CacheEntries times 2 KiB, 8 MiB by default.
//
// # Its place
//
// A Verifier is an authenticator of auth's Middleware. Tokens of several
// issuers go through [ByIssuer], since two bearer authenticators in one
// Middleware would both claim a request.
//
// # Threats
//
//   - alg none, and a public key taken for a secret (CVE-2015-9235,
//     CVE-2026-44699): a key has one algorithm, and the token's must be it.
//   - Tokens of another kind, service or issuer (RFC 8725, sections 3.8 to
//     3.12): typ, aud and iss are required and compared exactly.
//   - Two parsers that read one token differently (CVE-2020-26160): what is
//     ambiguous is refused before any decoder sees it.
//   - Another spelling of a revoked token: there is none but the signature's
//     own (ECDSA has two), and revocations go by names, not by bytes.
//   - Floods of long tokens (CVE-2025-30204): size and parts are looked at
//     first; the payload is not decoded before the signature is verified, but
//     for the iss where [ByIssuer] has to choose.
//   - Floods of unknown kids: one fetch in 10 s at most, one for all that wait,
//     5 s at most; known keys verify meanwhile.
//   - A cache that takes one token for another, or outlives a decision
//     (CVE-2026-35030, CVE-2026-35039, CVE-2021-32701): see above.
//   - A program of another issuer on a route for people (RFC 9700, section
//     4.15): its kind is [auth.Unknown] until the application declares it.
//   - A header that brings its own key (jwk, jku, x5u): not looked at.
//   - Keys that any client can sign for: Ed25519 points of small order, which a
//     bare seed in the place of a private key yields too, RSA moduli that can be
//     factored, short and typed secrets. The constructors refuse them. A [Remote]
//     ignores them, and keys whose private part any entry of the set shows.
//   - A signer that holds another key than it shows: [NewKey] signs once.
package token
