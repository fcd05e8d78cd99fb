package errors

import (
	"net/http"
	"runtime"
	"strings"

	"github.com/ringwall/ringwall/internal/hook"
)

// An Event is one error response, or one that was only reported. Its fields except
// Err have few values, so that they can be the labels of a metric: those that the
// program defines, and no text of a client.
type Event struct {
	// Kind decides the status and the code of the response. It is never nil.
	Kind *Kind
	// Ring is the package of this module that refused the request: "auth", "cors",
	// "headers", "ratelimit" or "validate". Empty means the application, or a failure.
	Ring string
	// Route is the route pattern of the request, or empty if no router has set
	// http.Request.Pattern.
	Route string
	// Foreign is true if a handler wrote the response itself, without [Respond].
	Foreign bool
	// Reported is true if the response was not changed, because of an option named
	// InsecureReportOnly: the request was not refused, or the foreign body not replaced.
	Reported bool
	// Err is the error, for a log or a trace. Its text may contain values of the
	// request.
	Err error
}

// Report records an error as [Respond] does, with one log record and one [Event] with
// Reported, but does not respond. Middleware calls it in a report-only mode, for a
// request that it would have refused. The log has at most one such record in 10
// seconds for each code and reason.
func Report(r *http.Request, err error) {
	s, ok := r.Context().Value(scopeKey{}).(*scope)
	if !ok {
		s = &scope{responder: &fallback, id: newID()}
	}
	s.record(r, outcome{kind: s.kindFor(r, err), err: err, sampled: true, reported: true, message: "request would have been refused"})
}

// notifyHook calls OnEvent.
func (s *scope) notifyHook(r *http.Request, o outcome) {
	onEvent := s.responder.onEvent
	if onEvent == nil {
		return
	}
	e := Event{Kind: o.kind, Ring: o.kind.ring, Route: r.Pattern, Foreign: s.isForeignResponse(), Reported: o.reported, Err: o.err}
	ctx := r.Context()
	hook.Call(ctx, s.responder.logger, "errors: OnEvent", func() { onEvent(ctx, e) })
}

func (s *scope) isForeignResponse() bool { return s.out != nil && s.out.foreign.Load() }

// rings lists the packages that refuse requests.
var rings = [...]string{"auth", "cors", "headers", "ratelimit", "validate"}

// ringOfCaller returns the ring that called Define, from its package or one below it;
// else "".
func ringOfCaller() string {
	var frames [2]uintptr // Define, and its caller
	n := runtime.Callers(2, frames[:])
	walk := runtime.CallersFrames(frames[:n])
	own, _ := walk.Next()
	caller, _ := walk.Next()
	module := strings.TrimSuffix(own.Function, "errors.Define")
	path, ok := strings.CutPrefix(caller.Function, module)
	if !ok || module == own.Function {
		return ""
	}
	for _, ring := range rings {
		if rest, ok := strings.CutPrefix(path, ring); ok && rest != "" && (rest[0] == '.' || rest[0] == '/') {
			return ring
		}
	}
	return ""
}
