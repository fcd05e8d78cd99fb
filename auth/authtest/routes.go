package authtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// Routes describes a service and its routes. Check sends requests to each route.
//
// http.ServeMux does not list its patterns, so list them here. Check reports a pattern
// that the mux serves by another one. chi and gorilla/mux list theirs by a callback:
//
//	err := chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
//		routes.Patterns = append(routes.Patterns, method+" "+pattern)
//		return nil
//	})
//
//	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
//		if route.GetHandler() == nil {
//			return nil // a subrouter; its routes come next
//		}
//		pattern, err := route.GetPathTemplate()
//		if err != nil {
//			return err // a route without a path has to be listed by hand
//		}
//		methods, _ := route.GetMethods()
//		if len(methods) == 0 {
//			routes.Patterns = append(routes.Patterns, pattern) // every method
//		}
//		for _, method := range methods {
//			routes.Patterns = append(routes.Patterns, method+" "+pattern)
//		}
//		return nil
//	})
type Routes struct {
	// Service is the handler of the whole service.
	Service http.Handler
	// Callers is the Middleware inside Service.
	Callers *auth.Middleware
	// Router is the handler inside Callers that has the routes. With chi it is a
	// router that the same function filled with routes, without Use.
	Router http.Handler
	// Patterns lists the routes, such as "GET /orders/{id}". A pattern without a
	// method is checked with GET, POST, PUT, PATCH and DELETE, except the methods
	// with which the same path is listed. A route that is not listed is not checked.
	Patterns []string
	// Open lists the patterns that are meant to be public. The Middleware must
	// accept each of them without credentials, for at least one method.
	Open []string
	// Values has the values of wildcards, by name. Other wildcards have the value "1".
	// Each name must be that of a wildcard in Patterns. If a Public pattern covers a
	// route only for some values of a wildcard, Check needs one of these values to find
	// it.
	Values map[string]string
}

