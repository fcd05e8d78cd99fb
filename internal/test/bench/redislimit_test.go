package bench_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/httprate"
	httprateredis "github.com/go-chi/httprate-redis"
	redisrate "github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/internal/test/bench"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// connection is a client with one connection, so that all use the same.
func connection(tb testing.TB, s *redistest.Server) *redis.Client {
	o := s.Options()
	o.PoolSize, o.ContextTimeoutEnabled, o.MaxRetries = 1, true, -1
	client := redis.NewClient(o)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// threeLimits are those of a login: each client is new, or comes a few times.
func threeLimits(i int) [3]ratelimit.Charge {
	text := strconv.Itoa(i)
	return [3]ratelimit.Charge{
		{Key: ratelimit.Key{Policy: "login", Text: text}, Requests: 5, Window: time.Minute, Cost: 1},
		{Key: ratelimit.Key{Policy: "login-2", Text: text}, Requests: 30, Window: time.Hour, Cost: 1},
		{Key: ratelimit.Key{Policy: "login-3", Text: text}, Requests: 600, Window: time.Minute, Cost: 1},
	}
}

// leastScript decides nothing: it asks for the time, reads a value of the size
// that three limits have, writes it, and answers with as many numbers. An exact
// decision that is kept cannot do less.
const leastScript = `
redis.call('TIME')
local value = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], value or ARGV[1], 'PX', 3600000)
return {1, 0, 2, 3, 4, 0, 5, 6, 7, 0, 8, 9}
`

// decisions are what one round trip decides, and the least that one costs.
func decisions(tb testing.TB, client *redis.Client) []struct {
	who    string
	decide func(ctx context.Context, i int) error
} {
	store := errors.Must(redislimit.New(client, redislimit.Options{Secret: []byte("a secret of 32 bytes for tests..")}))
	nothing, least := redis.NewScript("return 1"), redis.NewScript(leastScript)
	require.NoError(tb, least.Load(tb.Context(), client).Err())
	value := strings.Repeat("v", 150)
	rate := redisrate.NewLimiter(client)
	verdicts := make([]ratelimit.Verdict, 3)
	return []struct {
		who    string
		decide func(ctx context.Context, i int) error
	}{
		{who: "ringwall", decide: func(ctx context.Context, i int) error {
			charges := threeLimits(i)
			return store.Take(ctx, charges[:], verdicts)
		}},
		{who: "evalsha", decide: func(ctx context.Context, i int) error {
			return nothing.EvalSha(ctx, client, []string{"rl:{" + strconv.Itoa(i) + "}:login"}).Err()
		}},
		{who: "floor", decide: func(ctx context.Context, i int) error {
			return least.EvalSha(ctx, client, []string{"rl:{" + strconv.Itoa(i) + "}:login"}, value).Err()
		}},
		{who: "redis_rate-one-limit", decide: func(ctx context.Context, i int) error {
			_, err := rate.Allow(ctx, strconv.Itoa(i), redisrate.PerMinute(5))
			return err
		}},
	}
}

func BenchmarkRedisLimit(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	server := redistest.Start(b)
	client := connection(b, server)
	require.NoError(b, redis.NewScript("return 1").Load(b.Context(), client).Err())
	b.Run("three-limits", func(b *testing.B) {
		for _, p := range decisions(b, client) {
			b.Run("map=reused/who="+p.who, func(b *testing.B) {
				server.Do(b, "FLUSHDB")
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					ctx, cancel := context.WithTimeout(b.Context(), time.Second) // as a Limiter does
					if err := p.decide(ctx, i/3); err != nil {
						b.Fatal(err)
					}
					cancel()
					i++
				}
			})
		}
	})
	b.Run("denied", func(b *testing.B) {
		for _, p := range redisHandlers(b, server) {
			r := httptest.NewRequest("GET", "/", nil)
			for range 10 {
				p.h.ServeHTTP(httptest.NewRecorder(), r)
			}
			bench.Measure(b, p.name, p.h, r)
		}
	})
}

// redisHandlers make one limit by address through their own middleware.
func redisHandlers(tb testing.TB, s *redistest.Server) []peer {
	store := errors.Must(redislimit.New(connection(tb, s), redislimit.Options{Secret: []byte("a secret of 32 bytes for tests..")}))
	ours := errors.Must(ratelimit.New(ratelimit.Options{
		Store: store, Tiers: []ratelimit.Tier{{Name: "all", Limits: []ratelimit.Limit{{Requests: 5, Window: time.Hour}}}},
	}))
	counter := errors.Must(httprateredis.NewRedisLimitCounter(&httprateredis.Config{Client: connection(tb, s)}))
	return []peer{
		{name: "ringwall", h: ours.Handler(bench.Nothing)},
		{name: "httprate-redis", h: httprate.LimitBy(5, time.Hour, func(r *http.Request) (string, error) { return r.RemoteAddr, nil }, httprate.WithLimitCounter(counter))(bench.Nothing)},
	}
}

// All compared libraries decide. Ours denies the sixth request of a client in one
// round trip, and later ones in none.
func TestRedisLimitPeersDecide(t *testing.T) {
	server := redistest.Start(t)
	client := connection(t, server)
	require.NoError(t, redis.NewScript("return 1").Load(t.Context(), client).Err())
	for _, p := range decisions(t, client) {
		for i := range 6 {
			require.NoError(t, p.decide(t.Context(), i), p.who)
		}
	}
	for _, p := range redisHandlers(t, server) {
		r := httptest.NewRequest("GET", "/", nil)
		for i := range 8 {
			w := httptest.NewRecorder()
			p.h.ServeHTTP(w, r)
			require.Equal(t, map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 5], w.Code, fmt.Sprint(p.name, i))
		}
	}
}
