package session_test

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/auth/session"
)

// TestMemoryPassesTheKit holds that memory is a Store like any other.
func TestMemoryPassesTheKit(t *testing.T) {
	authtest.TestSessionStore(t, func(*testing.T) authtest.SessionBackend {
		m, now := session.NewMemory(), time.Now().Round(0).UTC()
		start := time.Now()
		m.SetClock(func() time.Time { return now.Add(time.Since(start)) })
		return authtest.SessionBackend{Store: m, Pass: func(d time.Duration) { now = now.Add(d) }}
	})
}
