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
	"github.com/ringwall/ringwall/internal/headerlines"
	"github.com/ringwall/ringwall/internal/hook"
	"github.com/ringwall/ringwall/internal/nethttp"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/sameorigin"
)

// A policy is the compiled form of Options.
type policy struct {
	origins     origins
	credentials bool
	expose      bool
	maxAge      bool
	methods     []string
	headers     headerList
	status      int
	enforce     Enforcement
	exempt      *route.Table
	own         sameorigin.Service
	respond     func(http.ResponseWriter, *http.Request, error)
	onEvent     func(context.Context, Event)
	debug       bool
	// isReportOnly is Options.InsecureReportOnly.
	isReportOnly bool
	logger       *slog.Logger
	logged       [len(failures) + 1]hook.OncePerMinute // for failed preflights, by their reason
	vary         []string                              // of responses except those to preflights
	silent       *headerlines.Constant                 // Vary of a response without CORS headers
	actual       *headerlines.Constant                 // Vary and the CORS headers of the response to an allowed origin
	failed       *headerlines.Constant                 // Vary of a failed preflight
	preflight    *headerlines.Constant
	ownSilent    nethttp.RingHeaders // of a response without CORS headers
	ownActual    nethttp.RingHeaders // of the response to an allowed origin
}

// compileRows stores the header values in the order of their use: Vary, "*",
// credentials, exposed headers or allowed headers, and max-age. A value that is not
// sent is left out.
func (p *policy) compileRows(o *Options) {
	var credentials, expose, headers, maxAge []string
	switch {
	case p.origins.all: // the response does not depend on the origin
		p.vary = nil
	case p.enforce == EnforceAll:
		p.vary = []string{"Origin", "Sec-Fetch-Site"}
	default:
		p.vary = []string{"Origin"}
	}
	if o.Credentials {
		credentials = []string{"true"}
	}
	if o.Expose == nil {
		expose = []string{"RateLimit, RateLimit-Policy, Retry-After, X-Correlation-ID"}
	} else if len(o.Expose) > 0 {
		expose = []string{strings.Join(o.Expose, ", ")}
	}
	switch {
	case o.MaxAge > 0:
		maxAge = []string{strconv.FormatInt(int64(o.MaxAge/time.Second), 10)}
	case o.MaxAge == NoCache:
		maxAge = []string{"0"}
	}
	var all []string
	if p.origins.all {
		all = []string{"*"}
	}
	if p.headers.any {
		headers = []string{strings.Join(o.Headers, ", ")}
	}
	p.expose, p.maxAge = len(expose) > 0, len(maxAge) > 0
	vary, varyPreflight := joined(p.vary), joined(preflightVary[:])
	p.compileOwn()
	p.silent = headerlines.NewConstant(vary...)
	p.actual = headerlines.NewConstant(slices.Concat(vary, all, credentials, expose)...)
	p.failed = headerlines.NewConstant(varyPreflight...)
	p.preflight = headerlines.NewConstant(slices.Concat(varyPreflight, all, credentials, headers, maxAge)...)
}

// compileOwn lists the headers that must survive an informational response.
func (p *policy) compileOwn() {
	if len(p.vary) > 0 {
		p.ownSilent = nethttp.RingHeaders{{Name: "Vary"}}
	}
	p.ownActual = append(slices.Clone(p.ownSilent), nethttp.RingHeader{Name: "Access-Control-Allow-Origin", Lines: 1})
	if p.credentials {
		p.ownActual = append(p.ownActual, nethttp.RingHeader{Name: "Access-Control-Allow-Credentials", Lines: 1})
	}
	if p.expose {
		p.ownActual = append(p.ownActual, nethttp.RingHeader{Name: "Access-Control-Expose-Headers", Lines: 1})
	}
}

// joined returns names in one header line, or nil if there are none.
func joined(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, ", ")}
}

var preflightVary = [...]string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}

