// Package bench compares the rings with their peers, in one run on one machine:
//
//	go run ./bars
//
// It is a separate module, so that the peers do not become dependencies of a service.
package bench
