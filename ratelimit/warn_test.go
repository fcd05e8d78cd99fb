package ratelimit_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/testlog"
	"github.com/ringwall/ringwall/ratelimit"
)

// records collects log records.
type records struct{ testlog.Log }

// with returns the records that contain a text.
func (l *records) with(text string) []string {
	var found []string
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func collectRecords(t *testing.T) *records {
	t.Helper()
	l, before := new(records), slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

// failureTiers allows 2 failures of a login in an hour.
func failureTiers() []ratelimit.Tier {
	return []ratelimit.Tier{{Name: "login", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Hour, FailuresOnly: true}}}}
}

func TestFailuresOnlyLogsAHiddenStatus_FR2(t *testing.T) {
	const hidden = "response status is hidden from FailuresOnly"
	served := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	limit := func(next http.Handler) http.Handler {
		return newLimiter(t, ratelimit.Options{Tiers: failureTiers()}).Handler(next)
	}
	for _, row := range []struct {
		name   string
		h      http.Handler
		want   []int
		writer string // in the log; empty means that nothing is logged
	}{
		{name: "http.TimeoutHandler outside the Limiter hides the status FR2",
			h: failures.Handler(http.TimeoutHandler(limit(served), time.Minute, "")), want: []int{200, 200, 429}, writer: "*http.timeoutWriter"},
		{name: "a missing Responder hides the status FR2",
			h: limit(served), want: []int{200, 200, 429}, writer: "*http.response"},
		{name: "http.TimeoutHandler inside the Limiter does not hide the status FR2",
			h: failures.Handler(limit(http.TimeoutHandler(served, time.Minute, ""))), want: []int{200, 200, 200, 200}, writer: ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			log := collectRecords(t)
			server := httptest.NewServer(row.h)
			defer server.Close()
			for _, want := range row.want {
				response, err := server.Client().Post(server.URL+"/login", "", nil)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				require.Equal(t, want, response.StatusCode)
			}
			got := log.with(hidden)
			if row.writer == "" {
				require.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			require.LessOrEqual(t, len(got), 2, "at most once a minute, of which one may end between the requests: %v", got)
			require.Contains(t, got[0], `"level":"WARN"`)
			require.Contains(t, got[0], `"tier":"login"`)
			require.Contains(t, got[0], `"response_writer":"`+row.writer+`"`)
			require.Contains(t, got[0], `"order":"errors.Responder, Limiter, http.TimeoutHandler, handler"`)
		})
	}
}

func TestHiddenStatusIsLoggedOnceAMinute_FR2(t *testing.T) {
	log := collectRecords(t)
	synctest.Test(t, func(t *testing.T) {
		h := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "login", Limits: []ratelimit.Limit{{Requests: 128, Window: time.Hour, FailuresOnly: true}}}}}).
			Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range 60 { // for five minutes
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), "POST", "/", nil))
			time.Sleep(5 * time.Second)
		}
	})
	require.Len(t, log.with("hidden from FailuresOnly"), 5)
}

func TestLoggerReceivesTheStoresHealthAndPanicsOfOnEvent(t *testing.T) {
	byDefault, own := collectRecords(t), new(records)
	synctest.Test(t, func(t *testing.T) {
		for _, logger := range []*slog.Logger{nil, slog.New(slog.NewJSONHandler(own, nil))} {
			s := newTestStore()
			l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 9)}, Logger: logger, OnEvent: func(context.Context, ratelimit.Event) { panic("a mistake") }})
			s.set(func() { s.fail = errDown })
			for range 3 {
				mustTake(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = nil })
			time.Sleep(time.Second)
			mustTake(t, l, "a", "k", 1)
		}
	})
	for _, l := range []*records{byDefault, own} {
		require.Len(t, l.with(`"level":"WARN","msg":"store failing","error":"`), 1)
		require.Len(t, l.with(`"level":"INFO","msg":"store recovered"}`), 1)
		require.NotEmpty(t, l.with(`"hook":"ratelimit: OnEvent","panic":"a mistake"`))
	}
}
