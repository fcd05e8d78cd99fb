package ratelimit

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/wiring"
)

// checkFields returns all problems of the options, except those of patterns.
func (o Options) checkFields() []error {
	problems := o.checkTiers()
	report := func(text string) { problems = append(problems, errors.New("ratelimit: "+text)) }
	if o.Store != nil && wiring.IsNil(o.Store) {
		report("Store: must not be a nil pointer; did you mean to check the error of its New?")
	}
	if !isFailure(o.OnStoreFailure) {
		report(failureProblem(o.OnStoreFailure))
	}
	switch {
	case o.Timeout < 0:
		report("Timeout " + o.Timeout.String() + ": is negative; did you mean 0, which means 100ms?")
	case o.Timeout > 0 && o.Timeout < time.Millisecond:
		report("Timeout " + o.Timeout.String() + ": must be at least 1ms; did you mean " + (o.Timeout * time.Millisecond).String() + "?")
	}
	if o.Fields < RateLimitFields || o.Fields > NoFields {
		report("Fields " + strconv.Itoa(int(o.Fields)) + ": is unknown; did you mean RateLimitFields, LegacyFields, BothFields or NoFields?")
	}
	return problems
}

// checkTiers returns the problems of all tiers.
func (o Options) checkTiers() (problems []error) {
	if len(o.Tiers) == 0 {
		return []error{errors.New(`ratelimit: Tiers: must not be empty; did you mean {Name: "reads", Limits: ratelimit.Reads()}?`)}
	}
	owners, rest := make(map[string]string), -1 // the tier of each limit's name
	for i, t := range o.Tiers {
		report := func(text string) { problems = append(problems, errors.New(fieldName("Tiers", i, text))) }
		if !isName(t.Name) {
			report("Name " + strconv.Quote(t.Name) + ": must have 1 to 32 lower-case letters, digits and hyphens; did you mean " + strconv.Quote(suggestName(t.Name)) + "?")
		}
		switch n := len(t.Limits); {
		case n == 0:
			report("Limits: must not be empty; did you mean ratelimit.Writes()?")
		case n > maxLimits:
			report("Limits: has " + strconv.Itoa(n) + " entries; the maximum is 4; did you mean a second Limiter?")
		}
		if len(t.Routes) == 0 && rest >= 0 {
			report("Routes: must not be empty, because tier " + strconv.Quote(o.Tiers[rest].Name) + ` limits all other routes; did you mean []string{"GET /"}?`)
		} else if len(t.Routes) == 0 {
			rest = i
		}
		for j, limit := range t.Limits {
			name := policyName(t.Name, j)
			if owner, taken := owners[name]; taken && owner == t.Name {
				if j == 0 {
					report("Name " + strconv.Quote(t.Name) + ": is listed twice; did you mean one tier with all Routes?")
				}
			} else if taken {
				report("Name " + strconv.Quote(t.Name) + ": limit " + strconv.Quote(name) + " is also one of tier " + strconv.Quote(owner) + "; did you mean another name?")
			} else {
				owners[name] = t.Name
			}
			for _, problem := range limit.findProblems() {
				report("Limits[" + strconv.Itoa(j) + "]." + problem)
			}
		}
		if !isFailure(t.OnStoreFailure) {
			report(failureProblem(t.OnStoreFailure))
		}
	}
	return problems
}

func fieldName(list string, i int, field string) string {
	return "ratelimit: " + list + "[" + strconv.Itoa(i) + "]." + field
}

func isFailure(f Failure) bool { return f >= 0 && f <= InsecureAllow }

func failureProblem(f Failure) string {
	return "OnStoreFailure " + strconv.Itoa(int(f)) + ": is unknown; did you mean Local, Deny or InsecureAllow?"
}

// policyName names the limits of a tier: login, login-2, login-3.
func policyName(tier string, i int) string {
	if i == 0 {
		return tier
	}
	return tier + "-" + strconv.Itoa(i+1)
}

