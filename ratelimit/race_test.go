//go:build race

package ratelimit_test

// million is smaller with the race detector, which makes each call twenty times as slow.
// The flood is one goroutine, so the detector cannot find more.
const million = 150_000

// largeLimit is smaller for the same reason.
const largeLimit = 20_000

// raceEnabled reports whether the race detector is enabled.
const raceEnabled = true
