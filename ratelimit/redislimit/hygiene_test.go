package redislimit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// A dump of Redis names no client, every key has an expiry, and no key takes more
// than the manual's size.
func TestDumpNamesNoClient(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, server.Options())
	s := open(t, client, redislimit.Options{})
	who := []string{"ada@example.org", "192.0.2.77", "2001:db8:1:2::/64", "user-4711", "Bearer abc.def.ghi"}
	for _, text := range who {
		key := ratelimit.Key{Text: text}
		if p, err := netip.ParsePrefix(text); err == nil {
			key = ratelimit.Key{Net: p}
		}
		charges := []ratelimit.Charge{
			{Key: key, Requests: 5, Window: time.Minute, Cost: 3, Penalty: time.Hour},
			{Key: key, Requests: 600, Window: time.Minute, Cost: 3},
			{Key: key, Requests: 128, Window: time.Hour, Cost: 3},
		}
		for i, policy := range []string{"login", "reads", "writes"} {
			charges[i].Key.Policy = policy
		}
		for range 3 { // the third is denied, and marked
			require.NoError(t, s.Take(t.Context(), charges, make([]ratelimit.Verdict, 3)))
		}
	}
	keys := keysOf(t, server)
	require.Len(t, keys, 3*len(who)+1)
	var dump bytes.Buffer
	for _, key := range keys {
		fmt.Fprintln(&dump, key, server.Do(t, "GET", key))
		ttl, _ := server.Do(t, "PTTL", key).(int64)
		require.Positive(t, ttl, key)
		require.LessOrEqual(t, ttl, time.Hour.Milliseconds()+2, key)
	}
	never := append(who, string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), "ada", "192.0.2", "2001:db8", "4711")
	for _, text := range never {
		require.NotContains(t, dump.String(), text)
		require.NotContains(t, dump.String(), base64.RawURLEncoding.EncodeToString([]byte(text)))
		require.NotContains(t, dump.String(), hex.EncodeToString([]byte(text)))
	}

	// A refund of everything leaves no key, or one that expires.
	c := []ratelimit.Charge{{Key: ratelimit.Key{Policy: "back", Text: "x"}, Requests: 5, Window: time.Minute, Cost: 5}}
	v := make([]ratelimit.Verdict, 1)
	require.NoError(t, s.Take(t.Context(), c, v))
	c[0].Mark = v[0].Mark
	require.NoError(t, s.Refund(t.Context(), c))
	require.Len(t, keysOf(t, server), len(keys))
}

func TestMemoryPerKey(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                  string
		requests, cost, times int
		most                  int // bytes
	}{
		{"one of 5", 5, 1, 1, 240},
		{"5 of 5", 5, 1, 5, 300},
		{"128 of 128, at different times", 128, 1, 128, 1900},
		{"500 of 600, at ten times", 600, 50, 10, 300},
		{"1000 of 1000, at different times", 1000, 1, 1000, 1900},
		{"2^29 of 2^30", 1 << 30, 1 << 26, 8, 320},
	} {
		t.Run(row.name, func(t *testing.T) {
			const window = time.Minute
			keys := 300
			if testing.Short() {
				keys = 60
			}
			begin := time.Duration(time.Now().UnixNano())
			server := redistest.Start(t)
			s := open(t, connect(t, server.Options()), redislimit.Options{})
			used := func() int {
				n, err := strconv.Atoi(server.Info(t, "used_memory"))
				require.NoError(t, err)
				return n
			}
			var ops []redislimit.Op
			play := func(key string) {
				ops = ops[:0]
				for i := range row.times {
					ops = append(ops, redislimit.Op{Name: "take", At: begin + time.Duration(i)*window/time.Duration(row.times+1), Charges: []ratelimit.Charge{
						{Key: ratelimit.Key{Policy: "login", Text: key}, Requests: row.requests, Window: window, Cost: row.cost},
					}})
				}
				require.NoError(t, s.Play(t.Context(), ops, false))
				require.NotZero(t, ops[row.times-1].Verdicts[0].Mark)
			}
			play("the first") // and the script, and buffers
			before := used()
			for i := range keys {
				play(strconv.Itoa(i))
			}
			per := (used() - before) / keys
			t.Logf("%d bytes per key", per)
			require.LessOrEqual(t, per, row.most)
		})
	}
}

