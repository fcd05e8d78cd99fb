package redisauth

import (
	"context"
	"time"
)

// Advance sets Redis's clock forward, for this store.
func (s *store) Advance(d time.Duration) { s.skew += d }

// Running returns how many calls run.
func (s *store) Running() int { return len(s.running) }

// Keys returns the names of all that a subject, all API keys, and all
// revocations have.
func Keys(s *SessionStore, owner string, k *KeyStore, f *Feed) []string {
	return []string{s.key(owner), k.key(), f.key()}
}

// Stream returns the entries of a feed that are there.
func (f *Feed) Stream(ctx context.Context) (int64, error) {
	return f.client.XLen(ctx, f.key()).Result()
}
