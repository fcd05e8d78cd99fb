package errors

import (
	"errors"
	"log/slog"
	"net/http"
)

// An Error is a [Kind] with what the log should know of this occurrence: a
// cause, attributes, and headers for the response. It is made by
// [Kind.Wrap], [Kind.With] and [Kind.Header]; its own methods of these names
// return changed copies. [Is] and [As] see the kind first, then the cause.
type Error struct {
	kind   *Kind
	cause  error
	attrs  []slog.Attr
	header http.Header
}

// Wrap returns an error of kind k with a cause that only the log will see.
func (k *Kind) Wrap(cause error) *Error { return &Error{kind: k, cause: cause} }

// With returns an error of kind k with attributes that only the log will see.
// The arguments are those of [slog.Logger.With]: keys and values, or
// [slog.Attr] values.
func (k *Kind) With(args ...any) *Error { return (&Error{kind: k}).With(args...) }

// Header returns an error of kind k that sets a response header, such as
// Retry-After. Clients see the value.
func (k *Kind) Header(key, value string) *Error { return (&Error{kind: k}).Header(key, value) }

// Error returns the code and the cause's text, for logs.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.kind.Error()
	}
	return e.kind.code + ": " + e.cause.Error()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	switch {
	case e == nil: // a nil pointer that was returned as an error has no kind
		return nil
	case e.cause == nil:
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

// Wrap returns a copy of e with one more cause.
func (e *Error) Wrap(cause error) *Error {
	c := *e
	if c.cause != nil {
		cause = errors.Join(c.cause, cause)
	}
	c.cause = cause
	return &c
}

// With returns a copy of e with more attributes.
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

// Opaque hides what kind of error err is: to [Is], [As] and the client it is
// [ErrInternal], and its text is err's, for the log. What a dependency answered
// must not become our answer: the 404 of a service that we call does not mean
// that our own caller asked for nothing. Opaque of nil is nil.
func Opaque(err error) error {
	if err == nil {
		return nil
	}
	return opaque{err}
}

type opaque struct{ err error }

func (o opaque) Error() string { return o.err.Error() }

// Unwrap returns a kind, and nothing that is behind it.
func (o opaque) Unwrap() error { return ErrInternal }
