package session

import (
	"context"
	"time"
)

// A Store stores one small record for each session. It never gets a token, nor
// anything from which one can be made, so a copy of it opens no session. Each
// method must be atomic, also between processes that share the store, must
// measure time by one clock, and must be safe for concurrent use.
//
// A session ends when its record is deleted or expires. The Manager then revokes
// its access tokens; a store does not.
//
// An error means that it is unknown whether the change was made. An error with a
// result means that the change was made, and that a failover may undo it. A
// record that does not exist is never an error.
type Store interface {
	// Create adds a record of generation 0, and deletes the record that it
	// replaces. If its owner then has more than c.Max live records, it deletes
	// those with the earliest LastUsed, never the new one, down to c.Max, and
	// returns them in [Created].Evicted. Only a repeat of the same call creates
	// an ID twice, and leaves one record. A login that began before the owner's
	// last DeleteAll creates nothing: see [Created].Superseded.
	Create(ctx context.Context, c Creation) (Created, error)
	// Rotate presents the token of one generation of a session. What happens
	// is said at the constants of [Outcome]. It is one atomic step: of any
	// number of calls with one generation, only one is Advanced.
	Rotate(ctx context.Context, r Rotation) (Rotated, error)
	// List returns the live records of an owner in any order.
	List(ctx context.Context, owner string) ([]Record, error)
	// Delete deletes the records of an owner with these IDs, and returns the live
	// ones among them. It may also return records that an earlier call ended,
	// because the reply of that call may be lost, but none that never existed:
	// any client may have tokens of those. An ID that does not exist, or is
	// another owner's, changes nothing. A deleted record must never exist again,
	// whatever calls overlap.
	Delete(ctx context.Context, owner string, ids ...string) ([]Ended, error)
	// DeleteAll deletes the records of an owner except those with these IDs, and
	// returns the live ones among them. It may also return records that an
	// earlier call ended. Its time must be stored for at least [EpochWindow], for
	// Create.
	DeleteAll(ctx context.Context, owner string, except ...string) ([]Ended, error)
}

// A Record is one session as a [Store] keeps it. It is live until Expires.
type Record struct {
	ID         string    // 32 hexadecimal digits
	Generation uint64    // how often it was rotated; below 1<<48
	Created    time.Time // never changes
	LastUsed   time.Time // the last rotation that was Advanced or RolledBack, or Created
	Expires    time.Time // LastUsed plus Idle, at most Created plus Absolute
	Value      []byte    // opaque, at most 16 KiB; never changes
}

// A Creation is the argument of [Store].Create.
type Creation struct {
	Owner          string        // of the subject: 32 hexadecimal digits, the same for all its sessions
	ID             string        // of the session: 32 hexadecimal digits
	Replaces       string        // the ID of another one; "": none. One that is not there, or is another owner's, changes nothing
	Value          []byte        // the store must not change it, and may keep it
	Idle, Absolute time.Duration // see Record.Expires
	Max            int           // the largest number of live records of this owner, at least 1
	Age            time.Duration // how long ago the login began, when the call was made; not negative. A span, since clocks differ
}

// Created is the result of [Store].Create. Superseded reports whether the login
// began before the owner's last DeleteAll, or at the same time; then there is no
// record. Evicted then has the IDs that an earlier attempt of the call deleted,
// the replaced one included.
type Created struct {
	Record     Record
	Evicted    []Record
	Superseded bool
}

// An Ended is a session that a [Store].Delete or DeleteAll has ended.
type Ended struct {
	ID  string
	Ago time.Duration // 0: by this call. A span, since clocks differ
}

// A Rotation is the argument of [Store].Rotate.
type Rotation struct {
	Owner, ID  string
	Generation uint64   // of the token that was presented; it is authentic
	Attempt    [32]byte // a hash that is never the same for two attempts; a store may repeat its own call with it
	Idle       time.Duration
	Grace      time.Duration // see Repeated
}

// Rotated is the result of [Store].Rotate. Record is the record after the
// rotation, or for Reused the record before it was deleted. It is zero for Gone.
type Rotated struct {
	Outcome Outcome
	Record  Record
	// Age is for Reused, and 0 for all else: how long ago the generation was
	// left. Of one that is more than [MaxHistory] back, it is the age of the
	// oldest that is known. A clock that was set back makes it positive too.
	Age time.Duration
}

// Outcome is the outcome of a [Rotation]. The zero value refuses.
type Outcome int

const (
	// Gone means that no live record has this owner and ID. Nothing changed.
	Gone Outcome = iota
	// Advanced means that the generation was the record's. The record's
	// generation is now one higher, LastUsed is now, and Attempt is stored until
	// the next rotation.
	Advanced
	// Repeated means that the generation is the one before the record's, and was
	// superseded less than Grace ago or by this Attempt, at any time: no request
	// has presented the successor yet. Nothing changed, so a repeat does not
	// extend a session. After the clock was set back, a time in the future counts
	// as that long ago.
	Repeated
	// Reused: the generation was left otherwise. The record was deleted.
	Reused
	// RolledBack: the generation is ahead of the record's, so the store has
	// lost writes. The record's is now one more than the presented one; all
	// else is as with Advanced. The generations in between count as left now.
	RolledBack
)

// EpochWindow is how long a login may take for the RevokeAll of its subject to
// reach it.
const EpochWindow = 15 * time.Minute

// MaxHistory is the number of generations before its own of which a record has
// the age.
const MaxHistory = 16
