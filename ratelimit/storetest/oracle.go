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

// An admission is something that was charged, and not given back.
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

// forget deletes charges that no longer count by any rule.
func (n *count) forget(at span, window time.Duration) {
	n.admissions = slices.DeleteFunc(n.admissions, func(a admission) bool { return at.from-a.when.to >= 2*window })
}

// used returns the minimum and the maximum of the charges at a moment: those
// certainly made less than near ago, and those possibly made less than far ago.
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

// room returns the shortest time after which at most most requests count.
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
	banned, perhaps := c.Penalty > 0 && at.to < n.penalty.from, c.Penalty > 0 && at.from < n.penalty.to
	certain = c.Cost == 0 || c.Cost > c.Requests || banned || least+c.Cost > c.Requests || !perhaps && most+c.Cost <= c.Requests
	switch {
	case c.Cost == 0:
		require.Zero(t, v.Wait, "what costs nothing was denied")
	case c.Cost > c.Requests:
		require.Negative(t, v.Wait, "more than is ever allowed at once")
	case banned:
		require.Positive(t, v.Wait, "allowed in a penalty that ends in %v", n.penalty.from-at.to)
	case least+c.Cost > c.Requests:
		require.Positive(t, v.Wait, "%d of %d are used, and %d more were allowed", least, c.Requests, c.Cost)
	case !perhaps && most+c.Cost <= c.Requests:
		require.Zero(t, v.Wait, "%d of %d are used at most, and %d more were denied", most, c.Requests, c.Cost)
	}
	n.judgeTimes(t, c, v, at, take, banned)
	begins := take && v.Wait > 0 && c.Penalty > 0
	n.judgeRemaining(t, c, v, banned, perhaps || begins, charged, least, most)
	require.False(t, v.Pressure, "the store is not full")
	if charged {
		n.admissions = append(n.admissions, admission{at, c.Cost, v.Mark})
	}
	if !perhaps && !begins {
		n.judgeReset(t, c, v, at, near, far)
	}
	if begins && !banned {
		end := span{at.from + c.Penalty, at.to + c.Penalty}
		if perhaps { // and it is unknown which of the two
			end.from = n.penalty.from
		}
		n.penalty = end
	}
	return certain
}

// judgeRemaining checks Remaining. If a penalty may be running, 0 is correct too.
func (n *count) judgeRemaining(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, banned, perhaps, charged bool, least, most int) {
	t.Helper()
	if banned {
		require.Zero(t, v.Remaining, "remaining in a penalty")
	}
	if perhaps && v.Remaining == 0 {
		return
	}
	if charged {
		least, most = least+c.Cost, most+c.Cost
	}
	require.GreaterOrEqual(t, v.Remaining, max(0, c.Requests-most), "remaining")
	require.LessOrEqual(t, v.Remaining, max(0, c.Requests-least), "remaining")
}

// judgeTimes checks Wait, if the limit is exact or a penalty decides.
func (n *count) judgeTimes(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, at span, take, banned bool) {
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
		if take { // a penalty may begin with this denial
			longest = max(longest, c.Penalty)
		}
		if take && at.from >= n.penalty.to {
			shortest = max(shortest, c.Penalty)
		}
	}
	require.GreaterOrEqual(t, v.Wait, shortest, "too early")
	require.LessOrEqual(t, v.Wait, longest+time.Millisecond-1, "too late: rounded up to milliseconds at most")
	if c.Penalty > 0 && (take || banned) {
		require.Equal(t, v.Wait, v.Reset, "in a penalty, nothing more is there before its end")
	}
}

// judgeReset checks the time until more requests remain, without a penalty. It is
// known to the millisecond if the limit is exact and the test controls the clock.
func (n *count) judgeReset(t *testing.T, c ratelimit.Charge, v ratelimit.Verdict, at span, near, far time.Duration) {
	t.Helper()
	least, most := n.used(at, near, far)
	switch {
	case most == 0:
		require.Zero(t, v.Reset, "nothing is used")
	case least > 0:
		require.Positive(t, v.Reset, "%d are used", least)
	}
	require.GreaterOrEqual(t, v.Reset, time.Duration(0))
	require.LessOrEqual(t, v.Reset, c.Window*33/32+time.Millisecond-1, "by then a window is over")
	if n.blurred || at.from != at.to || most == 0 {
		return
	}
	want := n.room(at.to, c.Window, to, min(most, c.Requests)-1)
	require.GreaterOrEqual(t, v.Reset, want, "nothing more is there yet")
	require.LessOrEqual(t, v.Reset, want+time.Millisecond-1, "more is there before")
}

// removeCharge removes a charge with this mark, or a part of it. Charges with one
// mark are alike: they were made in one millisecond.
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
