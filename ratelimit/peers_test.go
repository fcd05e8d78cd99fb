package ratelimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
)

// A fault is a failure that was found in another limiter, or a pitfall of limiters.
type fault struct {
	name string
	play func(t *testing.T)
}

// The rows are the faults that were found in httprate, ulule/limiter,
// sethvargo/go-limiter, throttled, tollbooth, redis_rate, upstash, Kong and
// rate-limiter-flexible. Those of Redis clients are tested in redislimit.
func TestFaultsOfOtherLimitersAreAbsent(t *testing.T) {
	for _, list := range [][]fault{concurrencyFaults(), windowFaults(), keyFaults(), responseFaults(), pitfalls()} {
		for _, f := range list {
			t.Run(f.name, func(t *testing.T) { synctest.Test(t, f.play) })
		}
	}
}

// runConcurrently runs n calls concurrently, and returns the number that was allowed.
func runConcurrently(t *testing.T, n int, take func(i int) (ratelimit.Decision, error)) int {
	var group sync.WaitGroup
	var allowed atomic.Int64
	for i := range n {
		group.Go(func() {
			d, err := take(i)
			require.NoError(t, err)
			if d.Allowed {
				allowed.Add(1)
			}
		})
	}
	group.Wait()
	return int(allowed.Load())
}

func concurrencyFaults() []fault {
	return []fault{
		{name: "httprate: a process-wide lock is held during calls of the store", play: func(t *testing.T) {
			s := newTestStore()
			s.slow = 2 * time.Millisecond
			l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
			start := time.Now()
			runConcurrently(t, 100, func(i int) (ratelimit.Decision, error) {
				return withoutDenial(l.Take(context.Background(), "a", itoa(i), 1))
			})
			require.Equal(t, 2*time.Millisecond, time.Since(start), "100 keys must wait concurrently")
		}},
		{name: "httprate, Kong: the read and the increment are two steps, so too many are admitted", play: func(t *testing.T) {
			s := newTestStore()
			s.slow = 2 * time.Millisecond
			all := make([]*ratelimit.Limiter, 16)
			for i := range all {
				all[i] = newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("a", 10)}})
			}
			require.Equal(t, 10, runConcurrently(t, 160, func(i int) (ratelimit.Decision, error) {
				return withoutDenial(all[i%16].Take(context.Background(), "a", "k", 1))
			}))
		}},
		{name: "throttled: a compare-and-set loop fails under load", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: []ratelimit.Tier{tierPerMinute("a", 1000)}})
			require.Equal(t, 100, runConcurrently(t, 100, func(int) (ratelimit.Decision, error) { return withoutDenial(l.Take(context.Background(), "a", "k", 1)) }))
		}},
		{name: "express: concurrent guesses exceed a limit of failures", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 5, Window: time.Hour, FailuresOnly: true})})
			failures := errors.Must(errors.NewResponder(errors.Options{}))
			inside := atomic.Int64{}
			h := failures.Handler(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				inside.Add(1)
				time.Sleep(time.Second) // the password is checked
				w.WriteHeader(401)
			})))
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)) })
			}
			group.Wait()
			require.EqualValues(t, 5, inside.Load())
		}},
		{name: "express: counts of failures become negative", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 2, Window: time.Second, FailuresOnly: true})})
			d := mustTake(t, l, "a", "k", 1)
			time.Sleep(2 * time.Second) // the charge has left its window
			for range 3 {
				copied := d
				copied.Refund(t.Context())
			}
			for _, want := range []bool{true, true, false} {
				require.Equal(t, want, mustTake(t, l, "a", "k", 1).Allowed)
			}
		}},
		{name: "Kong, rate-limiter-flexible, Envoy: a denied request is charged to the other limits", play: func(t *testing.T) {
			s := newTestStore()
			l := newLimiter(t, ratelimit.Options{Store: s, Tiers: tierOf(ratelimit.Limit{Requests: 100, Window: time.Hour}, ratelimit.Limit{Requests: 1, Window: time.Second})})
			for range 50 {
				mustTake(t, l, "a", "k", 1)
			}
			time.Sleep(time.Second)
			require.Equal(t, 0, mustTake(t, l, "a", "k", 1).Remaining)
			time.Sleep(time.Minute)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
			var v [1]ratelimit.Verdict
			require.NoError(t, s.Peek(t.Context(), []ratelimit.Charge{{Key: ratelimit.Key{Policy: "a", Text: "k"}, Requests: 100, Window: time.Hour, Cost: 1}}, v[:]))
			require.Equal(t, 97, v[0].Remaining)
		}},
		{name: "redisson, nestjs: each limit costs a call", play: func(t *testing.T) {
			s := newTestStore()
			l := newLimiter(t, ratelimit.Options{Store: s, Tiers: tierOf(ratelimit.Login()...)})
			require.Equal(t, 401, call(l, "POST", "/", peer, 401).Code)
			require.EqualValues(t, 1, s.calls.Load())
		}},
	}
}

