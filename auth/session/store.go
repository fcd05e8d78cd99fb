package session

import (
	"context"
	"time"
)

// A Store keeps one small record for each session. It never sees a token, nor
// anything that a token could be made from: a copy of it logs nobody in. Each
// method is atomic, also among processes that share the store, and measures
// time by one clock. It is safe for concurrent use.
//
// Records are created and deleted. A session ends when its record is deleted, or
// is no longer live; then its access tokens are revoked, of which a store knows
// nothing.
//
// An error means that the call may or may not have happened. An error beside a
// result means that it has happened, and that a failover may undo it. A record
// that is not there is never an error.
type Store interface {
	// Create adds a record of generation 0, and deletes the one whose place it
	// takes. When its owner then has more than c.Max live records, those with
	// the earliest LastUsed are deleted, never the new one, until c.Max are left;
	// they are returned in [Created].Evicted. An ID is created twice only by a
	// repeat of the same call, which leaves one record. A login that began before
	// the owner's last DeleteAll creates nothing: see [Created].Superseded.
	Create(ctx context.Context, c Creation) (Created, error)
	// Rotate presents the token of one generation of a session. What happens
	// is said at the constants of [Outcome]. It is one atomic step: of any
	// number of calls with one generation, only one is Advanced.
	Rotate(ctx context.Context, r Rotation) (Rotated, error)
	// List returns the live records of an owner in any order.
	List(ctx context.Context, owner string) ([]Record, error)
	// Delete deletes the records of an owner with these IDs, and returns the
	// live ones among them. It may add those that an earlier call has ended,
	// whose answer was perhaps lost, but none that were not there: anybody may
	// keep tokens of those. An ID that is not there, or is another owner's,
	// changes nothing. A deleted record never comes back, whatever calls overlap.
	Delete(ctx context.Context, owner string, ids ...string) ([]Ended, error)
	// DeleteAll deletes the records of an owner, but for those with these IDs,
	// and returns the live ones among them. It may add those that an earlier
	// call has ended, whose answer was perhaps lost. It is remembered for at
	// least [EpochWindow], for Create.
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

// Created is the result of [Store].Create. Superseded says that the login began
// before the owner's last DeleteAll, or at the same time, so that there is no
// record. Evicted has something then if an earlier try of the call had made the
// record: the IDs of the records that it deleted, the replaced one included.
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

// Rotated is the result of [Store].Rotate. Record is the record after it, or,
// for Reused, as it was before it was deleted. It is zero for Gone.
type Rotated struct {
	Outcome Outcome
	Record  Record
	// Age is for Reused, and 0 for all else: how long ago the generation was
	// left. Of one that is more than [MaxHistory] back, it is the age of the
	// oldest that is known. A clock that was set back makes it positive too.
	Age time.Duration
}

// Outcome is what a [Rotation] led to. The zero value refuses.
type Outcome int

const (
	// Gone: there is no live record of this owner and ID. Nothing changed.
	Gone Outcome = iota
	// Advanced: the generation was the record's. The record's is now one more,
	// LastUsed is now, and Attempt is remembered until the next rotation.
	Advanced
	// Repeated: the generation is the one before the record's, and was left less
	// than Grace ago, or by this Attempt, however long ago: nobody has presented
	// the successor yet. Nothing changed, so no repeat makes a session live
	// longer. A clock that was set back makes what it left in the future as old
	// as it is far.
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

// MaxHistory is how many of the generations before its own a record knows.
const MaxHistory = 16
