//go:build race

package ratelimit_test

// million is fewer with the race detector, which makes each call twenty times as
// long and adds nothing: the flood is one goroutine.
const million = 150_000

// raced says that the race detector runs.
const raced = true