const (
	// maxLimits bounds the limits of a tier.
	maxLimits = 4
	// maxName bounds the name of a tier, in bytes.
	maxName = 32
	// longest is the longest Window and Penalty.
	longest = 31 * 24 * time.Hour
)

func isNameByte(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' }

func isName(s string) bool {
	for _, c := range []byte(s) {
		if !isNameByte(c) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// suggestName returns the closest name that New accepts.
func suggestName(s string) string {
	name := strings.Map(func(c rune) rune {
		if c < 0x80 && isNameByte(byte(c)) {
			return c
		}
		return '-'
	}, strings.ToLower(s))
	name = strings.Trim(name, "-")
	name = strings.Trim(name[:min(len(name), maxName)], "-")
	if name == "" {
		return "default"
	}
	return name
}

// maxRequests is the maximum Requests of a limit.
const maxRequests = math.MaxInt32

// findProblems returns the problems of a limit.
func (l Limit) findProblems() (problems []string) {
	report := func(problem string) { problems = append(problems, problem) }
	if l.Requests <= 0 {
		report("Requests " + strconv.Itoa(l.Requests) + ": must be positive; to close a route, do not serve it")
	}
	switch {
	case l.Window < time.Millisecond || l.Window > longest:
		report("Window " + l.Window.String() + ": must be between 1ms and 744h; did you mean " + suggestWindow(l.Window).String() + "?")
	case l.Window%time.Millisecond != 0:
		report("Window " + l.Window.String() + ": must be whole milliseconds; did you mean " + l.Window.Truncate(time.Millisecond).String() + "?")
	case l.Requests > maxRequests:
		report("Requests " + strconv.Itoa(l.Requests) + ": must be at most " + strconv.Itoa(maxRequests) + "; did you mean a shorter Window?")
	}
	if l.V6Prefix != 0 && (l.V6Prefix < 32 || l.V6Prefix > 128) {
		report("V6Prefix " + strconv.Itoa(l.V6Prefix) + ": must be between 32 and 128; did you mean 64?")
	}
	switch {
	case l.Penalty < 0:
		report("Penalty " + l.Penalty.String() + ": is negative; did you mean 0, which means none?")
	case l.Penalty > longest || l.Penalty > 0 && l.Penalty < time.Millisecond:
		report("Penalty " + l.Penalty.String() + ": must be between 1ms and 744h; did you mean " + suggestWindow(l.Penalty).String() + "?")
	case l.Penalty%time.Millisecond != 0:
		report("Penalty " + l.Penalty.String() + ": must be whole milliseconds; did you mean " + l.Penalty.Truncate(time.Millisecond).String() + "?")
	}
	if l.Lease && len(problems) == 0 {
		if problem := l.findLeaseProblem(); problem != "" {
			report("Lease: " + problem + "; did you mean to leave it out?")
		}
	}
	return problems
}

// suggestWindow returns the duration that was probably meant: a bare number stands
// for seconds, as in Window: 60.
func suggestWindow(d time.Duration) time.Duration {
	switch {
	case d == 0 || d == math.MinInt64:
		return time.Minute
	case d < 0:
		d = -d
	}
	if d < time.Millisecond {
		d *= time.Second
	}
	return min(d, longest)
}

func (l Limit) findLeaseProblem() string {
	switch {
	case l.Requests < leastLease:
		return "needs Requests of at least 1000, not " + strconv.Itoa(l.Requests)
	case l.Window < 100*time.Millisecond:
		return "needs a Window of at least 100ms, not " + l.Window.String()
	case l.Requests > maxRequests-l.Requests/10:
		return "needs a tenth more than Requests " + strconv.Itoa(l.Requests) + ", which is above the maximum of " + strconv.Itoa(maxRequests)
	case l.FailuresOnly:
		return "excludes FailuresOnly, because a lease is spent before the response"
	case l.Penalty > 0:
		return "excludes Penalty, because the store does not see single requests"
	case l.Scale != nil:
		return "excludes Scale, because a lease is for all requests of a key"
	case l.InsecureShadow:
		return "excludes InsecureShadow, because a lease is charged in advance"
	}
	return ""
}
