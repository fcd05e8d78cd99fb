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

// NoCache is the MaxAge that forbids browsers to remember a preflight at all.
const NoCache time.Duration = -1

// Options configures a [Middleware]. Origins or OriginFunc is required.
type Options struct {
	// Origins lists the origins that may call, one for each entry:
	// "https://app.example.com" exactly; "https://*.example.com" for every
	// subdomain at any depth, without example.com itself; "http://localhost:*"
	// for any port; "http://*.localhost:3000" on this machine; or "*" alone, for
	// every origin, which excludes Credentials and EnforceAll. New refuses null
	// and origins that no browser sends, such as those of wss, file and data.
	Origins []string
	// OriginFunc allows further origins, such as those of tenants in a table.
	// It gets an origin that was parsed and is not null, and with Credentials
	// one that has https or is loopback, unless InsecureOrigins is set. It is
	// asked for each request, and must be safe for concurrent use. It has no
	// request to look at, so that caches need to know of Origin alone (compare
	// rs/cors issue 157).
	OriginFunc func(Origin) bool
	// Credentials lets pages send cookies and other credentials. Origins then
	// have https, or are loopback, and no wildcard stands at or above a public
	// suffix. Browsers send a cookie that is SameSite=Strict, as that of
	// sessions is, for pages of the same site alone.
	Credentials bool
	// Methods lists methods in addition to GET, HEAD and POST, which need no
	// permission. They are case-sensitive: PATCH, not patch. New refuses "*".
	// nil means none.
	Methods []string
	// Headers lists request headers that pages may set, such as Authorization
	// and Content-Type (which application/json needs), of at most 128 bytes
	// each. "*" means every header but Authorization, which then has to be
	// listed too (Fetch, CORS non-wildcard request-header name). It needs
	// Origins "*" without Credentials, since browsers read it as a name
	// otherwise. nil means none beyond those that need no permission (Fetch,
	// CORS-safelisted request-header).
	Headers []string
	// Expose lists response headers that pages may read. New refuses "*". nil
	// means RateLimit, RateLimit-Policy, Retry-After and X-Correlation-ID;
	// empty, but not nil, means none.
	Expose []string
	// MaxAge is how long browsers remember a preflight, in whole seconds, at
	// most 24 h. 0: the browser's own 5 s. NoCache: not at all. Chromium caps
	// it at 2 h.
	MaxAge time.Duration
	// PreflightStatus answers allowed preflights: 204 (0) or 200, for old
	// clients.
	PreflightStatus int

	// Enforce says what the server itself refuses. Zero: unsafe methods from
	// origins that are not listed, unless Origins is "*".
	Enforce Enforcement
	// Exempt are patterns of requests that Enforce lets pass, such as "POST
	// /sso/callback". The language is that of http.ServeMux without hosts;
	// only a clean path matches.
	Exempt []string
	// Route returns the pattern that the application's own router picks, for
	// routers that strip prefixes. Exempt is then compared with it.
	Route func(*http.Request) string
	// Scheme and Host return what the client used to reach us, "https" or
	// "http" and a host, by which requests of our own pages are known. Behind a
	// proxy: those of headers.Forwarded. nil: TLS of this process decides, and
	// the Host header.
	Scheme, Host func(*http.Request) string

	// InsecureOrigins allows origins without TLS together with Credentials.
	InsecureOrigins bool
	// InsecurePublicSuffixes allows wildcards that cover names of unrelated
	// parties together with Credentials: at a rule of the Public Suffix List,
	// such as "https://*.github.io", or above one, such as
	// "https://*.amazonaws.com". Any customer of that provider can then call
	// with the credentials of a visitor.
	InsecurePublicSuffixes bool
	// ErrorHandler answers a request that Enforce refuses. nil: errors.Respond.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)
	// OnEvent is called with the decision about each request, before the handler
	// runs. It must not block. A panic is logged and has no other effect.
	OnEvent func(context.Context, Event)
	// Debug logs every failed preflight, and that something else sets CORS
	// headers or removes Origin from Vary. It is for development: anybody can
	// fill the log while it is on.
	Debug bool
	// Logger gets a warning for a failed preflight, at most once a minute for
	// each reason, what Debug logs, and panics of OnEvent. nil means
	// slog.Default().
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
		return "is not in upper case; did you mean " + strconv.Quote(upper) + "?"
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
