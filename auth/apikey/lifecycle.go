package apikey

import (
	"context"
	"slices"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// ErrNotFound answers for a key that does not exist: 404 api_key_not_found.
var ErrNotFound = errors.Define(404, "api_key_not_found", "No such API key.")

// Create makes a key, and returns it with its secret text, which is shown this
// once and not stored. It refuses a key without Name, Subject or Networks.
func (m *Manager) Create(ctx context.Context, k Key) (created Key, text string, err error) {
	k = k.clone()
	now := m.now()
	if err := k.check(now); err != nil {
		return Key{}, "", err
	}
	secret := random(secretLength)
	k.ID, k.Created, k.Rotated, k.LastUsed = random(idLength), now, now, time.Time{}
	r := Record{Key: k, Version: 1, Secrets: []Secret{{Digest: digest(secret), Created: now, Delivered: true}}}
	limited, cancel := detach(ctx)
	defer cancel()
	if ok, err := m.store.Put(limited, r); err != nil || !ok {
		return Key{}, "", unavailable(err) // a key whose text nobody has is no danger
	}
	m.tell(ctx, Event{Reason: KeyCreated, Key: k})
	return k, format(m.prefix, k.ID, secret), nil
}

// Rotate gives a key a new secret text, which is shown this once. The old one
// works on until Overlap after the new one's first use. A third, older one
// ends at once. It fails with [ErrNotFound].
func (m *Manager) Rotate(ctx context.Context, id string) (text string, err error) {
	text, _, err = m.rotate(ctx, id, func(*Record, time.Time) bool { return true })
	if err == nil {
		err = m.delivered(ctx, id, text)
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

// rotate replaces the secret of a key that is due. Of several replicas one
// wins; the others see that it is not due any longer. Until the new secret is
// delivered, another rotation replaces it alone: one whose answer was lost must
// not cost the owner the secret in use.
func (m *Manager) rotate(ctx context.Context, id string, due func(*Record, time.Time) bool) (string, Key, error) {
	if !isID(id) {
		return "", Key{}, ErrNotFound
	}
	limited, cancel := detach(ctx)
	defer cancel()
	for range 5 {
		r, found, err := m.store.Get(limited, id)
		switch {
		case err != nil:
			return "", Key{}, unavailable(err)
		case !found:
			return "", Key{}, ErrNotFound
		case len(r.Secrets) == 0:
			return "", Key{}, unavailable(errors.New("apikey: the record of " + id + " has no secret"))
		}
		now := m.now()
		if !due(&r, now) {
			return "", Key{}, nil
		}
		// The one to keep is the newest that its owner has.
		keep := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Delivered })
		secret := random(secretLength)
		secrets := []Secret{{Digest: digest(secret), Created: now}}
		if keep >= 0 {
			old := r.Secrets[keep]
			if old.Ends.IsZero() { // a rotation that is tried again does not prolong it
				old.Ends = now.Add(longestOverlap)
			}
			secrets = append(secrets, old)
		}
		r.Secrets, r.Key.Rotated = secrets, now
		r.Version++
		if ok, err := m.store.Put(limited, r); err != nil {
			return "", Key{}, unavailable(err)
		} else if ok {
			m.cache.drop(id)
			m.tell(ctx, Event{Reason: KeyRotated, Key: r.Key})
			return format(m.prefix, id, secret), r.Key, nil
		}
	}
	return "", Key{}, auth.ErrUnavailable.With("reason", "the key keeps changing")
}

// redeliver is how long a replica has to deliver what it rotated, before
// another rotates anew.
const redeliver = 5 * time.Minute

// RotateDue rotates every key whose secret is older than its RotateEvery, and
// hands the new text to deliver, which puts it where its owner finds it. Run
// it once an hour, on any number of replicas: one of them rotates a key. What
// could not be delivered is rotated anew by a later call, and the old secret
// works on. The error joins those of all keys: one that cannot be read keeps no
// other from its rotation.
func (m *Manager) RotateDue(ctx context.Context, deliver func(ctx context.Context, k Key, text string) error) error {
	keys, err := m.List(ctx)
	problems := []error{err}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(problems, err)...)
		}
		text, rotated, err := m.rotate(ctx, k.ID, func(r *Record, now time.Time) bool {
			newest, age := r.Secrets[0], now.Sub(r.Secrets[0].Created)
			switch {
			case r.expired(now):
				return false
			case !newest.Delivered:
				return age >= redeliver
			case newest.FirstUsed.IsZero() && len(r.Secrets) > 1 && now.Before(r.overlapEnds()):
				return false // its owner works with the old one, which a third would end
			}
			return age >= r.Key.RotateEvery
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			problems = append(problems, err)
		}
		if text == "" {
			continue
		}
		if err := hand(ctx, deliver, rotated, text); err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, m.delivered(ctx, k.ID, text))
	}
	return errors.Join(problems...)
}

// hand calls deliver. One that panics has not delivered. What it panicked with
// may hold the secret, so it is told to nobody.
func hand(ctx context.Context, deliver func(context.Context, Key, string) error, k Key, text string) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("apikey: deliver panicked for the key " + k.ID)
		}
	}()
	return deliver(ctx, k.clone(), text)
}

// delivered writes that the owner has the secret.
func (m *Manager) delivered(ctx context.Context, id, text string) error {
	_, secret, _ := parse(m.prefix, text)
	sum := digest(secret)
	limited, cancel := detach(ctx)
	defer cancel()
	for range 5 {
		r, found, err := m.store.Get(limited, id)
		if err != nil {
			return unavailable(err)
		}
		if !found || len(r.Secrets) == 0 || r.Secrets[0].Digest != sum || r.Secrets[0].Delivered {
			return nil // revoked, rotated or used meanwhile
		}
		r.Secrets[0].Delivered = true
		r.Version++
		if ok, err := m.store.Put(limited, r); err != nil {
			return unavailable(err)
		} else if ok {
			return nil
		}
	}
	return auth.ErrUnavailable.With("reason", "the key keeps changing")
}

// Revoke ends a key and all its secrets: here at once, on other replicas within
// their CacheTTL. It ends a key that cannot be read too, of which the event has
// the ID alone. It fails with [ErrNotFound], so that a mistyped ID is noticed,
// and with [auth.ErrUnavailable] when it is not sure that the key has ended.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	limited, cancel := detach(ctx)
	defer cancel()
	r, found, unread := m.store.Get(limited, id)
	// Also one that is not there: an earlier call may have deleted it, without
	// being sure.
	err := m.store.Delete(limited, id)
	m.cache.drop(id)
	switch {
	case err != nil:
		return unavailable(errors.Join(unread, err))
	case unread != nil:
		r = Record{Key: Key{ID: id}}
	case !found:
		return ErrNotFound
	}
	m.tell(ctx, Event{Reason: KeyRevoked, Key: r.Key})
	return nil
}

// List returns all keys, the oldest first. Keys beside an error, which is of
// kind [auth.ErrUnavailable], are those that could be read.
func (m *Manager) List(ctx context.Context) ([]Key, error) {
	limited, cancel := detach(ctx)
	defer cancel()
	records, err := m.store.List(limited)
	if err != nil {
		err = unavailable(err)
	}
	keys := make([]Key, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return keys, err
}
