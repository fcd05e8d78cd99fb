package apikey_test

import (
	"testing"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/authtest"
)

// TestConformance checks that Memory passes the kit.
func TestConformance(t *testing.T) {
	authtest.TestKeyStore(t, func(*testing.T) apikey.Store { return apikey.NewMemory() })
}
