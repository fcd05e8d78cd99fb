package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

var errBadCredentials = errors.Define(401, "bad_credentials", "The email address or password is wrong.")

// A login has a limit by address around the route, and one by account around the check
// of the password.
func Example_login() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /auth/login"}, Limits: ratelimit.Login()},
		{Name: "refresh", Routes: []string{"/auth/refresh"}, Limits: ratelimit.Writes()},
		{Name: "rest", Limits: ratelimit.Reads()},
	}}))
	accounts := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		// Looser than the limit by address, Quiet and without Penalty: ten wrong guesses
		// lock out the owner for 15 minutes.
		{Name: "account", Limits: []ratelimit.Limit{{Requests: 10, Window: 15 * time.Minute, Quiet: true}}},
	}}))
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))

	login := errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		// Charge unknown accounts too, and every spelling of an account as one.
		try, err := accounts.Take(r.Context(), "account", strings.ToLower(r.FormValue("email")), 1)
		if err != nil {
			return err
		}
		if r.FormValue("password") != "correct" {
			return errBadCredentials
		}
		try.Refund(r.Context()) // count failures only
		return nil
	})
	mux := http.NewServeMux()
	mux.Handle("POST /auth/login", login)
	handler := failures.Handler(limits.Handler(mux))

	attempt := func(from, email, password string) int {
		r := httptest.NewRequest("POST", "/auth/login?email="+email+"&password="+password, nil)
		r.RemoteAddr = from + ":1234"
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}

	fmt.Println("one address on many accounts:")
	for i := range 7 {
		fmt.Print(" ", attempt("192.0.2.1", fmt.Sprint("user", i), "guess"))
	}
	fmt.Println("\nmany addresses on one account:")
	for i := range 12 {
		fmt.Print(" ", attempt(fmt.Sprint("198.51.100.", i), "ada", "guess"))
	}
	fmt.Println("\nan owner who logs in often:")
	for i := range 12 {
		fmt.Print(" ", attempt(fmt.Sprint("203.0.113.", i), "eve", "correct"))
	}
	fmt.Println()
	// Output:
	// one address on many accounts:
	//  401 401 401 401 401 429 429
	// many addresses on one account:
	//  401 401 401 401 401 401 401 401 401 401 429 429
	// an owner who logs in often:
	//  200 200 200 200 200 200 200 200 200 200 200 200
}

// A quota for each principal, by plan, and a penalty for clients that do not stop.
func ExampleNew() {
	plans := map[string]int{"ada": 3}
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "api", Limits: []ratelimit.Limit{{
		Requests: 2, Window: time.Minute, Penalty: 10 * time.Minute,
		Key:   func(r *http.Request) string { return r.Header.Get("Subject") }, // from auth, in a service
		Scale: func(r *http.Request) int { return plans[r.Header.Get("Subject")] },
	}}}}}))
	for _, subject := range []string{"ada", "eve"} {
		for {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Subject", subject)
			d, err := limits.Charge(r)
			fmt.Println(subject, d.Allowed, d.Remaining, d.RetryAfter.Round(time.Second))
			if err != nil {
				break
			}
		}
	}
	// Output:
	// ada true 2 0s
	// ada true 1 0s
	// ada true 0 0s
	// ada false 0 10m0s
	// eve true 1 0s
	// eve true 0 0s
	// eve false 0 10m0s
}

// A limit on work that is not a request to a route.
func ExampleLimiter_Take() {
	mails := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "mails", Limits: []ratelimit.Limit{{Requests: 100, Window: 24 * time.Hour}}},
	}}))
	ctx := context.Background()
	for _, n := range []int{60, 60, 40} {
		d, err := mails.Take(ctx, "mails", "ada", n)
		fmt.Println(d.Remaining, errors.Is(err, ratelimit.ErrLimited))
	}
	// Output:
	// 40 false
	// 40 true
	// 0 false
}

// One Memory for several Limiters.
func ExampleNewMemory() {
	store := ratelimit.NewMemory(ratelimit.MemoryOptions{MaxKeys: 1 << 20})
	a := errors.Must(ratelimit.New(ratelimit.Options{Store: store, Tiers: []ratelimit.Tier{{Name: "a", Limits: ratelimit.Reads()}}}))
	b := errors.Must(ratelimit.New(ratelimit.Options{Store: store, Tiers: []ratelimit.Tier{{Name: "b", Limits: ratelimit.Reads()}}}))
	d, _ := a.Take(context.Background(), "a", "ada", 1)
	fmt.Println(d.Remaining)
	d, _ = b.Take(context.Background(), "b", "ada", 1) // another name, another count
	fmt.Println(d.Remaining)
	// Output:
	// 599
	// 599
}
