package storetest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// cases returns all that is played.
func cases() []scenario {
	return []scenario{
		{"an exact limit", func(w *world) { w.fillLimit(5, 1) }},
		{"the largest exact limit", func(w *world) { w.fillLimit(128, 32) }},
		{"the smallest ring", func(w *world) { w.fillLimit(129, 43) }},
		{"a large ring", func(w *world) { w.fillLimit(1_000_000, 250_000) }},
		{"a burst at the end of a window", burst},
		{"costs of nothing and of too much", costs},
		{"all or nothing", allOrNothing},
		{"Peek charges nothing", peekChargesNothing},
		{"Refund, exact", func(w *world) { refunds(w, 4) }},
		{"Refund, ring", func(w *world) { refunds(w, 400) }},
		{"Refund of several, and twice, exact", func(w *world) { refundsOfSeveral(w, 4) }},
		{"Refund of several, and twice, ring", func(w *world) { refundsOfSeveral(w, 400) }},
		{"Reset", resets},
		{"Penalty, exact", func(w *world) { penalties(w, 3) }},
		{"Penalty, ring", func(w *world) { penalties(w, 300) }},
		{"Penalty marks who denied", penaltyMarks},
		{"Shadow", shadows},
		{"a quota that changes", quotas},
		{"keys are kept apart", keysApart},
		{"slices are not kept", slicesNotKept},
		{"a context that has ended", endedContext},
		{"many at once", atOnce},
		{"random calls, exact", func(w *world) { randomCalls(w, 12) }},
		{"random calls, ring", func(w *world) { randomCalls(w, 1000) }},
	}
}

// fillLimit spends a limit, is denied, and comes back when it may.
func (w *world) fillLimit(requests, cost int) {
	c := w.newCharge("k", requests, cost)
	for range requests/cost + 2 {
		w.takeCharges(c)
	}
	denied := w.takeCharges(c)[0]
	w.expect(denied.Wait > 0, "what is full denies")
	wait := (denied.Wait + time.Millisecond - 1).Truncate(time.Millisecond)
	half := (wait / 2).Truncate(time.Millisecond)
	w.advance(half)
	w.takeCharges(c)
	w.advance(wait - half - 2*time.Millisecond)
	w.takeCharges(c)
	w.advance(2 * time.Millisecond)
	if v := w.peek(c)[0]; w.exact() {
		require.Zero(w.t, v.Wait, "after Wait, it is allowed")
	}
	w.takeCharges(c)
	w.advance(w.window * 10 / 8)
	require.Equal(w.t, requests, w.peek(c)[0].Remaining, "after a quiet window all is there")
}

// burst is the classic attack on fixed windows and on two buckets.
func burst(w *world) {
	for _, requests := range []int{10, 200} {
		c := w.newCharge("k", requests, requests/10)
		c.Key.Policy = map[int]string{10: "p", 200: "q"}[requests]
		w.advance(w.window * 3 / 4)
		for range 11 {
			w.takeCharges(c)
		}
		w.advance(w.window / 2)
		for range 11 {
			w.takeCharges(c)
		}
		w.advance(w.window * 5 / 8)
		for range 11 {
			w.takeCharges(c)
		}
	}
}

func costs(w *world) {
	c, none, dear := w.newCharge("k", 10, 4), w.newCharge("k", 10, 0), w.newCharge("k", 10, 11)
	w.takeCharges(none)
	w.takeCharges(c)
	w.takeCharges(dear)
	w.expect(w.takeCharges(c)[0].Remaining == 2, "costs count")
	w.takeCharges(none)
	w.expect(w.takeCharges(c)[0].Wait > 0, "what is full denies")
	w.takeCharges(w.newCharge("k", 10, 2))
	w.takeCharges(none)
	w.takeCharges(dear)
}

func allOrNothing(w *world) {
	strict, loose, ring := w.newCharge("k", 2, 1), w.newCharge("k", 100, 1), w.newCharge("k", 1000, 1)
	loose.Key.Policy, ring.Key.Policy = "p-2", "p-3"
	for range 5 {
		w.takeCharges(loose, strict, ring)
		w.takeCharges(ring, strict, loose)
	}
	w.expect(w.peek(loose)[0].Remaining == 98, "what another limit denies charges nobody")
	w.expect(w.peek(ring)[0].Remaining == 998, "what another limit denies charges nobody")
	dear := strict
	dear.Key.Text, dear.Cost = "other", 3
	w.takeCharges(loose, dear)
	w.expect(w.peek(loose)[0].Remaining == 98, "what is never allowed charges nobody")
}

