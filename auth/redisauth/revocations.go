package redisauth

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// A Feed carries revocations among processes through a stream in Redis. It is
// an [auth.RevocationFeed], safe for concurrent use.
type Feed struct {
	*store
	add, read script
}

var _ auth.RevocationFeed = (*Feed)(nil)

// Revocations returns a feed of revocations. The error joins all problems.
func Revocations(client redis.UniversalClient, o Options) (*Feed, error) {
	s, err := newStore(client, o)
	if err != nil {
		return nil, err
	}
	return &Feed{store: s, add: newScript(addLua), read: newScript(readLua)}, nil
}

const (
	// page is how many entries are read at once.
	page = 500
	// pollPause is how long Next waits between two looks, and so the most that
	// a revocation takes to reach another process, beside the calls. Looks are
	// calls that end, so that a Redis that hangs is noticed, and no connection
	// is taken for itself.
	pollPause = 200 * time.Millisecond
	// pollFor is how long Next waits in all.
	pollFor = time.Second
)

// streamKey names the stream, which is in one slot of a Cluster.
func (f *Feed) streamKey() string { return f.prefix + "revocations" }

// Add implements [auth.RevocationFeed]. It takes some of what is dead out of the
// stream.
func (f *Feed) Add(ctx context.Context, v auth.Revocation) error {
	kind, id := "t", v.Token
	switch {
	case v.Session != "":
		kind, id = "s", v.Session
	case v.Subject != "":
		kind, id = "u", v.Subject
	}
	until := v.Until.Add(time.Millisecond - 1) // not earlier
	_, err := f.runScript(ctx, true, f.add, f.streamKey(), f.skew.Milliseconds(), kind, id, millis(until), millis(v.IssuedBefore))
	return err
}

// millis returns the milliseconds of a time, or the most and the least that
// there are: beyond, UnixMilli turns for ever into long ago.
func millis(t time.Time) int64 {
	switch {
	case t.After(time.UnixMilli(math.MaxInt64)):
		return math.MaxInt64
	case t.Before(time.UnixMilli(math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixMilli()
}

// A place is where a reader is: an ID, in the stream of one Redis. Another may
// give the same ID to another entry, when its clock is behind.
type place struct{ server, id string }

// String is the position that readers know it by.
func (p place) String() string { return p.server + " " + p.id }

func parsePlace(position string) (p place) {
	p.server, p.id, _ = strings.Cut(position, " ")
	return p
}

// Load implements [auth.RevocationFeed].
func (f *Feed) Load(ctx context.Context) (all []auth.Revocation, position string, err error) {
	for server, id := "", "0-0"; ; {
		entries, last, err := f.after(ctx, id)
		switch {
		case err != nil:
			return nil, "", err
		case server != "" && last.server != server:
			return nil, "", unavailableError(errOtherServer)
		}
		server = last.server
		for _, e := range entries {
			all, id = append(all, e.revocation), e.id
		}
		if len(entries) < page {
			return all, last.String(), nil
		}
	}
}

// Next implements [auth.RevocationFeed].
func (f *Feed) Next(ctx context.Context, after string) (added []auth.Revocation, position string, err error) {
	from := parsePlace(after)
	for start := time.Now(); ; {
		entries, last, err := f.after(ctx, from.id)
		switch {
		case err != nil:
			return nil, "", err
		case last.server != from.server, len(entries) == 0 && last != from, len(entries) > 0 && entries[0].previous != from.id:
			// Trimmed, or lost in a failover.
			return nil, "", auth.ErrPositionLost
		case len(entries) > 0:
			for _, e := range entries {
				added, from.id = append(added, e.revocation), e.id
			}
			return added, from.String(), nil
		case time.Since(start) >= pollFor || !pause(ctx, pollPause):
			return nil, after, ctx.Err()
		}
	}
}

// entry is a revocation in the stream.
type entry struct {
	id, previous string
	revocation   auth.Revocation
}

// after returns at most a page of the entries after an ID, and the place of the
// last entry that there ever was.
func (f *Feed) after(ctx context.Context, id string) (entries []entry, last place, err error) {
	reply, err := f.runScript(ctx, false, f.read, f.streamKey(), id, page)
	if err != nil {
		return nil, place{}, err
	}
	r := reader{}
	parts := r.asList(reply)
	last = place{r.textAt(parts, 0), r.textAt(parts, 1)}
	for _, v := range r.asList(r.at(parts, 2)) {
		e := r.asList(v)
		entries = append(entries, r.entry(r.textAt(e, 0), r.asList(r.at(e, 1))))
	}
	return entries, last, r.joinError(nil)
}

// entry reads the fields in the order in which they were added.
func (r *reader) entry(id string, fields []any) entry {
	e := entry{id: id, previous: r.textAt(fields, 9)}
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
