package cors

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// NoCache is a MaxAge that disables preflight caching.
const NoCache time.Duration = -1

// Options configures a [Middleware]. Origins or OriginFunc is required.
type Options struct {
	// Origins lists the origins that may call, one per entry:
	//   - "https://app.example.com" is one origin.
	//   - "https://*.example.com" is every subdomain at any depth, without
	//     example.com itself.
	//   - "http://localhost:*" is any port, and "http://*.localhost:3000" is any
	//     name on this machine.
	//   - "*" alone is every origin. It excludes Credentials and EnforceAll.
	//
	// New refuses null, and origins that no browser sends, such as those with
	// the schemes wss, file and data.
	Origins []string
	// OriginFunc allows further origins, such as those of tenants in a table.
	// It is called for each request with an origin that Origins does not list,
	// and must be safe for concurrent use. The origin is valid and not null.
	// With Credentials it has https or is loopback, unless InsecureOrigins is
	// set. The request is not an argument, because caches distinguish responses
	// only by Origin (compare rs/cors issue 157).
	OriginFunc func(Origin) bool
	// Credentials lets pages send cookies and other credentials. Every origin
	// must then have https or be loopback, and a wildcard must not be at or
	// above a public suffix. Browsers send SameSite=Strict cookies, such as
	// those of package session, only for pages of the same site.
	Credentials bool
	// Methods lists the allowed methods except GET, HEAD and POST, which are
	// always allowed. They are case-sensitive. New refuses "*". nil means none.
	Methods []string
	// Headers lists the request headers that pages may set, such as
	// Authorization, and Content-Type, which application/json needs. A name has
	// at most 128 bytes. "*" means every header except Authorization, which
	// must be listed, too (Fetch, CORS non-wildcard request-header name). "*"
	// requires Origins "*" without Credentials, because browsers otherwise read
	// it as a header name. nil means only those that need no permission (Fetch,
	// CORS-safelisted request-header).
	Headers []string
	// Expose lists the response headers that pages may read. New refuses "*".
	// nil means RateLimit, RateLimit-Policy, Retry-After and X-Correlation-ID.
	// An empty list that is not nil means none.
	Expose []string
	// MaxAge bounds the time for which browsers cache a preflight, in whole
	// seconds, at most 24 h. 0 means the default of the browser, 5 s. NoCache
	// disables caching. Chromium caps MaxAge at 2 h.
	MaxAge time.Duration
	// PreflightStatus is the status of the response to an allowed preflight:
	// 204, or 200 for old clients. 0 means 204.
	PreflightStatus int

	// Enforce selects the requests from unlisted origins that are refused. 0
	// means EnforceUnsafe. With Origins "*", nothing is refused.
	Enforce Enforcement
	// Exempt lists patterns of requests that Enforce accepts from every
	// origin, such as "POST /sso/callback". Patterns are those of
	// http.ServeMux without hosts. They match only clean paths.
	Exempt []string
	// Route returns the pattern that the application's router selects for a
	// request. Set it if the router strips prefixes. Exempt is then compared
	// with that pattern.
	Route func(*http.Request) string
	// Scheme and Host return the scheme and host that the client used. A
	// request from the origin that they form is the service's own. Behind a
	// proxy, set them to the methods of headers.Forwarded. nil means TLS of
	// this process and the Host header.
	Scheme, Host func(*http.Request) string

	// InsecureOrigins accepts origins without TLS together with Credentials.
	InsecureOrigins bool
	// InsecurePublicSuffixes accepts wildcards that cover names of unrelated
	// parties together with Credentials: at a rule of the Public Suffix List,
	// such as "https://*.github.io", or above one, such as
	// "https://*.amazonaws.com". Every customer of that provider can then call
	// with the credentials of a visitor.
	InsecurePublicSuffixes bool
	// InsecureReportOnly passes every request to the handler, preflights included,
	// and sets no header, so that a running service can be watched before it is
	// changed. It reports the requests that would be refused to OnEvent, and those
	// that Enforce would refuse to errors.Report, too.
	InsecureReportOnly bool
	// ErrorHandler responds to requests that Enforce refuses. nil means
	// errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
	// OnEvent is called with the decision about each request, before the handler
	// runs. It must not block. A panic is logged and has no other effect.
	OnEvent func(context.Context, Event)
	// Debug logs every failed preflight. It also logs if other code sets
	// Access-Control-Allow-Origin or removes Origin from Vary. Use it only for
	// development, because any client can then fill the log.
	Debug bool
	// Logger receives at most one warning per minute and reason for failed
	// preflights, the records of Debug, and panics of OnEvent. nil means
	// slog.Default() at the time of the record.
	Logger *slog.Logger
}

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
	switch {
	case o.MaxAge == NoCache:
	case o.MaxAge < 0:
		problems = append(problems, errors.New("cors: MaxAge "+o.MaxAge.String()+": is negative; did you mean cors.NoCache?"))
	case o.MaxAge > 24*time.Hour || o.MaxAge%time.Second != 0:
		problems = append(problems, errors.New("cors: MaxAge "+o.MaxAge.String()+": must be whole seconds up to 24h, 0 or NoCache"+suggestMaxAge(o.MaxAge)))
	}
	if o.PreflightStatus != 0 && o.PreflightStatus != http.StatusOK && o.PreflightStatus != http.StatusNoContent {
		problems = append(problems, errors.New("cors: PreflightStatus "+strconv.Itoa(o.PreflightStatus)+": must be 200 or 204"))
	}
	switch {
	case o.Enforce < EnforceUnsafe || o.Enforce > InsecureEnforceOff:
		problems = append(problems, errors.New("cors: Enforce "+strconv.Itoa(int(o.Enforce))+": is unknown; did you mean EnforceUnsafe, EnforceAll or InsecureEnforceOff?"))
	case o.Enforce == InsecureEnforceOff && len(o.Exempt) > 0:
		problems = append(problems, errors.New("cors: Exempt: InsecureEnforceOff exempts every request; did you mean one of them?"))
	}
	return problems
}

