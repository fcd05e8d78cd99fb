package redisauth_test

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/auth/redisauth"
)

// TestStoresPassTheKits holds that Redis is a store like any other.
func TestStoresPassTheKits(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("slow: waits for a failover or a timeout")
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			client := kind.start(t)
			t.Run("sessions", func(t *testing.T) {
				authtest.TestSessionStore(t, func(t *testing.T) authtest.SessionBackend {
					s := sessions(t, client, redisauth.Options{})
					return authtest.SessionBackend{Store: s, Pass: func(d time.Duration) { s.Advance(d) }}
				})
			})
			t.Run("keys", func(t *testing.T) {
				authtest.TestKeyStore(t, func(t *testing.T) apikey.Store { return apiKeys(t, client, redisauth.Options{}) })
			})
			t.Run("revocations", func(t *testing.T) {
				authtest.TestRevocationFeed(t, func(t *testing.T) auth.RevocationFeed { return revocations(t, client, redisauth.Options{}) })
			})
		})
	}
}
