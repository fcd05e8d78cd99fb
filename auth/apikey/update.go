package apikey

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// Update changes a key. It calls change with the stored key, and again if the record
// has changed meanwhile, so change must only set fields. It may set Name, Scope, Roles, Networks,
// InsecureAnyNetwork, Expires, RotateEvery, Overlap, Tier and Metadata; other fields are
// restored. The result must be valid as for [Manager.Create]: a key without networks,
// for example, is an error and changes nothing. Update returns the key, [ErrNotFound] or
// [auth.ErrUnavailable]. This process applies the change at once, others within their
// CacheTTL.
func (m *Manager) Update(ctx context.Context, id string, change func(*Key)) (Key, error) {
	var problem error
	r, err := m.changeRecord(ctx, id, KeyUpdated, func(r *Record, now time.Time) bool {
		k := r.Key.clone()
		change(&k)
		k.ID, k.Subject, k.Disabled = r.Key.ID, r.Key.Subject, r.Key.Disabled
		k.Created, k.Rotated, k.LastUsed = r.Key.Created, r.Key.Rotated, r.Key.LastUsed
		k = k.clone() // change may have kept its slices
		if k.Expires.Equal(r.Key.Expires) {
			now = time.Time{} // an expired key may change too
		}
		if problem = k.checkWithDefaults(now); problem != nil {
			return false
		}
		r.Key = k
		return true
	})
	if problem != nil {
		return Key{}, problem
	}
	return r.Key, err
}

// Disable refuses a key with [auth.ErrRevoked] until [Manager.Enable]: in this process
// at once, in others within their CacheTTL. Its secrets and their rotation
// do not change. Disabling a disabled key is not an error.
func (m *Manager) Disable(ctx context.Context, id string) error {
	return m.setDisabled(ctx, id, true, KeyDisabled)
}

// Enable accepts a disabled key again.
func (m *Manager) Enable(ctx context.Context, id string) error {
	return m.setDisabled(ctx, id, false, KeyEnabled)
}

func (m *Manager) setDisabled(ctx context.Context, id string, disabled bool, reason Reason) error {
	_, err := m.changeRecord(ctx, id, reason, func(r *Record, _ time.Time) bool {
		changed := r.Key.Disabled != disabled
		r.Key.Disabled = disabled
		return changed
	})
	return err
}

// changeRecord stores a change of a key, invalidates the cache, and reports the event.
func (m *Manager) changeRecord(ctx context.Context, id string, reason Reason, change func(*Record, time.Time) bool) (Record, error) {
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	r, changed, err := m.update(limited, id, change)
	if err != nil || changed {
		m.cache.invalidateKey(id) // a write without a reply may have been made
	}
	if err == nil && changed {
		m.notifyHook(ctx, Event{Reason: reason, Key: r.Key})
	}
	return r, err
}

// ListSubject returns the keys of one subject, the oldest first. It reads all keys, as
// [Manager.List] does.
func (m *Manager) ListSubject(ctx context.Context, subject string) ([]Key, error) {
	keys, err := m.List(ctx)
	return slices.DeleteFunc(keys, func(k Key) bool { return k.Subject != subject }), err
}

// RotateOnce is Rotate for a caller that repeats a call whose response was lost. Calls
// with one attempt, 1 to 128 bytes that the caller chose at random, replace only the
// secret of the call before, as long as that is unused: the secret that the owner has
// still works for the same time.
func (m *Manager) RotateOnce(ctx context.Context, id, attempt string) (text string, err error) {
	if attempt == "" || len(attempt) > 128 {
		return "", errors.New("apikey: attempt: must have 1 to 128 bytes; did you mean crypto/rand.Text?")
	}
	sum := digest(attempt)
	return m.rotateAndDeliver(ctx, id, func(r *Record, _ time.Time) bool {
		if newest := &r.Secrets[0]; newest.Attempt == sum && newest.FirstUsed.IsZero() {
			newest.Delivered = false // so that only this secret is replaced
		}
		return true
	}, sum)
}

// checkMetadata checks the size of the metadata.
func (k *Key) checkMetadata(refuse func(string)) {
	if len(k.Metadata) > 16 {
		refuse("Metadata: has " + strconv.Itoa(len(k.Metadata)) + " entries; the maximum is 16")
	}
	for name, value := range k.Metadata {
		if name == "" || len(name) > 64 || len(value) > 256 || !utf8.ValidString(name) || !utf8.ValidString(value) {
			refuse("Metadata[" + strconv.Quote(name) + "]: must have a name of 1 to 64 bytes of UTF-8 and a value of at most 256")
		}
	}
}

// IsKey reports whether a text has the form of a key with the Prefix of the options. It
// does not verify it.
func (m *Manager) IsKey(text string) bool {
	_, _, ok := parseKey(m.prefix, text)
	return ok
}

// AuthenticateKey verifies a key that is not in Options.Header of the request, but for example
// in an Authorization header with the scheme Bearer. See [Manager.Verify].
func (m *Manager) AuthenticateKey(r *http.Request, text string) (*auth.Principal, error) {
	addr, certain := m.clientIP(r)
	return m.Verify(r.Context(), text, addr, certain)
}
