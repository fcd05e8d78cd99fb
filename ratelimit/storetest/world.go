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
	t        *testing.T
	store    ratelimit.Store
	window   time.Duration
	random   *rand.Rand
	counts   map[ratelimit.Key]*count
	move     func(time.Duration) // nil: a real clock
	moved    time.Duration
	start    time.Time
	waited   time.Duration // by advance, with a real clock
	late     bool          // more time passed than a case expects
	verdicts int
	certain  int // verdicts with one possible value
}

func newWorld(t *testing.T, s ratelimit.Store, o Options) *world {
	return &world{t: t, store: s, window: o.Window, random: rand.New(rand.NewPCG(o.Seed, 0)), counts: make(map[ratelimit.Key]*count), move: o.Advance, moved: time.Hour, start: time.Now()}
}

// exact reports whether the test controls the clock of the store.
func (w *world) exact() bool { return w.move != nil }

// testTime is the oracle's time.
func (w *world) testTime() time.Duration {
	if w.exact() {
		return w.moved
	}
	return time.Hour + time.Since(w.start) // 0 means never
}

// advance moves the clock of the store, or waits.
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

// expect checks a statement that holds unless the machine is slow. If a case with a
// real clock took longer than planned, a failure only marks the case as late, and Run
// repeats it.
func (w *world) expect(holds bool, text string) {
	w.t.Helper()
	if !holds && !w.exact() && time.Since(w.start)-w.waited > w.window/8 {
		w.late = true
		return
	}
	require.True(w.t, holds, text)
}

// during calls f, and returns the time of the call. With a real clock the span is a
// millisecond longer on both sides, because a store rounds its times to milliseconds.
func (w *world) during(f func() error) span {
	from := w.testTime()
	require.NoError(w.t, f())
	to := w.testTime()
	if !w.exact() {
		from, to = from-time.Millisecond, to+time.Millisecond
	}
	return span{from, to}
}

// newCharge returns a charge with the window of the world.
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

// refundCharges refunds charges in the store and in the oracle.
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
		w.verdicts++
		if w.counts[c.Key].checkVerdict(w.t, c, v, when, take, charged) {
			w.certain++
		}
		require.Equal(w.t, charged, v.Mark != 0, "a verdict must have a Mark if the charge was recorded, and no Mark otherwise")
	}
}