func windowFaults() []fault {
	exact := func(t *testing.T, n int, w time.Duration) *ratelimit.Limiter {
		return newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: n, Window: w})})
	}
	spend := func(t *testing.T, l *ratelimit.Limiter, n int) int {
		return runConcurrently(t, n, func(int) (ratelimit.Decision, error) { return withoutDenial(l.Take(context.Background(), "a", "k", 1)) })
	}
	return []fault{
		{name: "httprate 47: Retry-After is the whole window", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 1, Window: 10 * time.Second})})
			call(l, "GET", "/", peer, 200)
			time.Sleep(1200 * time.Millisecond)
			require.Equal(t, "9", call(l, "GET", "/", peer, 200).Header().Get("Retry-After"))
			time.Sleep(8800 * time.Millisecond)
			require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
		}},
		{name: "httprate: a client that waits 1.05 windows is denied", play: func(t *testing.T) {
			l := exact(t, 5, time.Second)
			for range 10 {
				require.Equal(t, 5, spend(t, l, 5))
				time.Sleep(1050 * time.Millisecond)
			}
		}},
		{name: "throttled: an expiry rounded down admits too many", play: func(t *testing.T) {
			l := exact(t, 5, 1900*time.Millisecond)
			require.Equal(t, 5, spend(t, l, 5))
			time.Sleep(1050 * time.Millisecond)
			require.Zero(t, spend(t, l, 5))
			time.Sleep(850 * time.Millisecond)
			require.Equal(t, 5, spend(t, l, 5))
		}},
		{name: "redis_rate: a limit of 5 per second admits 9", play: func(t *testing.T) {
			l := exact(t, 5, time.Second)
			n := 0
			for range 99 {
				n += spend(t, l, 1)
				time.Sleep(10 * time.Millisecond)
			}
			require.Equal(t, 5, n)
		}},
		{name: "fixed windows: twice the limit is admitted around the end of a window", play: func(t *testing.T) {
			l := exact(t, 5, time.Minute)
			time.Sleep(59 * time.Second)
			require.Equal(t, 5, spend(t, l, 9))
			time.Sleep(2 * time.Second)
			require.Zero(t, spend(t, l, 9))
		}},
		{name: "ulule, koa, Kong: a key without an expiry is denied forever", play: func(t *testing.T) {
			l := exact(t, 5, time.Second)
			for range 20 {
				spend(t, l, 7)
				time.Sleep(time.Second)
				require.Equal(t, 5, spend(t, l, 7))
				time.Sleep(time.Second)
			}
		}},
		{name: "upstash: a cached denial lasts until the end of the window", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: tierOf(ratelimit.Limit{Requests: 2, Window: 10 * time.Second})})
			spend(t, l, 1)
			time.Sleep(9 * time.Second)
			require.Equal(t, 1, spend(t, l, 2))
			time.Sleep(time.Second)
			require.Equal(t, 1, spend(t, l, 2))
		}},
		{name: "upstash: a cost above the remaining requests is admitted", play: func(t *testing.T) {
			l := exact(t, 5, time.Minute)
			require.True(t, mustTake(t, l, "a", "k", 4).Allowed)
			require.False(t, mustTake(t, l, "a", "k", 3).Allowed)
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
		}},
		{name: "redis_rate: a denied request is charged in part", play: func(t *testing.T) {
			l := exact(t, 5, time.Minute)
			mustTake(t, l, "a", "k", 3)
			for range 10 {
				require.Equal(t, 2, mustTake(t, l, "a", "k", 3).Remaining)
			}
		}},
		{name: "httprate 58: all clients retry at the same time", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 200, Window: time.Minute})})
			waits := make(map[time.Duration]bool)
			for i := range 100 {
				mustTake(t, l, "a", itoa(i), 200)
				time.Sleep(100 * time.Millisecond)
			}
			for i := range 100 {
				waits[mustTake(t, l, "a", itoa(i), 100).RetryAfter] = true
			}
			require.Greater(t, len(waits), 50, "the ends of windows must differ between keys")
		}},
	}
}

