package cors

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// An Event is the decision about one request.
type Event struct {
	// Reason is the reason for the decision.
	Reason Reason
	// Preflight is true for a preflight, which never reaches the handler.
	Preflight bool
	// Refused is true if the response is 403.
	Refused bool
	// Reported is true if the response would be 403 without InsecureReportOnly.
	Reported bool
	// Method is the method of the request. For a preflight, it is the method
	// that the preflight asks for, cut to 100 bytes.
	Method string
	// Path is the path of the request, unescaped.
	Path string
	// Origin is the first Origin header line, or "". It is cut to the length of
	// the longest valid origin. It is unverified text.
	Origin string
}

// A Reason is the reason for a decision, in snake_case.
type Reason string

const (
	// Listed means that the origin may call. Only then are CORS headers sent.
	Listed Reason = "listed"
	// NoOrigin means that the request has no Origin header: it is not from a
	// page, or is a same-origin read.
	NoOrigin Reason = "no_origin"
	// Unlisted means that the origin is not listed, or is not an origin. The
	// request may be the service's own, which Enforce does not refuse.
	Unlisted Reason = "unlisted"
	// SeveralOrigins means that the request has more than one Origin header
	// line, which no browser sends.
	SeveralOrigins Reason = "several_origins"
	// MethodNotAllowed means that a preflight asks for a method that Methods
	// does not list.
	MethodNotAllowed Reason = "method_not_allowed"
	// HeaderNotAllowed means that a preflight asks for a header that Headers
	// does not list, or that its list is longer than browsers send.
	HeaderNotAllowed Reason = "header_not_allowed"
	// ForeignSite means that Enforce refused the request because of
	// Sec-Fetch-Site.
	ForeignSite Reason = "foreign_site"
	// Exempted means that Enforce would have refused the request without
	// Exempt.
	Exempted Reason = "exempted"
	// AmbiguousPath means that the forms of the path select different policies
	// of [Routes].
	AmbiguousPath Reason = "ambiguous_path"
)

// failures lists the reasons for which a preflight fails.
var failures = [...]Reason{Unlisted, SeveralOrigins, MethodNotAllowed, HeaderNotAllowed, AmbiguousPath}

// report calls OnEvent and logs failed preflights: all of them with Debug,
// otherwise one per minute and reason. Any page can cause failures of unlisted
// origins; they must not hide those of listed ones.
func (p *policy) report(r *http.Request, e Event) {
	if p.onEvent != nil {
		e.Method, e.Path = r.Method, r.URL.Path
		if e.Preflight {
			e.Method = clip(r.Header["Access-Control-Request-Method"][0], 100)
		}
		if from := r.Header["Origin"]; len(from) > 0 {
			e.Origin = clip(from[0], longestOrigin)
		}
		ctx := r.Context()
		hook.Call(ctx, p.logger, "cors: OnEvent", func() { p.onEvent(ctx, e) })
	}
	if e.Preflight && (e.Refused || e.Reported) && (p.debug || p.isDue(e.Reason)) {
		message := "preflight refused"
		if e.Reported {
			message = "preflight would have been refused"
		}
		p.logWarning(r, message,
			slog.String("reason", string(e.Reason)),
			slog.String("origin", clipLines(r.Header["Origin"])),
			slog.String("method", clipLines(r.Header["Access-Control-Request-Method"])),
			slog.String("headers", clipLines(r.Header["Access-Control-Request-Headers"])))
	}
}

// reportOnly reports the effect that the policy would have on a request.
func (p *policy) reportOnly(r *http.Request) {
	if isPreflight(r) {
		reason := p.checkPreflight(r.Header["Origin"], r.Header["Access-Control-Request-Method"], r.Header["Access-Control-Request-Headers"])
		p.report(r, Event{Preflight: true, Reported: reason != Listed, Reason: reason})
		return
	}
	reason := p.checkOrigin(r.Header["Origin"])
	enforced, refused := p.checkEnforced(r)
	if refused || enforced == Exempted {
		reason = enforced
	}
	p.report(r, Event{Reported: refused, Reason: reason})
	if refused {
		errors.Report(r, deniedError(r, reason))
	}
}

// isDue reports whether no failed preflight with this reason was logged in the
// current minute, and marks it as logged.
func (p *policy) isDue(reason Reason) bool {
	return p.logged[slices.Index(failures[:], reason)+1].Allow(time.Now()) // the first element is for other reasons
}

func (p *policy) logWarning(r *http.Request, message string, attrs ...slog.Attr) {
	hook.LoggerOrDefault(p.logger).LogAttrs(r.Context(), slog.LevelWarn, message, attrs...)
}

// warnOuterHeader warns if an outer middleware has set Access-Control-Allow-Origin.
func (p *policy) warnOuterHeader(r *http.Request, h http.Header) {
	if len(h["Access-Control-Allow-Origin"]) > 0 {
		p.logWarning(r, "outer middleware also sets Access-Control-Allow-Origin")
	}
}

// watchHeaders calls warnInnerChange after next has run.
func (p *policy) watchHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		p.warnInnerChange(r, w.Header())
	})
}

// warnInnerChange warns if the handler has changed Access-Control-Allow-Origin or
// Vary.
func (p *policy) warnInnerChange(r *http.Request, h http.Header) {
	if lines, from := h["Access-Control-Allow-Origin"], r.Header["Origin"]; len(lines) > 1 || len(lines) == 1 && lines[0] != "*" && (len(from) != 1 || lines[0] != from[0]) {
		p.logWarning(r, "handler also sets Access-Control-Allow-Origin")
	}
	if !p.origins.all && !varyContains(h["Vary"], "Origin") {
		p.logWarning(r, "handler removed Origin from Vary")
	}
}
