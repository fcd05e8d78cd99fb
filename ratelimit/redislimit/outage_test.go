package redislimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// member is one process of a service: a Limiter with a client of its own, over a
// socket.
type member struct {
	url     string
	client  *http.Client
	healthy atomic.Bool
	served  map[string]*atomic.Int64
}

func newMember(t *testing.T, server *redistest.Server, limits []ratelimit.Limit, keys ...string) *member {
	t.Helper()
	m := &member{served: make(map[string]*atomic.Int64)}
	m.healthy.Store(true)
	for _, key := range keys {
		m.served[key] = new(atomic.Int64)
	}
	limiter, err := ratelimit.New(ratelimit.Options{
		Store:   open(t, connect(t, &redis.Options{Addr: server.Addr}), redislimit.Options{}),
		Timeout: slack, Tiers: []ratelimit.Tier{{Name: "a", Limits: limits}},
		OnEvent: func(_ context.Context, e ratelimit.Event) {
			switch e.Reason {
			case ratelimit.Degraded:
				m.healthy.Store(false)
			case ratelimit.Restored:
				m.healthy.Store(true)
			}
		},
	})
	require.NoError(t, err)
	service := httptest.NewServer(limiter.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.served[r.Header.Get("Key")].Add(1)
	})))
	t.Cleanup(service.Close)
	m.url, m.client = service.URL, service.Client()
	return m
}

func (m *member) get(key string) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, m.url, nil)
	if err != nil {
		panic(err) // the URL is the server's
	}
	r.Header.Set("Key", key)
	if response, err := m.client.Do(r); err == nil {
		_ = response.Body.Close() // empty
	}
}

// The store fails and comes back within a window. What three processes admitted by
// themselves is not in the store, and each of them denies it by its own count.
func TestThreeProcessesAdmitThreeTimesTheLimitAcrossAnOutage_FR7(t *testing.T) {
	const members = 3
	for _, row := range []struct {
		name   string
		limit  ratelimit.Limit
		outage func(t *testing.T, s *redistest.Server) (end func())
	}{
		{"FR7 an exact limit, a Redis that hangs", ratelimit.Limit{Requests: 20, Window: time.Hour}, func(t *testing.T, s *redistest.Server) func() {
			s.Pause(t)
			return func() { s.Resume(t) }
		}},
		{"FR7 a limit above 128, a Redis that starts with nothing", ratelimit.Limit{Requests: 150, Window: time.Hour}, func(t *testing.T, s *redistest.Server) func() {
			s.Kill()
			return func() { s.Restart(t) }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			row.limit.Key = byHeader
			limits := []ratelimit.Limit{row.limit}
			var all [members]*member
			for i := range all {
				all[i] = newMember(t, server, limits, "ada", "warm", "fresh")
				all[i].get("warm")
			}
			// each runs f in each process until it is true, from four clients.
			each := func(what string, f func(m *member) bool) {
				var group sync.WaitGroup
				for _, m := range all {
					for range 4 {
						group.Go(func() { redistest.Await(t, patient, what, func() bool { return f(m) }) })
					}
				}
				group.Wait()
			}
			end := row.outage(t, server)
			each("the process admits the limit by itself", func(m *member) bool {
				m.get("ada")
				return !m.healthy.Load() && m.served["ada"].Load() >= int64(row.limit.Requests)
			})
			end()
			each("the store is called again, also where each request is denied", func(m *member) bool {
				m.get("ada")
				return m.healthy.Load()
			})
			evals := server.Calls(t, "evalsha") + server.Calls(t, "eval")
			for range 100 {
				each("100 requests", func(m *member) bool { m.get("ada"); return true })
			}
			require.LessOrEqual(t, server.Calls(t, "evalsha")+server.Calls(t, "eval")-evals, 100, "1200 denials cost few calls")
			total := int64(0)
			for i, m := range all {
				require.Equal(t, int64(row.limit.Requests), m.served["ada"].Load(), "process %d", i)
				total += m.served["ada"].Load()
			}
			require.Equal(t, int64(members*row.limit.Requests), total, "three times the limit, not four")
			for range row.limit.Requests {
				each("another key", func(m *member) bool { m.get("fresh"); return true })
			}
			fresh := int64(0)
			for _, m := range all {
				fresh += m.served["fresh"].Load()
			}
			require.Equal(t, int64(row.limit.Requests), fresh, "what nobody asked for in the outage has one limit for all processes")
		})
	}
}