// suggestMaxAge returns a suggestion for an invalid MaxAge. A plain number is in
// nanoseconds, but most other packages count seconds.
func suggestMaxAge(age time.Duration) string {
	switch {
	case age > 24*time.Hour:
		return "; did you mean 24h0m0s?"
	case age > 0 && age <= 24*time.Hour/time.Second:
		return "; did you mean " + (age * time.Second).String() + "?"
	}
	return ""
}

// methodProblem returns the problem of a method that browsers never send, or
// send in upper case.
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
		return "is not in upper case; did you mean " + strconv.Quote(upper) + "?"
	}
	return ""
}

// forbidden lists the headers that pages cannot set (Fetch, forbidden
// request-header).
var forbidden = [...]string{
	"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method", "connection",
	"content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin", "referer", "set-cookie",
	"te", "trailer", "transfer-encoding", "upgrade", "via",
}

// ofResponses lists headers that only responses have, and ofRequests those that
// only requests have.
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
		return "is a response header; did you mean Expose, or no entry at all?"
	case isAny && lower != "authorization":
		return "is covered by \"*\"; did you mean one of them?"
	}
	return ""
}

func exposeProblem(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "*":
		return "exposes every header; did you mean the headers by their names?"
	case !isToken(name):
		return "is not a header name"
	case lower == "set-cookie" || lower == "set-cookie2":
		return "is a header that no page can read (Fetch, forbidden response-header name)"
	case slices.Contains(ofRequests, lower) || strings.HasPrefix(lower, "sec-") || strings.HasPrefix(lower, "access-control-request-"):
		return "is a request header; did you mean Headers?"
	case strings.HasPrefix(lower, "access-control-"):
		return "is read by the browser itself; did you mean to leave it out?"
	}
	return ""
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
