package ratelimit_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// Concurrent responses do not share memory: a header value changes only if the handler
// of its own response changes it.
func TestResponsesShareNoValues(t *testing.T) {
	scaled := ratelimit.Limit{Requests: 1_000_000, Window: time.Hour, Scale: func(*http.Request) int { return 2_000_000 }}
	l := newLimiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: tierOf(scaled)})
	inner := newLimiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: []ratelimit.Tier{tierPerMinute("inner", 500_000)}})
	type response struct{ got, want http.Header }
	var mu sync.Mutex
	var all []response
	keep := func(i int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			want := h.Clone()
			for key, values := range h {
				switch i % 4 {
				case 0: // unchanged
				case 1:
					values[0] = "spoiled"
					want[key] = []string{"spoiled"}
				case 2:
					_ = append(values, "beyond")
					h[key] = append(values[:0], "over", "and", "beyond")
					want[key] = []string{"over", "and", "beyond"}
				case 3:
					clear(values[:cap(values)])
					want[key] = []string{""}
				}
			}
			mu.Lock()
			all = append(all, response{h, want})
			mu.Unlock()
			if i%8 > 4 {
				panic(http.ErrAbortHandler)
			}
		})
	}
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			h := l.Handler(inner.Handler(keep(i)))
			for range 100 {
				func() {
					defer func() { _ = recover() }()
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				}()
			}
		})
	}
	group.Wait()
	require.Len(t, all, 1600)
	for _, r := range all {
		require.Len(t, r.got, 5)
		require.Equal(t, r.want, r.got)
	}
}

// The streams of one HTTP/2 connection, some of which are aborted, receive each number
// of remaining requests once.
func TestStreamsHaveTheirOwnFields(t *testing.T) {
	const n = 200
	l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: n, Window: time.Hour, FailuresOnly: true})})
	s := httptest.NewUnstartedServer(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header()["Ratelimit-Policy"][0] = "spoiled"
	})))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	received := make(chan string, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			path := "/"
			if i%5 == 0 {
				path = "/abort"
			}
			res, err := s.Client().Get(s.URL + path)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			if want := `"a";q=200;w=3600`; path == "/abort" && res.Header.Get("RateLimit-Policy") != want || res.ProtoMajor != 2 {
				t.Error(res.Proto, res.Header)
			}
			received <- strings.TrimPrefix(strings.Split(res.Header.Get("RateLimit"), ";")[1], "r=")
		})
	}
	group.Wait()
	close(received)
	var got []int
	for s := range received {
		remaining, err := strconv.Atoi(s)
		require.NoError(t, err)
		got = append(got, remaining)
	}
	slices.Sort(got)
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	require.Equal(t, want, got)
}

// Each decision is refunded concurrently: by its owner, by copies, and by the hook. Each
// counts once.
func TestConcurrentRefundsCountOnce(t *testing.T) {
	const n = 1200
	recorded := make(chan ratelimit.Decision, n)
	l := newLimiter(t, ratelimit.Options{
		Tiers:   []ratelimit.Tier{tierPerMinute("a", 10*n)},
		OnEvent: func(_ context.Context, e ratelimit.Event) { recorded <- e.Decision },
	})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			d, err := withoutDenial(l.Take(context.Background(), "a", "k", 2))
			if err != nil || i%2 == 0 {
				return
			}
			for range 3 {
				copied := d
				copied.Refund(context.Background())
			}
			other := <-recorded
			other.Refund(context.Background())
		})
	}
	group.Wait()
	// Half were refunded by their callers, some of them through the copy of the hook.
	rest := 0
	for len(recorded) > 0 {
		d := <-recorded
		d.Refund(t.Context())
		rest++
	}
	require.Equal(t, n/2, rest)
	require.Equal(t, 10*n-1, mustTake(t, l, "a", "k", 1).Remaining, "each decision must be refunded once")
}

// Key and the handler may call the limiter. The refund of a request must be the charges
// of that request.
func TestLimiterCanBeCalledByKeyAndHandler(t *testing.T) {
	const n = 50
	var l *ratelimit.Limiter
	take := func(key string) {
		if _, err := withoutDenial(l.Take(context.Background(), "inner", key, 7)); err != nil {
			t.Error(err)
		}
	}
	account := func(r *http.Request) string {
		take("key")
		return r.Header.Get("Account")
	}
	l = newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "outer", Routes: []string{"GET /"}, Limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, FailuresOnly: true, Key: account}}},
		{Name: "inner", Limits: []ratelimit.Limit{{Requests: 1 << 20, Window: time.Hour}}},
	}})
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	var group sync.WaitGroup
	for i := range 8 {
		h := failures.Handler(l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			take("handler")
			if i%2 == 0 {
				panic("and leaves the charge")
			}
		})))
		group.Go(func() {
			for range n {
				h.ServeHTTP(httptest.NewRecorder(), requestBy(strconv.Itoa(i), "", 1))
			}
		})
	}
	group.Wait()
	for i := range 8 {
		d, err := withoutDenial(l.Charge(requestBy(strconv.Itoa(i), "", 1)))
		require.NoError(t, err)
		require.Equal(t, map[bool]int{true: 1000 - n - 1, false: 1000 - 1}[i%2 == 0], d.Remaining)
	}
	require.Equal(t, 1<<20-7*8*n-1, mustTake(t, l, "inner", "handler", 1).Remaining)
}
