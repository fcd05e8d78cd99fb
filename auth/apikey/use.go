package apikey

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// touch has the first use of a secret written, and the last use of a key once a
// minute. No request waits for it, nor fails with it; a later one writes what
// it could not. Of one key, one write runs at a time.
func (m *Manager) touch(ctx context.Context, r *Record, used int, now time.Time) {
	if !r.untouched(used, now) {
		return
	}
	if _, busy := m.touching.LoadOrStore(r.Key.ID, nil); busy {
		return
	}
	select {
	case m.writers <- struct{}{}:
	default:
		m.touching.Delete(r.Key.ID)
		return
	}
	id, digest := r.Key.ID, r.Secrets[used].Digest
	m.writing.Go(func() {
		defer func() { <-m.writers; m.touching.Delete(id) }()
		hook.Call(ctx, m.logger, "apikey: Store", func() { m.writeUse(ctx, id, digest, now) })
	})
}

// untouched reports whether the use of a secret is to be written.
func (r *Record) untouched(used int, now time.Time) bool {
	return r.Secrets[used].FirstUsed.IsZero() || now.Sub(r.Key.LastUsed) >= time.Minute
}

// writeUse looks again, since what led here may come from the cache, and other
// replicas write too.
func (m *Manager) writeUse(ctx context.Context, id string, digest [sha256.Size]byte, now time.Time) {
	limited, cancel := detach(ctx)
	defer cancel()
	_, drops, _ := m.cache.get(id, now)
	r, found, err := m.store.Get(limited, id)
	if err != nil || !found {
		return
	}
	used := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Digest == digest })
	if used < 0 {
		return
	}
	if !r.untouched(used, now) {
		m.cache.put(r, now, drops)
		return
	}
	if r.Secrets[used].FirstUsed.IsZero() {
		r.Secrets[used].FirstUsed, r.Secrets[used].Delivered = now, true
	}
	if now.After(r.Key.LastUsed) {
		r.Key.LastUsed = now
	}
	overdue := now.Sub(r.Secrets[0].Created) > r.Key.RotateEvery && now.Sub(r.Warned) >= day
	if overdue {
		r.Warned = now
	}
	r.Version++
	if ok, err := m.store.Put(limited, r); !ok || err != nil {
		return
	}
	m.cache.put(r, now, drops)
	if overdue {
		m.tell(context.WithoutCancel(ctx), Event{Reason: RotationOverdue, Key: r.Key})
	}
}
