package session_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestTokenHasOneSpelling holds that every other string is refused: each bit
// flipped, and each way to write base64 differently.
func TestTokenHasOneSpelling(t *testing.T) {
	ring := session.Keyring(keys)
	c := session.NewParsed("ann", 7)
	token := errors.Must(ring.Token(c))
	got, ok := ring.Parse(token)
	require.True(t, ok)
	require.Equal(t, c, got)
	for i := range token {
		for bit := range 8 {
			changed := []byte(token)
			changed[i] ^= 1 << bit
			_, ok := ring.Parse(string(changed))
			require.False(t, ok, "%s", changed)
		}
	}
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		changed := token[:77] + string(last)
		_, ok := ring.Parse(changed)
		require.Equal(t, changed == token, ok, "%s", changed)
	}
	for _, changed := range []string{
		"", "rt_", token[3:], token + "=", token + "\n", token[:40] + "\n" + token[40:], token[:40] + "\r\n" + token[42:], " " + token,
		strings.ToUpper(token[:2]) + token[2:], token[:77], token + "A", token + token, strings.NewReplacer("-", "+", "_", "/").Replace(token),
	} {
		_, ok := ring.Parse(changed)
		require.False(t, ok, "%q", changed)
	}
	_, ok = ring.Parse(errors.Must(ring.Token(session.NewParsed("ann", 1<<48-1))))
	require.False(t, ok, "the last generation has no successor")
	_, ok = session.Keyring{{ID: 2, Secret: keys[0].Secret}}.Parse(token)
	require.False(t, ok, "another key's ID")
	_, ok = session.Keyring{{ID: 1, Secret: []byte("another secret of at least 32 bytes")}}.Parse(token)
	require.False(t, ok, "another key")
}

// FuzzParse checks that an accepted token is exactly the one that the package
// would write.
func FuzzParse(f *testing.F) {
	ring := session.Keyring(keys)
	good := errors.Must(ring.Token(session.NewParsed("ann", 7)))
	f.Add(good)
	f.Add(good[:77] + "\n")
	f.Add("rt_" + base64.RawURLEncoding.EncodeToString(make([]byte, 56)))
	f.Add("rt_" + strings.Repeat("\n", 75))
	f.Fuzz(func(t *testing.T, token string) {
		c, ok := ring.Parse(token)
		if ok && token != errors.Must(ring.Token(c)) {
			t.Fatalf("a second spelling: %q", token)
		}
		if ok && token != good && len(token) != len(good) {
			t.Fatalf("another length: %q", token)
		}
	})
}
