// Package storetest is the conformance kit of ratelimit.Store. Memory passes
// it, and so has every other store:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) ratelimit.Store { return open(t) }, storetest.Options{})
//	}
//
// Every answer of the store is judged by an oracle that has nothing but a list
// of what was charged, and the definition of a window that slides. Up to 128
// requests per window the oracle knows the answer. Above, it knows when a
// request must be denied (the last window is full) and when it must not be (the
// last 33/32 of a window are not full).
//
// A store whose clock a test can move is judged to the millisecond. A store
// with a clock of its own, such as that of a real server, runs with short
// windows: each call then happened between two readings of the local clock, and
// the oracle says nothing where that leaves both answers possible. Nothing
// depends on how fast the machine is, but whether it is fast enough to tell: a
// case that could not is played again with a longer window.
package storetest

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// Options describe the clock of a store.
type Options struct {
	// Advance moves the clock of the store that was opened last, by whole
	// milliseconds. The clock stands still otherwise. nil: the store has a
	// clock of its own, and Run waits.
	Advance func(time.Duration)
	// Window is the window of the limits, a multiple of 8 ms. 0: 800 ms. With a
	// clock of its own, a case takes about two windows.
	Window time.Duration
	// Seed makes the random cases repeatable. 0: a fixed one.
	Seed uint64
}

// Run runs all cases. Each opens a store that is empty, or whose keys no other
// test uses: open is called at least once for each case, and cleans up with
// t.Cleanup.
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
				if !w.late && w.certain*2 >= w.answers {
					return
				}
				if tries == 4 {
					t.Fatalf("with windows of %v, %d of %d answers could not be judged: the machine is too slow", o.Window, w.answers-w.certain, w.answers)
				}
				o.Window *= 2
			}
		})
	}
}

// A scenario is one behavior of a store.
type scenario struct {
	name string
	play func(w *world)
}
