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
		return Key{}, "", auth.ErrUnavailable.Wrap(err)
	}
	m.tell(ctx, Event{Reason: KeyCreated, Key: k})
	return k, format(m.prefix, k.ID, secret), nil
}

// Rotate gives a key a new secret text, which is shown this once. The old one
// works on until Overlap after the new one's first use. A third, older one
// ends at once. It fails with [ErrNotFound].
func (m *Manager) Rotate(ctx context.Context, id string) (text string, err error) {
	text, _, err = m.rotate(ctx, id, true, func(*Record, time.Time) bool { return true })
	return text, err
}

// rotate replaces the secret of a key that is due. Of several replicas one
// wins; the others see that it is not due any longer.
func (m *Manager) rotate(ctx context.Context, id string, delivered bool, due func(*Record, time.Time) bool) (string, Key, error) {
	limited, cancel := detach(ctx)
	defer cancel()
	for range 5 {
		r, found, err := m.store.Get(limited, id)
		switch {
		case err != nil:
			return "", Key{}, auth.ErrUnavailable.Wrap(err)
		case !found:
			return "", Key{}, ErrNotFound
		}
		now := m.now()
		if !due(&r, now) {
			return "", Key{}, nil
		}
		// The one to keep is the newest that its owner has.
		keep := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Delivered })
		secret := random(secretLength)
		secrets := []Secret{{Digest: digest(secret), Created: now, Delivered: delivered}}
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
			return "", Key{}, auth.ErrUnavailable.Wrap(err)
		} else if ok {
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
// works on. The error joins those of all keys.
func (m *Manager) RotateDue(ctx context.Context, deliver func(ctx context.Context, k Key, text string) error) error {
	keys, err := m.List(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(problems, err)...)
		}
		text, rotated, err := m.rotate(ctx, k.ID, false, func(r *Record, now time.Time) bool {
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
		if err := deliver(ctx, rotated, text); err != nil {
			problems = append(problems, err)
			continue
		}
		problems = append(problems, m.delivered(ctx, k.ID, text))
	}
	return errors.Join(problems...)
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
			return auth.ErrUnavailable.Wrap(err)
		}
		if !found || r.Secrets[0].Digest != sum || r.Secrets[0].Delivered {
			return nil // revoked, rotated or used meanwhile
		}
		r.Secrets[0].Delivered = true
		r.Version++
		if ok, err := m.store.Put(limited, r); err != nil {
			return auth.ErrUnavailable.Wrap(err)
		} else if ok {
			return nil
		}
	}
	return auth.ErrUnavailable.With("reason", "the key keeps changing")
}

// Revoke ends a key and all its secrets, at once. It fails with [ErrNotFound],
// so that a mistyped ID is noticed.
func (m *Manager) Revoke(ctx context.Context, id string) error {
	limited, cancel := detach(ctx)
	defer cancel()
	r, found, err := m.store.Get(limited, id)
	if err == nil && !found {
		return ErrNotFound
	}
	if err := errors.Join(err, m.store.Delete(limited, id)); err != nil {
		return auth.ErrUnavailable.Wrap(err)
	}
	m.tell(ctx, Event{Reason: KeyRevoked, Key: r.Key})
	return nil
}

// List returns all keys, the oldest first.
func (m *Manager) List(ctx context.Context) ([]Key, error) {
	limited, cancel := detach(ctx)
	defer cancel()
	records, err := m.store.List(limited)
	if err != nil {
		return nil, auth.ErrUnavailable.Wrap(err)
	}
	keys := make([]Key, len(records))
	for i, r := range records {
		keys[i] = r.Key
	}
	return keys, nil
}
