package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// A Revocation revokes tokens. Exactly one of Token, Session and Subject must be
// set.
type Revocation struct {
	// Token is the ID (jti) of one token. Session is the ID (sid) of a login; it
	// revokes all tokens of the login. Subject (sub) revokes the subject's tokens
	// without a session. Each has at most 256 bytes.
	Token, Session, Subject string
	// IssuedBefore is set with Subject: tokens issued up to this second are
	// revoked.
	IssuedBefore time.Time
	// Until is the time at which the last of the tokens has expired, by every
	// clock and leeway, so that the revocation may be deleted.
	Until time.Time
}

// A RevocationFeed shares revocations among the processes of a service. All
// processes must see the same order. It must be safe for concurrent use.
// authtest.TestRevocationFeed tests an implementation.
type RevocationFeed interface {
	// Load returns every revocation whose Until has not passed, and the position
	// after them. A revocation that is added during the call must be among them,
	// or after the position.
	Load(ctx context.Context) (all []Revocation, position string, err error)
	// Next returns the revocations that were added after a position, in order,
	// and the position after them. If there are none, it waits for at most about
	// half a second, and returns none and the same position. A feed that waits
	// longer is stale for a short [RevocationsOptions].MaxStale. Next must return
	// [ErrPositionLost] if a revocation after the position was deleted.
	Next(ctx context.Context, after string) (added []Revocation, position string, err error)
	// Add must return nil only when Load and Next return the revocation in every
	// process. After an error, the revocation may or may not be in the feed.
	Add(ctx context.Context, r Revocation) error
}

// ErrPositionLost is returned by [RevocationFeed].Next. It is never the response to a
// request: the whole feed is then loaded again.
var ErrPositionLost = errors.New("auth: the position is no longer in the feed of revocations")

const (
	// shortestStale and longestStale bound MaxStale. The last read of an idle feed is
	// up to two waits and two calls of Next old.
	shortestStale = 2 * time.Second
	longestStale  = 30 * time.Second
	// readTimeout bounds one read of the feed, and addTimeout one addition.
	readTimeout = 10 * time.Second
	addTimeout  = 3 * time.Second
	// readPause is the minimum time between two reads, for a feed that does not wait.
	// retryPause is the time after a failed read.
	readPause  = 50 * time.Millisecond
	retryPause = 500 * time.Millisecond
	// retryUnsure is the minimum time between two attempts to add a revocation after
	// the feed returned an error. auth/session sends the same time as
	// Retry-After; a Middleware sends retryAfter.
	retryUnsure = time.Second
)

// entryKey returns the ID of the revocation, or false if it does not have exactly
// one ID of a limited length.
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

// Run reads the feed until ctx ends, and returns the error of ctx. It loads all
// revocations first, and then follows additions. A failed read is retried. Without a
// feed, Run only waits.
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

// readFeed makes one read: of the whole feed, or of the additions after a position.
func (r *Revocations) readFeed(ctx context.Context, position string, loaded bool) (next string, err error) {
	timeout := readTimeout
	if loaded {
		// A read that hangs for longer has made the feed stale, so start another.
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
	// A revocation read from the feed is stored as not added, because it may come
	// from a failed Add that the caller will repeat.
	for _, v := range list {
		key, ok := v.entryKey()
		if !ok {
			// Without it, a revoked token would be accepted.
			return "", errors.New("auth: the feed has a revocation that does not name one ID of 1 to 256 bytes")
		}
		_ = r.storeEntry(key, mark{until: v.Until.Round(0), issuedBefore: v.IssuedBefore}) // storeEntry marks a revocation that does not fit
	}
	return next, nil
}

// logFeedState logs that the feed fails, and that it no longer does.
func (r *Revocations) logFeedState(ctx context.Context, err error) {
	logger := hook.LoggerOrDefault(r.logger)
	if err == nil {
		logger.LogAttrs(ctx, slog.LevelInfo, "revocation feed recovered")
		return
	}
	logger.LogAttrs(ctx, slog.LevelWarn, "revocation feed unreadable", slog.Any("error", err))
}

// startEpoch begins a new epoch: revocations added before are no longer assumed to
// be in the feed.
func (r *Revocations) startEpoch() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
}

// markSynced records that all revocations added before a time are stored.
func (r *Revocations) markSynced(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.syncedAt = at
}

// isStale reports whether the last read of the feed is too old. It is true before the
// first read. It uses both clocks, because the wall clock may be set back, and the
// monotonic clock stops while the machine is suspended.
func (r *Revocations) isStale(now time.Time) bool {
	if r.feed == nil {
		return false
	}
	wall := now.Round(0).Sub(r.syncedAt.Round(0))
	return wall < 0 || wall > r.maxStale || now.Sub(r.syncedAt) > r.maxStale
}

// addToFeed adds a revocation to the feed, within addTimeout, even if the caller's
// context is canceled.
func (r *Revocations) addToFeed(ctx context.Context, v Revocation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), addTimeout)
	defer cancel()
	if err := r.feed.Add(ctx, v); err != nil {
		return ErrUnavailable.Wrap(fmt.Errorf("add a revocation: %w", err)).With("reason", "feed of revocations")
	}
	return nil
}
