package redisauth

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/auth/session"
)

// Advance sets Redis's clock forward, for this store.
func (s *store) Advance(d time.Duration) { s.skew += d }

// Running returns how many calls run.
func (s *store) Abandoned() int { return s.calls.Abandoned() }

// RotateAs is one try of a call.
func (s *SessionStore) RotateAs(ctx context.Context, call string, t session.Rotation) (session.Rotated, error) {
	return s.rotateAs(ctx, call, t)
}

// Key names the sessions of an owner.
func (s *SessionStore) Key(owner string) string { return s.ownerKey(owner) }

// Stream returns the entries of a feed that are there.
func (f *RevocationFeed) Stream(ctx context.Context) (int64, error) {
	return f.client.XLen(ctx, f.streamKey()).Result()
}

// Fields returns how many fields the hash of API keys has.
func (s *KeyStore) Fields(ctx context.Context) (int64, error) {
	return s.client.HLen(ctx, s.hashKey()).Result()
}