func compilePolicy(o Options) (*policy, error) {
	p := &policy{
		credentials: o.Credentials, methods: slices.Clone(o.Methods), headers: newHeaderList(o.Headers), status: o.PreflightStatus,
		enforce: o.Enforce, respond: o.ErrorHandler, onEvent: o.OnEvent, debug: o.Debug, isReportOnly: o.InsecureReportOnly, logger: o.Logger,
	}
	problems := p.origins.compileOptions(&o)
	exempt, err := route.Opening(o.Route, route.Field{Name: "cors: Exempt", Patterns: o.Exempt})
	p.exempt = exempt
	if err := errors.Join(append(append(problems, err), o.checkFields()...)...); err != nil {
		return nil, err
	}
	if p.origins.all {
		p.enforce = InsecureEnforceOff // every origin is listed
	}
	p.compileRows(&o)
	if p.status == 0 {
		p.status = http.StatusNoContent
	}
	p.own = sameorigin.Service{Scheme: o.Scheme, Host: o.Host, Lists: func(r *http.Request) bool { return p.origins.allowsOrigin(r.Header["Origin"][0]) }}
	if p.respond == nil {
		p.respond = errors.Respond
	}
	return p, nil
}

func (p *policy) serveRequest(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if p.isReportOnly {
		p.reportOnly(r)
		next.ServeHTTP(w, r)
		return
	}
	if isPreflight(r) {
		reason := p.answerPreflight(w.Header(), r)
		p.report(r, Event{Preflight: true, Refused: reason != Listed, Reason: reason})
		nethttp.DiscardBody(w, r, r.Body)
		if reason != Listed {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(p.status)
		return
	}
	if p.debug {
		next = p.watchHeaders(next)
		p.warnOuterHeader(r, w.Header())
	}
	reason := p.setHeaders(w.Header(), r)
	p.keepHeaders(w, reason)
	enforced, refused := p.checkEnforced(r)
	if refused || enforced == Exempted {
		reason = enforced
	}
	if p.onEvent != nil {
		p.report(r, Event{Refused: refused, Reason: reason})
	}
	if refused {
		p.respond(w, r, deniedError(r, reason))
		return
	}
	next.ServeHTTP(w, r)
}

// keepHeaders makes the headers survive an informational response.
func (p *policy) keepHeaders(w http.ResponseWriter, reason Reason) {
	own, vary := &p.ownSilent, 0
	if reason == Listed {
		own = &p.ownActual
	}
	if len(p.vary) > 0 {
		vary = len(w.Header()["Vary"])
	}
	nethttp.KeepHeaders(w, own, vary)
}

// setHeaders sets the headers of a response, except that to a preflight. No
// other response shares the value slices, so a handler may change them.
func (p *policy) setHeaders(h http.Header, r *http.Request) Reason {
	from := r.Header["Origin"]
	reason := p.checkOrigin(from)
	if reason != Listed {
		addVary(h, p.silent.Take(), p.vary)
		return reason
	}
	row := addVary(h, p.actual.Take(), p.vary)
	row = p.allow(h, from, row)
	if p.expose {
		h["Access-Control-Expose-Headers"] = row[:1:1]
	}
	return Listed
}

// checkOrigin returns Listed if the origin of a request may call.
func (p *policy) checkOrigin(from []string) Reason {
	switch {
	case len(from) == 0:
		return NoOrigin
	case len(from) > 1:
		return SeveralOrigins
	case p.origins.allowsOrigin(from[0]):
		return Listed
	}
	return Unlisted
}

// allow sets the headers of every response to an allowed origin, and returns
// the rest of the row. Access-Control-Allow-Origin shares the request's slice.
func (p *policy) allow(h http.Header, from, row []string) []string {
	if p.origins.all {
		h["Access-Control-Allow-Origin"] = row[:1:1]
		row = row[1:]
	} else {
		h["Access-Control-Allow-Origin"] = from[:1:1]
	}
	if p.credentials {
		h["Access-Control-Allow-Credentials"] = row[:1:1]
		row = row[1:]
	}
	return row
}

// addVary adds names to Vary, except those that Vary has, and none if it has
// "*". The first value of row is the names in one line. It becomes the Vary of a
// response that has none. addVary returns the rest of row.
func addVary(h http.Header, row, names []string) []string {
	if len(names) == 0 {
		return row
	}
	var lines []string
	if len(h) > 0 { // empty if no outer handler sets headers
		lines = h["Vary"]
	}
	if len(lines) == 0 {
		h["Vary"] = row[:1:1]
		return row[1:]
	}
	for _, name := range names {
		if !varyContains(lines, name) {
			lines = append(lines[:len(lines):len(lines)], name)
		}
	}
	h["Vary"] = lines
	return row[1:]
}

// varyContains reports whether lines of Vary contain name or "*".
func varyContains(lines []string, name string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element == "*" || strings.EqualFold(element, name) {
				return true
			}
		}
	}
	return false
}
