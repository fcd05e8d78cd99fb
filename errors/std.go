package errors

import (
	"errors"
	"fmt"
)

// ErrUnsupported is the standard library's [errors.ErrUnsupported].
var ErrUnsupported = errors.ErrUnsupported

// New is the standard library's [errors.New]. Its text is for the log: sent
// to [Respond], it becomes a 500 that does not contain it.
func New(text string) error { return errors.New(text) }

// Is is the standard library's [errors.Is]. It sees through an [Error] to its
// [Kind] and to its cause.
func Is(err, target error) bool { return errors.Is(err, target) }

// As is the standard library's [errors.As].
func As(err error, target any) bool { return errors.As(err, target) }

// AsType is the standard library's [errors.AsType].
func AsType[E error](err error) (E, bool) { return errors.AsType[E](err) }

// Join is the standard library's [errors.Join]. When a joined error is sent
// to [Respond], the first [Kind], depth first, decides the response.
func Join(errs ...error) error { return errors.Join(errs...) }

// Unwrap is the standard library's [errors.Unwrap].
func Unwrap(err error) error { return errors.Unwrap(err) }

// Must returns v, and panics when err is not nil. It is meant for main and
// for package variables, where a configuration mistake should stop the
// program before it serves anybody:
//
//	var failures = errors.Must(errors.NewResponder(errors.Options{}))
func Must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Errorf("errors: Must: %w", err))
	}
	return v
}
