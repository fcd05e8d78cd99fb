// Package wiring panics for a nil handler or middleware when a service is set up, as
// net/http does. Otherwise each request would fail with a 500.
package wiring

import (
	"net/http"
	"reflect"
)

// RequireHandler panics if next is nil, or holds a nil function or pointer. The
// parameter what names the call, such as "cors: Handler".
func RequireHandler(what string, next http.Handler) {
	if IsNil(next) {
		panic(what + "(nil): the next handler must not be nil; did you mean the router?")
	}
}

// RequireNew panics if a middleware is nil, because the error of its New was not
// checked.
func RequireNew(what string, isNil bool) {
	if isNil {
		panic(what + ": the receiver must not be nil; did you mean to check the error of New?")
	}
}

// IsNil reports whether v is nil, or an interface that holds a nil pointer,
// function, map, slice or channel.
func IsNil(v any) bool {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan, reflect.UnsafePointer:
		return value.IsNil()
	}
	return false
}
