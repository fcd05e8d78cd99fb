package storetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// world is a store, and the oracle's records of its keys.
type world struct {
	t       *testing.T
	store   ratelimit.Store
	window  time.Duration
	random  *rand.Rand
	counts  map[ratelimit.Key]*count
	move    func(time.Duration) // nil: a real clock
	moved   time.Duration
	start   time.Time
	waited  time.Duration // on purpose, by a real clock
	late    bool          // more time passed than a case expects
	answers int
	certain int // verdicts with one possible value
}

func newWorld(t *testing.T, s ratelimit.Store, o Options) *world {
	return &world{t: t, store: s, window: o.Window, random: rand.New(rand.NewPCG(o.Seed, 0)), counts: make(map[ratelimit.Key]*count), move: o.Advance, moved: time.Hour, start: time.Now()}
}

// exact reports whether times are known.
func (w *world) exact() bool { return w.move != nil }

// testTime is the oracle's time.
func (w *world) testTime() time.Duration {
	if w.exact() {
		return w.moved
	}
	return time.Hour + time.Since(w.start) // 0 is for what never was
}

// advance lets time pass.
func (w *world) advance(d time.Duration) {
	d = d.Truncate(time.Millisecond)
	if w.exact() {
		w.move(d)
		w.moved += d
		return
	}
	w.waited += d
	<-time.After(d)
}

// expect checks a statement that holds if no more time passes than the case lets
// pass. On a real clock it may fail on a slow machine: the case is then run
// again.
func (w *world) expect(holds bool, text string) {
	w.t.Helper()
	if !holds && !w.exact() && time.Since(w.start)-w.waited > w.window/8 {
		w.late = true
		return
	}
	require.True(w.t, holds, text)
}

// during calls f, and returns when it happened. A store counts in whole
// milliseconds, so that two of its times can be a millisecond further apart, or
// less, than they were.
func (w *world) during(f func() error) span {
	from := w.testTime()
	require.NoError(w.t, f())
	to := w.testTime()
	if !w.exact() {
		from, to = from-time.Millisecond, to+time.Millisecond
	}
	return span{from, to}
}

// newCharge makes a charge of the world's window.
func (w *world) newCharge(text string, requests, cost int) ratelimit.Charge {
	return ratelimit.Charge{Key: ratelimit.Key{Policy: "p", Text: text}, Requests: requests, Window: w.window, Cost: cost}
}

// takeCharges calls the store with charges, and checks its verdicts.
func (w *world) takeCharges(charges ...ratelimit.Charge) []ratelimit.Verdict {
	w.t.Helper()
	verdicts := make([]ratelimit.Verdict, len(charges))
	when := w.during(func() error { return w.store.Take(w.t.Context(), charges, verdicts) })
	w.checkVerdicts(when, charges, verdicts, true)
	return verdicts
}

// peek calls the store without charging, and checks its verdicts.
func (w *world) peek(charges ...ratelimit.Charge) []ratelimit.Verdict {
	w.t.Helper()
	verdicts := make([]ratelimit.Verdict, len(charges))
	when := w.during(func() error { return w.store.Peek(w.t.Context(), charges, verdicts) })
	w.checkVerdicts(when, charges, verdicts, false)
	return verdicts
}

// refundCharges gives charges back, whose Marks are set.
func (w *world) refundCharges(charges ...ratelimit.Charge) {
	w.t.Helper()
	w.during(func() error { return w.store.Refund(w.t.Context(), charges) })
	for _, c := range charges {
		w.counts[c.Key].removeCharge(c)
	}
}

// resetKeys resets keys in the store.
func (w *world) resetKeys(keys ...ratelimit.Key) {
	w.t.Helper()
	w.during(func() error { return w.store.Reset(w.t.Context(), keys) })
	for _, k := range keys {
		delete(w.counts, k)
	}
}

// checkVerdicts compares verdicts with those that the oracle allows, and records
// the charges.
func (w *world) checkVerdicts(when span, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, take bool) {
	w.t.Helper()
	allowed := true
	for i := range charges {
		allowed = allowed && (verdicts[i].Wait == 0 || charges[i].Shadow)
	}
	for i := range charges {
		c, v := charges[i], verdicts[i]
		if w.counts[c.Key] == nil {
			w.counts[c.Key] = new(count)
		}
		charged := take && allowed && v.Wait == 0 && c.Cost > 0
		w.answers++
		if w.counts[c.Key].checkVerdict(w.t, c, v, when, take, charged) {
			w.certain++
		}
		require.Equal(w.t, charged, v.Mark != 0, "a Mark is there for what was charged, and for nothing else")
	}
}