// Check returns all problems, joined, or nil. It sends a request without credentials to
// each route that is not open:
//
//   - The service must respond with 401.
//   - The Middleware must not treat the route as public or optional.
//   - The router without the Middleware must not serve it: [auth.Require] must refuse.
//
// A handler without Require is executed with an empty request, so run Check against
// test data only.
func (o Routes) Check() error {
	if o.Service == nil || o.Callers == nil || o.Router == nil || len(o.Patterns) == 0 {
		return errors.New("authtest: Routes: Service, Callers, Router and Patterns are required")
	}
	var problems []error
	for _, field := range []struct {
		name    string
		handler http.Handler
	}{{"Service", o.Service}, {"Router", o.Router}} {
		if v := reflect.ValueOf(field.handler); (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil() {
			problems = append(problems, fmt.Errorf("authtest: Routes: %s must not be a nil %T", field.name, field.handler))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	for _, name := range o.unusedValues() {
		problems = append(problems, fmt.Errorf("authtest: Values %q: no pattern has this wildcard", name))
	}
	for _, pattern := range o.Open {
		if !slices.Contains(o.Patterns, pattern) {
			problems = append(problems, fmt.Errorf("authtest: Open %q: is not among Patterns", pattern))
		}
	}
	for _, pattern := range o.Patterns {
		for _, problem := range o.checkRoute(pattern) {
			problems = append(problems, fmt.Errorf("authtest: %q: %s", pattern, problem))
		}
	}
	return errors.Join(problems...)
}

// checkRoute sends a request to one route, with its method, or with each method
// if the pattern has none.
func (o Routes) checkRoute(pattern string) (problems []string) {
	method, request, err := o.request(pattern)
	if err != nil {
		return []string{err.Error()}
	}
	if method != "" {
		_, problems = o.probeMethod(pattern, func() *http.Request { return request(method) })
		return problems
	}
	asked, shut := 0, 0
	_, isMux := o.Router.(*http.ServeMux)
	for _, method := range methods {
		if !isMux && slices.Contains(o.Patterns, method+" "+pattern) {
			continue // another pattern of the list serves it; a ServeMux resolves the conflict itself
		}
		picked, wrong := o.probeMethod(pattern, func() *http.Request { return request(method) })
		switch {
		case picked != pattern && slices.Contains(o.Patterns, picked):
			continue // another pattern of the list serves it
		case len(wrong) == 1 && wrong[0] == isShut:
			shut++
		default:
			for _, problem := range wrong {
				problems = append(problems, method+": "+problem)
			}
		}
		asked++
	}
	switch {
	case asked == 0:
		return []string{"other routes hide it for " + request(http.MethodGet).URL.Path}
	case shut == asked:
		return []string{isShut}
	}
	return problems
}

// methods are the methods of the requests for a pattern without one.
var methods = [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// isShut is the problem of a route that is listed in Open, but needs credentials for
// every method.
const isShut = "is meant to be open, and the Middleware wants credentials"

// probeMethod sends requests of one method, and returns the pattern that serves them.
func (o Routes) probeMethod(pattern string, request func() *http.Request) (picked string, problems []string) {
	if mux, ok := o.Router.(*http.ServeMux); ok {
		if _, picked = mux.Handler(request()); picked != pattern {
			return picked, []string{fmt.Sprintf("the router picks %q for %s", picked, request().URL)}
		}
	}
	_, refusal := o.Callers.Authenticate(request())
	open := refusal == nil
	if slices.Contains(o.Open, pattern) {
		if !open {
			problems = append(problems, isShut)
		}
		return pattern, problems
	}
	if open {
		problems = append(problems, "a Public or Optional pattern covers it")
	}
	w := httptest.NewRecorder()
	o.Service.ServeHTTP(w, request())
	if w.Code != http.StatusUnauthorized {
		problems = append(problems, fmt.Sprintf("answers an anonymous caller with %d", w.Code))
	}
	if !o.requires(request()) {
		problems = append(problems, "has no auth.Require")
	}
	return pattern, problems
}

// requires reports whether Require refuses a request that only the router serves.
// Its refusal is the event AccessDenied of a Middleware that passes every request.
func (o Routes) requires(r *http.Request) bool {
	heard := false
	probe := errors.Must(auth.New(auth.Options{
		Authenticators: []auth.Authenticator{nobody{}},
		Optional:       []string{"/all"},
		Route:          func(*http.Request) string { return "/all" },
		OnEvent: func(_ context.Context, e auth.Event) {
			heard = heard || e.Reason == auth.AccessDenied && errors.Is(e.Err, auth.ErrMissing)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusUnauthorized) },
	}))
	defer func() { _ = recover() }() // a handler without Require may panic because it has no principal
	probe.Handler(o.Router).ServeHTTP(httptest.NewRecorder(), r)
	return heard
}

// nobody is an authenticator that finds no credentials in any request.
type nobody struct{}

func (nobody) Authenticate(*http.Request) (*auth.Principal, error) { return nil, nil }
func (nobody) Challenge() string                                   { return "" }

// request returns the method of a pattern, or "", and a function that creates requests
// for the pattern.
func (o Routes) request(pattern string) (method string, with func(method string) *http.Request, err error) {
	method, rest, found := strings.Cut(pattern, " ")
	if !found {
		method, rest = "", pattern
	}
	host, path, found := strings.Cut(strings.TrimLeft(rest, " \t"), "/")
	if !found {
		return "", nil, errors.New("is not [METHOD ][HOST]/path")
	}
	target := "/" + o.fillWildcards(path)
	if _, err := url.ParseRequestURI(target); err != nil {
		return "", nil, fmt.Errorf("is not a path: %w", err)
	}
	return method, func(method string) *http.Request {
		r := httptest.NewRequest(method, target, nil)
		if host != "" {
			r.Host = host
		}
		return r
	}, nil
}

// fillWildcards replaces the wildcards of all three routers by values: {name},
// {name...}, {$}, {name:expression} and, at the end, *.
func (o Routes) fillWildcards(path string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{")
		b.WriteString(before)
		if !found {
			break
		}
		end := closingBrace(rest)
		name, _, _ := strings.Cut(strings.TrimSuffix(rest[:end], "..."), ":")
		b.WriteString(o.wildcardValue(name))
		path = strings.TrimPrefix(rest[end:], "}")
	}
	filled := b.String()
	if strings.HasSuffix(filled, "*") {
		filled = strings.TrimSuffix(filled, "*") + o.wildcardValue("*")
	}
	return filled
}

// unusedValues returns the names in Values that no pattern has, sorted.
func (o Routes) unusedValues() (unused []string) {
	for _, name := range slices.Sorted(maps.Keys(o.Values)) {
		const mark = "\x00" // no pattern has it
		filled := Routes{Values: map[string]string{name: mark}}
		if !slices.ContainsFunc(o.Patterns, func(pattern string) bool { return strings.Contains(filled.fillWildcards(pattern), mark) }) {
			unused = append(unused, name)
		}
	}
	return unused
}

func (o Routes) wildcardValue(name string) string {
	if value, ok := o.Values[name]; ok {
		return value
	}
	if name == "$" {
		return ""
	}
	return "1"
}

// closingBrace returns the index of the brace that closes the first one. A regular expression
// between them may contain braces.
func closingBrace(rest string) int {
	depth := 1
	for i, c := range []byte(rest) {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(rest)
}
