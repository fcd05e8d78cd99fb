// Package auth authenticates requests in a middleware, and authorizes them at
// the route.
//
// # What it refuses by default
//
// A [Middleware] requires a principal on every route that is not Public or
// Optional, so a forgotten route is closed. A bad credential is refused on an
// optional route too, and so is a request with two credentials. If a credential
// cannot be checked, the response is 503, never 401.
//
// [Require] applies its policies in order, and refuses with the first error.
// Scopes and roles are compared exactly.
//
// # Example
//
//	tokens := errors.Must(token.NewVerifier(token.VerifierOptions{Keys: keys, Issuer: self, Audience: []string{"api"}}))
//	callers := errors.Must(auth.New(auth.Options{
//		Authenticators: []auth.Authenticator{tokens},
//		Public:         []string{"POST /auth/login"},
//	}))
//	mux := http.NewServeMux()
//	mux.Handle("POST /auth/login", login)
//	mux.Handle("GET /orders", auth.Require(auth.Scopes("orders:read"))(orders))
//	handler := failures.Handler(callers.Handler(mux))
//
// A handler gets the caller from [From], and the object that a policy loaded
// from [ObjectFrom]. In a test of the application, authtest.Routes finds routes
// without protection.
//
// # Position
//
// Package auth stands inside errors, headers, cors and the limits by address.
// Those respond to preflights, which have no credentials, and to floods, which
// should not cost the verification of a signature. At the route the order is
// Require(Scopes), then validate, then Require(Object), because loading an
// object reads the path.
//
// # Revocations
//
// The verifier of tokens checks [Revocations] in memory. Without a
// [RevocationFeed], a revocation is known only to the process that made it. With
// a feed, start [Revocations.Run]. A process responds with 503 until it has
// loaded the feed, and when its last read is older than MaxStale.
//
// A revocation takes effect at once in the process that made it. Another process
// accepts the token until it has read the feed: for about 0.2 s with redisauth,
// and for at most MaxStale if it cannot read the feed. MaxStale is 30 s by
// default, and at least 2 s.
//
// Revoke the session (sid) to end a login. RevokeSubject compares times of issue
// with a resolution of one second. It serves tokens without a session, and never
// ends a login that was made after it.
//
// # Threats
//
//   - Broken object level authorization (OWASP API1:2023): [Object] gives the
//     same response for another caller's object as for a missing one.
//   - Broken function level authorization (OWASP API5:2023): routes are closed by
//     default, and Require stands at each route. Methods are part of the patterns.
//   - A public pattern that opens more than intended: patterns that match
//     everything are refused, and only a clean path matches. "/public/../admin"
//     and "/public%2F..%2Fadmin" are not public.
//   - Equal subjects of different issuers (RFC 9700, section 4.15): a [Principal]
//     has an Issuer and a CallerType. Compare a Subject only with its Issuer.
//   - A program that is taken for a person: a caller whose type the credential
//     leaves open is [Unknown].
//   - Check and use of two different objects (ASVS 5.0 15.4.2): [ObjectFrom]
//     returns the object that was checked. A write must also have the owner in its
//     own condition.
//   - A token that outlives its session: [Revocations] refuses it. Processes share
//     revocations through a [RevocationFeed].
package auth
