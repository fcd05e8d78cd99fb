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
	// Routes are patterns such as "POST /auth/login", in the language of
	// http.ServeMux without hosts. Every spelling of a path matches. Empty means
	// every request that no other tier matches. A request that no tier matches is not
	// limited.
	//
	// Patterns are compared with the whole r.URL.Path, unless Options.Route is set:
	// with the prefix inside a chi Mount or Route, without it inside
	// http.StripPrefix. New does not report a pattern that matches no request. After
	// 1000 requests and 10 minutes, tiers without a request are logged once;
	// [Limiter.Unmatched] lists the patterns.
	Routes []string
	// Limits must have 1 to 4 entries. All of them must allow a request, and they are
	// charged together or not at all.
	Limits []Limit
	// OnStoreFailure overrides Options.OnStoreFailure. 0 means that of Options.
	OnStoreFailure Failure
}

// A Limit is a number of requests in a sliding window.
type Limit struct {
	// Requests must be at least 1. Up to 128 requests are counted exactly: no interval
	// of a Window has more. Above, requests are counted in eighths of the window: no
	// 7/8 of it has more, and a client that keeps the limit in every 9/8 of a window
	// is never denied.
	Requests int
	// Window must be between 1 ms and 31 days, in whole milliseconds.
	Window time.Duration
	// Key returns the key whose requests are counted together. A nil Key, or an empty
	// key, means the client address, or its network for IPv6. The key must not contain
	// values that a client chooses freely, such as the path.
	Key func(*http.Request) string
	// V6Prefix is the length of the network that counts as one client in IPv6. It
	// must be between 32 and 128. 0 means 64.
	V6Prefix int
	// Cost returns the number of requests that a request counts as. nil means 1. A
	// negative cost counts as 0.
	Cost func(*http.Request) int
	// Scale returns the Requests for this request, such as the quota of its
	// principal, which must be part of the key. 0 or less means Requests, so that an
	// unknown quota neither removes the limit nor denies every request. A value above
	// the maximum for Window is lowered to it. A nil Scale means Requests.
	Scale func(*http.Request) int
	// Penalty is the time after a denial in which every request of the key is denied.
	// Denials during a penalty do not prolong it. It must be at most 31 days. 0 means
	// none. Do not use it on an account: an attacker could deny service to the owner.
	Penalty time.Duration
	// FailuresOnly refunds the charge if the status is below 400, as [errors.Status]
	// reports it. The charge stays after a panic, a hijack, or a disconnect of the
	// client. It also stays if the status is hidden: without an errors.Responder
	// outside, or inside http.TimeoutHandler, whose ResponseWriter has no Unwrap. A
	// warning once a minute reports that. Place http.TimeoutHandler inside the
	// Limiter.
	FailuresOnly bool
	// InsecureShadow lets the limit decide, but never deny. Its denials are
	// reported to OnEvent with the reason Shadow. It does not appear in the
	// fields.
	InsecureShadow bool
	// Quiet leaves the limit out of the fields, which would help to pace a guessing
	// attack.
	Quiet bool
	// Lease lets each process charge several requests at once, and spend them without
	// a call of the store. Requests must be at least 1000. In any window, at most
	// min(processes * Requests/64, Requests/10) requests above the limit are admitted;
	// each Limiter counts as a process. Lease excludes FailuresOnly, Penalty, Scale
	// and InsecureShadow, and has no effect with a [Memory].
	Lease bool
}

// A Failure decides requests while the store fails.
type Failure int

const (
	// Local decides by the counts of this process, which are always kept. It is not 0,
	// so that a tier can override Options.OnStoreFailure with it.
	Local Failure = iota + 1
	// Deny responds with 503 limits_unavailable.
	Deny
	// InsecureAllow admits every request.
	InsecureAllow
)
