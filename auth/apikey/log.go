package apikey

import (
	"log/slog"
	"strconv"
	"time"
)

// LogValue returns the names of the key.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("key_id", k.ID), slog.String("subject", k.Subject))
}

// String names the key, and does not contain the digests of its secrets. The
// record's JSON does: it is for stores.
func (r Record) String() string {
	return "API key " + strconv.Quote(r.Key.ID) + " of " + strconv.Quote(r.Key.Subject) + ", version " + strconv.Itoa(r.Version)
}

// GoString is [Record.String], for %#v.
func (r Record) GoString() string { return r.String() }

// LogValue is that of its [Key].
func (r Record) LogValue() slog.Value { return r.Key.LogValue() }

// String returns the times of the secret, without its digest.
func (s Secret) String() string { return "API key secret of " + s.Created.Format(time.RFC3339) }

// GoString is [Secret.String], for %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue is [Secret.String], for logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
