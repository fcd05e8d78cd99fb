package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

// TestSecretsAreNotPrinted checks that no way to print or log a value shows its
// secrets.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "hunter22"
	s := session.Session{ID: "0123", Subject: "ann", Data: []byte(secret)}
	tokens := session.Tokens{AccessToken: secret, RefreshToken: secret, TokenType: "Bearer", ExpiresIn: 300, Scope: "read"}
	key := session.Key{ID: 7, Secret: []byte(secret)}
	for _, tt := range []struct {
		name  string
		value any
		shown string
	}{
		{name: "session", value: s, shown: "ann"},
		{name: "pointer to a session", value: &s, shown: "ann"},
		{name: "sessions", value: []session.Session{s}, shown: "ann"},
		{name: "event", value: session.Event{Reason: session.TokenReused, Session: s}, shown: "ann"},
		{name: "tokens", value: tokens, shown: "300"},
		{name: "pointer to tokens", value: &tokens, shown: "300"},
		{name: "key", value: key, shown: "7"},
		{name: "keys", value: []session.Key{key}, shown: "7"},
		{name: "options", value: session.Options{Keys: []session.Key{key}}, shown: "7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				text := fmt.Sprintf(verb, tt.value)
				require.Contains(t, text, tt.shown, verb)
				for _, form := range []string{"%s", "%v", "%#v", "%x"} {
					require.NotContains(t, text, fmt.Sprintf(form, secret), verb)
					require.NotContains(t, text, fmt.Sprintf(form, []byte(secret)), verb)
				}
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", tt.value)
			require.NotContains(t, log.String(), secret)
			require.NotContains(t, log.String(), fmt.Sprint([]byte(secret)))
		})
	}
	for _, value := range []any{s, session.Event{Session: s}, key} {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(text), "aHVudGVyMjI", "base64 of the secret")
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		require.NotContains(t, log.String(), "aHVudGVyMjI")
	}
	text, err := json.Marshal(tokens)
	require.NoError(t, err)
	require.Contains(t, string(text), secret, "the client's answer")
}
