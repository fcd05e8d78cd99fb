// Package auth answers who is calling, in a middleware, and whether they may,
// at the route.
//
// # What it refuses by default
//
// A [Middleware] lets nobody pass without a principal but where a route is
// listed as Public or Optional: a route that was forgotten is closed. A
// credential that is there and bad is refused, also on an optional route, and
// so is a request with two credentials. While nobody can tell whether a
// credential is good, the answer is 503, never a 401.
//
// [Require] asks policies in their order and refuses with the first error.
// Scopes and roles are compared exactly.
//
// # A program
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
// from [ObjectFrom].
//
// A route that was forgotten is found by authtest.Routes, in a test of the
// application.
//
// # Revocations
//
// [Revocations] are asked in memory, by the verifier of tokens. Without a
// [RevocationFeed] they are known to one process alone. With one, start
// [Revocations.Run]: a process answers 503 until it has loaded the feed, and
// when it could not read it for MaxStale. A revocation is in force at once in
// the process that made it. Another process accepts the token until it has read
// the feed: for 0.2 s with redisauth, and while it cannot read it for MaxStale
// at most, which is 30 s, or down to 2 s where that is too long. What ends a
// login is its session (sid): RevokeSubject compares times, whose resolution is a
// second, so it serves tokens without a session, and never ends a login that was
// made after it.
//
// # Its place
//
// errors, headers, cors and the limits by address stand outside of it: they
// answer preflights, which have no credentials, and floods, which should not
// cost a signature's check. At the route the order is Require(Scopes), then
// validate, then Require(Object), since loading an object reads the path.
//
// # Threats
//
//   - Broken object level authorization (OWASP API1:2023): [Object], which
//     answers for another's object as for one that does not exist.
//   - Broken function level authorization (OWASP API5:2023): deny by default,
//     and Require at each route. Methods are part of the patterns.
//   - A public pattern that opens more than was meant: patterns that cover
//     everything are refused, and only a clean path matches. "/public/../admin"
//     and "/public%2F..%2Fadmin" are not public.
//   - Subjects that look alike (RFC 9700, section 4.15): [Principal] has a
//     Kind, and a Subject means something together with its Issuer only.
//   - A program taken for a person, because nothing says that it is one: a
//     caller whose kind the credential leaves open is [Unknown].
//   - Check and use of two different objects (ASVS 5.0 15.4.2): [ObjectFrom]
//     hands out the one that was checked. A write puts the owner into its own
//     condition too.
//   - A token that outlives its session: [Revocations], which processes share
//     through a [RevocationFeed]. A process that has not read it for MaxStale
//     answers 503.
package auth
