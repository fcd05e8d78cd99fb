package errors

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// constant is satisfied by untyped constants only, outside of this package:
// text computed at run time cannot become part of a response, because it does
// not compile.
type constant string

// A Kind is a kind of error that clients may see: a status, a
// machine-readable code and a human-readable message, all constant. Kinds are
// package variables, made by [Define], and compared with [Is]:
//
//	var ErrNoOrder = errors.Define(404, "order_not_found", "No such order.")
//
// A Kind is an error itself, and can be returned as it is. It is immutable
// and safe for concurrent use.
type Kind struct {
	status  int
	code    string
	message string
	sample  string // the attribute whose values are sampled; see Sampled
	sampled bool
	prefix  []byte // the response up to the correlation ID
}

// The kinds that [Respond] gives to errors that have none.
var (
	// ErrInternal answers every error that is not known to be fit for a
	// client: 500 internal_error.
	ErrInternal = Define(500, "internal_error", "Something went wrong on our side.")
	// ErrTimeout answers an error that was caused by the request's own
	// deadline: 503 timeout.
	ErrTimeout = Define(503, "timeout", "The request took too long.")
	// ErrTooLarge answers an [http.MaxBytesError]: 413 content_too_large.
	ErrTooLarge = Define(413, "content_too_large", "The request content is too large.")
	// ErrCanceled is the kind of a request whose client went away before the
	// response: 499 client_closed_request, logged at Debug. It replaces the
	// kind of an error that wraps the request's own [context.Canceled], such
	// as a 503 around a query that was canceled, and a bare 502, 503 or 504,
	// as proxies write then. A deadline of the server's own keeps its kind.
	ErrCanceled = Define(499, "client_closed_request", "The client closed the request.")
	// ErrNotFound answers for a router that found no route: 404 not_found.
	ErrNotFound = Define(404, "not_found", "Nothing was found at this URL.")
	// ErrMethodNotAllowed answers for a router that found no route for the
	// method: 405 method_not_allowed.
	ErrMethodNotAllowed = Define(405, "method_not_allowed", "This URL does not support the request method.")
)

// registry is the table of all kinds: the one piece of mutable state that the
// module keeps, so that a code that means two things is found at start-up.
var registry struct {
	mu    sync.Mutex
	kinds []*Kind
}

// Define makes a [Kind]. The status is between 400 and 599; the code matches
// ^[a-z][a-z0-9_]{0,62}$, is stable, and is what clients compare; the message
// is one sentence for a person. Define is for package variables: it panics
// when status or code are wrong, which happens before the program serves
// anybody. A code that was defined with another status before is reported by
// [NewResponder].
func Define(status int, code, message constant) *Kind {
	return define(status, string(code), string(message))
}

func define(status int, code, message string) *Kind {
	if status < 400 || status > 599 {
		panic("errors: Define " + strconv.Quote(code) + ": status " + strconv.Itoa(status) + ": must be between 400 and 599")
	}
	if !validCode(code) {
		panic("errors: Define " + strconv.Quote(code) + ": must match ^[a-z][a-z0-9_]{0,62}$")
	}
	k := &Kind{status: status, code: code, message: message}
	k.sampled, k.sample = isOutage(status), "reason"
	k.prefix = append(k.prefix, `{"code":"`...)
	k.prefix = append(k.prefix, code...)
	k.prefix = append(k.prefix, `","message":`...)
	k.prefix = appendString(k.prefix, message)
	k.prefix = append(k.prefix, `,"correlation_id":"`...)
	registry.mu.Lock()
	defer registry.mu.Unlock()
	registry.kinds = append(registry.kinds, k)
	return k
}

// isOutage reports whether a status says that something else is unavailable. In
// an outage, every request says it.
func isOutage(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

func validCode(code string) bool {
	if code == "" || len(code) > 63 || code[0] < 'a' || code[0] > 'z' {
		return false
	}
	for _, c := range []byte(code) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Kinds returns every [Kind] that the program has defined, those of its
// dependencies included, sorted by code and status: a table for API
// documentation, and for a test that guards it.
func Kinds() []*Kind {
	registry.mu.Lock()
	kinds := slices.Clone(registry.kinds)
	registry.mu.Unlock()
	slices.SortStableFunc(kinds, func(a, b *Kind) int {
		if c := strings.Compare(a.code, b.code); c != 0 {
			return c
		}
		return a.status - b.status
	})
	return kinds
}

// checkKinds reports each code that was defined with two statuses: clients
// could not tell what it means.
func checkKinds() error {
	var problems []error
	kinds := Kinds()
	for i := 1; i < len(kinds); i++ {
		if a, b := kinds[i-1], kinds[i]; a.code == b.code && a.status != b.status {
			problems = append(problems, fmt.Errorf("errors: Define %q: is defined with status %d and with status %d; did you mean two codes?", a.code, a.status, b.status))
		}
	}
	return errors.Join(problems...)
}

// Sampled marks a kind whose records come in floods, and returns it: within
// a [Responder], of the errors of this kind that carry the same value of the
// attribute, one is logged every 10 seconds, with the number of those left
// out since as "suppressed". Kinds of the statuses 502, 503 and 504 are sampled
// by the attribute "reason" from the start, because in an outage every request
// fails with them. Sampled is called where the kind is defined:
//
//	var ErrLimited = errors.Define(429, "rate_limited", "Too many requests.").Sampled("tier")
func (k *Kind) Sampled(attribute string) *Kind {
	k.sampled, k.sample = true, attribute
	return k
}

// Error returns "code: message".
func (k *Kind) Error() string { return k.code + ": " + k.message }

// Status returns the HTTP status, between 400 and 599.
func (k *Kind) Status() int { return k.status }

// Code returns the machine-readable code.
func (k *Kind) Code() string { return k.code }

// Message returns the human-readable message.
func (k *Kind) Message() string { return k.message }
