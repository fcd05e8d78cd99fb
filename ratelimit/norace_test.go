//go:build !race

package ratelimit_test

const million = 1_000_000

// raced says that the race detector runs.
const raced = false