// A denial writes nothing: neither to memory nor to replicas.
func TestDenialsWriteNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, connect(t, server.Options()), redislimit.Options{})
	c := []ratelimit.Charge{charge("/p", "a", 1), charge("/q", "a", 200), charge("/r", "a", 5)}
	v := make([]ratelimit.Verdict, 3)
	require.NoError(t, s.Take(t.Context(), c, v))
	writes := func() int { return server.Calls(t, "set") + server.Calls(t, "del") }
	before := writes()
	for range 50 {
		require.NoError(t, s.Take(t.Context(), c, v))
		require.Positive(t, v[0].Wait)
		require.NoError(t, s.Peek(t.Context(), c, v))
	}
	require.Equal(t, before, writes())
	c[0].Penalty = time.Minute
	for range 50 {
		require.NoError(t, s.Take(t.Context(), c, v))
	}
	require.Equal(t, before+1, writes(), "but for the mark of a penalty, once")
	require.Equal(t, 151, server.Calls(t, "evalsha"), "one round trip for three limits")
}

// A process with another secret is reported, and denies no request.
func TestAnotherSecretIsReported(t *testing.T) {
	server := redistest.Start(t)
	client := connect(t, server.Options())
	var told atomic.Int32
	for _, row := range []struct {
		name   string
		secret string
		told   int32
	}{
		{"the first", string(secret), 0}, {"the same", string(secret), 0}, {"another", strings.Repeat("x", 32), 1}, {"the first again", string(secret), 2}, {"and again", string(secret), 2},
	} {
		s, err := redislimit.New(client, redislimit.Options{Secret: []byte(row.secret), OnEvent: func(_ context.Context, e redislimit.Event) {
			require.Equal(t, redislimit.Event{Reason: redislimit.SecretMismatch}, e)
			told.Add(1)
		}})
		require.NoError(t, err)
		for range 3 { // said once
			v := make([]ratelimit.Verdict, 1)
			require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/p", row.name, 5)}, v))
			require.Zero(t, v[0].Wait)
		}
		require.Equal(t, row.told, told.Load(), row.name)
	}

	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	s, err := redislimit.New(client, redislimit.Options{Secret: []byte(strings.Repeat("y", 32))})
	require.NoError(t, err)
	// The default is that at the time of the record.
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{charge("/p", "a", 5)}, make([]ratelimit.Verdict, 1)))
	require.Contains(t, log.String(), `msg="secret mismatch in Redis" prefix=rl:`)
	require.NotContains(t, log.String(), "yyyy")

	// The fingerprint of ended processes expires.
	ttl, _ := server.Do(t, "PTTL", "rl:secret").(int64)
	require.Positive(t, ttl)
	require.LessOrEqual(t, ttl, (5 * time.Minute).Milliseconds())
	var own bytes.Buffer
	panics, err := redislimit.New(client, redislimit.Options{Secret: []byte(strings.Repeat("z", 32)), OnEvent: func(context.Context, redislimit.Event) { panic("a mistake") }, Logger: slog.New(slog.NewTextHandler(&own, nil))})
	require.NoError(t, err)
	require.NoError(t, panics.Take(t.Context(), []ratelimit.Charge{charge("/p", "a", 5)}, make([]ratelimit.Verdict, 1)))
	require.Contains(t, own.String(), `hook="redislimit: OnEvent" panic="a mistake"`)
}

// A deployment that changes a window starts a new count in the same key; a reset
// deletes both.
func TestAnotherWindowStartsANewCount(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, connect(t, server.Options()), redislimit.Options{})
	v := make([]ratelimit.Verdict, 1)
	take := func(window time.Duration, requests int) int {
		c := charge("/p", "a", requests)
		c.Window = window
		require.NoError(t, s.Take(t.Context(), []ratelimit.Charge{c}, v))
		if v[0].Wait != 0 {
			return -1
		}
		return v[0].Remaining
	}
	// Old and new processes, in turn.
	for i := range 5 {
		require.Equal(t, 4-i, take(time.Hour, 5))
		require.Equal(t, 499-i, take(24*time.Hour, 500))
		require.Equal(t, 49-i, take(2*time.Hour, 50))
	}
	require.Equal(t, -1, take(time.Hour, 5))
	require.Equal(t, 494, take(24*time.Hour, 500))
	require.Len(t, keysOf(t, server), 2)
	for _, key := range keysOf(t, server) {
		ttl, _ := server.Do(t, "PTTL", key).(int64)
		if key != "rl:secret" {
			require.Greater(t, ttl, (23 * time.Hour).Milliseconds(), "the longest counts")
		}
	}
	s.SetClock(time.Duration(time.Now().UnixNano()) + 3*time.Hour) // the short ones end, and go
	require.Equal(t, 493, take(24*time.Hour, 500))
	for _, key := range keysOf(t, server) {
		require.NotContains(t, server.Do(t, "GET", key), ";")
	}
	require.NoError(t, s.Reset(t.Context(), []ratelimit.Key{{Policy: "p", Text: "a"}}))
	require.Equal(t, 499, take(24*time.Hour, 500))
	require.Equal(t, 4, take(time.Hour, 5))
}
