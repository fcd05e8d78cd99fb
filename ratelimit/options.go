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
	// Tiers are the limits, by route. It must not be empty.
	Tiers []Tier
	// Store keeps the counts. nil means a [Memory] of this Limiter.
	Store Store
	// ClientIP returns the client address, and reports whether it is verified. The
	// address is used in both cases. If it is invalid or ClientIP is nil, the
	// address in RemoteAddr is used, with or without a port. Requests without an
	// address count as one client. These requests, and forwarding headers while
	// ClientIP is nil, are logged at most once a minute.
	ClientIP func(*http.Request) (netip.Addr, bool)
	// OnStoreFailure decides requests while the store fails. 0 means Local. A
	// misconfigured store always denies, see [ErrMisconfigured].
	OnStoreFailure Failure
	// Timeout bounds the time that a request waits for a store other than Memory,
	// including the refund of FailuresOnly. It also bounds a call of Take, Refund or
	// Reset. It holds even if the store ignores its context. It must be at least 1 ms.
	// 0 means 100 ms.
	Timeout time.Duration
	// Fields selects the response headers with the limits and the remaining
	// requests. 0 means RateLimit and RateLimit-Policy.
	Fields Fields
	// OnEvent is called for each decision, and once for each change of the
	// store's health. It must not block. A panic is logged and has no other
	// effect.
	OnEvent func(context.Context, Event)
	// Logger receives warnings, changes of the store's health, and panics of
	// OnEvent. nil means slog.Default() at the time of the record.
	Logger *slog.Logger
	// Route returns the pattern that the application's router matched, for routers
	// that strip prefixes. Routes are then compared with it. nil means that they are
	// compared with the path.
	Route func(*http.Request) string
	// ErrorHandler responds to refused requests. nil means [errors.Respond].
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}
