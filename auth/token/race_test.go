//go:build race

package token_test

// slowdown divides the rounds of tests with one goroutine, in which the race
// detector finds nothing.
const slowdown = 10
