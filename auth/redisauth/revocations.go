package redisauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// A RevocationFeed carries revocations among processes through a stream in Redis. It is
// an [auth.RevocationFeed], safe for concurrent use.
type RevocationFeed struct {
	*store
	add, read script
}

var _ auth.RevocationFeed = (*RevocationFeed)(nil)

// NewRevocationFeed returns a feed of revocations. It reports all invalid options,
// joined.
func NewRevocationFeed(client redis.UniversalClient, o Options) (*RevocationFeed, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &RevocationFeed{store: s, add: newScript(addLua), read: newScript(readLua)}, nil
}

const (
	// page is the maximum number of entries in one read.
	page = 500
	// pollPause is the time between two calls of Next, and so the maximum time
	// until another process has a revocation, without the time of the calls.
	// Short calls notice a Redis that hangs, and occupy no connection.
	pollPause = 200 * time.Millisecond
	// pollFor is the time for which Next polls. It must be shorter than the minimum of
	// auth.RevocationsOptions.MaxStale.
	pollFor = 400 * time.Millisecond
	// tagSize is the length of an entry's tag, in characters of base32.
	tagSize = 12
)

// streamKey returns the key of the stream.
func (f *RevocationFeed) streamKey() string { return f.prefix + "revocations" }

// Add implements [auth.RevocationFeed]. It also deletes some expired entries.
func (f *RevocationFeed) Add(ctx context.Context, v auth.Revocation) error {
	kind, id := "t", v.Token
	switch {
	case v.Session != "":
		kind, id = "s", v.Session
	case v.Subject != "":
		kind, id = "u", v.Subject
	}
	until := v.Until.Add(time.Millisecond - 1) // round up, so that the entry does not expire early
	_, err := f.runScript(ctx, true, f.add, f.streamKey(), f.skew.Milliseconds(), kind, id, millis(until), millis(v.IssuedBefore), rand.Text()[:tagSize])
	return err
}

// millis returns t in milliseconds, clamped to int64. UnixMilli overflows for times such
// as the end of an entry that never expires.
func millis(t time.Time) int64 {
	switch {
	case t.After(time.UnixMilli(math.MaxInt64)):
		return math.MaxInt64
	case t.Before(time.UnixMilli(math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixMilli()
}

// A place is the position of a reader: an entry in the stream of one Redis. The
// ID of an entry is not enough: a stream that was deleted and created again,
// within a millisecond or after the clock was set back, gives the ID to another
// entry. So each entry has a random tag, and a place has the ID and the tag.
type place struct{ server, entry string }

// String returns the position of the reader: server, ID and tag.
func (p place) String() string { return p.server + " " + p.entry }

// id returns the ID of the entry, without its tag.
func (p place) id() string {
	id, _, _ := strings.Cut(p.entry, " ")
	return id
}

func parsePlace(position string) (p place) {
	p.server, p.entry, _ = strings.Cut(position, " ")
	return p
}

// Load implements [auth.RevocationFeed].
func (f *RevocationFeed) Load(ctx context.Context) (all []auth.Revocation, position string, err error) {
	for from := (place{"", "0-0"}); ; {
		read, err := f.readAfter(ctx, from.id())
		switch {
		case err != nil:
			return nil, "", err
		case len(all) > 0 && read.last.server != from.server:
			return nil, "", unavailableError(errOtherServer)
		case len(all) > 0 && read.from != from.entry:
			return nil, "", unavailableError(errOtherStream)
		}
		from.server = read.last.server
		for _, e := range read.entries {
			all, from.entry = append(all, e.revocation), e.place
		}
		if len(read.entries) < page {
			return all, read.last.String(), nil
		}
	}
}

// errOtherStream is the error of a Load whose last entry no longer exists: a sweep
// deleted it, or the stream was deleted and created again.
var errOtherStream = errors.New("redisauth: the last entry that was read is no longer in the stream")

// Next implements [auth.RevocationFeed].
func (f *RevocationFeed) Next(ctx context.Context, after string) (added []auth.Revocation, position string, err error) {
	from := parsePlace(after)
	for start := time.Now(); ; {
		read, err := f.readAfter(ctx, from.id())
		entries, last := read.entries, read.last
		switch {
		case err != nil:
			return nil, "", err
		case last.server != from.server, len(entries) == 0 && last != from, len(entries) > 0 && entries[0].previous != from.entry:
			// Trimmed, or lost in a failover.
			return nil, "", auth.ErrPositionLost
		case len(entries) > 0:
			for _, e := range entries {
				added, from.entry = append(added, e.revocation), e.place
			}
			return added, from.String(), nil
		case time.Since(start) >= pollFor || !pause(ctx, pollPause):
			return nil, after, ctx.Err()
		}
	}
}

// An entry is a revocation in the stream. place and previous have the ID and the tag of
// the entry and of the entry before it.
type entry struct {
	place, previous string
	revocation      auth.Revocation
}

// A reading is the result of one read after an ID: at most page entries, the place of
// the newest entry ever added, and from: the given ID, with the tag of its entry if
// that exists.
type reading struct {
	entries []entry
	last    place
	from    string
}

// readAfter reads the entries after an ID.
func (f *RevocationFeed) readAfter(ctx context.Context, id string) (reading, error) {
	reply, err := f.runScript(ctx, false, f.read, f.streamKey(), id, page)
	if err != nil {
		return reading{}, err
	}
	r := reader{}
	parts := r.asList(reply)
	read := reading{last: place{r.textAt(parts, 0), r.textAt(parts, 1)}, from: r.textAt(parts, 2)}
	for _, v := range r.asList(r.at(parts, 3)) {
		e := r.asList(v)
		read.entries = append(read.entries, r.entry(r.textAt(e, 0), r.asList(r.at(e, 1))))
	}
	return read, r.joinError(nil)
}

// entry reads the fields in the order in which they were added.
func (r *reader) entry(id string, fields []any) entry {
	e := entry{place: id, previous: r.textAt(fields, 9)}
	if len(fields) > 13 { // an entry of an earlier version has no tag
		e.place += " " + r.textAt(fields, 13)
	}
	until, err := strconv.ParseInt(r.textAt(fields, 5), 10, 64)
	issued, failed := strconv.ParseInt(r.textAt(fields, 7), 10, 64)
	if err = errors.Join(err, failed); err != nil && r.err == nil {
		r.err = fmt.Errorf("read a revocation: %w", err)
	}
	e.revocation = auth.Revocation{Until: time.UnixMilli(until)}
	switch name := r.textAt(fields, 3); r.textAt(fields, 1) {
	case "t":
		e.revocation.Token = name
	case "s":
		e.revocation.Session = name
	default:
		e.revocation.Subject, e.revocation.IssuedBefore = name, time.UnixMilli(issued)
	}
	return e
}
