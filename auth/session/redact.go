package session

import (
	"encoding/json"
	"log/slog"
	"strconv"
	"time"
)

// String returns the IDs of the session and its subject, without Data.
func (s Session) String() string {
	return "session " + strconv.Quote(s.ID) + " of " + strconv.Quote(s.Subject)
}

// GoString is [Session.String], for %#v.
func (s Session) GoString() string { return s.String() }

// LogValue returns the names of session and subject; no Data.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session_id", s.ID), slog.String("subject", s.Subject))
}

// String describes the tokens without their text. Their JSON has the text,
// because it is the client's response.
func (t Tokens) String() string {
	return t.TokenType + " tokens for " + strconv.Itoa(t.ExpiresIn) + " s, scope " + strconv.Quote(t.Scope)
}

// GoString is [Tokens.String], for %#v.
func (t Tokens) GoString() string { return t.String() }

// LogValue is [Tokens.String], for logs.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }

// String names the key by its ID, without its secret.
func (k Key) String() string { return "session key " + strconv.Itoa(int(k.ID)) }

// GoString is [Key.String], for %#v.
func (k Key) GoString() string { return k.String() }

// LogValue is [Key.String], for logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON writes the key without its secret. One can be read from JSON.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID           uint8
		Sign, Remove time.Time
	}{k.ID, k.Sign, k.Remove})
}
