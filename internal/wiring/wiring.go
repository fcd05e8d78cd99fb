// Package wiring refuses nil where a service is put together. A nil handler or
// policy is a mistake of the program, so it panics when the service starts, as
// net/http does for a nil handler, and not with a 500 for each request.
package wiring

import (
	"net/http"
	"reflect"
)

// RequireHandler panics if next is nil or a nil function or pointer. what names
// the call, such as "cors: Handler".
func RequireHandler(what string, next http.Handler) {
	if IsNil(next) {
		panic(what + "(nil): the next handler must not be nil; did you mean the router?")
	}
}

// RequireNew panics if a middleware is nil: its New has returned an error that
// was not checked.
func RequireNew(what string, isNil bool) {
	if isNil {
		panic(what + ": the receiver must not be nil; did you mean to check the error of New?")
	}
}

// IsNil reports whether v is nil, or a nil pointer, function, map, slice or
// channel in an interface.
func IsNil(v any) bool {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan, reflect.UnsafePointer:
		return value.IsNil()
	}
	return false
}
