package session

import (
	"context"
	"time"
)

// A Store stores one small record for each session. It never receives a token or a
// secret from which a token can be made, so a copy of the store opens no session. Each
// method must be atomic, between processes that share the store too. It must measure
// time with one clock, and must be safe for concurrent use.
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
	// Rotate presents the token of one generation of a session. The constants of
	// [Outcome] describe the possible results. Of any number of concurrent calls with
	// one generation, only one is Advanced.
	Rotate(ctx context.Context, r Rotation) (Rotated, error)
	// List returns the live records of an owner in any order.
	List(ctx context.Context, owner string) ([]Record, error)
	// Delete deletes the records of an owner with these IDs, and returns the live
	// ones among them. It may also return records that an earlier call ended,
	// because the reply of that call may be lost. It must not return an ID that never
	// existed. An ID that does not exist, or belongs to another owner, changes nothing.
	// A deleted record must never exist again, even if calls overlap.
	Delete(ctx context.Context, owner string, ids ...string) ([]Ended, error)
	// DeleteAll deletes the records of an owner except those with these IDs, and
	// returns the live ones among them. It may also return records that an
	// earlier call ended. The store must keep the time of the call for at least
	// [EpochWindow], because Create compares it with the start of the login.
	DeleteAll(ctx context.Context, owner string, except ...string) ([]Ended, error)
}

// A Record is one session as a [Store] keeps it. It is live until Expires.
type Record struct {
	ID         string    // 32 hexadecimal digits
	Generation uint64    // the number of rotations; below 1<<48
	Created    time.Time // never changes
	LastUsed   time.Time // the last rotation that was Advanced or RolledBack, or Created
	Expires    time.Time // LastUsed plus Idle, at most Created plus Absolute
	Value      []byte    // opaque, at most 16 KiB; never changes
}

// A Creation is the argument of [Store].Create.
type Creation struct {
	Owner          string        // of the subject: 32 hexadecimal digits, the same for all its sessions
	ID             string        // of the session: 32 hexadecimal digits
	Replaces       string        // the ID of the session that this one replaces; empty means none. An unknown ID, or another owner's, has no effect
	Value          []byte        // the store must not change it, and may keep it
	Idle, Absolute time.Duration // see Record.Expires
	Max            int           // the maximum number of live records of this owner, at least 1
	Age            time.Duration // the time since the login began, at least 0. It is a duration because clocks differ
}

// Created is the result of [Store].Create. Superseded reports whether the login began
// before the owner's last DeleteAll, or at the same time. If so, Record is zero, and
// Evicted has the IDs that an earlier attempt of the call deleted, including the ID that
// it replaced.
type Created struct {
	Record     Record
	Evicted    []Record
	Superseded bool
}

// An Ended is a session that a [Store].Delete or DeleteAll has ended.
type Ended struct {
	ID  string
	Ago time.Duration // the time since it ended; 0 means that this call ended it
}

// A Rotation is the argument of [Store].Rotate.
type Rotation struct {
	Owner, ID  string
	Generation uint64   // of the presented token, whose MAC is valid
	Attempt    [32]byte // a hash that differs for each attempt. A store that retries its own call must send the same
	Idle       time.Duration
	Grace      time.Duration // see Repeated
}

// Rotated is the result of [Store].Rotate. Record is the record after the
// rotation, or for Reused the record before it was deleted. It is zero for Gone.
type Rotated struct {
	Outcome Outcome
	Record  Record
	// Age is the time since the generation was superseded if Outcome is Reused, and 0
	// otherwise. If the generation is more than [MaxHistory] back, Age is that of the
	// oldest stored generation. If the clock was set back, Age is positive too.
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
	// Reused means that the generation was superseded, and is not Repeated. The store
	// has deleted the record.
	Reused
	// RolledBack means that the generation is above the record's, so the store has lost
	// writes. The record's generation is now the presented one plus 1. LastUsed and
	// Attempt change as for Advanced. The generations in between count as superseded
	// now.
	RolledBack
)

// EpochWindow is the maximum duration of a login that a RevokeAll of its subject
// prevents: a longer login may create a session although RevokeAll ran after it began.
const EpochWindow = 15 * time.Minute

// MaxHistory is the number of superseded generations whose times a record stores.
const MaxHistory = 16
