package apikey

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// ErrNotFound is the response for a key that does not exist: 404 api_key_not_found.
var ErrNotFound = errors.Define(404, "api_key_not_found", "No such API key.")

// Create creates a key, and returns it with its text, which is not stored. It reports
// all invalid fields, joined, such as a missing Name, Subject or Networks.
func (m *Manager) Create(ctx context.Context, k Key) (created Key, text string, err error) {
	k = k.clone()
	now := m.now()
	if err := k.checkWithDefaults(now); err != nil {
		return Key{}, "", err
	}
	secret := random(secretLength)
	k.ID, k.Created, k.Rotated, k.LastUsed = random(idLength), now, now, time.Time{}
	r := Record{Key: k, Version: 1, Secrets: []Secret{{Digest: digest(secret), Created: now, Delivered: true}}}
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	if ok, err := m.store.Put(limited, r); err != nil || !ok {
		return Key{}, "", unavailableError(err) // no client has the text of the key
	}
	m.notifyHook(ctx, Event{Reason: KeyCreated, Key: k})
	return k, format(m.prefix, k.ID, secret), nil
}

// Revoke revokes a key and all its secrets: in this process at once, in others within
// their CacheTTL. It also revokes a key whose record cannot be read; the event then has
// only the ID. It returns [ErrNotFound], so that a mistyped ID is noticed, and
// [auth.ErrUnavailable] if it is unknown whether the key was revoked.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	r, found, unread := m.store.Get(limited, id)
	// Delete a missing key too, because the deletion of an earlier call may be
	// unconfirmed.
	err := m.store.Delete(limited, id)
	m.cache.invalidateKey(id)
	switch {
	case err != nil:
		return unavailableError(errors.Join(unread, err))
	case unread != nil:
		r = Record{Key: Key{ID: id}}
	case !found:
		return ErrNotFound
	}
	m.notifyHook(ctx, Event{Reason: KeyRevoked, Key: r.Key})
	return nil
}

// listTimeout bounds the reading of all keys. 60 000 take some seconds.
const listTimeout = time.Minute

// List returns all keys, the oldest first. With an error, which is of kind
// [auth.ErrUnavailable], it returns the keys that could be read.
func (m *Manager) List(ctx context.Context) ([]Key, error) {
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	records, err := m.store.List(limited)
	if err != nil {
		err = unavailableError(err)
	}
	keys := make([]Key, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return keys, err
}

// update changes the record of a key. If another process has changed the record since it
// was read, update reads it again, up to five times. If change returns false, update writes
// nothing and returns no error.
func (m *Manager) update(ctx context.Context, id string, change func(r *Record, now time.Time) bool) (Record, bool, error) {
	if !isID(id) {
		return Record{}, false, ErrNotFound
	}
	for range 5 {
		r, found, err := m.store.Get(ctx, id)
		switch {
		case err != nil:
			return Record{}, false, unavailableError(err)
		case !found:
			return Record{}, false, ErrNotFound
		case len(r.Secrets) == 0:
			return Record{}, false, unavailableError(errors.New("apikey: the record of " + id + " has no secret"))
		}
		if !change(&r, m.now()) {
			return r, false, nil
		}
		r.Version++
		written, err := m.store.Put(ctx, r)
		if err != nil {
			return Record{}, false, unavailableError(err)
		}
		if written {
			return r, true, nil
		}
	}
	return Record{}, false, auth.ErrUnavailable.With("reason", "the key keeps changing")
}
