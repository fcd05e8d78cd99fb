package ratelimit

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// Options configures a [Limiter]. Tiers is required.
type Options struct {
	// Tiers are the limits, by route.
	Tiers []Tier
	// Store keeps the counts. nil: a [Memory] of its own.
	Store Store
	// ClientIP tells the client's address, and whether it is certain. Where it
	// is not, the address counts nevertheless, and the TCP peer where there is
	// none. nil: the TCP peer; a warning once a minute says so when forwarding
	// headers arrive.
	ClientIP func(*http.Request) (netip.Addr, bool)
	// OnStoreFailure says what happens while the store fails. Zero: Local. A
	// store that says that it is misconfigured, see [ErrMisconfigured], is Deny
	// always.
	OnStoreFailure Failure
	// Timeout bounds what a request waits for a store other than Memory, the
	// refund of FailuresOnly included, and one call of Take, Refund or Reset.
	// It holds where the store ignores its context. 0: 100 ms.
	Timeout time.Duration
	// Fields are the headers that tell clients what is left. Zero: RateLimit and
	// RateLimit-Policy.
	Fields Fields
	// OnDecision is told of each decision, and once of each change of the
	// store's health. It must not block.
	OnDecision func(context.Context, Event)
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Routes are then compared with it. nil: the
	// path decides.
	Route func(*http.Request) string
	// ErrorHandler answers refused requests. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
}

// checkFields returns what is wrong with the options, but for patterns.
func (o Options) checkFields() []error {
	var problems []error
	refuse := func(text string) { problems = append(problems, errors.New(text)) }
	if len(o.Tiers) == 0 {
		refuse("ratelimit: Tiers: none; did you mean {Name: \"reads\", Limits: ratelimit.Reads()}?")
	}
	names, rest := make(map[string]bool), ""
	for i, t := range o.Tiers {
		if !validName(t.Name) {
			refuse(fieldName("Tiers", i, "Name ") + strconv.Quote(t.Name) + ": is not 1 to 32 lower-case letters, digits and hyphens")
		}
		if n := len(t.Limits); n == 0 || n > maxLimits {
			refuse(fieldName("Tiers", i, "Limits: ") + "has " + strconv.Itoa(n) + " limits, not 1 to 4")
		}
		if len(t.Routes) == 0 {
			if rest != "" {
				refuse(fieldName("Tiers", i, "Routes: ") + "none, so it takes the rest, as " + strconv.Quote(rest) + " does")
			}
			rest = t.Name
		}
		for j, limit := range t.Limits {
			if name := policyName(t.Name, j); names[name] {
				refuse(fieldName("Tiers", i, "Name ") + strconv.Quote(t.Name) + ": another limit is named " + strconv.Quote(name))
			} else {
				names[name] = true
			}
			if problem := limit.findProblem(); problem != "" {
				refuse(fieldName("Tiers", i, "Limits["+strconv.Itoa(j)+"]") + problem)
			}
		}
		if t.OnStoreFailure < 0 || t.OnStoreFailure > InsecureAllow {
			refuse(fieldName("Tiers", i, "OnStoreFailure: ") + "is unknown")
		}
	}
	if o.OnStoreFailure < 0 || o.OnStoreFailure > InsecureAllow {
		refuse("ratelimit: OnStoreFailure: is unknown")
	}
	if o.Timeout < 0 {
		refuse("ratelimit: Timeout " + o.Timeout.String() + ": is negative")
	}
	if o.Fields < RateLimitFields || o.Fields > NoFields {
		refuse("ratelimit: Fields: is unknown")
	}
	return problems
}

func fieldName(list string, i int, field string) string {
	return "ratelimit: " + list + "[" + strconv.Itoa(i) + "]." + field
}

// policyName names the limits of a tier: login, login-2, login-3.
func policyName(tier string, i int) string {
	if i == 0 {
		return tier
	}
	return tier + "-" + strconv.Itoa(i+1)
}

// maxLimits bounds the limits of a tier.
const maxLimits = 4

func validName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// longest is the longest Window and Penalty.
const longest = 31 * 24 * time.Hour

// maxRequests returns the largest Requests of a window: the kernel's products stay
// below 2^53, which is what Lua counts exactly.
func maxRequests(window time.Duration) int64 {
	return min(math.MaxInt32, (1<<53)/window.Milliseconds())
}

// findProblem says what is wrong with a limit.
func (l Limit) findProblem() string {
	switch {
	case l.Requests <= 0:
		return ".Requests " + strconv.Itoa(l.Requests) + ": is not above 0; to close a route, do not serve it"
	case l.Window < time.Millisecond || l.Window > longest:
		return ".Window " + l.Window.String() + ": is not between 1ms and 744h"
	case l.Window%time.Millisecond != 0:
		return ".Window " + l.Window.String() + ": is not whole milliseconds; did you mean " + l.Window.Truncate(time.Millisecond).String() + "?"
	case int64(l.Requests) > maxRequests(l.Window):
		return ".Requests " + strconv.Itoa(l.Requests) + ": times the Window's milliseconds is above 2^53"
	case l.V6Prefix != 0 && (l.V6Prefix < 32 || l.V6Prefix > 128):
		return ".V6Prefix " + strconv.Itoa(l.V6Prefix) + ": is not between 32 and 128"
	case l.Penalty < 0 || l.Penalty > longest:
		return ".Penalty " + l.Penalty.String() + ": is not between 0s and 744h"
	case l.Penalty%time.Millisecond != 0:
		return ".Penalty " + l.Penalty.String() + ": is not whole milliseconds"
	case l.Lease:
		return l.checkLease()
	}
	return ""
}

func (l Limit) checkLease() string {
	switch {
	case l.Requests < leastLease:
		return ".Lease: needs Requests of 1000 or more, not " + strconv.Itoa(l.Requests) + "; did you mean to leave it out?"
	case l.Window < 100*time.Millisecond:
		return ".Lease: needs a Window of 100ms or more, not " + l.Window.String()
	case int64(l.Requests+l.Requests/10) > maxRequests(l.Window+l.Window/10+time.Millisecond):
		return ".Lease: needs a tenth more than Requests " + strconv.Itoa(l.Requests) + " in the Window: too many"
	case l.FailuresOnly:
		return ".Lease: excludes FailuresOnly, since what was leased is spent already"
	case l.Penalty > 0:
		return ".Lease: excludes Penalty, since the store does not see the requests"
	case l.Scale != nil:
		return ".Lease: excludes Scale, since the lease is for all requests of a key"
	case l.InsecureShadow:
		return ".Lease: excludes InsecureShadow; try the limit without Lease first"
	}
	return ""
}
