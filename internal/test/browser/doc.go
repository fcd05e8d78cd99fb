// Package browser lets a real Chromium judge what the rings promise of
// browsers: the CORS protocol, HTTPS remembered, and what a page may load.
//
// Its tests start Chromium once, without a window, and one server on loopback
// that is https and http at the same port. Names under example.test are mapped
// to it in Chromium's own resolver. Where Chromium is missing the tests skip,
// and say so; with RINGWALL_REQUIRE_SERVERS=1 they fail.
//
// It is a module of its own, so that the driver never becomes a dependency of
// a service.
package browser
