package apikey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

const (
	// redeliver is the age at which an undelivered secret is due for another
	// rotation.
	redeliver = 5 * time.Minute
	// A delivery takes less than redeliver, with all attempts to mark it, because the
	// clocks of replicas differ.
	deliverTimeout = 3 * time.Minute
	markTries      = 30
	markPause      = time.Second
)

// errReplaced is the error for a key that another rotation has replaced.
var errReplaced = errors.New("apikey: the secret was replaced before it was delivered")

// Rotate gives a key a new secret and returns its text, which is not stored. The old
// secret works until Overlap after the first use of the new one. A third, older secret
// ends at once, even if the second is that of a failed call, because its text may have
// been returned. Rotate returns [ErrNotFound], and [auth.ErrUnavailable] also during
// another rotation.
func (m *Manager) Rotate(ctx context.Context, id string) (text string, err error) {
	return m.rotateAndDeliver(ctx, id, func(*Record, time.Time) bool { return true }, [sha256.Size]byte{})
}

// rotateAndDeliver rotates a key that is due, and marks the new secret as delivered.
func (m *Manager) rotateAndDeliver(ctx context.Context, id string, due func(*Record, time.Time) bool, attempt [sha256.Size]byte) (text string, err error) {
	text, _, err = m.rotateIfDue(ctx, id, due, attempt)
	if err == nil {
		err = m.markDelivered(ctx, id, text)
	}
	switch {
	case errors.Is(err, errReplaced):
		return "", unavailableError(err)
	case err != nil:
		return "", err
	}
	return text, nil
}

// RotateDue rotates every key whose secret is older than RotateEvery, and calls deliver
// with the new text. deliver must store the text for the key's owner, within three
// minutes. Call RotateDue once an hour, in any number of processes: only one rotates a
// key. If a delivery fails, a later call rotates the key again, and the old secret
// still works. The error joins those of all keys; one key's error does not stop the
// others.
func (m *Manager) RotateDue(ctx context.Context, deliver func(ctx context.Context, k Key, text string) error) error {
	keys, err := m.List(ctx)
	problems := []error{err}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(problems, err)...)
		}
		// A key that was revoked meanwhile is no problem.
		if err := m.rotateOne(ctx, k.ID, deliver); !errors.Is(err, ErrNotFound) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// rotateOne rotates a key if it is due, and delivers its text.
func (m *Manager) rotateOne(ctx context.Context, id string, deliver func(context.Context, Key, string) error) error {
	text, rotated, err := m.rotateIfDue(ctx, id, (*Record).due, [sha256.Size]byte{})
	if err != nil || text == "" {
		return err
	}
	if err := callDeliver(ctx, deliver, rotated, text); err != nil {
		return err
	}
	return m.retryMarkDelivered(ctx, id, text)
}

// retryMarkDelivered retries markDelivered. If it fails, a later RotateDue replaces the
// secret, and the delivered text is invalid until the next delivery.
func (m *Manager) retryMarkDelivered(ctx context.Context, id, text string) (err error) {
	for range markTries {
		if err = m.markDelivered(ctx, id, text); !errors.Is(err, auth.ErrUnavailable) {
			break
		}
		select {
		case <-time.After(markPause):
		case <-ctx.Done():
			return err
		}
	}
	if errors.Is(err, errReplaced) {
		return fmt.Errorf("deliver the key %s: %w", id, err)
	}
	return err
}

// due reports whether RotateDue must rotate a key.
func (r *Record) due(now time.Time) bool {
	newest := r.Secrets[0]
	age := now.Sub(newest.Created)
	switch {
	case r.expired(now):
		return false
	case !newest.Delivered:
		return age >= redeliver
	case newest.FirstUsed.IsZero() && len(r.Secrets) > 1 && now.Before(r.overlapEnds()):
		return false // the owner still uses the old secret, which a third one would end
	}
	return age >= r.Key.RotateEvery
}

// rotateIfDue replaces the secret of a key that is due, and returns its text; "" for
// one that is not. Of several replicas, one succeeds; for the others, the key is no
// longer due.
func (m *Manager) rotateIfDue(ctx context.Context, id string, due func(*Record, time.Time) bool, attempt [sha256.Size]byte) (text string, k Key, err error) {
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	secret := random(secretLength)
	r, rotated, err := m.update(limited, id, func(r *Record, now time.Time) bool {
		if !due(r, now) {
			return false
		}
		r.renew(Secret{Digest: digest(secret), Created: now, Attempt: attempt}, now)
		return true
	})
	if err != nil || !rotated {
		return "", Key{}, err
	}
	m.cache.invalidateKey(id)
	m.notifyHook(ctx, Event{Reason: KeyRotated, Key: r.Key})
	return format(m.prefix, id, secret), r.Key, nil
}

// renew adds a new secret and keeps the newest delivered one. A secret that was
// not delivered is replaced: a rotation whose response was lost must not cost the
// owner the secret in use.
func (r *Record) renew(newest Secret, now time.Time) {
	secrets := []Secret{newest}
	if i := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Delivered }); i >= 0 {
		old := r.Secrets[i]
		if old.Ends.IsZero() { // a repeated rotation does not extend the overlap
			old.Ends = now.Add(longestOverlap)
		}
		secrets = append(secrets, old)
	}
	r.Secrets, r.Key.Rotated = secrets, now
}

// callDeliver calls deliver. A panic means that the text was not delivered. Its
// value may have the secret, so it is dropped.
func callDeliver(ctx context.Context, deliver func(context.Context, Key, string) error, k Key, text string) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("apikey: deliver panicked for the key " + k.ID)
		}
	}()
	limited, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	return deliver(limited, k.clone(), text)
}

// markDelivered writes that the owner has a secret.
func (m *Manager) markDelivered(ctx context.Context, id, text string) error {
	_, secret, _ := parseKey(m.prefix, text)
	sum := digest(secret)
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	there := false
	change := func(r *Record, _ time.Time) bool {
		i := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Digest == sum })
		there = i >= 0
		if !there || r.Secrets[i].Delivered {
			return false
		}
		r.Secrets[i].Delivered = true
		return true
	}
	_, _, err := m.update(limited, id, change)
	if errors.Is(err, auth.ErrUnavailable) {
		_, _, err = m.update(limited, id, change) // the first attempt may have succeeded without a reply
	}
	if err == nil && !there {
		return errReplaced
	}
	return err
}
