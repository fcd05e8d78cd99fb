package apikey_test

import (
	"testing"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/authtest"
)

// TestConformance holds that memory is a Store like any other.
func TestConformance(t *testing.T) {
	authtest.TestKeyStore(t, func(*testing.T) apikey.Store { return apikey.NewMemory() })
}
