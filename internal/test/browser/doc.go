// Package browser tests in a real Chromium that browsers behave as the rings promise: the
// CORS protocol, HSTS, and the resources that a page may load.
//
// Its tests start Chromium once, without a window, and one server on loopback
// that is https and http at the same port. Names under example.test are mapped
// to it in Chromium's own resolver. If Chromium is missing, the tests
// skip; with RINGWALL_REQUIRE_SERVERS=1 they fail.
//
// It is a separate module, so that the driver does not become a dependency of a service.
package browser
