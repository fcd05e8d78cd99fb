package ratelimit

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Options configures a [Limiter]. Tiers is required.
type Options struct {
	// Tiers are the limits, by route.
	Tiers []Tier
	// Store keeps the counts. nil: a [Memory] of its own.
	Store Store
	// ClientIP returns the client's address, and reports whether it is verified.
	// An address that is not verified counts too. If the address is invalid,
	// and if ClientIP is nil, the address in RemoteAddr counts, with or without
	// a port. Requests without any address count as one client. A warning once
	// a minute names them, and forwarding headers that arrive while ClientIP is
	// nil.
	ClientIP func(*http.Request) (netip.Addr, bool)
	// OnStoreFailure says what happens while the store fails. Zero: Local. A
	// store that says that it is misconfigured, see [ErrMisconfigured], is Deny
	// always.
	OnStoreFailure Failure
	// Timeout bounds what a request waits for a store other than Memory, the
	// refund of FailuresOnly included, and one call of Take, Refund or Reset.
	// It holds where the store ignores its context. 0: 100 ms; otherwise at
	// least 1 ms.
	Timeout time.Duration
	// Fields are the headers that tell clients what is left. Zero: RateLimit and
	// RateLimit-Policy.
	Fields Fields
	// OnEvent is called for each decision, and once for each change of the
	// store's health. It must not block. A panic is logged and has no other
	// effect.
	OnEvent func(context.Context, Event)
	// Logger receives warnings, changes of the store's health, and panics of
	// OnEvent. nil means slog.Default() at the time of the record.
	Logger *slog.Logger
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Routes are then compared with it. nil: the
	// path decides.
	Route func(*http.Request) string
	// ErrorHandler answers refused requests. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}
