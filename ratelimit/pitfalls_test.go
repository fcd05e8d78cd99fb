package ratelimit_test

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

func faultsOfAnswers() []fault {
	return []fault{
		{"httprate: 428, two bodies and the driver's text when Redis is down", func(t *testing.T) {
			s := newCounted()
			s.fail = errDown
			w := call(limiter(t, ratelimit.Options{Store: s, OnStoreFailure: ratelimit.Deny, Tiers: []ratelimit.Tier{one("a", 1)}}), "GET", "/", peer, 200)
			require.Equal(t, 503, w.Code)
			require.Regexp(t, regexp.MustCompile(`^\{"code":"limits_unavailable","message":"[^"]*","correlation_id":"[^"]*"\}\n?$`), w.Body.String())
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		}},
		{"throttled, go-limiter: a failure of the store is a 500", func(t *testing.T) {
			s := newCounted()
			s.fail = errDown
			w := call(limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{one("a", 1)}}), "GET", "/", peer, 200)
			require.Equal(t, 200, w.Code)
		}},
		{"rate-limiter-flexible, go-limiter: the local count begins cold", func(t *testing.T) {
			s := newCounted()
			l := limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{one("a", 5)}})
			for range 4 {
				takes(t, l, "a", "k", 1)
			}
			s.set(func() { s.fail = errDown })
			require.True(t, takes(t, l, "a", "k", 1).Allowed)
			require.False(t, takes(t, l, "a", "k", 1).Allowed)
		}},
		{"throttled, redis_rate 110: a limit of 0 panics, or is an error for each request", func(t *testing.T) {
			for _, l := range []ratelimit.Limit{{Window: time.Second}, {Requests: -1, Window: time.Second}, {Requests: 1}, {Requests: 1, Window: -time.Second}} {
				_, err := ratelimit.New(ratelimit.Options{Tiers: tierOf(l)})
				require.Error(t, err)
			}
		}},
		{"redis_rate: says when to come back for what is never allowed", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 5, Window: time.Hour, Cost: func(*http.Request) int { return 6 }})})
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, 413, w.Code)
			require.Contains(t, w.Body.String(), `"code":"too_expensive"`)
			require.Empty(t, w.Header().Get("Retry-After"))
		}},
		{"go-limiter: Retry-After is a date that no parser reads; tollbooth, ulule: there is none", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 1, Window: 1001 * time.Millisecond})})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "2", call(l, "GET", "/", peer, 200).Header().Get("Retry-After"), "rounded up")
			time.Sleep(1000500 * time.Microsecond)
			require.Equal(t, "1", call(l, "GET", "/", peer, 200).Header().Get("Retry-After"), "at least 1")
		}},
		{"tollbooth: reset is 1 always", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: []ratelimit.Tier{one("a", 5)}})
			call(l, "GET", "/", peer, 200)
			time.Sleep(20 * time.Second)
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, "40", w.Header().Get("X-RateLimit-Reset"))
			require.Equal(t, `"a";r=3;t=40`, w.Header().Get("RateLimit"))
		}},
		{"RFC 6585, section 4: a 429 is not stored", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{one("a", 1)}})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "no-store", call(l, "GET", "/", peer, 200).Header().Get("Cache-Control"))
		}},
		{"RFC 6585, section 4: nor is one of an ErrorHandler", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{one("a", 1)}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(429) }})
			call(l, "GET", "/", peer, 200)
			require.Equal(t, "no-store", call(l, "GET", "/", peer, 200).Header().Get("Cache-Control"))
		}},
		{"gofastr 22: what remains helps to pace guesses", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Fields: ratelimit.BothFields, Tiers: tierOf(ratelimit.Login()...)})
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
		{"3.2: a clock that goes back", func(t *testing.T) {
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
		{"3.3: nothing of a window stays when it is over", func(t *testing.T) {
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
		{"3.4: the largest limits count exactly", func(t *testing.T) {
			for _, w := range []time.Duration{time.Millisecond, time.Hour, 31 * 24 * time.Hour} {
				n := min(1<<31-1, (1<<53)/int(w.Milliseconds()))
				l := limiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: n, Window: w})})
				require.Equal(t, 1, takes(t, l, "a", "k", n-1).Remaining)
				require.False(t, takes(t, l, "a", "k", 2).Allowed)
				d := takes(t, l, "a", "k", 1)
				require.True(t, d.Allowed)
				d = takes(t, l, "a", "k", n)
				require.True(t, d.RetryAfter >= w && d.RetryAfter <= w*9/8+8, "%v of %v", d.RetryAfter, w)
			}
		}},
		{"3.9: a call that failed is not made again, since it may have charged", func(t *testing.T) {
			s := newCounted()
			s.fail = errDown
			takes(t, limiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{one("a", 5)}}), "a", "k", 1)
			require.EqualValues(t, 1, s.calls.Load())
		}},
		{"3.14: an address that is not certain counts, and nobody is \"\"", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{ClientIP: func(*http.Request) (netip.Addr, bool) { return netip.Addr{}, false }, Tiers: []ratelimit.Tier{one("a", 1)}})
			require.Equal(t, 200, call(l, "GET", "/", "192.0.2.1:1", 200).Code)
			require.Equal(t, 200, call(l, "GET", "/", "192.0.2.2:1", 200).Code)
			require.Equal(t, 429, call(l, "GET", "/", "192.0.2.2:1", 200).Code)
		}},
		{"3.14: long keys take no more memory than short ones, and stay apart", func(t *testing.T) {
			l := limiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{one("a", 1)}})
			long := strings.Repeat("x", 1<<20)
			require.True(t, takes(t, l, "a", long+"1", 1).Allowed)
			require.True(t, takes(t, l, "a", long+"2", 1).Allowed)
			require.False(t, takes(t, l, "a", long+"1", 1).Allowed)
		}},
	}
}
