package ratelimit

import (
	"net/http"
	"time"
)

// A Tier is a set of limits for a set of routes.
type Tier struct {
	// Name must have 1 to 32 lower-case letters, digits and hyphens. Empty means
	// "default" in the tier without Routes, and is reported by New in any other. It
	// names the limits in keys, fields and events: login, login-2 and so on.
	// Limiters that share a store count together if their names and windows are
	// equal: see "Changing a limit" for a rollout that changes Requests.
	Name string
	// Routes are patterns such as "POST /auth/login". The language is that of
	// http.ServeMux without hosts, and every spelling of a path matches. None:
	// all that no other tier claims. What no tier claims is not limited.
	//
	// Patterns are compared with the whole r.URL.Path, unless Options.Route is
	// set: inside of a chi Mount or Route with the prefix of the mount, inside of
	// http.StripPrefix without it. A pattern that matches nothing is no error of
	// New. A warning names, once, the tiers that have matched no request after
	// 1000 requests and 10 minutes; [Limiter.Unmatched] lists the patterns.
	Routes []string
	// Limits must all allow a request, and are charged together or not at all.
	// 1 to 4.
	Limits []Limit
	// OnStoreFailure overrides that of Options. Zero: that of Options.
	OnStoreFailure Failure
}

// A Limit is a number of requests in a window that slides.
type Limit struct {
	// Requests is at least 1. Up to 128 are counted exactly: never more in any
	// interval of Window. Above, in eighths of the window: never more in any
	// 7/8 of it, and never denied for who keeps the limit in each 9/8.
	Requests int
	// Window is at least 1 ms, at most 31 days.
	Window time.Duration
	// Key returns whose requests are counted together. nil or "": the
	// client's address, or network in the case of IPv6. It must not contain
	// what a client chooses freely, such as the path.
	Key func(*http.Request) string
	// V6Prefix is the length of the network that counts as one client in
	// IPv6, 32 to 128. 0: 64.
	V6Prefix int
	// Cost returns how many requests a request counts as. nil: 1. Below 0
	// counts as 0.
	Cost func(*http.Request) int
	// Scale returns Requests for this request: a principal's own quota. 0 or
	// less is Requests, so that a quota that is not known neither opens the
	// limit nor closes it; what Window does not allow is lowered to the most
	// that it does. The principal is a part of what Key returns. nil: Requests.
	Scale func(*http.Request) int
	// Penalty is how long everything is refused after a denial, from the first
	// one on: denials during it do not prolong it. Up to 31 days. 0: none. It
	// turns a limit into a weapon where a stranger can spend it for somebody
	// else: never use it on an account.
	Penalty time.Duration
	// FailuresOnly refunds the charge when the status is below 400, as
	// [errors.Status] reports it. The charge stays after a panic, a hijack, or a
	// client that went away. It also stays where the status is hidden: without
	// errors.Responder outside, or inside http.TimeoutHandler, whose
	// ResponseWriter has no Unwrap. A warning once a minute reports that. Put
	// http.TimeoutHandler inside of the Limiter.
	FailuresOnly bool
	// InsecureShadow lets the limit decide, but never deny. Its denials are
	// reported to OnEvent with the reason Shadow. It does not appear in the
	// fields.
	InsecureShadow bool
	// Quiet keeps what remains out of the fields: it would help to pace a
	// guessing attack.
	Quiet bool
	// Lease lets each process charge some requests at once, and spend them
	// without asking the store: for limits of 1000 and more. At most
	// min(processes * Requests/64, Requests/10) above what the limit admits are
	// admitted then, in any window; each Limiter counts as a process. It
	// excludes FailuresOnly, Penalty, Scale and InsecureShadow, and does nothing
	// with a [Memory].
	Lease bool
}

// Failure says what happens to requests while the store fails.
type Failure int

const (
	// Local decides by this process's own count, which is always kept. It is
	// not zero, so that a tier can choose it where Options say otherwise.
	Local Failure = iota + 1
	// Deny answers 503.
	Deny
	// InsecureAllow lets everybody through.
	InsecureAllow
)
