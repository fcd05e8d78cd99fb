package cors

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
	"github.com/ringwall/ringwall/internal/rows"
)

// A policy is what Options compile to.
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
	scheme      func(*http.Request) string
	host        func(*http.Request) string
	respond     func(http.ResponseWriter, *http.Request, error)
	onDecision  func(*http.Request, Decision)
	debug       bool
	logger      *slog.Logger
	actual      *rows.Rows // by the indices below
	preflight   *rows.Rows
}

// Where the values stand in a row. A response's Vary is a run of them.
const (
	rowOrigin = iota // "*"
	rowCredentials
	rowExpose // or Access-Control-Max-Age
	rowVary
)

func compile(o Options) (*policy, error) {
	p := &policy{
		credentials: o.Credentials, methods: slices.Clone(o.Methods), headers: newHeaderList(o.Headers), status: o.PreflightStatus,
		enforce: o.Enforce, scheme: o.Scheme, host: o.Host, respond: o.ErrorHandler, onDecision: o.OnDecision, debug: o.Debug, logger: o.Logger,
	}
	problems := p.origins.compile(&o)
	exempt, err := route.Opening(o.Route, route.Field{Name: "cors: Exempt", Patterns: o.Exempt})
	p.exempt = exempt
	if err := errors.Join(append(append(problems, err), o.check()...)...); err != nil {
		return nil, err
	}
	if p.origins.all {
		p.enforce = InsecureEnforceOff // everybody is listed
	}
	if o.Expose == nil {
		o.Expose = []string{"RateLimit", "RateLimit-Policy", "Retry-After", "X-Correlation-ID"}
	}
	maxAge := "0"
	if o.MaxAge > 0 {
		maxAge = strconv.FormatInt(int64(o.MaxAge/time.Second), 10)
	}
	p.expose, p.maxAge = len(o.Expose) > 0, o.MaxAge != 0
	p.actual = rows.New("*", "true", strings.Join(o.Expose, ", "), "Origin", "Sec-Fetch-Site")
	p.preflight = rows.New("*", "true", maxAge, "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
	if p.status == 0 {
		p.status = http.StatusNoContent
	}
	if p.scheme == nil {
		p.scheme = schemeOf
	}
	if p.host == nil {
		p.host = hostOf
	}
	if p.respond == nil {
		p.respond = errors.Respond
	}
	return p, nil
}

func (p *policy) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if preflight(r) {
		reason := p.answer(w.Header(), r)
		p.decided(r, Decision{Preflight: true, Refused: reason != Listed, Reason: reason})
		if reason != Listed {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(p.status)
		return
	}
	if p.debug {
		p.lookOutside(r, w.Header())
		defer p.lookInside(r, w.Header())
	}
	reason := p.setHeaders(w.Header(), r)
	enforced, refused := p.enforced(r)
	if refused || enforced == Exempted {
		reason = enforced
	}
	p.decided(r, Decision{Refused: refused, Reason: reason})
	if refused {
		p.respond(w, r, denied(r, reason))
		return
	}
	next.ServeHTTP(w, r)
}

// setHeaders sets the headers of a response that is no preflight's. The lines
// are slices of this response alone: a handler may change what it finds.
func (p *policy) setHeaders(h http.Header, r *http.Request) Reason {
	row := p.actual.Take()
	switch {
	case p.origins.all: // the answer is the same for everybody
	case p.enforce == EnforceAll:
		addVary(h, row[rowVary:rowVary+2])
	default:
		addVary(h, row[rowVary:rowVary+1])
	}
	reason := p.allowOrigin(h, r, row)
	if reason != Listed {
		return reason
	}
	if p.credentials {
		h["Access-Control-Allow-Credentials"] = row[rowCredentials : rowCredentials+1 : rowCredentials+1]
	}
	if p.expose {
		h["Access-Control-Expose-Headers"] = row[rowExpose : rowExpose+1 : rowExpose+1]
	}
	return Listed
}

// allowOrigin sets Access-Control-Allow-Origin when the origin is listed. The
// slice is the request's own, or the row's.
func (p *policy) allowOrigin(h http.Header, r *http.Request, row []string) Reason {
	from := r.Header["Origin"]
	switch {
	case len(from) == 0:
		return NoOrigin
	case len(from) > 1:
		return SeveralOrigins
	case p.origins.all:
		h["Access-Control-Allow-Origin"] = row[rowOrigin : rowOrigin+1 : rowOrigin+1]
	case p.origins.has(from[0]):
		h["Access-Control-Allow-Origin"] = from[:1:1]
	default:
		return Unlisted
	}
	return Listed
}

// addVary adds names to Vary, but for those that a line has, and for all when
// one has "*". The slice becomes the response's.
func addVary(h http.Header, names []string) {
	lines := h["Vary"]
	if len(lines) == 0 {
		h["Vary"] = slices.Clip(names)
		return
	}
	for _, name := range names {
		if !listed(lines, name) {
			lines = append(lines[:len(lines):len(lines)], name)
		}
	}
	h["Vary"] = lines
}

func listed(lines []string, name string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.Trim(element, " \t"); element == "*" || strings.EqualFold(element, name) {
				return true
			}
		}
	}
	return false
}
