package ratelimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func Example() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Name: "reads", Routes: []string{"GET /"}, Limits: ratelimit.Reads()},
		{Name: "writes", Limits: ratelimit.Writes()}, // every other request
	}}))
	handler := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for range 6 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", "/auth/login", nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 200 ""
	// 200 ""
	// 200 ""
	// 200 ""
	// 429 "60"
}

// The smallest program: a limit for logins, and one for every other route.
func ExamplePerMinute() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Limits: ratelimit.Limits(ratelimit.PerMinute(60))},
	}}))
	handler := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"))
	// Output:
	// "default";q=60;w=60 "default";r=59;t=60
}

// A tier with two limits: a burst in a second, and a sum in an hour. Both must allow
// a request.
func ExampleLimits() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "search", Limits: ratelimit.Limits(ratelimit.PerSecond(2), ratelimit.PerHour(100))},
	}}))
	for range 3 {
		d, err := limits.Charge(httptest.NewRequest("GET", "/search", nil))
		fmt.Println(d.Remaining, err != nil)
	}
	// Output:
	// 1 false
	// 0 false
	// 0 true
}

// The classic mistake: a key that contains the path, so that a client that changes
// the path has a new limit.
func Example_incorrect() {
	limit := ratelimit.Limit{Requests: 1, Window: time.Minute}
	limit.Key = func(r *http.Request) string { return r.RemoteAddr + r.URL.Path }
	wrong := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "search", Limits: []ratelimit.Limit{limit}}}}))
	limit.Key = nil
	right := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "search", Limits: []ratelimit.Limit{limit}}}}))
	for _, target := range []string{"/search", "/search/", "//search"} {
		w, _ := wrong.Charge(httptest.NewRequest("GET", target, nil))
		r, _ := right.Charge(httptest.NewRequest("GET", target, nil))
		fmt.Println("wrong:", w.Allowed, "right:", r.Allowed)
	}
	// Output:
	// wrong: true right: true
	// wrong: true right: false
	// wrong: true right: false
}
