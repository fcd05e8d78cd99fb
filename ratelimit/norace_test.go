//go:build !race

package ratelimit_test

const million = 1_000_000

// largeLimit is a limit of many quanta.
const largeLimit = 100_000

// raceEnabled reports whether the race detector is enabled.
const raceEnabled = false
