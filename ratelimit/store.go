package ratelimit

import (
	"context"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// ErrMisconfigured is wrapped by the error of a [Store] if the failure will persist
// until an administrator changes the configuration: a wrong password, or a user
// without permissions. The limiter then denies, regardless of OnStoreFailure: 503
// limits_misconfigured.
var ErrMisconfigured = errors.Define(503, "limits_misconfigured", "The service is busy. Try again later.").Sampled("tier")

// A Store keeps the counts. Each call has the charges of all limits of a request, and
// must decide them together. The keys of a call differ, and a [Limiter] passes at most
// 8. A Store must not keep the slices, must return when its context ends, and must be
// safe for concurrent use. Package storetest checks all of this.
//
// Times are durations, never dates, so that clocks need not agree. Windows and
// penalties are whole milliseconds, and a store may count in milliseconds: Wait and
// Reset must be rounded up, so that they are never too early.
type Store interface {
	// Take makes all of the charges if every limit allows its charge, and none
	// otherwise. It must write the verdict on charges[i] to verdicts[i]. A denial is a
	// verdict, not an error. After an error the verdicts are undefined, and it is
	// undecided whether the charges were made. The error must wrap ErrMisconfigured
	// if it will persist until an administrator changes the configuration.
	//
	// A denial must write nothing except penalties: each limit that denies by its own
	// count, and has a Penalty, starts it. A denial during a penalty writes nothing.
	//
	// A charge with Shadow does not deny the others. It is made if its own limit and
	// all others allow it. Its verdict is that of a charge without Shadow, and its
	// penalty is kept too.
	Take(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Peek writes the verdicts of Take without the charges, and must not change
	// anything. Remaining is the number before the charge, and Mark is 0. A running
	// penalty counts, but not a penalty that Take would start: Wait is then the wait
	// of the limit itself.
	Peek(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Refund refunds charges of Take. Each has the Mark of its verdict; its Cost may be
	// less than in Take, to refund a part. A charge that has left its window is
	// ignored, and so is a Mark of 0. A count must not become negative, and a penalty
	// must stay.
	Refund(ctx context.Context, charges []Charge) error
	// Reset deletes the counts and the penalties of the keys.
	Reset(ctx context.Context, keys []Key) error
}

// A SharedError is the error of a call of a [Store] that failed because a round trip to the
// server failed that other calls shared. The limiter counts it as one failure: without
// it, one lost reply looks like a server that fails again and again.
type SharedError struct {
	Err error
	// RoundTrip is the same for all calls that failed together.
	RoundTrip *RoundTrip
}

// A RoundTrip identifies one call of the server.
type RoundTrip struct{ _ byte }

func (e *SharedError) Error() string { return e.Err.Error() }

func (e *SharedError) Unwrap() error { return e.Err }

// A Key identifies the requests that one limit counts together. Text is a principal,
// an account or another key of the application. If it is empty, Net is the client
// address or its network.
type Key struct {
	Policy string // the limit name, such as "login-2"; unique in its store
	Text   string
	Net    netip.Prefix
}

// A Charge is a request to charge Cost to one limit of Requests per Window.
type Charge struct {
	Key Key
	// Requests may differ between calls, for example with the quota of a principal.
	// Counted requests must stay counted. They must never exceed Requests in any window.
	// Above 128, a request may count for up to 1/32 of the window too long.
	Requests int
	// Window is the same in all calls of a process. A store that outlives the
	// process must make it a part of the key.
	Window time.Duration
	// Penalty is the time after a denial in which all charges of the key are denied.
	// Denials during a penalty do not prolong it. 0 means none, and a penalty that
	// runs is ignored.
	Penalty time.Duration
	// Cost is at least 0. A charge of 0 is always allowed, even during a penalty, and
	// writes nothing.
	Cost int
	// Shadow keeps the charge from denying the others.
	Shadow bool
	// Mark is the Mark of the verdict of Take. Only Refund uses it.
	Mark int64
}

// A Verdict is the result of one charge.
type Verdict struct {
	// Remaining is the number of remaining requests, after the charge if it was made.
	// It is 0 during a penalty, regardless of Cost.
	Remaining int
	// Wait is 0 if the limit allows the charge. Otherwise it is the time until the
	// limit would allow it, if no other charge is made. It is negative for a Cost above
	// Requests, which starts no penalty. During a penalty, it is the remaining penalty
	// or the wait of the limit itself, whichever is longer.
	Wait time.Duration
	// Reset is the time until more requests remain than now. 0 means that nothing is
	// charged. During a penalty it is Wait, or the remaining penalty if Wait is not
	// positive.
	Reset time.Duration
	// Mark identifies the charge for Refund. A store may use the time of the charge. 0
	// means that no charge was made.
	Mark int64
	// Pressure reports whether the store is full and counted the key together with
	// others.
	Pressure bool
}