func keyFaults() []fault {
	limit1 := func(t *testing.T) *ratelimit.Limiter {
		return newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	}
	get := func(l *ratelimit.Limiter, target, peer string, header ...string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", target, nil), httptest.NewRecorder()
		r.RemoteAddr = peer
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w
	}
	return []fault{
		{name: "httprate: JoinKeys makes equal keys of different parts", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1), tierPerMinute("a-2", 1, "/x"), tierPerMinute("a-2-2", 1, "/y")}})
			for _, pair := range [][2]string{{"a", "2:k"}, {"a-2", "k"}, {"a", "-2:k"}, {"a-2-2", "k"}, {"a", "-2-2k"}, {"a-2", "-2k"}} {
				require.True(t, mustTake(t, l, pair[0], pair[1], 1).Allowed, pair)
			}
		}},
		{name: "httprate: 64-bit hashes without a key can be forged", play: func(t *testing.T) {
			a, b := ratelimit.NewMemory(ratelimit.MemoryOptions{}), ratelimit.NewMemory(ratelimit.MemoryOptions{})
			k := ratelimit.Key{Policy: "a", Text: "ada"}
			require.NotEqual(t, a.Digest(k)[0], b.Digest(k)[0])
			require.NotEqual(t, a.Digest(k)[1], b.Digest(k)[1])
			require.NotEqual(t, a.Digest(k)[0], a.Digest(k)[1])
		}},
		{name: "tollbooth: a request without an address is not limited", play: func(t *testing.T) {
			for _, peer := range []string{"@", "", "garbage", "192.0.2.1", "[::1", "unix"} {
				l := limit1(t)
				require.Equal(t, 200, get(l, "/", peer).Code)
				require.Equal(t, 429, get(l, "/", peer).Code, peer)
			}
		}},
		{name: "tollbooth, httprate KeyByEndpoint: each path has its own limit", play: func(t *testing.T) {
			l, n := limit1(t), 0
			for i := range 50 {
				if get(l, "/"+itoa(i), peer).Code == 200 {
					n++
				}
			}
			require.Equal(t, 1, n)
		}},
		{name: "tollbooth, express GHSA-46wh-pxpv-q5gq: all IPv4-mapped addresses are one client", play: func(t *testing.T) {
			l := limit1(t)
			require.Equal(t, 200, get(l, "/", "[::ffff:192.0.2.1]:1").Code)
			require.Equal(t, 200, get(l, "/", "[::ffff:192.0.2.2]:1").Code)
			require.Equal(t, 429, get(l, "/", "192.0.2.2:1").Code)
		}},
		{name: "ulule: each /128 of IPv6 is a client", play: func(t *testing.T) {
			l, n := limit1(t), 0
			for i := range 50 {
				if get(l, "/", fmt.Sprintf("[2001:db8::%x]:1", i)).Code == 200 {
					n++
				}
			}
			require.Equal(t, 1, n)
		}},
		{name: "go-limiter: the key is a header that the client chooses", play: func(t *testing.T) {
			l, n := limit1(t), 0
			for i := range 20 {
				ip := "198.51.100." + itoa(i)
				if get(l, "/", peer, "X-Forwarded-For", ip, "Forwarded", "for="+ip, "X-Real-Ip", ip, "True-Client-Ip", ip).Code == 200 {
					n++
				}
			}
			require.Equal(t, 1, n)
		}},
		{name: "ulule: the client is the leftmost address of X-Forwarded-For", play: func(t *testing.T) {
			proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}))
			l, n := newLimiter(t, ratelimit.Options{ClientIP: proxy.ClientIP, Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}}), 0
			for i := range 20 {
				if get(l, "/", "10.0.0.1:1", "X-Forwarded-For", "198.51.100."+itoa(i)+", 192.0.2.77").Code == 200 {
					n++
				}
			}
			require.Equal(t, 1, n)
			require.Equal(t, 200, get(l, "/", "10.0.0.1:1", "X-Forwarded-For", "192.0.2.78").Code, "another client of the proxy")
		}},
		{name: "tollbooth: headers of the response contain those of the request", play: func(t *testing.T) {
			l := limit1(t)
			for range 2 {
				w := get(l, "/?secret-q", "192.0.2.1:54321", "X-Forwarded-For", "198.51.100.1", "User-Agent", "secret-agent")
				all := fmt.Sprint(w.Header())
				for _, leak := range []string{"198.51.100", "192.0.2", "54321", "secret"} {
					require.NotContains(t, all, leak)
				}
			}
		}},
		{name: "httprate, ulule, tollbooth, go-limiter: the memory is not bounded", play: func(t *testing.T) {
			m := ratelimit.NewMemory(ratelimit.MemoryOptions{MaxKeys: 1000})
			l := newLimiter(t, ratelimit.Options{Store: m, Tiers: []ratelimit.Tier{tierPerMinute("a", 5)}})
			for i := range 20_000 {
				mustTake(t, l, "a", itoa(i), 1)
			}
			require.LessOrEqual(t, m.Len(), 1000)
		}},
		{name: "limits 276: Reset deletes another key", play: func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: tierOf(ratelimit.Limit{Requests: 1, Window: time.Hour}, ratelimit.Limit{Requests: 1, Window: time.Minute})})
			mustTake(t, l, "a", "k", 1)
			mustTake(t, l, "a", "l", 1)
			require.NoError(t, l.Reset(t.Context(), "a", "k"))
			require.True(t, mustTake(t, l, "a", "k", 1).Allowed)
			require.False(t, mustTake(t, l, "a", "l", 1).Allowed)
		}},
	}
}
