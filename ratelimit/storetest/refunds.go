package storetest

import "github.com/stretchr/testify/require"

// refunds gives back in the order of time and against it, a part, too late, and
// what was never charged.
func refunds(w *world, requests int) {
	c := w.charge("k", requests, requests/4)
	var marks []int64
	for range 4 {
		marks = append(marks, w.take(c)[0].Mark)
		w.advance(w.window / 16)
	}
	w.take(c)
	back := func(i, cost int) {
		r := c
		r.Mark, r.Cost = marks[i], cost
		w.refund(r)
	}
	back(2, c.Cost)
	marks[2] = w.take(c)[0].Mark
	w.take(c)
	back(0, c.Cost)
	back(1, c.Cost/2)
	w.peek(c)
	w.take(c)
	w.refund(c) // without a Mark
	unknown := w.charge("nobody", requests, 1)
	unknown.Mark = marks[2]
	w.refund(unknown)
	w.peek(unknown)
	w.advance(w.window * 10 / 8)
	back(2, c.Cost)
	back(3, c.Cost)
	require.Equal(w.t, requests, w.peek(c)[0].Remaining)
	for range 5 {
		w.take(c)
	}
}

// refundsOfSeveral gives back two limits at once; what has been given back
// already, which must not make room for more than there is; and without a Mark,
// while something could be given back.
func refundsOfSeveral(w *world, requests int) {
	a, b := w.charge("k", requests, requests/2), w.charge("k", requests, requests)
	b.Key.Policy = "p-2"
	v := w.take(a, b)
	w.refund(a, b) // without a Mark
	w.expect(w.peek(b)[0].Wait > 0, "without a Mark nothing is given back")
	a.Mark, b.Mark = v[0].Mark, v[1].Mark
	w.refund(a, b)
	w.peek(a, b)
	w.refund(b, a)
	w.peek(a, b)
	a.Mark, b.Mark = 0, 0
	w.take(a, b)
	w.take(a)
	w.expect(w.take(a)[0].Wait > 0, "no count sinks below 0")
	w.expect(w.take(b)[0].Wait > 0, "no count sinks below 0")
}
