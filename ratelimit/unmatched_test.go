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

func quietCall(h http.Handler, method, target string) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, nil))
}

var noContent = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

func TestPatternsThatMatchNothingAreListed_FR3(t *testing.T) {
	for _, row := range []struct {
		name   string
		o      ratelimit.Options
		mount  func(limits http.Handler) http.Handler
		called []string
		want   []string
	}{
		{
			name:   "FR3 patterns without the prefix of a mount that keeps the path, as chi's",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{one("login", 5, "POST /login"), one("rest", 5)}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "GET /auth/me"},
			want:   []string{"POST /login"},
		},
		{
			name:   "FR3 patterns with the prefix that http.StripPrefix takes",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{one("login", 5, "POST /auth/login", "POST /auth/refresh"), one("me", 5, "GET /me")}},
			mount:  func(limits http.Handler) http.Handler { return http.StripPrefix("/auth", limits) },
			called: []string{"POST /auth/login", "POST /auth/refresh", "GET /auth/me"},
			want:   []string{"POST /auth/refresh", "POST /auth/login"},
		},
		{
			name:   "FR3 one pattern of a tier is misspelt, another takes its requests",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{one("login", 5, "POST /auth/login", "POST /auth/tokne"), one("auth", 5, "/auth/")}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "POST /auth/token"},
			want:   []string{"POST /auth/tokne"},
		},
		{
			name: "FR3 a router's own pattern that no route has",
			o: ratelimit.Options{
				Route: func(r *http.Request) string { return map[string]string{"/users/7": "/users/{id}"}[r.URL.Path] },
				Tiers: []ratelimit.Tier{one("users", 5, "GET /users/{userID}"), one("rest", 5)},
			},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"GET /users/7"},
			want:   []string{"GET /users/{userID}"},
		},
		{
			name:   "each pattern matches",
			o:      ratelimit.Options{Tiers: []ratelimit.Tier{one("login", 5, "POST /auth/login"), one("reads", 5, "GET /"), one("rest", 5)}},
			mount:  func(limits http.Handler) http.Handler { return limits },
			called: []string{"POST /auth/login", "HEAD /anything"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := limiter(t, row.o)
			h := row.mount(l.Handler(noContent))
			for _, called := range row.called {
				var method, target string
				_, err := fmt.Sscan(called, &method, &target)
				require.NoError(t, err)
				quietCall(h, method, target)
			}
			require.Equal(t, row.want, l.Unmatched())
		})
	}
}

func TestATierThatMatchesNothingIsReportedOnce_FR3(t *testing.T) {
	const text = "tier has matched no request"
	log := collectRecords(t)
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{
			one("login", 5, "POST /login", "POST /signup"), one("auth", 5, "/auth/", "/never"), one("rest", 1_000_000),
		}})
		h := l.Handler(noContent)
		quietCall(h, "GET", "/auth/me")
		for range 2500 {
			quietCall(h, "GET", "/")
		}
		require.Empty(t, log.with(text), "a service that has just started may not have had a login yet")
		time.Sleep(10 * time.Minute)
		for range 3000 {
			quietCall(h, "GET", "/")
		}
		time.Sleep(time.Hour)
		for range 3000 {
			quietCall(h, "GET", "/")
		}
	})
	got := log.with(text)
	require.Len(t, got, 1, "once, for the one tier of which no pattern has matched")
	require.Contains(t, got[0], `"level":"WARN"`)
	require.Contains(t, got[0], `"tier":"login","patterns":["POST /signup","POST /login"],"requests":3000`)
}

func TestFewRequestsReportNoTier_FR3(t *testing.T) {
	log := collectRecords(t)
	synctest.Test(t, func(t *testing.T) {
		h := limiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{one("login", 5, "POST /login"), one("rest", 1_000_000)}}).Handler(noContent)
		time.Sleep(24 * time.Hour)
		for range 999 {
			quietCall(h, "GET", "/")
		}
	})
	require.Empty(t, log.with("matched no request"))
}

// In a test, one request to each route of the service finds a limit that no route
// has. With package authtest, Routes.Check makes those requests.
func ExampleLimiter_Unmatched() {
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "login", Routes: []string{"POST /login"}, Limits: ratelimit.Login()},
		{Name: "rest", Limits: ratelimit.Reads()},
	}}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/login", func(http.ResponseWriter, *http.Request) {})
	service := limits.Handler(mux)

	for _, pattern := range []string{"POST /auth/login"} { // all routes
		var method, path string
		_, _ = fmt.Sscan(pattern, &method, &path)
		service.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	fmt.Println(limits.Unmatched())
	// Output: [POST /login]
}
