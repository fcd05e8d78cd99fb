package storetest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// cases returns all scenarios.
func cases() []scenario {
	return []scenario{
		{"an exact limit", func(w *world) { w.fillLimit(5, 1) }},
		{"the largest exact limit", func(w *world) { w.fillLimit(128, 32) }},
		{"the smallest limit above the exact ones", func(w *world) { w.fillLimit(129, 43) }},
		{"a large limit", func(w *world) { w.fillLimit(1_000_000, 250_000) }},
		{"a burst at the end of a window", burst},
		{"cost 0, and cost above Requests", costs},
		{"charges are all made or none", allOrNothing},
		{"Peek charges nothing", peekChargesNothing},
		{"Refund of an exact limit", func(w *world) { refunds(w, 4) }},
		{"Refund of a large limit", func(w *world) { refunds(w, 400) }},
		{"Refund of two exact limits, twice", func(w *world) { refundsOfSeveral(w, 4) }},
		{"Refund of two rings, twice", func(w *world) { refundsOfSeveral(w, 400) }},
		{"Reset of counts and penalties", resets},
		{"penalty of an exact limit", func(w *world) { penalties(w, 3) }},
		{"penalty of a large limit", func(w *world) { penalties(w, 300) }},
		{"only a limit that denies starts a penalty", penaltyMarks},
		{"a shadow limit counts and does not deny", shadows},
		{"Requests changes between calls", quotas},
		{"different keys have different counts", keysApart},
		{"the store does not keep or change the charges", slicesNotKept},
		{"a context that has ended", endedContext},
		{"concurrent charges", atOnce},
		{"random calls of exact limits", func(w *world) { randomCalls(w, 12) }},
		{"random calls of rings", func(w *world) { randomCalls(w, 1000) }},
	}
}

// fillLimit uses up a limit, and retries before and after the Wait of the denial.
func (w *world) fillLimit(requests, cost int) {
	c := w.newCharge("k", requests, cost)
	for range requests/cost + 2 {
		w.takeCharges(c)
	}
	denied := w.takeCharges(c)[0]
	w.expect(denied.Wait > 0, "a used-up limit must deny")
	wait := (denied.Wait + time.Millisecond - 1).Truncate(time.Millisecond)
	half := (wait / 2).Truncate(time.Millisecond)
	w.advance(half)
	w.takeCharges(c)
	w.advance(wait - half - 2*time.Millisecond)
	w.takeCharges(c)
	w.advance(2 * time.Millisecond)
	if v := w.peek(c)[0]; w.exact() {
		require.Zero(w.t, v.Wait, "the same charge must be allowed after Wait")
	}
	w.takeCharges(c)
	w.advance(w.window * 10 / 8)
	require.Equal(w.t, requests, w.peek(c)[0].Remaining, "after a window without charges, all requests must remain")
}

// burst charges before and after the boundary of a window: the usual attack on fixed
// windows, and on an average of two buckets.
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
	c, none, overCost := w.newCharge("k", 10, 4), w.newCharge("k", 10, 0), w.newCharge("k", 10, 11)
	w.takeCharges(none)
	w.takeCharges(c)
	w.takeCharges(overCost)
	w.expect(w.takeCharges(c)[0].Remaining == 2, "each charge must count its cost")
	w.takeCharges(none)
	w.expect(w.takeCharges(c)[0].Wait > 0, "a used-up limit must deny")
	w.takeCharges(w.newCharge("k", 10, 2))
	w.takeCharges(none)
	w.takeCharges(overCost)
}

func allOrNothing(w *world) {
	strict, loose, large := w.newCharge("k", 2, 1), w.newCharge("k", 100, 1), w.newCharge("k", 1000, 1)
	loose.Key.Policy, large.Key.Policy = "p-2", "p-3"
	for range 5 {
		w.takeCharges(loose, strict, large)
		w.takeCharges(large, strict, loose)
	}
	w.expect(w.peek(loose)[0].Remaining == 98, "a charge that another limit denies must not be recorded")
	w.expect(w.peek(large)[0].Remaining == 998, "a charge that another limit denies must not be recorded")
	overCost := strict
	overCost.Key.Text, overCost.Cost = "other", 3
	w.takeCharges(loose, overCost)
	w.expect(w.peek(loose)[0].Remaining == 98, "a charge with another above Requests must not be recorded")
}