func peekChargesNothing(w *world) {
	c := w.newCharge("k", 2, 1)
	c.Penalty = w.window
	for range 5 {
		w.peek(c)
	}
	w.expect(w.takeCharges(c)[0].Remaining == 1, "Peek charges nothing")
	w.takeCharges(c)
	for range 5 {
		w.peek(c) // is denied, and begins no penalty
	}
	w.advance(w.window + 2*time.Millisecond)
	require.Zero(w.t, w.peek(c)[0].Wait)
}

func resets(w *world) {
	for _, c := range []ratelimit.Charge{w.newCharge("log", 1, 1), w.newCharge("ring", 200, 200)} {
		c.Penalty = time.Hour
		w.takeCharges(c)
		require.Equal(w.t, time.Hour, w.takeCharges(c)[0].Wait)
		other := c
		other.Key.Text = "other"
		w.takeCharges(other)
		w.resetKeys(c.Key, w.newCharge("nobody", 1, 1).Key)
		require.Zero(w.t, w.takeCharges(c)[0].Wait)
		w.takeCharges(other)
		w.resetKeys(w.newCharge("nobody", 1, 1).Key, c.Key, other.Key)
		require.Zero(w.t, w.takeCharges(c)[0].Wait)
		require.Zero(w.t, w.takeCharges(other)[0].Wait)
	}
}

func penalties(w *world, requests int) {
	c := w.newCharge("k", requests, requests/3)
	c.Penalty = w.window * 2
	for range 3 {
		w.takeCharges(c)
	}
	first := w.takeCharges(c)[0]
	w.expect(first.Wait == c.Penalty, "the first denial begins the penalty")
	none, dear := c, c
	none.Cost, dear.Cost = 0, requests+1
	for range 3 {
		w.advance(w.window / 2)
		w.takeCharges(c) // prolongs nothing
		w.peek(c)
		w.takeCharges(none)
		w.takeCharges(dear)
	}
	w.advance(w.window/2 + 3*time.Millisecond)
	if w.exact() {
		require.Zero(w.t, w.peek(c)[0].Wait)
	}
	for range 5 {
		w.takeCharges(c)
	}
	unmarked := c
	unmarked.Penalty = 0
	require.LessOrEqual(w.t, w.takeCharges(unmarked)[0].Wait, w.window*9/8, "who has no penalty asks for none")
}

func penaltyMarks(w *world) {
	strict, loose := w.newCharge("k", 1, 1), w.newCharge("k", 50, 1)
	loose.Key.Policy = "p-2"
	strict.Penalty, loose.Penalty = w.window*4, w.window*4
	w.takeCharges(loose, strict)
	w.takeCharges(loose, strict)
	require.Zero(w.t, w.takeCharges(loose)[0].Wait, "it allowed, and another denied")
	dear := w.newCharge("dear", 1, 2)
	dear.Penalty = time.Hour
	w.takeCharges(dear)
	dear.Cost = 1
	require.Zero(w.t, w.takeCharges(dear)[0].Wait, "what is never allowed begins no penalty")
	ok := w.newCharge("ok", 5, 1)
	ok.Penalty = time.Hour
	w.takeCharges(ok, dear)
	w.takeCharges(ok, dear)
	require.Zero(w.t, w.takeCharges(ok)[0].Wait)
}

func shadows(w *world) {
	shadow, real := w.newCharge("k", 2, 1), w.newCharge("k", 4, 1)
	real.Key.Policy, shadow.Shadow, shadow.Penalty = "p-2", true, time.Hour
	for i := range 6 {
		v := w.takeCharges(shadow, real)
		w.expect((v[0].Wait > 0) == (i >= 2), "the shadow tells")
		w.expect((v[1].Wait > 0) == (i >= 4), "the shadow does not deny")
	}
	w.resetKeys(shadow.Key)
	w.expect(w.takeCharges(shadow, real)[0].Remaining == 2, "what is denied charges no shadow")
}

