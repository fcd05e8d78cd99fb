package ratelimit

import (
	"context"
	"net/netip"
	"time"
)

// A Store keeps the counts. Every call takes all limits of a request at once,
// and decides them together. It keeps neither of the slices, returns when its
// context ends, and is safe for concurrent use.
type Store interface {
	// Take charges all of the charges if every limit allows it, and none
	// otherwise. It writes verdict i about charge i. A refusal is a verdict,
	// not an error; an error says that nobody knows, and the verdicts mean
	// nothing.
	Take(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Peek writes the verdicts that Take would, and charges nothing.
	Peek(ctx context.Context, charges []Charge, verdicts []Verdict) error
	// Refund gives back what Take charged. Each charge has the Mark of its
	// verdict. What has left its window already is ignored.
	Refund(ctx context.Context, charges []Charge) error
	// Reset forgets everything about the keys.
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
	Key      Key
	Requests int
	Window   time.Duration
	Cost     int
	Mark     int64 // for Refund: that of the verdict
}

// A Verdict is one limit's answer.
type Verdict struct {
	// Remaining is what is left, after the charge if all limits allowed it.
	Remaining int
	// Wait is 0 where the limit allows the charge; else how long to wait until
	// it does, if nobody else asks. It is negative for a Cost above Requests,
	// which no time can allow.
	Wait time.Duration
	// Reset is how long until more remains than now. 0: nothing is used.
	Reset time.Duration
	// Mark identifies the charge for Refund.
	Mark int64
	// Pressure says that the store is full, and that the key was counted
	// together with others.
	Pressure bool
}
