package token

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// A KeySource finds the keys that verify: [*Keys] or [*Remote].
type KeySource interface {
	// findKey returns the key with this kid that is accepted now, nil if there is
	// none, and [auth.ErrUnavailable] if that is unknown.
	findKey(ctx context.Context, kid string, now time.Time) (*Key, error)
	// findUnnamed returns the key of a token without a kid: the one with this x5t, or
	// without x5t the only one of the algorithm. It returns nil if there is none, or
	// more than one.
	findUnnamed(ctx context.Context, x5t string, alg Alg, now time.Time) (*Key, error)
	// stillAccepts reports whether a key that findKey returned is still accepted.
	stillAccepts(ctx context.Context, key *Key, now time.Time) bool
	// usable reports whether a constructor returned the source.
	usable() bool
}

// Keys has the keys of one issuer. It is safe for concurrent use, and the keys can be
// replaced while requests run.
type Keys struct {
	keys atomic.Pointer[[]*Key]
	now  func() time.Time
}

// NewKeys returns a set of keys. It reports an empty set, and two keys with one kid.
func NewKeys(keys ...Key) (*Keys, error) {
	k := &Keys{now: time.Now}
	if err := k.Replace(keys...); err != nil {
		return nil, err
	}
	return k, nil
}

// Replace replaces all keys at once, for keys that a scheduled job loads. On an error
// it keeps the old keys. A key that is not among the new ones is refused at once.
func (k *Keys) Replace(keys ...Key) error {
	var problems []error
	if len(keys) == 0 {
		problems = append(problems, errors.New("token: keys: must not be empty; did you mean GenerateKey?"))
	}
	for i, key := range keys {
		switch {
		case key.algorithm.family == unknown:
			problems = append(problems, errors.New("token: keys["+strconv.Itoa(i)+"]: is a zero Key; did you drop the constructor's error?"))
		case slices.ContainsFunc(keys[:i], func(other Key) bool { return other.kid == key.kid }):
			problems = append(problems, errors.New("token: keys["+strconv.Itoa(i)+"] "+strconv.Quote(key.kid)+": has the kid of another key"))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	list := make([]*Key, len(keys))
	for i, key := range keys {
		list[i] = &key
	}
	k.keys.Store(&list)
	return nil
}

// currentKeys returns the keys, none for a Keys that no constructor made.
func (k *Keys) currentKeys() []*Key {
	if keys := k.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}

func (k *Keys) usable() bool { return k != nil && k.keys.Load() != nil }

func (k *Keys) findKey(_ context.Context, kid string, now time.Time) (*Key, error) {
	for _, key := range k.currentKeys() {
		if key.kid == kid && key.schedule.published(now) {
			return key, nil
		}
	}
	return nil, nil
}

func (k *Keys) findUnnamed(_ context.Context, x5t string, alg Alg, now time.Time) (*Key, error) {
	var current []*Key
	for _, key := range k.currentKeys() {
		if key.schedule.published(now) {
			current = append(current, key)
		}
	}
	return onlyKey(slices.Values(current), x5t, alg), nil
}

// onlyKey returns the one key that a token without a kid can mean, or nil.
func onlyKey(keys iter.Seq[*Key], x5t string, alg Alg) (only *Key) {
	for key := range keys {
		switch {
		case x5t != "" && key.x5t != x5t && key.kid != x5t, !key.alg.sameAs(alg):
			continue
		case only != nil:
			return nil
		}
		only = key
	}
	return only
}

func (k *Keys) stillAccepts(_ context.Context, key *Key, now time.Time) bool {
	return slices.Contains(k.currentKeys(), key) && key.schedule.published(now)
}

// signing returns the key that signs now: of the keys that may sign, the one that
// started last. The choice depends only on the clock.
func (k *Keys) signing(now time.Time) (*Key, error) {
	var best *Key
	for _, key := range k.currentKeys() {
		if key.canSign() && key.schedule.signs(now) && (best == nil || !key.schedule.signsFrom().Before(best.schedule.signsFrom())) {
			best = key
		}
	}
	if best == nil {
		return nil, auth.ErrUnavailable.With("reason", "no key signs at this time")
	}
	return best, nil
}
