package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// atOnce charges two keys from 16 goroutines, in both orders.
func atOnce(w *world) {
	for _, requests := range []int{100, 1000} {
		a, b := w.newCharge("a", requests, requests/100), w.newCharge("b", 1_000_000, 1)
		a.Window, b.Window, a.Key.Policy, b.Key.Policy = time.Hour, time.Hour, map[int]string{100: "p", 1000: "q"}[requests], "r"
		var group sync.WaitGroup
		var allowed, failed atomic.Int64
		for i := range 16 {
			group.Go(func() {
				charges, v := []ratelimit.Charge{a, b}, make([]ratelimit.Verdict, 2)
				if i%2 == 0 {
					slices.Reverse(charges)
				}
				for range 20 {
					if err := w.store.Take(w.t.Context(), charges, v); err != nil {
						failed.Add(1)
						continue
					}
					if v[0].Wait == 0 && v[1].Wait == 0 {
						allowed.Add(1)
					}
				}
			})
		}
		group.Wait()
		require.Zero(w.t, failed.Load())
		require.EqualValues(w.t, 100, allowed.Load())
	}
	w.takeCharges(w.newCharge("k", 5, 1))
}

// randomCalls makes calls of all kinds, many more of them if the test controls
// the clock.
func randomCalls(w *world, requests int) {
	calls := 150
	if w.exact() {
		calls = 3000
	}
	type charged struct{ c ratelimit.Charge }
	var made []charged
	texts := []string{"a", "b", "c"}
	for range calls {
		var charges []ratelimit.Charge
		for i := range 1 + w.random.IntN(3) {
			c := w.newCharge(texts[w.random.IntN(len(texts))], requests, w.random.IntN(requests/3))
			c.Key.Policy = []string{"p", "p-2", "p-3"}[i]
			c.Requests += i * requests / 2
			if i == 1 {
				c.Penalty = w.window / 4
			}
			c.Shadow = i == 2
			charges = append(charges, c)
		}
		switch n := w.random.IntN(20); {
		case n < 12:
			for i, v := range w.takeCharges(charges...) {
				if v.Mark != 0 {
					charges[i].Mark = v.Mark
					made = append(made, charged{charges[i]})
				}
			}
		case n < 14:
			w.peek(charges...)
		case n < 16 && len(made) > 0:
			i := w.random.IntN(len(made))
			w.refundCharges(made[i].c)
			made = slices.Delete(made, i, i+1)
		case n == 16 && w.random.IntN(5) == 0:
			w.resetKeys(charges[0].Key)
			made = slices.DeleteFunc(made, func(m charged) bool { return m.c.Key == charges[0].Key })
		default:
			w.advance(time.Duration(w.random.Int64N(int64(w.window / 16))))
		}
	}
}