// quotas changes a limit between calls, also across 128, above which limits are
// approximate.
func quotas(w *world) {
	c := w.newCharge("k", 10, 10)
	w.takeCharges(c)
	for _, requests := range []int{5, 10, 20, 128, 1000, 100, 129, 12} {
		c.Requests, c.Cost = requests, 3
		w.takeCharges(c)
		w.takeCharges(c)
	}
	w.advance(w.window / 2)
	c.Requests, c.Cost = 1000, 300
	for range 4 {
		w.takeCharges(c)
	}
	c.Requests, c.Cost = 100, 1
	w.expect(w.takeCharges(c)[0].Wait > 0, "what was counted above 128 counts below it")
	w.advance(w.window * 10 / 8)
	w.takeCharges(c)
}

// keysApart has texts that join or split wrongly, and such that look like
// addresses.
func keysApart(w *world) {
	texts := []string{
		"a", "A", "b", "a:b", "b:c", ":", "{a}", "}", "{", "a\x00", "\x00a", "a\r\n", "a ", " a", "é", "e\u0301", "\xff", "\xff\xfe",
		"192.0.2.0/24", "192.0.2.1/32", "2001:db8::/64", "*", "[a-z]", "p-2", "2-a", "-2", "2:a", "2a", "2\x00a", "-2-a", "sha256:00", strings.Repeat("x", 4096), strings.Repeat("x", 4097),
	}
	var all []ratelimit.Charge
	for _, policy := range []string{"p", "p-2", "p-2-2"} {
		for _, text := range texts {
			c := w.newCharge(text, 1, 1)
			c.Key.Policy = policy
			all = append(all, c)
		}
		for _, net := range []string{"192.0.2.0/24", "192.0.2.0/25", "192.0.2.1/32", "2001:db8::/64", "2001:db8::/48", "::/128", "0.0.0.0/32"} {
			c := w.newCharge("", 1, 1)
			c.Key.Policy, c.Key.Net = policy, netip.MustParsePrefix(net)
			all = append(all, c)
		}
	}
	for i := range all {
		all[i].Window = time.Hour
		require.Zero(w.t, w.takeCharges(all[i])[0].Wait, "%q was counted with another key", all[i].Key)
	}
	for _, c := range all {
		require.Positive(w.t, w.takeCharges(c)[0].Wait)
	}
}

func slicesNotKept(w *world) {
	charges := []ratelimit.Charge{w.newCharge("k", 1, 1)}
	before := slices.Clone(charges)
	w.takeCharges(charges...)
	require.Equal(w.t, before, charges, "Take changed its charges")
	charges[0] = w.newCharge("other", 1000, 7)
	w.takeCharges(before...)
	w.takeCharges(charges...)
}

// endedContext calls the store with a canceled context. The store must return
// soon. The charge is then unknown.
func endedContext(w *world) {
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	c := []ratelimit.Charge{w.newCharge("k", 5, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.store.Take(ctx, c, make([]ratelimit.Verdict, 1))
		_ = w.store.Peek(ctx, c, make([]ratelimit.Verdict, 1))
		_ = w.store.Refund(ctx, c)
		_ = w.store.Reset(ctx, []ratelimit.Key{c[0].Key})
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		w.t.Fatal("a call did not return when its context had ended")
	}
	w.takeCharges(w.newCharge("other", 5, 1))
}

// atOnce has many clients of one key, and of two in both orders.
func atOnce(w *world) {
	for _, requests := range []int{100, 1000} {
		a, b := w.newCharge("a", requests, requests/100), w.newCharge("b", 1_000_000, 1)
		a.Window, b.Window, a.Key.Policy, b.Key.Policy = time.Hour, time.Hour, map[int]string{100: "p", 1000: "q"}[requests], "r"
		var group sync.WaitGroup
		var admitted, failed atomic.Int64
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
						admitted.Add(1)
					}
				}
			})
		}
		group.Wait()
		require.Zero(w.t, failed.Load())
		require.EqualValues(w.t, 100, admitted.Load())
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
