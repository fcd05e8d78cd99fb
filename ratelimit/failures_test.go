package ratelimit_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func TestFailuresOnlyRefundsSuccesses(t *testing.T) {
	tiers := []ratelimit.Tier{{Name: "login", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Hour, FailuresOnly: true, Quiet: true}}}}
	for _, row := range []struct {
		name   string
		status int
		counts bool
	}{{name: "500", status: 500, counts: true}, {name: "401", status: 401, counts: true}, {name: "303", status: 303, counts: false}, {name: "200", status: 200, counts: false}} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tiers})
			for range 3 {
				w := call(l, "POST", "/", peer, row.status)
				require.Empty(t, w.Header().Get("RateLimit"))
			}
			require.Equal(t, row.counts, call(l, "POST", "/", peer, row.status).Code == 429)
		})
	}
	t.Run("a panic and a missing Responder count", func(t *testing.T) {
		l := newLimiter(t, ratelimit.Options{Tiers: tiers})
		r := httptest.NewRequest("POST", "/", nil)
		require.Panics(t, func() {
			l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })).ServeHTTP(httptest.NewRecorder(), r)
		})
		l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, 429, call(l, "POST", "/", r.RemoteAddr, 200).Code)
	})
}

// Each response that is not a success is charged, for any reason.
func TestFailuresOnlyCountsEachFailure(t *testing.T) {
	for _, row := range []struct {
		name        string
		h           http.HandlerFunc
		counts      bool
		disconnects bool // the client does, when the handler is called
	}{
		{name: "no response written", h: func(http.ResponseWriter, *http.Request) {}, counts: false},
		{name: "204", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, counts: false},
		{name: "399", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(399) }, counts: false},
		{name: "400", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, counts: true},
		{name: "499", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(499) }, counts: true},
		{name: "503", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, counts: true},
		{name: "panic after 200", h: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic("x") }, counts: true},
		{name: "abort", h: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, counts: true},
		{name: "hijack", h: func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}, counts: true},
		{name: "client that disconnects", h: func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(200)
		}, counts: true, disconnects: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 1, Window: time.Hour, FailuresOnly: true})})
			failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if row.disconnects {
					cancel()
				}
				row.h(w, r)
			})
			done := make(chan struct{}, 2)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { done <- struct{}{} }()
				failures.Handler(l.Handler(handler)).ServeHTTP(w, r)
			}))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.Start()
			defer server.Close()
			client := server.Client()
			client.Transport.(*http.Transport).DisableKeepAlives = true
			for range 2 {
				r, err := http.NewRequestWithContext(ctx, "POST", server.URL, nil)
				require.NoError(t, err)
				if res, err := client.Do(r); err == nil {
					require.NoError(t, res.Body.Close())
				}
				if ctx.Err() == nil {
					<-done
				} else if row.counts {
					break
				}
			}
			if row.disconnects {
				<-done
			}
			d, err := withoutDenial(l.Charge(requestFrom("127.0.0.1:1")))
			require.NoError(t, err)
			require.Equal(t, row.counts, !d.Allowed)
		})
	}
}
