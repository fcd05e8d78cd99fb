// Package token issues and verifies short-lived access tokens in JWT format (RFC
// 9068).
//
// # What it refuses by default
//
// A [Verifier] accepts fewer tokens than golang-jwt, which does the cryptography.
// A token must have:
//
//   - three parts in canonical base64url, of at most 8 KiB together
//   - JSON without repeated names, and no critical extensions
//   - the algorithm of the key that kid names, and the typ at+jwt
//   - exp, iat and sub, with at most one hour between iat and exp
//   - exactly the configured issuer, and one of the configured audiences
//
// A token that is bound to a key or a certificate (cnf) is refused unless the options
// have [DPoP] or [Certificates], because it is not a bearer token. An ID token is
// refused if its typ is another than at+jwt and it has nonce, at_hash, c_hash or
// s_hash; a notification, which has events, is always refused. The case of these names
// does not matter. Claims are read only after the signature was verified, so
// [auth.ErrExpired] always means a genuine token.
//
// An [Issuer] refuses claims with names such as password, token or card_number, at
// every depth, with or without a namespace, because a payload is encoded but not
// encrypted.
//
// # Example
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
//
// A key is published first, and signs at least ten minutes later. It retires when
// the next key signs, and is removed when its last token has expired. All of this
// depends only on the clock, so processes that have the same keys change over
// together, and their clocks may differ by minutes. A job that loads new keys must
// call [Keys.Replace] hours before the first of them signs.
//
// # Tokens of other issuers
//
// A service without keys of its own uses those that an issuer publishes. The URL of
// the keys is in the metadata of the issuer:
//
//	remote := errors.Must(token.NewRemote(token.RemoteOptions{Issuer: "https://issuer.example"}))
//	go remote.Run(ctx)
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: remote, Audience: []string{"orders"}}))
//
// docs/providers.md has the options for the identity providers that most services use.
// Few of them follow RFC 9068. [VerifierOptions].Identity reads scopes, roles and the
// type of a caller where the issuer writes them, and Require demands claims;
// InsecureNoType, InsecureNoKid, InsecureNoAudience, InsecureIDTokens and
// InsecureMaxAge each replace one check that an issuer does not pass.
//
// Without Identity, a caller of another issuer has the type [auth.Unknown], unless its
// subject is its client_id, because each issuer marks programs in its own way. Set
// [VerifierOptions].CallerType if all other callers of an issuer have one type.
//
// An [Introspector] verifies opaque tokens by a call of their issuer (RFC 7662). [Bearer]
// passes each token to the verifier of its issuer, to the manager of API keys, or to an
// Introspector, by the form of the token.
//
// Call [Remote.Ready] in the service's readiness check, so that no request waits
// for the first fetch.
//
// A key that the issuer revokes is refused after the next refresh, 5 minutes by
// default. If the issuer cannot be reached, the last keys stay valid for an hour.
// After that, the response is 503, never 401.
//
// [BackChannelLogout] is the handler for the logouts that an OpenID provider reports. It
// revokes the access tokens of the session.
//
// # Tokens that are bound to a key
//
// A stolen bearer token works until it expires. A token that is bound to a key needs a
// signature by that key on each request (DPoP, RFC 9449), or a client certificate (RFC
// 8705):
//
//	proofs := errors.Must(token.NewDPoP(token.DPoPOptions{Replays: replays})) // redisauth.NewReplayStore for several processes
//	thumbprint, err := proofs.Prove(r)                                       // at the login
//	text, _, err := issuer.Issue(ctx, token.Grant{Subject: "ada", Thumbprint: thumbprint})
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"api"}, DPoP: proofs}))
//
// A proof is for one method, one URL and one token, and works once within a minute. Behind
// a proxy, set DPoPOptions.Scheme and Host, or no proof names the right URL.
//
// # Metadata
//
// [Issuer.Metadata] serves the metadata of an issuer (RFC 8414), so that other services
// can set [RemoteOptions].Issuer to it. [ProtectedResource] serves that of a service (RFC
// 9728), and [VerifierOptions].Metadata names it in challenges, so that a client such as
// one of the Model Context Protocol finds the issuer by itself.
//
// # Reasons
//
// A client receives only the kind of a refusal. The log and the application also
// get the reason:
//
//	_, err := tokens.Verify(ctx, text)
//	if auth.ReasonOf(err) == token.ReasonAudience { // the token is for another service
//
// [auth.Event] has it as its Cause.
//
// # The cache
//
// A Verifier caches verified tokens, with the whole token as the key. The next
// request with a cached token costs a map lookup. It still checks the clock, the
// key, revocations and Validate. Refusals and decisions are not cached. The memory
// is at most CacheEntries times 2 KiB, 8 MiB by default.
//
// # Position
//
// A Verifier is an authenticator of auth's Middleware. Use [ByIssuer] for the
// tokens of several issuers, or [Bearer] for tokens of several forms, because two
// bearer authenticators in one Middleware would both claim a request.
//
// # Threats
//
//   - alg none, and a public key that is used as a secret (CVE-2015-9235,
//     CVE-2026-44699): a key has one algorithm, and the token must name it.
//   - Tokens of another kind, service or issuer (RFC 8725, sections 3.8 to
//     3.12): typ, aud and iss are required and compared exactly.
//   - Two parsers that read one token differently (CVE-2020-26160): ambiguous
//     JSON is refused before any decoder reads it.
//   - Another encoding of a revoked token: only the signature can differ (ECDSA
//     has two forms), and revocations name IDs, not bytes.
//   - Floods of long tokens (CVE-2025-30204): size and parts are checked first. The
//     payload is decoded after the signature was verified, except the iss if
//     [ByIssuer] has to choose.
//   - Floods of unknown kids: at most one fetch in 10 s, shared by all waiting
//     requests, of at most 5 s. Known keys verify meanwhile.
//   - A cache that confuses two tokens, or outlives a decision (CVE-2026-35030,
//     CVE-2026-35039, CVE-2021-32701): the key is the whole token, and decisions
//     are not cached.
//   - A program of another issuer on a route for users (RFC 9700, section 4.15):
//     its type is [auth.Unknown] until the application declares it.
//   - An ID token that a client sends as its access token: typ, the marks of ID tokens
//     and the audience refuse it. An ID token without marks, whose audience is that of
//     the service, passes: never use a client ID as Audience.
//   - Metadata of another issuer, or with keys on another host: the issuer is compared to
//     the byte, and KeyHosts lists other hosts. No redirect is followed.
//   - A flood of invented opaque tokens: each costs a call of the issuer, of which 32 run
//     at once and 1000 wait. It evicts no active token. Limit the rate outside of auth.
//   - A stolen token that is bound to a key: it needs a fresh proof for each request.
//   - A proof that is sent again: the replay store accepts it once, in all processes.
//   - A header with its own key (jwk, jku, x5u): these parameters are ignored.
//   - Keys that any client can sign for: the constructors refuse Ed25519 points of
//     small order, bare seeds, RSA moduli that can be factored, and short or typed
//     secrets. A [Remote] ignores them, and keys whose private part is published.
//   - A signer whose private key does not match its public key: [NewKey] signs
//     once and verifies the signature.
package token
