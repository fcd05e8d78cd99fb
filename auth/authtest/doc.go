// Package authtest helps to test services that use package auth. It provides a principal in
// a request without a token, tokens that the service's verifier accepts, and a check that
// every route needs a principal.
//
// # Who is calling
//
//	r := authtest.As(t, httptest.NewRequest("GET", "/orders", nil), auth.Identity{Subject: "ada", Scope: []string{"orders:read"}})
//
// calls a handler as ada, without any Middleware. A whole service gets a token
// instead, from keys that live as long as the test:
//
//	tokens := authtest.NewTokens(t)
//	service := newService(tokens.Verifier)
//	r.Header.Set("Authorization", "Bearer "+tokens.Token(token.Grant{Subject: "ada"}))
//
// # Checking every route
//
// [Routes].Check sends requests to each route of a service. Its error names
// each route that serves a request without credentials, that has no
// auth.Require, or that a public pattern covers by mistake.
//
// # Conformance
//
// [TestSessionStore], [TestKeyStore] and [TestRevocationFeed] test that a store
// or a feed implements its interface.
package authtest
