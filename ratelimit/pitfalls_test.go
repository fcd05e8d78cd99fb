package ratelimit_test

import (
	"math"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

func responseFaults() []fault {
	return []fault{
		{name: "httprate: a failure of Redis responds with 428, two bodies and the text of the driver", play: func(t *testing.T) {
			s := newTestStore()
			s.fail = errDown
			w := call(newLimiter(t, ratelimit.Options{Store: s, OnStoreFailure: ratelimit.Deny, Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}}), "GET", "/", peer, 200)
			require.Equal(t, 503, w.Code)
			require.Regexp(t, regexp.MustCompile(`^\{"code":"limits_unavailable","message":"[^"]*","correlation_id":"[^"]*"\}\n?$`), w.Body.String())
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		}},
		{name: "throttled, go-limiter: a failure of the store responds with 500", play: func(t *testing.T) {
			s := newTestStore()
			s.fail = errDown
			w := call(newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}}), "GET", "/", peer, 200)
			require.Equal(t, 200, w.Code)
		}},
		{name: "rate-limiter-flexible, go-limiter: the local count starts at zero", play: func(t *testing.T) {
			s := newTestStore()
			l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
			for range 4 {
				mustTake(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = errDown })
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
			require.False(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "throttled, redis_rate 110: a limit of 0 panics, or fails on each request", play: func(t *testing.T) {
			for _, l := range []ratelimit.Limit{{Window: time.Second}, {Requests: -1, Window: time.Second}, {Requests: 1}, {Requests: 1, Window: -time.Second}} {
				_, err := ratelimit.New(ratelimit.Options{Tiers: tierOf(l)})
				require.Error(t, err)
			}
		}},
		{name: "redis_rate: a cost above the limit gets a time to retry", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 5, Window: time.Hour, Cost: func(*http.Request) int { return 6 }})})
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, 413, w.Code)
			require.Contains(t, w.Body.String(), `"code":"too_expensive"`)
			require.Empty(t, w.Header().Get("Retry-After"))
		}},
		{name: "go-limiter, tollbooth, ulule: Retry-After is an invalid date or missing", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 1, Window: 1001 * time.Millisecond})})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "2", call(l, "GET", "/", peer, 200).Header().Get("Retry-After"), "Retry-After must be rounded up")
			time.Sleep(1000500 * time.Microsecond)
			require.Equal(t, "1", call(l, "GET", "/", peer, 200).Header().Get("Retry-After"), "Retry-After must be at least 1")
		}},
		{name: "tollbooth: reset is always 1", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
			call(l, "GET", "/", peer, 200)
			time.Sleep(20 * time.Second)
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, "40", w.Header().Get("X-RateLimit-Reset"))
			require.Equal(t, `"a";r=3;t=40`, w.Header().Get("RateLimit"))
		}},
		{name: "RFC 6585, section 4: a cache stores a 429", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "no-store", call(l, "GET", "/", peer, 200).Header().Get("Cache-Control"))
		}},
		{name: "RFC 6585, section 4: a cache stores a 429 of an ErrorHandler", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(429) }})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "no-store", call(l, "GET", "/", peer, 200).Header().Get("Cache-Control"))
		}},
		{name: "gofastr 22: the remaining requests help to pace guesses", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: tierOf(ratelimit.Login()...)})
			for range 7 {
				for key := range call(l, "POST", "/", peer, 401).Header() {
					require.False(t, strings.Contains(strings.ToLower(key), "ratelimit"), key)
				}
			}
		}},
	}
}

func pitfalls() []fault {
	return []fault{
		{name: "a clock that goes back frees a key", play: func(t *testing.T) {
			for _, n := range []int{5, 500} {
				m, c := memory(ratelimit.MemoryOptions{})
				for range 5 {
					take(t, m, charge("k", n, time.Minute, n/5))
				}
				c.advance(-time.Hour)
				for range 5 {
					require.NotZero(t, take(t, m, charge("k", n, time.Minute, n/5)).Wait)
				}
			}
		}},
		{name: "an expired key stays protected from eviction", play: func(t *testing.T) {
			m := ratelimit.NewMemory(ratelimit.MemoryOptions{MaxKeys: 64})
			for i := range 64 {
				take(t, m, charge(itoa(i), 1, time.Minute, 1))
				take(t, m, charge(itoa(i), 1, time.Minute, 1))
			}
			time.Sleep(time.Minute)
			for i := range 64 {
				require.False(t, take(t, m, charge("new"+itoa(i), 2, time.Minute, 1)).Pressure)
			}
		}},
		{name: "the largest limits overflow", play: func(t *testing.T) {
			for _, w := range []time.Duration{time.Millisecond, time.Hour, 31 * 24 * time.Hour} {
				n := math.MaxInt32
				l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: n, Window: w})})
				require.Equal(t, 1, mustTake(t, l, "a", "k", n-1).Remaining)
				require.False(t, mustTake(t, l, "a", "k", 2).Allowed)
				d := mustTake(t, l, "a", "k", 1)
				require.True(t, d.Allowed)
				d = mustTake(t, l, "a", "k", n)
				require.True(t, d.RetryAfter == w, "%v of %v", d.RetryAfter, w)
			}
		}},
		{name: "a failed call is repeated, although it may have charged", play: func(t *testing.T) {
			s := newTestStore()
			s.fail = errDown
			mustTake(t, newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}}), "a", "k", 1)
			require.EqualValues(t, 1, s.calls.Load())
		}},
		{name: "an invalid address of ClientIP makes all clients one", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{ClientIP: func(*http.Request) (netip.Addr, bool) { return netip.Addr{}, false }, Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
			require.Equal(t, 200, call(l, "GET", "/", "192.0.2.1:1", 200).Code)
			require.Equal(t, 200, call(l, "GET", "/", "192.0.2.2:1", 200).Code)
			require.Equal(t, 429, call(l, "GET", "/", "192.0.2.2:1", 200).Code)
		}},
		{name: "long keys share a count", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
			long := strings.Repeat("x", 1<<20)
			require.True(t, mustTake(t, l, "a", long+"1", 1).Allowed)
			require.True(t, mustTake(t, l, "a", long+"2", 1).Allowed)
			require.False(t, mustTake(t, l, "a", long+"1", 1).Allowed)
		}},
	}
}
