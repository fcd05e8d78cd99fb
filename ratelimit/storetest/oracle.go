package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// exactLimit is the largest limit that is counted exactly.
const exactLimit = 128

// A span is the time of an event: not before from, and not after to. The two are
// equal if the test controls the clock.
type span struct{ from, to time.Duration }

// An admission is the part of a recorded charge that was not refunded.
type admission struct {
	when span
	cost int
	mark int64
}

// count is the oracle's record of a key.
type count struct {
	admissions []admission
	penalty    span // its end; zero: none
	blurred    bool // counted with a limit above exactLimit, now or before
}

// forget deletes the charges that are at least two windows old.
func (n *count) forget(at span, window time.Duration) {
	n.admissions = slices.DeleteFunc(n.admissions, func(a admission) bool { return at.from-a.when.to >= 2*window })
}

// used returns bounds of the sum of the costs: least has the charges that are
// certainly younger than near, most those that may be younger than far.
func (n *count) used(at span, near, far time.Duration) (least, most int) {
	for _, a := range n.admissions {
		if at.to-a.when.from < near {
			least += a.cost
		}
		if at.from-a.when.to < far {
			most += a.cost
		}
	}
	return least, most
}

// room returns the shortest time after which the counted costs are at most most.
func (n *count) room(now, window time.Duration, times func(span) time.Duration, most int) time.Duration {
	ends := []time.Duration{0}
	for _, a := range n.admissions {
		ends = append(ends, max(0, times(a.when)+window-now))
	}
	slices.Sort(ends)
	for _, d := range ends {
		sum := 0
		for _, a := range n.admissions {
			if now+d-times(a.when) < window {
				sum += a.cost
			}
		}
		if sum <= most {
			return d
		}
	}
	return ends[len(ends)-1]
}

func from(s span) time.Duration { return s.from }
func to(s span) time.Duration   { return s.to }

// checkVerdict checks a verdict, and records it. It reports whether only one
// verdict was possible.
func (n *count) checkVerdict(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, at span, take, charged bool) (certain bool) {
	t.Helper()
	near, far := c.Window, c.Window
	if n.blurred = n.blurred || c.Requests > exactLimit; n.blurred {
		far = c.Window * 33 / 32
	}
	n.forget(at, c.Window)
	least, most := n.used(at, near, far)
	inPenalty, mayBeInPenalty := c.Penalty > 0 && at.to < n.penalty.from, c.Penalty > 0 && at.from < n.penalty.to
	certain = c.Cost == 0 || c.Cost > c.Requests || inPenalty || least+c.Cost > c.Requests || !mayBeInPenalty && most+c.Cost <= c.Requests
	switch {
	case c.Cost == 0:
		require.Zero(t, v.Wait, "a cost of 0 must not be denied")
	case c.Cost > c.Requests:
		require.Negative(t, v.Wait, "a cost above Requests must have a negative Wait")
	case inPenalty:
		require.Positive(t, v.Wait, "must be denied: the penalty ends in %v", n.penalty.from-at.to)
	case least+c.Cost > c.Requests:
		require.Positive(t, v.Wait, "must be denied: at least %d of %d are used, and the cost is %d", least, c.Requests, c.Cost)
	case !mayBeInPenalty && most+c.Cost <= c.Requests:
		require.Zero(t, v.Wait, "must be allowed: at most %d of %d are used, and the cost is %d", most, c.Requests, c.Cost)
	}
	n.checkTimes(t, c, v, at, take, inPenalty)
	begins := take && v.Wait > 0 && c.Penalty > 0
	n.checkRemaining(t, c, v, inPenalty, mayBeInPenalty || begins, charged, least, most)
	require.False(t, v.Pressure, "Pressure must be false: the store is not full")
	if charged {
		n.admissions = append(n.admissions, admission{at, c.Cost, v.Mark})
	}
	if !mayBeInPenalty && !begins {
		n.checkReset(t, c, v, at, near, far)
	}
	if begins && !inPenalty {
		end := span{at.from + c.Penalty, at.to + c.Penalty}
		if mayBeInPenalty { // the earlier penalty may be the one that counts
			end.from = n.penalty.from
		}
		n.penalty = end
	}
	return certain
}

// checkRemaining checks Remaining. If a penalty may be running, 0 is correct too.
func (n *count) checkRemaining(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, inPenalty, mayBeInPenalty, charged bool, least, most int) {
	t.Helper()
	if inPenalty {
		require.Zero(t, v.Remaining, "Remaining must be 0 in a penalty")
	}
	if mayBeInPenalty && v.Remaining == 0 {
		return
	}
	if charged {
		least, most = least+c.Cost, most+c.Cost
	}
	require.GreaterOrEqual(t, v.Remaining, max(0, c.Requests-most), "Remaining")
	require.LessOrEqual(t, v.Remaining, max(0, c.Requests-least), "Remaining")
}

// checkTimes checks Wait, if the limit is exact or a penalty decides.
func (n *count) checkTimes(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, at span, take, inPenalty bool) {
	t.Helper()
	if v.Wait <= 0 {
		return
	}
	shortest, longest := time.Duration(0), c.Window*33/32
	if !n.blurred {
		shortest = n.room(at.to, c.Window, from, c.Requests-c.Cost)
		longest = n.room(at.from, c.Window, to, c.Requests-c.Cost)
	}
	if c.Penalty > 0 {
		shortest = max(shortest, n.penalty.from-at.to)
		longest = max(longest, n.penalty.to-at.from)
		if take { // this denial may start a penalty
			longest = max(longest, c.Penalty)
		}
		if take && at.from >= n.penalty.to {
			shortest = max(shortest, c.Penalty)
		}
	}
	require.GreaterOrEqual(t, v.Wait, shortest, "Wait is too short")
	require.LessOrEqual(t, v.Wait, longest+time.Millisecond-1, "Wait is too long; a store may round up to a millisecond")
	if c.Penalty > 0 && (take || inPenalty) {
		require.Equal(t, v.Wait, v.Reset, "Reset must be the end of the penalty")
	}
}

// checkReset checks the time until more requests remain, without a penalty. It is
// known to the millisecond if the limit is exact and the test controls the clock.
func (n *count) checkReset(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, at span, near, far time.Duration) {
	t.Helper()
	least, most := n.used(at, near, far)
	switch {
	case most == 0:
		require.Zero(t, v.Reset, "Reset must be 0: nothing is used")
	case least > 0:
		require.Positive(t, v.Reset, "Reset must be positive: %d are used", least)
	}
	require.GreaterOrEqual(t, v.Reset, time.Duration(0))
	require.LessOrEqual(t, v.Reset, c.Window*33/32+time.Millisecond-1, "Reset must be at most 33/32 of the window")
	if n.blurred || at.from != at.to || most == 0 {
		return
	}
	want := n.room(at.to, c.Window, to, min(most, c.Requests)-1)
	require.GreaterOrEqual(t, v.Reset, want, "Reset is too short")
	require.LessOrEqual(t, v.Reset, want+time.Millisecond-1, "Reset is too long")
}

// removeCharge subtracts the cost of c from charges with its Mark, the newest first.
// Charges with the same Mark were made in one millisecond, so the order has no effect.
func (n *count) removeCharge(c ratelimit.Charge) {
	if n == nil || c.Mark == 0 {
		return
	}
	for i := len(n.admissions) - 1; i >= 0; i-- {
		a := &n.admissions[i]
		if a.mark != c.Mark {
			continue
		}
		back := min(a.cost, c.Cost)
		a.cost -= back
		c.Cost -= back
	}
}