func peekChargesNothing(w *world) {
	c := w.newCharge("k", 2, 1)
	c.Penalty = w.window
	for range 5 {
		w.peek(c)
	}
	w.expect(w.takeCharges(c)[0].Remaining == 1, "Peek must not record a charge")
	w.takeCharges(c)
	for range 5 {
		w.peek(c) // is denied, and must not start a penalty
	}
	w.advance(w.window + 2*time.Millisecond)
	require.Zero(w.t, w.peek(c)[0].Wait)
}

func resets(w *world) {
	for _, c := range []ratelimit.Charge{w.newCharge("log", 1, 1), w.newCharge("large", 200, 200)} {
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
	w.expect(first.Wait == c.Penalty, "the first denial must start the penalty")
	none, overCost := c, c
	none.Cost, overCost.Cost = 0, requests+1
	for range 3 {
		w.advance(w.window / 2)
		w.takeCharges(c) // must not extend the penalty
		w.peek(c)
		w.takeCharges(none)
		w.takeCharges(overCost)
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
	require.LessOrEqual(w.t, w.takeCharges(unmarked)[0].Wait, w.window*9/8, "a charge without Penalty must ignore the penalty")
}

func penaltyMarks(w *world) {
	strict, loose := w.newCharge("k", 1, 1), w.newCharge("k", 50, 1)
	loose.Key.Policy = "p-2"
	strict.Penalty, loose.Penalty = w.window*4, w.window*4
	w.takeCharges(loose, strict)
	w.takeCharges(loose, strict)
	require.Zero(w.t, w.takeCharges(loose)[0].Wait, "a limit that allowed must not start a penalty")
	over := w.newCharge("over cost", 1, 2)
	over.Penalty = time.Hour
	w.takeCharges(over)
	over.Cost = 1
	require.Zero(w.t, w.takeCharges(over)[0].Wait, "a cost above Requests must not start a penalty")
	ok := w.newCharge("ok", 5, 1)
	ok.Penalty = time.Hour
	w.takeCharges(ok, over)
	w.takeCharges(ok, over)
	require.Zero(w.t, w.takeCharges(ok)[0].Wait)
}

func shadows(w *world) {
	shadow, real := w.newCharge("k", 2, 1), w.newCharge("k", 4, 1)
	real.Key.Policy, shadow.Shadow, shadow.Penalty = "p-2", true, time.Hour
	for i := range 6 {
		v := w.takeCharges(shadow, real)
		w.expect((v[0].Wait > 0) == (i >= 2), "the shadow limit must report its denial")
		w.expect((v[1].Wait > 0) == (i >= 4), "the shadow limit must not deny the charge")
	}
	w.resetKeys(shadow.Key)
	w.expect(w.takeCharges(shadow, real)[0].Remaining == 2, "a denied charge must not be recorded in the shadow limit")
}

// quotas changes Requests between calls. Some changes cross exactLimit, above which
// counts are approximate.
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
	w.expect(w.takeCharges(c)[0].Wait > 0, "charges of a large limit must count after Requests falls to an exact limit")
	w.advance(w.window * 10 / 8)
	w.takeCharges(c)
}

// keysApart charges keys that a store could confuse: texts with separators, texts that
// look like networks, and networks of different lengths.
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
		require.Zero(w.t, w.takeCharges(all[i])[0].Wait, "%q shares its count with another key", all[i].Key)
	}
	for _, c := range all {
		require.Positive(w.t, w.takeCharges(c)[0].Wait)
	}
}

func slicesNotKept(w *world) {
	charges := []ratelimit.Charge{w.newCharge("k", 1, 1)}
	before := slices.Clone(charges)
	w.takeCharges(charges...)
	require.Equal(w.t, before, charges, "Take must not change the charges")
	charges[0] = w.newCharge("other", 1000, 7)
	w.takeCharges(before...)
	w.takeCharges(charges...)
}

// endedContext calls the store with a canceled context. The store must return within
// 10 s. It is not decided whether the charge is recorded.
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
		w.t.Fatal("a call with a canceled context must return")
	}
	w.takeCharges(w.newCharge("other", 5, 1))
}
