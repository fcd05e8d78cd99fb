package storetest

import "github.com/stretchr/testify/require"

// refunds makes refunds in both orders of time, in part, after the window, without a
// Mark, and for an unknown key.
func refunds(w *world, requests int) {
	c := w.newCharge("k", requests, requests/4)
	var marks []int64
	for range 4 {
		marks = append(marks, w.takeCharges(c)[0].Mark)
		w.advance(w.window / 16)
	}
	w.takeCharges(c)
	back := func(i, cost int) {
		r := c
		r.Mark, r.Cost = marks[i], cost
		w.refundCharges(r)
	}
	back(2, c.Cost)
	marks[2] = w.takeCharges(c)[0].Mark
	w.takeCharges(c)
	back(0, c.Cost)
	back(1, c.Cost/2)
	w.peek(c)
	w.takeCharges(c)
	w.refundCharges(c) // without a Mark
	unknown := w.newCharge("nobody", requests, 1)
	unknown.Mark = marks[2]
	w.refundCharges(unknown)
	w.peek(unknown)
	w.advance(w.window * 10 / 8)
	back(2, c.Cost)
	back(3, c.Cost)
	require.Equal(w.t, requests, w.peek(c)[0].Remaining)
	for range 5 {
		w.takeCharges(c)
	}
}

// refundsOfSeveral refunds two limits in one call. It repeats the refund, which must not
// raise Remaining above Requests, and refunds without a Mark while charges exist.
func refundsOfSeveral(w *world, requests int) {
	a, b := w.newCharge("k", requests, requests/2), w.newCharge("k", requests, requests)
	b.Key.Policy = "p-2"
	v := w.takeCharges(a, b)
	w.refundCharges(a, b) // without a Mark
	w.expect(w.peek(b)[0].Wait > 0, "a refund without a Mark must have no effect")
	a.Mark, b.Mark = v[0].Mark, v[1].Mark
	w.refundCharges(a, b)
	w.peek(a, b)
	w.refundCharges(b, a)
	w.peek(a, b)
	a.Mark, b.Mark = 0, 0
	w.takeCharges(a, b)
	w.takeCharges(a)
	w.expect(w.takeCharges(a)[0].Wait > 0, "a repeated refund must not lower a count below 0")
	w.expect(w.takeCharges(b)[0].Wait > 0, "a repeated refund must not lower a count below 0")
}
