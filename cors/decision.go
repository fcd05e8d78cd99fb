package cors

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/internal/hook"
)

// A Decision is what was decided of one request.
type Decision struct {
	// Preflight is true for a preflight, which never reaches the handler.
	Preflight bool
	// Refused is true for an answer of 403.
	Refused bool
	// Reason says why.
	Reason Reason
}

// Reason is why a request got the CORS headers that it got, or none.
type Reason uint8

const (
	// Listed is an origin that may call; the only reason with CORS headers.
	Listed Reason = iota
	// NoOrigin is a request without Origin: not from a page, or a read by a
	// page of our own.
	NoOrigin
	// Unlisted is an origin that may not call, or a text that is no origin.
	Unlisted
	// SeveralOrigins is a request with more than one Origin line, which no
	// browser sends.
	SeveralOrigins
	// MethodNotAllowed is a preflight for a method that is not in Methods.
	MethodNotAllowed
	// HeaderNotAllowed is a preflight for a header that is not in Headers, or
	// with a list of headers that is longer than any browser would send.
	HeaderNotAllowed
	// ForeignSite is a request that Enforce refused by Sec-Fetch-Site.
	ForeignSite
	// Exempted is a request that Enforce would have refused but for Exempt.
	Exempted
	// AmbiguousPath is a request whose path several policies of [Routes]
	// claim.
	AmbiguousPath

	reasons = iota // the number of reasons
)

// String returns a name in snake_case, for logs and metrics.
func (r Reason) String() string {
	names := [...]string{
		"listed", "no_origin", "unlisted", "several_origins", "method_not_allowed", "header_not_allowed", "foreign_site", "exempted",
		"ambiguous_path",
	}
	if int(r) >= len(names) {
		return "reason_" + strconv.Itoa(int(r))
	}
	return names[r]
}

// report calls OnDecision, and logs a failed preflight: with Debug each, else
// one a minute for each reason, so that failures of unlisted origins, which any
// site can cause, do not hide those of listed ones.
func (p *policy) report(r *http.Request, d Decision) {
	if p.onDecision != nil {
		hook.Call(r.Context(), p.logger, "cors: OnDecision", func() { p.onDecision(r, d) })
	}
	if d.Preflight && d.Refused && (p.debug || p.isDue(d.Reason)) {
		p.logWarning(r, "preflight refused",
			slog.String("reason", d.Reason.String()),
			slog.String("origin", clipLines(r.Header["Origin"])),
			slog.String("method", clipLines(r.Header["Access-Control-Request-Method"])),
			slog.String("headers", clipLines(r.Header["Access-Control-Request-Headers"])))
	}
}

// isDue reports whether no failed preflight with a reason was logged in this
// minute, and marks it as logged.
func (p *policy) isDue(reason Reason) bool {
	minute := time.Now().Unix()/60 + 1
	last := p.logged[reason].Load()
	return last != minute && p.logged[reason].CompareAndSwap(last, minute)
}

func (p *policy) logWarning(r *http.Request, message string, attrs ...slog.Attr) {
	logger := p.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(r.Context(), slog.LevelWarn, message, attrs...)
}

// lookOutside finds what was set before us. Two lines of
// Access-Control-Allow-Origin make browsers refuse the response.
func (p *policy) lookOutside(r *http.Request, h http.Header) {
	if len(h["Access-Control-Allow-Origin"]) > 0 {
		p.logWarning(r, "stacked CORS: a middleware further out sets Access-Control-Allow-Origin too")
	}
}

// watchHeaders looks at the headers after next ran.
func (p *policy) watchHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		p.lookInside(r, w.Header())
	})
}

// lookInside finds what was changed behind us.
func (p *policy) lookInside(r *http.Request, h http.Header) {
	if lines, from := h["Access-Control-Allow-Origin"], r.Header["Origin"]; len(lines) > 1 || len(lines) == 1 && lines[0] != "*" && (len(from) != 1 || lines[0] != from[0]) {
		p.logWarning(r, "stacked CORS: the handler sets Access-Control-Allow-Origin too")
	}
	if !p.origins.all && !listed(h["Vary"], "Origin") {
		p.logWarning(r, "the handler took Origin from Vary: it calls Set where it should call Add")
	}
}
