// Package storetest is the conformance kit of ratelimit.Store. Memory passes it, and
// every other store must pass it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) ratelimit.Store { return open(t) }, storetest.Options{})
//	}
//
// An oracle checks each verdict of the store. It keeps only a list of the charges, and
// applies the definition of a sliding window. Up to 128 requests per window it knows
// the verdict. Above 128, a request must be denied if the last window is full, and must be
// allowed if the last 33/32 of a window are not.
//
// If a test can move the clock of the store, the oracle checks times to the millisecond.
// Otherwise, as with a real server, cases run with short windows. Each call then happens
// between two readings of the local clock, and the oracle accepts both verdicts if both
// are possible. If more than half of the verdicts of a case are not decided because the
// machine is slow, Run repeats the case with a window of twice the length, up to three
// times.
package storetest

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// Options configures [Run].
type Options struct {
	// Advance moves the clock of the store that was opened last, by whole
	// milliseconds. Nothing else may move that clock. Nil means that the store has a
	// clock of its own, and Run waits.
	Advance func(time.Duration)
	// Window is the window of the limits. It must be a multiple of 8 ms. 0 means
	// 800 ms. If the store has a clock of its own, a case takes up to about four windows.
	Window time.Duration
	// Seed is the seed of the random cases. 0 means 1.
	Seed uint64
}

// Run runs all cases as subtests. It calls open at least once for each case. The store
// that open returns must be empty, or no other test may use its keys. open registers
// its cleanup with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) ratelimit.Store, o Options) {
	if o.Window == 0 {
		o.Window = 800 * time.Millisecond
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			o := o
			for tries := 1; ; tries++ {
				w := newWorld(t, open(t), o)
				c.play(w)
				if !w.late && w.certain*2 >= w.verdicts {
					return
				}
				if tries == 4 {
					t.Fatalf("with windows of %v, %d of %d verdicts were not decided: the machine is too slow", o.Window, w.verdicts-w.certain, w.verdicts)
				}
				o.Window *= 2
			}
		})
	}
}

// A scenario is a case of the kit.
type scenario struct {
	name string
	play func(w *world)
}
