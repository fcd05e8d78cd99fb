package errors

import (
	"errors"
	"log/slog"
	"net/http"
)

// An Error adds details of one occurrence to a [Kind]: a cause and attributes for
// the log, and headers for the response. [Kind.Wrap], [Kind.With] and
// [Kind.Header] create it; its own methods of these names return changed copies.
// [Is] and [As] see the kind first, then the cause.
type Error struct {
	kind   *Kind
	cause  error
	attrs  []slog.Attr
	header http.Header
}

// Wrap returns an error of kind k with a cause that is only logged.
func (k *Kind) Wrap(cause error) *Error { return &Error{kind: k, cause: cause} }

// With returns an error of kind k with attributes that are only logged. The
// arguments are those of [slog.Logger.With]: keys and values, or
// [slog.Attr] values.
func (k *Kind) With(args ...any) *Error { return (&Error{kind: k}).With(args...) }

// Header returns an error of kind k that sets a response header, such as
// Retry-After. The client receives the value.
func (k *Kind) Header(key, value string) *Error { return (&Error{kind: k}).Header(key, value) }

// Error returns the code and the cause's text, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.kind.Error()
	}
	return e.kind.code + ": " + e.cause.Error()
}

// Unwrap returns the kind, and the cause if there is one.
func (e *Error) Unwrap() []error {
	switch {
	case e == nil: // a nil pointer stored in an error
		return nil
	case e.cause == nil:
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// Wrap returns a copy of e with an additional cause.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	if c.cause != nil {
		cause = errors.Join(c.cause, cause)
	}
	c.cause = cause
	return &c
}

// With returns a copy of e with additional attributes.
func (e *Error) With(args ...any) *Error {
	c := *e
	c.attrs = append(c.attrs[:len(c.attrs):len(c.attrs)], slog.Group("", args...).Value.Group()...)
	return &c
}

// Header returns a copy of e that also sets a response header, replacing an
// earlier value of the same key.
func (e *Error) Header(key, value string) *Error {
	c := *e
	if c.header = e.header.Clone(); c.header == nil {
		c.header = make(http.Header, 1)
	}
	c.header.Set(key, value)
	return &c
}

// Opaque returns an error that hides the kind of err: [Is], [As] and the client
// see [ErrInternal], and the log has err's text. Use it for the error of a
// dependency, because its 404 does not mean that this service's own resource does
// not exist. Opaque(nil) is nil.
func Opaque(err error) error {
	if err == nil {
		return nil
	}
	return opaque{err}
}

type opaque struct{ err error }

func (o opaque) Error() string { return o.err.Error() }

// Unwrap returns ErrInternal, so that the hidden error cannot be reached.
func (o opaque) Unwrap() error { return ErrInternal }
