package ratelimit

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
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
	// Requests must be between 1 and 2147483647. No interval of a Window has more. Up to
	// 128, no request is denied that the limit allows. Above, a request may count for up
	// to 1/32 of the window too long, if more than 127/128 of the limit is used.
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
	// reported to OnEvent with the reason Shadow, and those of requests to
	// errors.Report. It does not appear in the fields.
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

// PerSecond returns a limit of n requests per second for each client.
func PerSecond(n int) Limit { return Limit{Requests: n, Window: time.Second} }

// PerMinute returns a limit of n requests per minute for each client.
func PerMinute(n int) Limit { return Limit{Requests: n, Window: time.Minute} }

// PerHour returns a limit of n requests per hour for each client.
func PerHour(n int) Limit { return Limit{Requests: n, Window: time.Hour} }

// Limits returns the limits, for a [Tier].
func Limits(limits ...Limit) []Limit { return limits }

// Login returns limits for a route that checks passwords: 5 per minute, and 30
// failures per hour, for each client; 60 per minute for each IPv6 /48, which
// one subscriber may own. They are Quiet.
func Login() []Limit {
	return []Limit{
		{Requests: 5, Window: time.Minute, Quiet: true},
		{Requests: 30, Window: time.Hour, FailuresOnly: true, Quiet: true},
		{Requests: 60, Window: time.Minute, V6Prefix: 48, Quiet: true},
	}
}

// Writes returns a limit of 60 requests per minute for each client.
func Writes() []Limit { return Limits(PerMinute(60)) }

// Reads returns a limit of 600 requests per minute for each client.
func Reads() []Limit { return Limits(PerMinute(600)) }

// A tier is the compiled form of a [Tier].
type tier struct {
	name      string
	limits    []Limit
	policies  []string // the limits' names
	onFailure Failure
	leases    []string // the names of the second limits, for a Lease
	leased    bool     // some limit has a Lease, and the store is remote
	failures  bool     // some limit is FailuresOnly
	scaled    bool     // some limit has a Scale
	published bool     // some limit is in the fields
	field     string   // RateLimit-Policy, if no limit has a Scale
	limited   *errors.Error
	expensive *errors.Error
	last      atomic.Pointer[refusal]
	// recoveredAt is the time, on the remote's clock, at which every request that this
	// process admitted without the store has left its window. 0 means none.
	recoveredAt atomic.Int64
}

// newTier returns a tier with its errors, built once so that a flood does not
// allocate them.
func newTier(name string) *tier {
	return &tier{name: name, limited: ErrLimited.With("tier", name), expensive: ErrTooExpensive.With("tier", name)}
}

func compileTier(t Tier, o Options) *tier {
	c := newTier(t.Name)
	c.limits, c.onFailure = append([]Limit(nil), t.Limits...), t.OnStoreFailure
	if c.onFailure == 0 {
		c.onFailure = o.OnStoreFailure
	}
	if c.onFailure == 0 {
		c.onFailure = Local
	}
	for i := range c.limits {
		limit := &c.limits[i]
		if limit.V6Prefix == 0 {
			limit.V6Prefix = 64
		}
		c.failures = c.failures || limit.FailuresOnly
		c.leased = c.leased || limit.Lease
		c.scaled = c.scaled || limit.Scale != nil
		c.published = c.published || limit.isPublished()
		c.policies = append(c.policies, policyName(t.Name, i))
		c.leases = append(c.leases, policyName(t.Name, i)+".lease") // the names of tiers have no point, so this is unique
	}
	if !c.scaled {
		c.field = string(c.appendPolicy(nil, nil))
	}
	return c
}

// nameRest returns the tiers, with the default name for a tier without Routes.
func nameRest(tiers []Tier) []Tier {
	tiers = slices.Clone(tiers)
	for i := range tiers {
		if t := &tiers[i]; t.Name == "" && len(t.Routes) == 0 {
			t.Name = "default"
		}
	}
	return tiers
}

// longestWindow returns the maximum time for which a charge of the tier counts.
func (t *tier) longestWindow() time.Duration {
	longest := time.Duration(0)
	for i := range t.limits {
		longest = max(longest, t.limits[i].Window)
	}
	return longest + longest/spans // a run counts until its last charge leaves
}

// A refusal is ErrLimited with a Retry-After, in seconds.
type refusal struct {
	after int64
	err   *errors.Error
}

// limitedError returns ErrLimited with Retry-After. It caches the last error, because
// during a flood Retry-After changes only once a second.
func (t *tier) limitedError(after int64) error {
	if last := t.last.Load(); last != nil && last.after == after {
		return last.err
	}
	r := &refusal{after, t.limited.Header("Retry-After", strconv.FormatInt(after, 10))}
	t.last.Store(r)
	return r.err
}
