package redislimit

import (
	"context"
	"log/slog"
)

// Options configures [New]. Secret is required.
type Options struct {
	// Secret is the key of the HMACs that stand for addresses and accounts in
	// Redis: at least 16 bytes, best 32 from crypto/rand. Processes that share
	// limits must have the same Secret. Another Secret starts all counts again.
	Secret []byte
	// Prefix begins every key; services that do not share limits have
	// different ones. At most 64 bytes, no braces. "": "rl:".
	Prefix string
	// OnEvent is called, at most once a minute, if another process uses the same
	// Prefix with a different Secret, see [SecretMismatch]. It must not block. A
	// panic is logged and has no other effect. nil means a warning in the log.
	OnEvent func(context.Context, Event)
	// Logger receives that warning, and panics of OnEvent. nil means
	// slog.Default() at the time of the record.
	Logger *slog.Logger
	// SeparateCalls makes every decision in a call of its own. Without it, the decisions
	// of concurrent requests share calls to one server, which costs Redis and this
	// process a fraction. A Cluster or Ring always has separate calls.
	SeparateCalls bool
}
