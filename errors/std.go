package errors

import (
	"errors"
	"fmt"
)

// ErrUnsupported is the standard library's [errors.ErrUnsupported].
var ErrUnsupported = errors.ErrUnsupported

// New is the standard library's [errors.New]. Its text is only logged: [Respond]
// turns the error into a 500 that does not contain it.
func New(text string) error { return errors.New(text) }

// Is is the standard library's [errors.Is]. In an [Error], it finds the [Kind] and
// the cause.
func Is(err, target error) bool { return errors.Is(err, target) }

// As is the standard library's [errors.As].
func As(err error, target any) bool { return errors.As(err, target) }

// AsType is the standard library's [errors.AsType].
func AsType[E error](err error) (E, bool) { return errors.AsType[E](err) }

// Join is the standard library's [errors.Join]. The first [Kind] of a joined error,
// depth first, decides the response of [Respond].
func Join(errs ...error) error { return errors.Join(errs...) }

// Unwrap is the standard library's [errors.Unwrap].
func Unwrap(err error) error { return errors.Unwrap(err) }

// Must returns v. It panics if err is not nil. It is meant for main and for package
// variables, where an invalid configuration should stop the program at its start:
//
//	var failures = errors.Must(errors.NewResponder(errors.Options{}))
func Must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Errorf("errors: Must: %w", err))
	}
	return v
}
