//go:build !race

package token_test

// slowdown is 1 without the race detector: the tests of a million tokens have
// a million.
const slowdown = 1
