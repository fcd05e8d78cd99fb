package redislimit_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

const (
	// timeout is the Limiter's default.
	timeout = 100 * time.Millisecond
	// slack is the time for a busy machine. It is well below the five seconds
	// that go-redis waits by default.
	slack   = 2 * time.Second
	patient = time.Minute // to wait for what has to happen
)

// world is a service with limits in Redis, and what its clients have seen.
type world struct {
	t       *testing.T
	server  *httptest.Server
	limiter *ratelimit.Limiter

	mu       sync.Mutex
	statuses map[answer]int
	wrong    []string // responses that no rule allows
	longest  time.Duration
	events   []ratelimit.Event // changes of the store's health
	restored time.Time
	healthy  bool
	degraded int // decisions without the store
}

// answer is the count of a response.
type answer struct {
	path, key string
	status    int
}

// tiers has one for each thing that can happen while Redis fails. Each
// has its path as its name. Every window is an hour, so that no request expires.
func tiers(requests int) []ratelimit.Tier {
	limits := func(extra ...ratelimit.Limit) []ratelimit.Limit {
		return append([]ratelimit.Limit{{Requests: requests, Window: time.Hour, Key: byHeader}}, extra...)
	}
	return []ratelimit.Tier{
		{Name: "local", Routes: []string{"/local"}, Limits: limits()},
		{Name: "strict", Routes: []string{"/strict"}, Limits: limits(), OnStoreFailure: ratelimit.Deny},
		{Name: "open", Routes: []string{"/open"}, Limits: limits(), OnStoreFailure: ratelimit.InsecureAllow},
		{Name: "three", Limits: limits(
			ratelimit.Limit{Requests: 1000 * requests, Window: time.Hour, Key: byHeader},
			ratelimit.Limit{Requests: 10 * requests, Window: time.Minute, Key: byHeader})},
	}
}

// byHeader uses a header of the test as the key. A service must never do that.
func byHeader(r *http.Request) string { return r.Header.Get("Key") }

func serve(t *testing.T, client redis.UniversalClient, requests int) *world {
	t.Helper()
	return serveWithin(t, client, requests, timeout)
}

// serveWithin has another timeout: a long one, where no decision may be made
// without Redis, however busy the machine is.
func serveWithin(t *testing.T, client redis.UniversalClient, requests int, timeout time.Duration) *world {
	t.Helper()
	w := &world{t: t, statuses: make(map[answer]int), healthy: true}
	limiter, err := ratelimit.New(ratelimit.Options{
		Tiers: tiers(requests), Store: open(t, client, redislimit.Options{}), OnEvent: w.hear, Timeout: timeout,
	})
	require.NoError(t, err)
	w.limiter = limiter
	responder, err := errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	w.server = httptest.NewServer(responder.Handler(limiter.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "served")
	}))))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) hear(_ context.Context, e ratelimit.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Reason {
	case ratelimit.Degraded:
		w.events, w.healthy = append(w.events, e), false
	case ratelimit.Restored:
		w.events, w.healthy, w.restored = append(w.events, e), true, time.Now()
	default:
		if e.Decision.Degraded {
			w.degraded++
		}
	}
}

// driver has words of Redis, go-redis and package net, which no response may
// have.
var driver = []string{"redis", "Redis", "dial", "tcp", "EOF", "i/o", "deadline", "pool", "127.0.0.1", "WRONGPASS", "NOAUTH", "NOPERM", "OOM", "MOVED", "CROSSSLOT", "CLUSTERDOWN", "script", "Script", "READONLY", "BUSY", "reset by", "refused"}

// get sends a request, and checks the response: 200 or 429; 503 if the tier
// denies while the store fails, or if the store is misconfigured.
func (w *world) get(path, key string, allowed ...int) int {
	r, err := http.NewRequestWithContext(context.WithoutCancel(w.t.Context()), http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		panic(err) // the URL is ours
	}
	r.Header.Set("Key", key)
	begin := time.Now()
	status, text := 0, ""
	if response, err := w.server.Client().Do(r); err != nil {
		text = err.Error()
	} else {
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close() // read to the end
		status, text = response.StatusCode, string(body)
		for name := range response.Header {
			text += "\n" + name + ": " + response.Header.Get(name)
		}
	}
	took := time.Since(begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.statuses[answer{path, key, status}]++
	w.longest = max(w.longest, took)
	fine := status == 200 || status == 429
	for _, a := range allowed {
		fine = fine || status == a
	}
	for _, word := range driver {
		fine = fine && !strings.Contains(text, word)
	}
	if !fine {
		w.wrong = append(w.wrong, http.StatusText(status)+" "+text)
	}
	return status
}

// flood sends requests from eight clients until stopped.
func (w *world) flood(path, key string, allowed ...int) (stop func()) {
	ended := make(chan struct{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			pause := time.NewTicker(2 * time.Millisecond)
			defer pause.Stop()
			for {
				select {
				case <-ended:
					return
				case <-pause.C:
					w.get(path, key, allowed...)
				}
			}
		})
	}
	return sync.OnceFunc(func() { close(ended); group.Wait() })
}

// recovers waits until a request reaches the store again, and returns the time
// that it took.
func (w *world) recovers(path, key string, allowed ...int) time.Duration {
	w.t.Helper()
	begin := time.Now()
	redistest.Await(w.t, patient, "the limiter asks Redis again", func() bool {
		w.get(path, key, allowed...)
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.healthy
	})
	return time.Since(begin)
}

// fails waits until the limiter reports that the store fails.
func (w *world) fails(path, key string, allowed ...int) {
	w.t.Helper()
	redistest.Await(w.t, patient, "the limiter knows that Redis fails", func() bool {
		w.get(path, key, allowed...)
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.healthy
	})
}

func (w *world) count(path string, status int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for a, times := range w.statuses {
		if a.path == path && a.status == status {
			n += times
		}
	}
	return n
}

// admitted returns how many requests of a key were served.
func (w *world) admitted(path, key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.statuses[answer{path, key, 200}]
}

// report prints the figures of a fault, and requires no wrong response, and no
// wait above the timeout.
func (w *world) report(over, under int, recovery time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := 0
	for _, n := range w.statuses {
		requests += n
	}
	w.t.Logf("requests %d, wrong answers %d, over-admitted %d, under-admitted %d, decided without Redis %d, longest wait %v, recovered after %v",
		requests, len(w.wrong), over, under, w.degraded, w.longest.Round(time.Millisecond), recovery.Round(time.Millisecond))
	require.Empty(w.t, w.wrong)
	require.Less(w.t, w.longest, timeout+slack)
}

// remaining returns the remaining requests of a key in the tier of a path.
func remaining(t *testing.T, client redis.UniversalClient, path, key string, requests int) int {
	t.Helper()
	s := open(t, client, redislimit.Options{})
	v := make([]ratelimit.Verdict, 1)
	require.Eventually(t, func() bool {
		return s.Peek(t.Context(), []ratelimit.Charge{charge(path, key, requests)}, v) == nil
	}, patient, 10*time.Millisecond)
	return v[0].Remaining
}

func charge(path, key string, requests int) ratelimit.Charge {
	return ratelimit.Charge{Key: ratelimit.Key{Policy: path[1:], Text: key}, Requests: requests, Window: time.Hour, Cost: 1}
}
