package bench_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/stretchr/testify/require"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	ululehttp "github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	ululemem "github.com/ulule/limiter/v3/drivers/store/memory"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/test/bench"
	"github.com/ringwall/ringwall/ratelimit"
)

type limiter struct {
	name string
	make func(tb testing.TB) http.Handler
}

// limiters make the same limit by address, through each library's own middleware.
// They are made one by one, because a million keys of each do not fit into memory
// together.
func limiters(requests int, window time.Duration) []limiter {
	return []limiter{
		{name: "ringwall", make: func(testing.TB) http.Handler {
			return errors.Must(ratelimit.New(ratelimit.Options{
				Store: ratelimit.NewMemory(ratelimit.MemoryOptions{MaxKeys: 1 << 21}),
				Tiers: []ratelimit.Tier{{Name: "all", Limits: []ratelimit.Limit{{Requests: requests, Window: window}}}},
			})).Handler(bench.Nothing)
		}},
		{name: "httprate", make: func(testing.TB) http.Handler {
			return httprate.LimitBy(requests, window, peerOf)(bench.Nothing)
		}},
		{name: "ulule", make: func(testing.TB) http.Handler {
			store := ululemem.NewStoreWithOptions(ulule.StoreOptions{Prefix: "x", CleanUpInterval: time.Hour})
			return ululehttp.NewMiddleware(ulule.New(store, ulule.Rate{Period: window, Limit: int64(requests)})).Handler(bench.Nothing)
		}},
		{name: "sethvargo", make: func(tb testing.TB) http.Handler {
			store, err := memorystore.New(&memorystore.Config{Tokens: uint64(requests), Interval: window})
			require.NoError(tb, err)
			m, err := httplimit.NewMiddleware(store, httplimit.IPKeyFunc())
			require.NoError(tb, err)
			return m.Handle(bench.Nothing)
		}},
		{name: "throttled", make: func(tb testing.TB) http.Handler {
			store, err := memstore.NewCtx(0)
			require.NoError(tb, err)
			gcra, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerDuration(requests, window), MaxBurst: requests - 1})
			require.NoError(tb, err)
			m := throttled.HTTPRateLimiterCtx{RateLimiter: gcra, VaryBy: &throttled.VaryBy{RemoteAddr: true}}
			return m.RateLimit(bench.Nothing)
		}},
	}
}

// rotating changes the client of each request.
func rotating(h http.Handler, n int) http.Handler {
	if n == 1 {
		return h
	}
	addrs := make([]string, n)
	for i := range addrs {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		addrs[i] = netip.AddrPortFrom(ip, 1234).String()
	}
	i := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = addrs[i]
		if i++; i == n {
			i = 0
		}
		h.ServeHTTP(w, r)
	})
}

type limitCase struct {
	name     string
	requests int
	window   time.Duration
	keys     int
	status   int
}

// limitCases are allowed by a ring, with one key and with many; allowed by an
// exact log, whose keys have some tens of requests in their windows and never
// reach the limit; and denied.
func limitCases() []limitCase {
	return []limitCase{
		{name: "allowed", requests: 1 << 30, window: time.Hour, keys: 1, status: 200},
		{name: "allowed-million-keys", requests: 1 << 30, window: time.Hour, keys: 1 << 20, status: 200},
		{name: "allowed-exact", requests: 128, window: 100 * time.Millisecond, keys: 1 << 13, status: 200},
		{name: "denied", requests: 5, window: time.Hour, keys: 1, status: 429},
	}
}

// limitFloor writes what the answer to one case needs, from slices that all
// responses share, and counts nothing. It has the answer from ours.
func limitFloor(tb testing.TB, row limitCase) http.Handler {
	h := limiters(row.requests, row.window)[0].make(tb)
	var w *httptest.ResponseRecorder
	for range row.requests%100 + 1 {
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	}
	require.Equal(tb, row.status, w.Code)
	type line struct {
		key    string
		values []string
	}
	var answer []line
	for key, values := range w.Header() {
		answer = append(answer, line{key, values})
	}
	body := w.Body.Bytes()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for _, l := range answer {
			h[l.key] = l.values
		}
		if row.status != 200 {
			w.WriteHeader(row.status)
			_, _ = w.Write(body)
		}
	})
}

// all returns ours, the peers, and the floor.
func (row limitCase) all() []limiter {
	return append(limiters(row.requests, row.window), limiter{"floor", func(tb testing.TB) http.Handler { return limitFloor(tb, row) }})
}

// prepare makes all keys, or spends the limit.
func (row limitCase) prepare(h http.Handler, r *http.Request) {
	for range max(row.keys, row.requests%100+1) {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkRateLimit(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	for _, row := range limitCases() {
		b.Run(row.name, func(b *testing.B) {
			for _, p := range row.all() {
				h, r := rotating(p.make(b), row.keys), httptest.NewRequest("GET", "/", nil)
				row.prepare(h, r)
				bench.Measure(b, p.name, h, r)
			}
		})
	}
}

// The compared libraries must do the same.
func TestRateLimitAnswersAlike(t *testing.T) {
	for _, row := range limitCases() {
		row.keys = min(row.keys, 1000)
		for _, p := range row.all() {
			t.Run(row.name+"/"+p.name, func(t *testing.T) {
				h, r := rotating(p.make(t), row.keys), httptest.NewRequest("GET", "/", nil)
				row.prepare(h, r)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, row.status, w.Code)
				require.NotEmpty(t, w.Header(), "it tells what is left")
			})
		}
	}
	for _, p := range limiters(5, time.Hour) {
		t.Run(p.name, func(t *testing.T) {
			h := p.make(t)
			for i := range 7 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				require.Equal(t, map[bool]int{true: 200, false: 429}[i < 5], w.Code)
			}
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.RemoteAddr = "198.51.100.9:1"
			h.ServeHTTP(w, r)
			require.Equal(t, 200, w.Code)
			require.NotEmpty(t, w.Header(), "it tells what is left")
		})
	}
}

// peerOf is httprate's KeyByIP, which it deprecates in favour of a function of
// one's own.
func peerOf(r *http.Request) (string, error) {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	return httprate.CanonicalizeIP(ip), err
}
