package apikey

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// touch starts a write of the first use of a secret, and of the last use of a key
// once a minute. No request waits for it or fails with it; a later request
// repeats a failed write. At most one write per key runs at a time.
func (m *Manager) touch(ctx context.Context, r *Record, used int, now time.Time) {
	if !r.needsUseWrite(used, now) {
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

// needsUseWrite reports whether the use of a secret must be written: at its first use, and
// once a minute.
func (r *Record) needsUseWrite(used int, now time.Time) bool {
	return r.Secrets[used].FirstUsed.IsZero() || now.Sub(r.Key.LastUsed) >= time.Minute
}

// writeUse writes the use of a secret. It reads the record from the store first, because
// the cached record may be outdated, and other replicas write it too.
func (m *Manager) writeUse(ctx context.Context, id string, digest [sha256.Size]byte, now time.Time) {
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	_, drops, _ := m.cache.lookUpRecord(id, now)
	overdue := false
	r, _, err := m.update(limited, id, func(r *Record, _ time.Time) bool {
		overdue = false
		used := slices.IndexFunc(r.Secrets, func(s Secret) bool { return s.Digest == digest })
		if used < 0 || !r.needsUseWrite(used, now) {
			return false
		}
		overdue = r.use(used, now)
		return true
	})
	if err != nil {
		return
	}
	m.cache.storeRecord(r, now, drops)
	if overdue {
		m.notifyHook(context.WithoutCancel(ctx), Event{Reason: RotationOverdue, Key: r.Key})
	}
}

// use records the use of a secret. It reports whether RotationOverdue must be reported:
// the rotation is overdue, and the last report is a day old.
func (r *Record) use(used int, now time.Time) (overdue bool) {
	if s := &r.Secrets[used]; s.FirstUsed.IsZero() {
		s.FirstUsed, s.Delivered = now, true
	}
	if now.After(r.Key.LastUsed) {
		r.Key.LastUsed = now
	}
	overdue = r.overdue(used, now) && now.Sub(r.Warned) >= day
	if overdue {
		r.Warned = now
	}
	return overdue
}

// overdue reports whether a secret should no longer be in use. The age of an unused new
// secret has no effect, because it may be replaced repeatedly while the old one
// expires.
func (r *Record) overdue(used int, now time.Time) bool {
	if used == 1 && r.Secrets[0].FirstUsed.IsZero() {
		replaced := r.Secrets[1].Ends.Add(-longestOverlap)
		return now.Sub(replaced) >= day
	}
	return now.Sub(r.Secrets[0].Created) > r.Key.RotateEvery
}
