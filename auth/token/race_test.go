//go:build race

package token_test

// slowdown is what the race detector costs: tests of one goroutine, in which
// it has nothing to find, take so many fewer rounds.
const slowdown = 10
