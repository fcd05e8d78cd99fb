package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// Inside of Route and Mount, chi keeps r.URL.Path whole: a pattern without the
// prefix matches nothing.
func TestPatternsInAMountNeedItsPrefix_FR3(t *testing.T) {
	for _, row := range []struct {
		pattern   string
		status    int // of the second login
		unmatched []string
	}{
		{pattern: "POST /login", status: http.StatusOK, unmatched: []string{"POST /login"}},
		{pattern: "POST /auth/login", status: http.StatusTooManyRequests},
	} {
		t.Run("FR3 "+row.pattern, func(t *testing.T) {
			limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
				{Name: "login", Routes: []string{row.pattern}, Limits: []ratelimit.Limit{{Requests: 1, Window: time.Minute}}},
			}}))
			router := chi.NewRouter()
			router.Route("/auth", func(r chi.Router) {
				r.Use(limits.Handler)
				r.Post("/login", func(http.ResponseWriter, *http.Request) {})
			})
			server := httptest.NewServer(router)
			defer server.Close()
			status := 0
			for range 2 {
				response, err := server.Client().Post(server.URL+"/auth/login", "", nil)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				status = response.StatusCode
			}
			require.Equal(t, row.status, status)
			require.Equal(t, row.unmatched, limits.Unmatched())
		})
	}
}
