package errors

import (
	"log/slog"
	"net/http"
)

// Options configures a [Responder]. The zero value is the recommended set-up.
type Options struct {
	// Logger gets one record for each failed request: 5xx at Error, the rest
	// at Info, and at Debug a request that its client canceled, or whose body
	// did not arrive. Secrets are masked before it sees them, and texts cut at
	// 8 KiB. nil: slog.Default() at the time of the request.
	Logger *slog.Logger

	// CorrelationHeader names the response header that carries the
	// correlation ID. "": X-Correlation-ID. A header with a meaning of its
	// own, such as Content-Type, is refused.
	CorrelationHeader string

	// TrustCorrelation reports whether the peer may choose the correlation
	// ID by sending CorrelationHeader. Even then the ID must match
	// ^[A-Za-z0-9._-]{1,64}$. nil: nobody may; an ID that matches is logged
	// as client_correlation_id.
	TrustCorrelation func(*http.Request) bool

	// Map gives a kind to errors that have none, such as sql.ErrNoRows. It
	// returns nil for those that it does not know.
	Map func(error) *Kind

	// Problem answers with application/problem+json (RFC 9457): the same
	// facts, with title, status and detail.
	Problem bool

	// Details adds the list of a validation's problems to the response:
	// "errors":[{"pointer":"/items/3/qty","code":"max"}]. It holds places and
	// rules, never values.
	Details bool

	// Redact names further keys whose values are masked in the log, beside
	// authorization, cookie, password, token, secret and their like: "pin"
	// masks the attribute user_pin, a field or member UserPIN at any depth,
	// and in text "pin":"..." and pin=... . Keys are found as substrings, so
	// "pin" masks shipping too; case, "_", "-", "." and spaces do not count.
	Redact []string

	// InsecureKeepBody reports whether the error bodies that handlers write
	// by themselves reach the client as they are, for this request. The record
	// then has the status, and not the text. nil: a 5xx, an http.Error and a
	// bare 404 or 405 are replaced, and their text goes to the log.
	InsecureKeepBody func(*http.Request) bool
}

// taken are headers that an ID would spoil: those that Respond and net/http set
// themselves, and those that caches and browsers act on.
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
