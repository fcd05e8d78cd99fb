package redislimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// The clock of the server jumps. Back: no client gets a request twice, and none
// waits longer than a window from then on. Forward by more than a window: each
// client gets its limit once more.
func TestFaultClockJumps(t *testing.T) {
	t.Parallel()
	server, clock := redistest.StartClock(t)
	s := open(t, connect(t, server.Options()), redislimit.Options{})
	v := make([]ratelimit.Verdict, 1)
	for _, row := range []struct {
		name     string
		requests int
		longest  time.Duration // from the jump on
	}{
		{"exact", 50, time.Minute},
		{"ring", 500, time.Minute * 9 / 8},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := []ratelimit.Charge{{Key: ratelimit.Key{Policy: row.name, Text: "a"}, Requests: row.requests, Window: time.Minute, Cost: 1}}
			penalty := []ratelimit.Charge{{Key: ratelimit.Key{Policy: row.name + "-2", Text: "a"}, Requests: 1, Window: time.Minute, Cost: 1, Penalty: 5 * time.Minute}}
			take := func() (admitted int) {
				for {
					require.NoError(t, s.Take(t.Context(), c, v))
					if v[0].Wait != 0 {
						return admitted
					}
					admitted++
				}
			}
			require.Equal(t, row.requests, take())
			for range 2 {
				require.NoError(t, s.Take(t.Context(), penalty, v))
			}
			require.InDelta(t, 5*time.Minute, v[0].Wait, float64(2*time.Second))

			clock.Jump(t, -2*time.Hour)
			require.Zero(t, take(), "back")
			require.LessOrEqual(t, v[0].Wait, row.longest, "a denial of two hours")
			require.NoError(t, s.Take(t.Context(), penalty, v))
			require.LessOrEqual(t, v[0].Wait, 5*time.Minute, "a penalty of two hours")
			clock.Jump(t, row.longest/2)
			require.Zero(t, take())
			require.LessOrEqual(t, v[0].Wait, row.longest/2+time.Second, "denials that go on do not prolong it")
			clock.Jump(t, row.longest/2)
			require.Equal(t, row.requests, take(), "a window later all is there")

			clock.Jump(t, time.Hour)
			over := take()
			require.Equal(t, row.requests, over, "forward")
			require.Zero(t, take())
			clock.Jump(t, -time.Second) // as after a failover between clocks that differ
			require.Zero(t, take())
			clock.Jump(t, time.Second)
			require.Zero(t, take())
			clock.Jump(t, 2*time.Hour)
			t.Logf("limit %d: admitted after -2h 0, after a window of it %d, after +1h %d, after -1s 0", row.requests, row.requests, over)
		})
	}
	for _, key := range keysOf(t, server) {
		require.NotEqual(t, int64(-1), server.Do(t, "PTTL", key), "%s has no expiry", key)
	}
}
