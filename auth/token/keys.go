package token

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// A KeySource finds the keys that verify: [*Keys].
type KeySource interface {
	// find returns the key of this name that is accepted now, or nil.
	find(kid string, now time.Time) *Key
}

// Keys are the keys of one issuer. They are safe for concurrent use, and can
// be replaced while requests run.
type Keys struct {
	keys atomic.Pointer[[]Key]
	now  func() time.Time
}

// NewKeys returns a set of keys. It refuses an empty one and two keys of one
// name.
func NewKeys(keys ...Key) (*Keys, error) {
	k := &Keys{now: time.Now}
	return k, k.Replace(keys...)
}

// Replace changes all keys at once: for keys that a scheduled job brings. On
// an error the old ones stay. A key that is not among the new ones is no
// longer accepted, at once.
func (k *Keys) Replace(keys ...Key) error {
	var problems []error
	if len(keys) == 0 {
		problems = append(problems, errors.New("token: keys: none; did you mean GenerateKey?"))
	}
	for i, key := range keys {
		switch {
		case key.method == nil:
			problems = append(problems, errors.New("token: keys["+strconv.Itoa(i)+"]: is a zero Key; did you drop the constructor's error?"))
		case slices.ContainsFunc(keys[:i], func(other Key) bool { return other.kid == key.kid }):
			problems = append(problems, errors.New("token: keys["+strconv.Itoa(i)+"] "+strconv.Quote(key.kid)+": has the kid of another key"))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	keys = slices.Clone(keys)
	k.keys.Store(&keys)
	return nil
}

// list returns the keys, none for a Keys that no constructor made.
func (k *Keys) list() []Key {
	if keys := k.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}

func (k *Keys) find(kid string, now time.Time) *Key {
	keys := k.list()
	for i := range keys {
		if keys[i].kid == kid && keys[i].schedule.published(now) {
			return &keys[i]
		}
	}
	return nil
}

// signing returns the key that signs now: of those that may, the one that
// started last, so that the choice depends on nothing but the clock.
func (k *Keys) signing(now time.Time) (*Key, error) {
	var best *Key
	keys := k.list()
	for i := range keys {
		key := &keys[i]
		if key.canSign() && key.schedule.signs(now) && (best == nil || !key.schedule.since().Before(best.schedule.since())) {
			best = key
		}
	}
	if best == nil {
		return nil, auth.ErrUnavailable.With("reason", "no key signs at this time")
	}
	return best, nil
}
