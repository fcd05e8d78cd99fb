package cors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

func problemOf(field string, i int, value, problem string) error {
	return errors.New("cors: " + field + "[" + strconv.Itoa(i) + "] " + strconv.Quote(value) + ": " + problem)
}

// checkFields returns the problems of all options but Origins, OriginFunc and Exempt.
func (o Options) checkFields() []error {
	var problems []error
	each := func(field string, values []string, problem func(string) string) {
		for i, value := range values {
			if text := problem(value); text != "" {
				problems = append(problems, problemOf(field, i, value, text))
			}
		}
	}
	each("Methods", o.Methods, methodProblem)
	each("Headers", o.Headers, o.headerProblem)
	each("Expose", o.Expose, exposeProblem)
	if o.MaxAge != NoCache && (o.MaxAge < 0 || o.MaxAge > 24*time.Hour || o.MaxAge%time.Second != 0) {
		problems = append(problems, errors.New("cors: MaxAge "+o.MaxAge.String()+": is not whole seconds up to 24h, 0 or NoCache"+suggestMaxAge(o.MaxAge)))
	}
	if o.PreflightStatus != 0 && o.PreflightStatus != http.StatusOK && o.PreflightStatus != http.StatusNoContent {
		problems = append(problems, errors.New("cors: PreflightStatus "+strconv.Itoa(o.PreflightStatus)+": is neither 200 nor 204"))
	}
	switch {
	case o.Enforce < EnforceUnsafe || o.Enforce > InsecureEnforceOff:
		problems = append(problems, errors.New("cors: Enforce "+strconv.Itoa(int(o.Enforce))+": is unknown; did you mean EnforceUnsafe, EnforceAll or InsecureEnforceOff?"))
	case o.Enforce == InsecureEnforceOff && len(o.Exempt) > 0:
		problems = append(problems, errors.New("cors: Exempt: InsecureEnforceOff exempts everything already; did you mean one of them?"))
	}
	return problems
}

// suggestMaxAge is what was probably meant by a MaxAge: a plain number, which counts
// nanoseconds, is one of seconds to most other packages.
func suggestMaxAge(age time.Duration) string {
	switch {
	case age > 24*time.Hour:
		return "; did you mean 24h0m0s?"
	case age > 0 && age <= 24*time.Hour/time.Second:
		return "; did you mean " + (age * time.Second).String() + "?"
	}
	return ""
}

// methodProblem finds methods that browsers never send, and those that they
// send in another case.
func methodProblem(method string) string {
	upper := strings.ToUpper(method)
	switch {
	case method == "*":
		return "lets a page use any method; did you mean the methods by their names?"
	case !isToken(method):
		return "is not a method"
	case upper == "CONNECT" || upper == "TRACE" || upper == "TRACK":
		return "is a method that browsers forbid (Fetch, forbidden method)"
	case method != upper && slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, upper):
		return "did you mean " + strconv.Quote(upper) + "?"
	}
	return ""
}

// forbidden are the names that pages cannot set (Fetch, forbidden
// request-header).
var forbidden = [...]string{
	"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method", "connection",
	"content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin", "referer", "set-cookie",
	"te", "trailer", "transfer-encoding", "upgrade", "via",
}

// ofResponses are headers that only a response has, and ofRequests those that
// only a request has: in the other list they are a mistake.
var (
	ofResponses = []string{
		"age", "allow", "content-security-policy", "location", "permissions-policy", "referrer-policy", "retry-after", "server",
		"strict-transport-security", "vary", "www-authenticate", "x-content-type-options", "x-frame-options",
	}
	ofRequests = []string{
		"authorization", "cookie", "dpop", "expect", "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
		"origin", "range", "referer", "te", "user-agent", "x-requested-with",
	}
)

func (o Options) headerProblem(name string) string {
	lower := strings.ToLower(name)
	isAny := slices.Contains(o.Headers, "*")
	switch {
	case name == "*" && (o.Credentials || !slices.Equal(o.Origins, []string{"*"})):
		return "lets a page set any header, which needs Origins \"*\" without Credentials; did you mean the headers by their names?"
	case name == "*":
		return ""
	case !isToken(name) || len(name) > longestName:
		return "is not a header name of at most 128 bytes"
	case slices.Contains(forbidden[:], lower) || strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "sec-"):
		return "is a header that no page can set (Fetch, forbidden request-header)"
	case slices.Contains(ofResponses, lower) || strings.HasPrefix(lower, "access-control-"):
		return "is a header of responses; did you mean Expose, or no entry at all?"
	case isAny && lower != "authorization":
		return "is covered by \"*\" already; did you mean one of them?"
	}
	return ""
}

func exposeProblem(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "*":
		return "shows every header; did you mean the headers by their names?"
	case !isToken(name):
		return "is not a header name"
	case lower == "set-cookie" || lower == "set-cookie2":
		return "is a header that no page can read (Fetch, forbidden response-header name)"
	case slices.Contains(ofRequests, lower) || strings.HasPrefix(lower, "sec-") || strings.HasPrefix(lower, "access-control-request-"):
		return "is a header of requests; did you mean Headers?"
	case strings.HasPrefix(lower, "access-control-"):
		return "is read by the browser itself; did you mean to leave it out?"
	}
	return ""
}

// isToken takes a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
