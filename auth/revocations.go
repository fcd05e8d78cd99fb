package auth

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

const (
	// revocationSlack is the time for which an entry is stored after its tokens expire:
	// the maximum leeway of a verifier, and 5 s for clocks that differ.
	revocationSlack = time.Minute + 5*time.Second
	// longestID bounds the memory of an entry, in bytes.
	longestID = 256
)

// RevocationsOptions configures [NewRevocations]. The zero value is the recommended
// setup.
type RevocationsOptions struct {
	// MaxEntries is the maximum number of entries, of about 150 bytes each. 0
	// means 1<<17.
	MaxEntries int
	// Feed shares revocations among processes. If it is set, call Run. nil means
	// that revocations apply only to this process, until it ends.
	Feed RevocationFeed
	// MaxStale is the maximum age of the last read of the Feed, from 2 s to 30 s.
	// While this process cannot read the feed, it may accept a token that another
	// process revoked for at most MaxStale. After that, every Check returns
	// [ErrUnavailable]. A short MaxStale makes short outages visible to clients.
	// 0 means 30 s. It requires a Feed.
	MaxStale time.Duration
	// Logger receives a record when the feed becomes unreadable, and when it has
	// recovered. nil means slog.Default().
	Logger *slog.Logger
}

// Revocations holds the tokens that were revoked before they expired: by their ID,
// by their session, or by subject and time of issue. The entries are in the memory
// of this process until the last token that they affect has expired. It is safe for
// concurrent use.
//
// With a feed, Check returns [ErrUnavailable] until the feed was loaded once, and
// while the last read is older than MaxStale. A revocation takes effect in this
// process before the call that made it returns, even if the feed returned an error.
// Another process applies it when it has read the feed: usually after 0.2 s with
// redisauth, and after at most MaxStale, because its Check returns [ErrUnavailable]
// then.
//
// When it is full, a new revocation returns an error, and Check returns
// [ErrUnavailable] until the latest revocation that did not fit has expired. Each of
// them is added to the feed once. The same applies if the clock is set back to before
// an entry was deleted.
type Revocations struct {
	maxEntries int
	feed       RevocationFeed
	maxStale   time.Duration
	logger     *slog.Logger
	now        func() time.Time

	mu              sync.RWMutex
	entries         map[revocation]mark
	epoch           uint64    // of the feed: starts at 1, and grows when the feed may have lost an entry
	incompleteUntil time.Time // when the last revocation that did not fit, or was dropped, expires
	syncedAt        time.Time // all entries that the feed had then are stored
	sweepAt         int       // the number of entries at which expired ones are deleted
	swept           time.Time
}

// revocation is the ID of a token, a session or a subject.
type revocation struct {
	by byte // 't' token, 's' session, 'u' subject
	id string
}

// mark has the times of a revocation.
type mark struct {
	until, issuedBefore time.Time
	addedEpoch          uint64    // the epoch in which the feed took it; 0 means that this is not certain
	lastUnsure          time.Time // the time of the last addition whose result is unknown
}

// revokesAllOf reports whether m revokes everything that other does.
func (m mark) revokesAllOf(other mark) bool {
	return !m.until.Before(other.until) && !m.issuedBefore.Before(other.issuedBefore)
}

// merge returns the mark with the effects of both marks of one name.
func (m mark) merge(other mark) mark {
	both := mark{
		until: later(m.until, other.until), issuedBefore: later(m.issuedBefore, other.issuedBefore), lastUnsure: later(m.lastUnsure, other.lastUnsure),
	}
	if m.revokesAllOf(other) {
		both.addedEpoch = m.addedEpoch
	}
	if other.revokesAllOf(m) {
		both.addedEpoch = max(both.addedEpoch, other.addedEpoch)
	}
	return both
}

