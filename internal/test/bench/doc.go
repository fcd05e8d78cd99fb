// Package bench measures the rings beside their peers, in one run on one
// machine:
//
//	go run ./bars
//
// It is a module of its own, so that the peers never become dependencies of a
// service.
package bench
