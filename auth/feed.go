package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// A Revocation takes tokens back. Exactly one of Token, Session and Subject
// names them.
type Revocation struct {
	// Token is the ID (jti) of one token, Session the login (sid) of all its
	// tokens, and Subject (sub) whose tokens without a session are meant, at
	// most 256 bytes.
	Token, Session, Subject string
	// IssuedBefore is set with Subject: the tokens up to this second.
	IssuedBefore time.Time
	// Until is when the last of the tokens is dead by every clock and leeway,
	// and this can be forgotten.
	Until time.Time
}

// A RevocationFeed carries revocations among the processes of a service, in
// one order that all of them see. It is safe for concurrent use.
type RevocationFeed interface {
	// Load returns every revocation whose Until has not passed, and the
	// position after them: what was added while it ran is among them, or
	// comes after the position.
	Load(ctx context.Context) (all []Revocation, position string, err error)
	// Next returns what was added after a position, in order, and the position
	// after that. When there is nothing it waits, up to about half a second, and
	// returns none and the same position. A feed that waits longer is stale for
	// a short [RevocationsOptions].MaxStale. It fails with [ErrPositionLost] when
	// something that was added after the position is no longer there.
	Next(ctx context.Context, after string) (added []Revocation, position string, err error)
	// Add returns when Load and Next of every process show the revocation. An
	// error leaves open whether they do.
	Add(ctx context.Context, r Revocation) error
}

// ErrPositionLost is returned by [RevocationFeed].Next, and never an answer to
// a request: the feed is then loaded whole again.
var ErrPositionLost = errors.New("auth: the position is no longer in the feed of revocations")

const (
	// shortestStale and longestStale bound MaxStale. A feed that is idle was
	// read up to twice as long ago as Next waits, and two calls.
	shortestStale = 2 * time.Second
	longestStale  = 30 * time.Second
	// readTimeout bounds one read of the feed, and addTimeout one addition.
	readTimeout = 10 * time.Second
	addTimeout  = 3 * time.Second
	// readPause is the least time between two reads, for a feed that does not
	// wait, and retryPause that after one that failed.
	readPause  = 50 * time.Millisecond
	retryPause = 500 * time.Millisecond
	// tellPause is the least time between two additions of one revocation that
	// the feed was not sure of: what Retry-After says.
	tellPause = time.Second
)

// entryKey returns what the revocation names, or false when that is not exactly one
// ID of a bounded length.
func (v Revocation) entryKey() (key revocation, ok bool) {
	for _, named := range [...]revocation{{'t', v.Token}, {'s', v.Session}, {'u', v.Subject}} {
		if named.id == "" {
			continue
		}
		if key.id != "" {
			return revocation{}, false
		}
		key = named
	}
	return key, key.id != "" && len(key.id) <= longestID
}

// Run follows the feed until ctx ends, and returns its error: all live
// revocations first, then each as it is added. What fails is tried again.
// Without a feed it only waits.
func (r *Revocations) Run(ctx context.Context) error {
	if !r.usable() {
		return errNoRevocations
	}
	if r.feed == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	position, loaded, failing := "", false, false
	for {
		start, began := r.now(), time.Now()
		next, err := r.readFeed(ctx, position, loaded)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause := readPause - time.Since(began)
		lost := loaded && errors.Is(err, ErrPositionLost)
		switch {
		case err == nil:
			position, loaded = next, true
			r.markSynced(start)
		case lost:
			loaded = false
			r.startEpoch()
		default:
			pause = retryPause
		}
		if failed := err != nil && !lost; failed != failing {
			failing = failed
			r.logFeedState(ctx, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// readFeed takes one step: the whole feed, or what came after a position.
func (r *Revocations) readFeed(ctx context.Context, position string, loaded bool) (next string, err error) {
	timeout := readTimeout
	if loaded {
		// A read that hangs for longer has made the feed stale: begin another.
		timeout = min(readTimeout, r.maxStale)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var list []Revocation
	if loaded {
		list, next, err = r.feed.Next(ctx, position)
	} else {
		list, next, err = r.feed.Load(ctx)
	}
	if err != nil {
		return "", err
	}
	// What is read counts as not told: it may be what Add could not make sure,
	// and the caller does again.
	for _, v := range list {
		key, ok := v.entryKey()
		if !ok {
			// Going on without it would let somebody through.
			return "", errors.New("auth: the feed has a revocation that does not name one ID of 1 to 256 bytes")
		}
		_ = r.storeEntry(key, mark{until: v.Until.Round(0), issuedBefore: v.IssuedBefore}) // what does not fit is remembered as such
	}
	return next, nil
}

// logFeedState logs that the feed fails, and that it no longer does.
func (r *Revocations) logFeedState(ctx context.Context, err error) {
	logger := r.logger
	if logger == nil {
		logger = slog.Default()
	}
	if err == nil {
		logger.LogAttrs(ctx, slog.LevelInfo, "revocation feed recovered")
		return
	}
	logger.LogAttrs(ctx, slog.LevelWarn, "revocation feed unreadable", slog.Any("error", err))
}

// startEpoch takes nothing for told that may be what the feed has lost: what was
// told before now, or is being told.
func (r *Revocations) startEpoch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
}

// markSynced notes that everything added before a time is known.
func (r *Revocations) markSynced(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.syncedAt = at
}

// isStale reports whether something may have been added that is not known here,
// which is so before the first time.
// Of the two clocks, the wall's stands still when it is set back, and the
// monotonic one while the machine is suspended.
func (r *Revocations) isStale(now time.Time) bool {
	if r.feed == nil {
		return false
	}
	wall := now.Round(0).Sub(r.syncedAt.Round(0))
	return wall < 0 || wall > r.maxStale || now.Sub(r.syncedAt) > r.maxStale
}

// addToFeed adds a revocation to the feed. The request that asks for it may end
// before that is done.
func (r *Revocations) addToFeed(ctx context.Context, v Revocation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), addTimeout)
	defer cancel()
	if err := r.feed.Add(ctx, v); err != nil {
		return ErrUnavailable.Wrap(fmt.Errorf("add a revocation: %w", err)).With("reason", "feed of revocations")
	}
	return nil
}
