package ratelimit

import (
	"context"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// ErrMisconfigured is what a [Store] wraps when it can tell that its failure
// will not pass by itself: a wrong password, a user without the rights. The
// limiter then denies, whatever OnStoreFailure says: 503 limits_misconfigured.
var ErrMisconfigured = errors.Define(503, "limits_misconfigured", "The service is busy. Try again later.").Sampled("tier")

// A Store keeps the counts. Every call takes all limits of a request at once,
// and decides them together; the keys of one call differ, and a [Limiter]
// sends at most 8. A Store keeps none of the slices, returns when its context
// ends, and is safe for concurrent use. Package storetest checks all of this.
//
// Times are durations, never dates, so that clocks need not agree. Windows and
// penalties are whole milliseconds, and a store may count in those: its Wait
// and Reset are rounded up, so that they are never too early.
type Store interface {
	// Take charges all of the charges if every limit allows it, and none
	// otherwise. It writes verdict i about charge i. A refusal is a verdict,
	// not an error; an error says that nobody knows, and the verdicts mean
	// nothing. Where it will not pass by itself, it wraps ErrMisconfigured.
	//
	// A denial writes nothing, but for one mark: each limit that denies by its
	// own count, and has a Penalty, remembers it. The limits that allowed are
	// not charged and not marked. A denial during a penalty writes nothing at
	// all.
	//
	// A charge with Shadow has no say: it is charged if it would allow and
	// everything else does, its verdict tells what it would have done, and its
	// penalty is kept as though it were none.
	Take(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Peek writes the verdicts that Take would, without the charge, and changes
	// nothing: Remaining is what is left before it, and Mark is 0. It knows a
	// penalty that runs, but not the one that Take would begin: Wait is how long
	// the limit itself denies.
	Peek(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Refund gives back what Take charged. Each charge is the one of Take, with
	// the Mark of its verdict; its Cost may be less, to give back a part. What
	// has left its window already is ignored, no count sinks below 0, and a
	// penalty stays. A Mark of 0 gives nothing back.
	Refund(ctx context.Context, charges []Charge) error
	// Reset forgets everything about the keys, penalties included.
	Reset(ctx context.Context, keys []Key) error
}

// A Key says whose requests are counted together, and under which limit. Text
// is a principal, an account or whatever else the application counts; where it
// is "", Net is the client's address or network. Keys never contain a path,
// which clients choose freely.
type Key struct {
	Policy string // "login", "login-2": the limit, unique in its store
	Text   string
	Net    netip.Prefix
}

// A Charge asks one limit for Cost of its Requests per Window.
type Charge struct {
	Key Key
	// Requests may differ between calls, for a principal with a quota of its
	// own. What was counted stays counted, also where Requests passes 128 and a
	// store changes how it counts; a request may then count as up to an eighth
	// of the window younger than it is.
	Requests int
	// Window is the same in all calls of a process. A store that outlives the
	// process makes it a part of the key.
	Window time.Duration
	// Penalty is how long all charges of the key are denied after one was, from
	// the first denial on: denials during it do not prolong it. 0: none, and a
	// mark that is there is not asked for.
	Penalty time.Duration
	// Cost is 0 or more. A charge of 0 is allowed always, also during a
	// penalty, and writes nothing.
	Cost int
	// Shadow keeps the charge from denying the others.
	Shadow bool
	// Mark is for Refund: that of the verdict.
	Mark int64
}

// A Verdict is one limit's answer.
type Verdict struct {
	// Remaining is what is left, after the charge if all limits allowed it; 0
	// during a penalty, whatever the Cost.
	Remaining int
	// Wait is 0 where the limit allows the charge; else how long to wait until
	// it does, if nobody else asks. It is negative for a Cost above Requests,
	// which no time can allow, and which begins no penalty. In a penalty, it is
	// what is left of it, or the limit's own wait, whichever is longer.
	Wait time.Duration
	// Reset is how long until more remains than now. 0: nothing is used. In a
	// penalty it is Wait, or what is left of it where Wait is not positive.
	Reset time.Duration
	// Mark identifies the charge for Refund. Its unit is the store's own; a
	// store may use the time of the charge. 0: nothing was charged.
	Mark int64
	// Pressure says that the store is full, and that the key was counted
	// together with others.
	Pressure bool
}

// bound keeps what a faulty store says from becoming fields that no client
// understands, or times that overflow.
func (v *Verdict) bound(requests int) {
	v.Remaining = min(max(v.Remaining, 0), requests)
	v.Wait = min(max(v.Wait, -1), 2*longest)
	v.Reset = min(max(v.Reset, 0), 2*longest)
}
