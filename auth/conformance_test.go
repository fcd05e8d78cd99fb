package auth_test

import (
	"testing"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
)

// The feed that the tests of this package use is one like any other.
func TestTestFeedPassesTheKit(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for the feed")
	}
	l := newLedger()
	authtest.TestRevocationFeed(t, func(*testing.T) auth.RevocationFeed { return l })
}
