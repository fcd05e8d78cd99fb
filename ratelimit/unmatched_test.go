package ratelimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func serveQuietly(h http.Handler, method, target string) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, nil))
}

var noContent = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

func TestUnmatchedListsPatternsWithoutARequest_FR3(t *testing.T) {
	for _, row := range []struct {
		name   string
		o      ratelimit.Options
		mount  func(limits http.Handler) http.Handler
		called []string
		want   []string
	}{
		{
			name:   "patterns without the prefix of a chi mount, which keeps the path FR3",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 5, "POST /login"), tierPerMinute("rest", 5)}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "GET /auth/me"},
			want:   []string{"POST /login"},
		},
		{
			name:   "patterns with the prefix that http.StripPrefix removes FR3",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 5, "POST /auth/login", "POST /auth/refresh"), tierPerMinute("me", 5, "GET /me")}},
			mount:  func(limits http.Handler) http.Handler { return http.StripPrefix("/auth", limits) },
			called: []string{"POST /auth/login", "POST /auth/refresh", "GET /auth/me"},
			want:   []string{"POST /auth/refresh", "POST /auth/login"},
		},
		{
			name:   "a misspelt pattern whose requests match another FR3",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 5, "POST /auth/login", "POST /auth/tokne"), tierPerMinute("auth", 5, "/auth/")}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "POST /auth/token"},
			want:   []string{"POST /auth/tokne"},
		},
		{
			name: "a pattern that the router does not have FR3",
			o: ratelimit.Options{
				Route: func(r *http.Request) string { return map[string]string{"/users/7": "/users/{id}"}[r.URL.Path] },
				Tiers: []ratelimit.Tier{tierPerMinute("users", 5, "GET /users/{userID}"), tierPerMinute("rest", 5)},
			},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"GET /users/7"},
			want:   []string{"GET /users/{userID}"},
		},
		{
			name:   "no pattern if each has matched",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 5, "POST /auth/login"), tierPerMinute("reads", 5, "GET /"), tierPerMinute("rest", 5)}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "HEAD /anything"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, row.o)
			h := row.mount(l.Handler(noContent))
			for _, called := range row.called {
				var method, target string
				_, err := fmt.Sscan(called, &method, &target)
				require.NoError(t, err)
				serveQuietly(h, method, target)
			}
			require.Equal(t, row.want, l.Unmatched())
		})
	}
}

func TestTierWithoutARequestIsLoggedOnce_FR3(t *testing.T) {
	const text = "tier has matched no request"
	log := collectRecords(t)
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{
			tierPerMinute("login", 5, "POST /login", "POST /signup"), tierPerMinute("auth", 5, "/auth/", "/never"), tierPerMinute("rest", 1_000_000),
		}})
		h := l.Handler(noContent)
		serveQuietly(h, "GET", "/auth/me")
		for range 2500 {
			serveQuietly(h, "GET", "/")
		}
		require.Empty(t, log.with(text), "a service that has just started may not have had a login")
		time.Sleep(10 * time.Minute)
		for range 3000 {
			serveQuietly(h, "GET", "/")
		}
		time.Sleep(time.Hour)
		for range 3000 {
			serveQuietly(h, "GET", "/")
		}
	})
	got := log.with(text)
	require.Len(t, got, 1, "the tier without a match must be logged once")
	require.Contains(t, got[0], `"level":"WARN"`)
	require.Contains(t, got[0], `"tier":"login","patterns":["POST /signup","POST /login"],"requests":3000`)
}

func TestTiersAreNotReviewedBefore1000Requests_FR3(t *testing.T) {
	log := collectRecords(t)
	synctest.Test(t, func(t *testing.T) {
		h := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 5, "POST /login"), tierPerMinute("rest", 1_000_000)}}).Handler(noContent)
		time.Sleep(24 * time.Hour)
		for range 999 {
			serveQuietly(h, "GET", "/")
		}
	})
	require.Empty(t, log.with("matched no request"))
}

// In a test, one request to each route of the service finds patterns that match no route.
// Routes.Check of package authtest makes such requests.
func ExampleLimiter_Unmatched() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /login"}, Limits: ratelimit.Login()},
		{Name: "rest", Limits: ratelimit.Reads()},
	}}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/login", func(http.ResponseWriter, *http.Request) {})
	service := limits.Handler(mux)

	for _, pattern := range []string{"POST /auth/login"} { // every route
		var method, path string
		_, _ = fmt.Sscan(pattern, &method, &path)
		service.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	fmt.Println(limits.Unmatched())
	// Output: [POST /login]
}
