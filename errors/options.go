package errors

import (
	"context"
	"log/slog"
	"net/http"
)

// Options configures a [Responder]. The zero value is the recommended setup.
type Options struct {
	// Logger receives a record for each error response: a 5xx at Error, other
	// statuses at Info, and at Debug a request that its client canceled or whose
	// body did not arrive in time. Kinds that are sampled leave fewer records; see
	// [Kind.Sampled]. Secrets are masked, and texts truncated at 8 KiB. nil means
	// slog.Default() at the time of the request.
	Logger *slog.Logger

	// CorrelationHeader names the response header with the correlation ID. Empty
	// means X-Correlation-ID. A header with another meaning in HTTP, such as
	// Content-Type, is invalid.
	CorrelationHeader string

	// TrustCorrelation reports whether the client may choose the correlation ID
	// by sending CorrelationHeader. The ID must still match
	// ^[A-Za-z0-9._-]{1,64}$. If TrustCorrelation is nil or returns false, a
	// matching ID is only logged, as client_correlation_id.
	TrustCorrelation func(*http.Request) bool

	// TraceID returns the ID of the trace that a tracer has started for the request, from
	// its context: 32 lower-case hexadecimal digits (W3C Trace Context). It is logged as
	// trace_id. If TraceID is nil or returns another text, the ID of the traceparent that
	// the client sent is logged.
	TraceID func(context.Context) string

	// Map returns the kind of an error that has none, such as sql.ErrNoRows, or
	// nil for an error that it does not handle. nil maps no error.
	Map func(error) *Kind

	// Problem selects application/problem+json (RFC 9457): the same members, with
	// title, status and detail.
	Problem bool

	// Details adds the problems of a failed validation to the response:
	// "errors":[{"pointer":"/items/3/qty","code":"max","param":"10"}]. It contains places and
	// rules, but no values.
	Details bool

	// Redact names additional keys whose values are masked in the log, such as
	// "pin". The built-in keys include authorization, cookie, password, token and
	// secret. "pin" masks the attribute user_pin, a field or member UserPIN at any
	// depth, and in text "pin":"..." and pin=... . A key matches as a substring, so
	// "pin" also masks shipping. Case, "_", "-", "." and spaces are ignored.
	Redact []string

	// InsecureKeepBody reports whether the client receives the error bodies that
	// handlers wrote themselves, for this request. The record then has the status,
	// but not the body. nil means that a 5xx, an http.Error and a bare 404 or 405
	// are replaced, and their bodies are logged.
	InsecureKeepBody func(*http.Request) bool

	// InsecureReportOnly reports the changes of Handler without making them, except
	// that every response has a correlation ID: foreign bodies are not replaced, and a
	// panic is passed on after it is recorded. Each is an Event with Reported. Use it to
	// watch an existing service before it is changed. It has no effect on [Respond].
	InsecureReportOnly bool

	// OnEvent is called for each error response, before it is written, and for each call
	// of [Report]. It is not sampled. It must not block, because the request waits for
	// it. A panic is logged and has no other effect.
	OnEvent func(context.Context, Event)
}

// taken lists headers that cannot carry the ID: those that Respond and net/http set,
// and those that caches and browsers act on.
var taken = [...]string{
	"Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Location", "Set-Cookie", "Transfer-Encoding", "Vary",
	"X-Content-Type-Options",
}

func validName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != ""
}
