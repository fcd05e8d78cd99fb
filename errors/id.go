package errors

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

// batch holds random bytes for 32 IDs; it is filled by one call to crypto/rand.
type batch struct {
	random [32 * 16]byte
	used   int
}

var batches = sync.Pool{New: func() any { return &batch{used: len(batch{}.random)} }}

// newID returns 16 random bytes as 32 lower-case hex digits, which are also a
// valid trace-id of W3C Trace Context.
func newID() string {
	b := batches.Get().(*batch)
	if b.used == len(b.random) {
		rand.Read(b.random[:]) // never returns an error since Go 1.24
		b.used = 0
	}
	var id [32]byte
	hex.Encode(id[:], b.random[b.used:b.used+16])
	b.used += 16
	batches.Put(b)
	return string(id[:])
}

// inboundID returns the correlation ID of the client, or "" if it is not one line
// that matches ^[A-Za-z0-9._-]{1,64}$. The key must be canonical.
func inboundID(r *http.Request, key string) string {
	lines := r.Header[key]
	if len(lines) != 1 || lines[0] == "" || len(lines[0]) > 64 {
		return ""
	}
	for _, c := range []byte(lines[0]) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return ""
		}
	}
	return lines[0]
}

const zeros = "00000000000000000000000000000000"

// traceID returns the trace-id of a valid traceparent, or "". It is only logged:
// continuing it would let callers forge trace-id collisions (W3C Trace Context,
// section 5.1).
func traceID(r *http.Request) string {
	lines := r.Header["Traceparent"]
	if len(lines) != 1 {
		return ""
	}
	s := lines[0]
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return ""
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	switch {
	case !lowerHex(version) || !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags):
		return ""
	case version == "ff" || trace == zeros || parent == zeros[:16]:
		return ""
	case version == "00" && len(s) > 55 || len(s) > 55 && s[55] != '-':
		return "" // later versions may add fields after a dash
	}
	return strings.Clone(trace)
}

func lowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
