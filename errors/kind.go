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

// A constant is unexported, so that other packages can pass only untyped
// constants: text computed at run time does not compile.
type constant string

// A Kind is a kind of error that clients may see: a status, a machine-readable
// code and a human-readable message, all constant. Kinds are package variables,
// created by [Define] and compared with [Is]:
//
//	var ErrNoOrder = errors.Define(404, "order_not_found", "No such order.")
//
// A Kind is an error, and can be returned without a cause. It is safe for
// concurrent use once it is defined; [Kind.Sampled] changes it.
type Kind struct {
	status  int
	code    string
	message string
	sample  string // the attribute of Sampled
	sampled bool
	prefix  []byte // the response body up to the correlation ID
	ring    string // the package of this module that defined it, see Event.Ring
}

// The kinds that [Respond] uses for errors without a kind.
var (
	// ErrInternal is the response to every error without another kind:
	// 500 internal_error.
	ErrInternal = Define(500, "internal_error", "Something went wrong on our side.")
	// ErrTimeout is the response to an error that the request's own deadline
	// caused: 503 timeout.
	ErrTimeout = Define(503, "timeout", "The request took too long.")
	// ErrTooLarge is the response to an [http.MaxBytesError]:
	// 413 content_too_large.
	ErrTooLarge = Define(413, "content_too_large", "The request content is too large.")
	// ErrCanceled is the kind of a request whose client disconnected before the
	// response: 499 client_closed_request, logged at Debug. It replaces the
	// kind of an error that wraps the request's own [context.Canceled], such
	// as a 503 around a canceled query, and a bare 502, 503 or 504 of a proxy.
	// An error of the server's own deadline keeps its kind.
	ErrCanceled = Define(499, "client_closed_request", "The client closed the request.")
	// ErrNotFound replaces the 404 of a router or of [http.Error]:
	// 404 not_found.
	ErrNotFound = Define(404, "not_found", "Nothing was found at this URL.")
	// ErrMethodNotAllowed replaces the 405 of a router or of [http.Error]:
	// 405 method_not_allowed.
	ErrMethodNotAllowed = Define(405, "method_not_allowed", "This URL does not support the request method.")
)

// registry lists all kinds, so that NewResponder can find a code with two
// statuses.
var registry struct {
	mu    sync.Mutex
	kinds []*Kind
}

// Define returns a new [Kind]. The status must be between 400 and 599, and the code
// must match ^[a-z][a-z0-9_]{0,62}$. Clients compare the code, so it must not
// change. The message is one sentence for a person. Define is meant for package
// variables: it panics if the status or the code is invalid. [NewResponder]
// reports a code that is defined with two statuses.
func Define(status int, code, message constant) *Kind {
	k := define(status, string(code), string(message))
	k.ring = ringOfCaller()
	return k
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

// isOutage reports whether a status means that a dependency is unavailable, in
// which case every request fails.
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

// Kinds returns every [Kind] of the program and its dependencies, sorted by code
// and status. Use it to generate API documentation, or to test that codes do not
// change.
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

// checkKinds reports each code that is defined with two statuses, because it would
// be ambiguous to clients.
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

// Sampled limits the log records of k, and returns k. A [Responder] logs at most
// one error of this kind per 10 seconds for each value of the attribute, with the
// number of suppressed records in the attribute "suppressed". Kinds with the
// statuses 502, 503 and 504 are sampled by the attribute "reason" by default,
// because every request fails with them in an outage. Sampled changes k, so it
// must be called where the kind is defined:
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
