// Package providers starts real OpenID providers over TLS, whose tokens the tests
// send to a service that Ringwall protects: zitadel/oidc in this process, and
// oidc-provider in a process of Node.js. Each has a certificate of a test
// authority and a free port, and ends with its test.
//
// The providers issue tokens as in production. The tests get them as clients do: by
// client credentials, and by the authorization code flow with PKCE through the login
// form.
//
// If Node.js is missing, the tests that need it are skipped. With
// RINGWALL_REQUIRE_SERVERS=1 they fail. npm installs what node/package-lock.json
// pins, once.
//
// It is a separate module, so that no provider becomes a dependency of a
// service.
package providers
