package redislimit_test

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// A rollout changes a limit process by process, as in "Changing a limit" of
// package ratelimit.
func TestChangingALimitProcessByProcess_FR5(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	// process is one of a service, over a socket, with a client of its own. It
	// returns the number of requests of a key that are served, of n.
	process := func(t *testing.T, name string, limit ratelimit.Limit) func(key string, n int) int {
		limit.Key = byHeader
		limits, err := ratelimit.New(ratelimit.Options{
			Store: open(t, connect(t, &redis.Options{Addr: server.Addr}), redislimit.Options{}), Timeout: patient,
			Tiers: []ratelimit.Tier{{Name: name, Limits: []ratelimit.Limit{limit}}},
		})
		require.NoError(t, err)
		service := httptest.NewServer(limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		t.Cleanup(service.Close)
		return func(key string, n int) (served int) {
			for range n {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL, nil)
				require.NoError(t, err)
				r.Header.Set("Key", key)
				response, err := service.Client().Do(r)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				if response.StatusCode == http.StatusOK {
					served++
				}
			}
			return served
		}
	}
	hourly := func(n int) ratelimit.Limit { return ratelimit.Limit{Requests: n, Window: time.Hour} }
	t.Run("FR5 fewer Requests: one count, each process denies by its own Requests", func(t *testing.T) {
		before, after := process(t, "lower", hourly(10)), process(t, "lower", hourly(4))
		require.Equal(t, 3, after("ada", 3))
		require.Equal(t, 5, before("ada", 5), "8 of 10 there")
		require.Equal(t, 0, after("ada", 5), "8 of 4 here: what the other process admitted counts")
		require.Equal(t, 2, before("ada", 5), "10 together, the higher limit, and never 14")
	})
	t.Run("FR5 the client that the lower limit denies is not charged", func(t *testing.T) {
		before, after := process(t, "deny", hourly(10)), process(t, "deny", hourly(4))
		require.Equal(t, 4, after("ada", 100))
		require.Equal(t, 6, before("ada", 100))
	})
	t.Run("FR5 Requests from above 128 to below: the count is kept", func(t *testing.T) {
		before, after := process(t, "ring", hourly(200)), process(t, "ring", hourly(100))
		require.Equal(t, 60, before("ada", 60))
		require.Equal(t, 40, after("ada", 100))
		require.Equal(t, 100, before("ada", 200), "200 together")
		require.Equal(t, 0, after("ada", 10))
	})
	t.Run("FR5 another Window: another count, so both limits together", func(t *testing.T) {
		before, after := process(t, "window", hourly(10)), process(t, "window", ratelimit.Limit{Requests: 4, Window: 30 * time.Minute})
		require.Equal(t, 10, before("ada", 20))
		require.Equal(t, 4, after("ada", 20))
	})
	t.Run("FR5 another Name: another count, so both limits together", func(t *testing.T) {
		before, after := process(t, "name", hourly(10)), process(t, "name-new", hourly(4))
		require.Equal(t, 10, before("ada", 20))
		require.Equal(t, 4, after("ada", 20))
	})
	t.Run("FR5 a shorter Penalty shortens one that runs, and none ignores it", func(t *testing.T) {
		take := func(penalty time.Duration) time.Duration {
			limits, err := ratelimit.New(ratelimit.Options{
				Store: open(t, connect(t, &redis.Options{Addr: server.Addr}), redislimit.Options{}), Timeout: patient,
				Tiers: []ratelimit.Tier{{Name: "penalty", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Minute, Penalty: penalty}}}},
			})
			require.NoError(t, err)
			d, err := limits.Take(t.Context(), "penalty", "ada", 1)
			if d.Allowed {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, ratelimit.ErrLimited)
			}
			return d.RetryAfter
		}
		require.Zero(t, take(3*time.Hour))
		require.InDelta(t, 3*time.Hour, take(3*time.Hour), float64(time.Minute))
		require.LessOrEqual(t, take(0), time.Minute)
		require.InDelta(t, 3*time.Hour, take(4*time.Hour), float64(time.Minute), "a longer one is for the next")
		require.LessOrEqual(t, take(time.Hour), time.Hour)
		require.LessOrEqual(t, take(3*time.Hour), time.Hour)
	})
}

// Processes with the first layout of values run beside those of this one, as during a
// deploy. Nobody is locked out, none sees the other's values, and each admits its own limit.
func TestTwoLayoutsRunBesideEachOther(t *testing.T) {
	t.Parallel()
	const limit = 10
	server := redistest.Start(t)
	client := connect(t, server.Options())
	s := open(t, client, redislimit.Options{})
	text, err := os.ReadFile("testdata/limit-1.lua")
	require.NoError(t, err)
	script := redis.NewScript(string(text))
	// old makes a decision as the first layout did, and reports whether it was allowed.
	old := func(c ratelimit.Charge) bool {
		limits := []byte{1, 0}
		for _, n := range []int64{int64(c.Requests), c.Window.Milliseconds(), int64(c.Cost), 0} {
			limits = binary.LittleEndian.AppendUint32(limits, uint32(n))
		}
		limits = append(limits, make([]byte, 17)...) // no penalty, no mark, no name
		key := strings.Replace(s.KeyOf(c.Key), "}:2:", "}:", 1)
		reply, err := script.Run(t.Context(), client, []string{key}, "take", "", limits).Int64Slice()
		require.NoError(t, err)
		require.Len(t, reply, 4)
		return reply[1] == 0
	}
	for _, window := range []time.Duration{2 * time.Second, time.Hour} {
		c := charge("/p", "ada"+window.String(), limit)
		c.Window = window
		v := make([]ratelimit.Verdict, 1)
		before, after := 0, 0
		for begin := time.Now(); time.Since(begin) < time.Second; {
			if old(c) {
				before++
			}
			require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{c}, v))
			if v[0].Wait == 0 {
				after++
			}
			time.Sleep(10 * time.Millisecond)
		}
		require.Equal(t, limit, before)
		require.Equal(t, limit, after)
		if window == time.Hour {
			continue
		}
		redistest.Await(t, patient, "a window later, both admit again", func() bool {
			require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{c}, v))
			return old(c) && v[0].Wait == 0
		})
	}
}
