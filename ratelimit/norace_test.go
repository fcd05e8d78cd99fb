//go:build !race

package ratelimit_test

const million = 1_000_000

// raceEnabled reports whether the race detector is enabled.
const raceEnabled = false