// NewRevocations returns an empty Revocations. It reports all invalid options,
// joined.
func NewRevocations(o RevocationsOptions) (*Revocations, error) {
	var problems []error
	if o.MaxEntries < 0 {
		problems = append(problems, errors.New("auth: MaxEntries: is negative; did you mean 0, for the default?"))
	}
	if o.Feed != nil && wiring.IsNil(o.Feed) {
		problems = append(problems, fmt.Errorf("auth: Feed: must not be a nil %T; did you drop the constructor's error?", o.Feed))
	}
	switch {
	case o.MaxStale == 0:
		o.MaxStale = longestStale
	case o.MaxStale < shortestStale || o.MaxStale > longestStale:
		problems = append(problems, errors.New("auth: MaxStale "+o.MaxStale.String()+": must be between 2s and 30s; did you mean "+suggestStale(o.MaxStale)+"?"))
	case o.Feed == nil:
		problems = append(problems, errors.New("auth: MaxStale "+o.MaxStale.String()+": has no effect without a Feed; did you mean to set Feed?"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 1 << 17
	}
	return &Revocations{
		maxEntries: o.MaxEntries, feed: o.Feed, maxStale: o.MaxStale, logger: o.Logger, now: time.Now,
		entries: make(map[revocation]mark), epoch: 1, sweepAt: 1024,
	}, nil
}

// suggestStale returns a hint for a MaxStale out of range.
func suggestStale(d time.Duration) string {
	if 0 < d && d < shortestStale {
		return shortestStale.String()
	}
	return "0, for " + longestStale.String()
}

// RevokeToken revokes the token with this ID (jti), which expires at until. It
// returns [ErrUnavailable] if the revocation did not fit, or if other processes
// may not receive it; retry after a second. This process refuses the token at
// once. Other processes may accept it until they have read the feed, at most for
// their MaxStale. RevokeToken refuses an empty ID, an ID above 256 bytes, and a
// zero time.
func (r *Revocations) RevokeToken(ctx context.Context, id string, until time.Time) error {
	return r.addRevocation(ctx, Revocation{Token: id, Until: until})
}

// RevokeSession revokes every token of a session (sid), of which the last
// expires at until. It fails as RevokeToken does.
func (r *Revocations) RevokeSession(ctx context.Context, id string, until time.Time) error {
	return r.addRevocation(ctx, Revocation{Session: id, Until: until})
}

// RevokeSubject revokes every token without a session that was issued to a
// subject before a time, of which the last expires at until. Times of issue
// have whole seconds, so one that was issued later in the same second is
// revoked too. Tokens of sessions are revoked by their sessions, since a mark
// in time could end a login that was made just after it. It fails as
// RevokeToken does.
func (r *Revocations) RevokeSubject(ctx context.Context, subject string, issuedBefore, until time.Time) error {
	return r.addRevocation(ctx, Revocation{Subject: subject, IssuedBefore: issuedBefore, Until: until})
}

// addRevocation adds a revocation to the feed first. If that fails, the caller
// retries, and this process refuses the tokens already. A revocation that the
// feed has, or may have received a moment ago, is not added again: repeated
// revocations of one ID, as with logouts, would fill the feed.
func (r *Revocations) addRevocation(ctx context.Context, v Revocation) error {
	if !r.usable() {
		return errNoRevocations
	}
	key, ok := v.entryKey()
	if !ok {
		return errors.New("auth: revoke: an ID must have 1 to 256 bytes")
	}
	// A missing time would revoke nothing and report success.
	if v.Until.IsZero() || v.Subject != "" && v.IssuedBefore.IsZero() {
		return errors.New("auth: revoke: a time must not be zero; did you mean the expiry of the last token, and the current time?")
	}
	v.Until = v.Until.Add(revocationSlack).Round(0)
	m := mark{until: v.Until, issuedBefore: v.IssuedBefore}
	if r.feed == nil {
		return r.storeEntry(key, m)
	}
	// The epoch is the one before the call. If the feed loses the entry, the epoch
	// ends, even if another goroutine notices that before Add returns.
	known, epoch := r.lookUpEntry(key)
	if known.revokesAllOf(m) && known.addedEpoch == epoch {
		return nil
	}
	now := r.now()
	if since := now.Sub(known.lastUnsure); known.revokesAllOf(m) && 0 <= since && since < retryUnsure {
		return ErrUnavailable.With("reason", "the feed was told a moment ago, and was not sure")
	}
	err := r.addToFeed(ctx, v)
	if err == nil {
		m.addedEpoch = epoch
	} else {
		m.lastUnsure = now
	}
	return errors.Join(err, r.storeEntry(key, m))
}

// lookUpEntry returns the mark of an ID, and the epoch of the feed.
func (r *Revocations) lookUpEntry(key revocation) (m mark, epoch uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.entries[key], r.epoch
}

// storeEntry stores a revocation, or the fact that it did not fit.
func (r *Revocations) storeEntry(key revocation, m mark) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	old, known := r.entries[key]
	if !known && (len(r.entries) >= r.sweepAt || len(r.entries) >= r.maxEntries && now.Sub(r.swept) >= time.Second) {
		r.sweep(now)
	}
	switch {
	case !known && !now.Before(m.until):
		r.incompleteUntil = later(r.incompleteUntil, m.until)
		return nil
	case !known && len(r.entries) >= r.maxEntries:
		r.incompleteUntil = later(r.incompleteUntil, m.until)
		if m.addedEpoch != 0 || !m.lastUnsure.IsZero() {
			r.replaceSoonest(key, m)
		}
		return ErrUnavailable.With("reason", "Revocations is full", "revocations", len(r.entries))
	}
	if known {
		m = m.merge(old)
	}
	r.entries[key] = m
	return nil
}

// replaceSoonest replaces an entry by a revocation that the feed may have. Without its
// mark, every repeat would be added, so that one token could fill the feed. Check then
// returns ErrUnavailable for all other tokens until the replaced entry expires, so it
// replaces the entry that expires first, of 64 random ones.
func (r *Revocations) replaceSoonest(key revocation, m mark) {
	var first revocation
	seen := 0
	for other, known := range r.entries {
		if seen++; seen == 1 || known.until.Before(r.entries[first].until) {
			first = other
		}
		if seen == 64 {
			break
		}
	}
	r.incompleteUntil = later(r.incompleteUntil, r.entries[first].until)
	delete(r.entries, first)
	r.entries[key] = m
}

// sweep deletes expired entries. It runs when their number has doubled, so that
// its cost per entry is constant, and once a second when the table is full.
func (r *Revocations) sweep(now time.Time) {
	r.swept = now
	for key, m := range r.entries {
		if !now.Before(m.until) {
			r.incompleteUntil = later(r.incompleteUntil, m.until)
			delete(r.entries, key)
		}
	}
	r.sweepAt = max(1024, 2*len(r.entries))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Check returns [ErrRevoked] for a token that was revoked, and [ErrUnavailable]
// while that is unknown. An empty ID matches nothing. It allocates nothing.
func (r *Revocations) Check(ctx context.Context, tokenID, sessionID, subject string, issuedAt time.Time) error {
	if !r.usable() {
		return errNoRevocations
	}
	now := r.now()
	r.mu.RLock()
	defer r.mu.RUnlock()
	if m, ok := r.entries[revocation{'t', tokenID}]; ok && now.Before(m.until) {
		return ErrRevoked
	}
	if m, ok := r.entries[revocation{'s', sessionID}]; ok && now.Before(m.until) {
		return ErrRevoked
	}
	if sessionID == "" {
		if m, ok := r.entries[revocation{'u', subject}]; ok && now.Before(m.until) && issuedAt.Unix() <= m.issuedBefore.Unix() {
			return ErrRevoked
		}
	}
	switch {
	case now.Before(r.incompleteUntil):
		return errFull
	case !r.isStale(now):
		return nil
	case r.syncedAt.IsZero():
		return errNeverRead
	}
	return errStale
}

// usable reports whether NewRevocations created it.
func (r *Revocations) usable() bool { return r != nil && r.now != nil }

// The causes for the log. The responses are equal.
var (
	errNoRevocations = ErrUnavailable.With("reason", "the Revocations were not made by NewRevocations")

	errFull      = ErrUnavailable.With("reason", "Revocations was full, or its clock was set back")
	errNeverRead = ErrUnavailable.With("reason", "the feed of revocations was not read yet; does Run run?")
	errStale     = ErrUnavailable.With("reason", "the feed of revocations was not read for MaxStale, or the clock was set")
)

// Ready returns [ErrUnavailable] while Check would return it, for a readiness
// check.
func (r *Revocations) Ready(ctx context.Context) error { return r.Check(ctx, "", "", "", time.Time{}) }
