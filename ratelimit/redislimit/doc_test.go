package redislimit_test

import (
	"context"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

func manual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	return string(text)
}

// aclOf returns the minimal ACL that the manual prints.
func aclOf(t *testing.T, user string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^//\t(user ` + user + ` .*)$`).FindStringSubmatch(manual(t))
	require.NotNil(t, line, "doc.go has no ACL for %s", user)
	return line[1]
}

// recommend sets the options that the manual recommends, on options of any kind
// of client, and returns their names.
func recommend(t *testing.T, options any) (names []string) {
	t.Helper()
	values := map[string]any{"true": true, "-1": -1, "1": 1, "time.Second": time.Second, "500 * time.Millisecond": 500 * time.Millisecond}
	v := reflect.ValueOf(options).Elem()
	for _, line := range regexp.MustCompile(`(?m)^//\t(\w+): +(.+?), +//`).FindAllStringSubmatch(manual(t), -1) {
		value, known := values[line[2]]
		require.True(t, known, "doc.go recommends %s: %s, which the test does not know", line[1], line[2])
		if field := v.FieldByName(line[1]); field.IsValid() {
			field.Set(reflect.ValueOf(value))
			names = append(names, line[1])
		}
	}
	return names
}

// The manual's options are those of go-redis, and differ from its defaults.
func TestManualOptions(t *testing.T) {
	t.Parallel()
	single := []string{"ContextTimeoutEnabled", "MaxRetries", "DialerRetries", "DialTimeout", "ReadTimeout", "WriteTimeout"}
	require.Equal(t, single, recommend(t, &redis.Options{}))
	require.Equal(t, single, recommend(t, &redis.FailoverOptions{}))
	require.Equal(t, append(slices.Clone(single), "ClusterStateReloadInterval"), recommend(t, &redis.ClusterOptions{}))

	ours := &redis.Options{Addr: "127.0.0.1:1"}
	recommend(t, ours)
	filled, defaults := *connect(t, ours).Options(), *connect(t, &redis.Options{Addr: "127.0.0.1:1"}).Options()
	for _, name := range single {
		a, b := reflect.ValueOf(filled).FieldByName(name), reflect.ValueOf(defaults).FieldByName(name)
		require.NotEqual(t, b.Interface(), a.Interface(), "%s is the default by now: the manual need not name it", name)
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	t.Cleanup(func() { _ = cluster.Close() })
	require.Greater(t, cluster.Options().ClusterStateReloadInterval, time.Second)
}

// Each right of the manual's users is needed: without it, something fails.
func TestManualACL(t *testing.T) {
	t.Parallel()
	acl := aclOf(t, "limits")
	server := redistest.StartTLS(t, acl)
	rights := regexp.MustCompile(`\+[a-z|]+`).FindAllString(acl, -1)
	require.Len(t, rights, 6)
	works := func() bool {
		o := server.Options()
		recommend(t, o)
		o.Username, o.Password = "limits", "change-me"
		client := redis.NewClient(o)
		defer func() { _ = client.Close() }()
		server.Do(t, "SCRIPT", "FLUSH")
		s := open(t, client, redislimit.Options{})
		c := []ratelimit.Charge{charge("/p", "a", 10)}
		v := make([]ratelimit.Verdict, 1)
		err := s.Take(t.Context(), c, v)
		c[0].Mark = v[0].Mark
		for _, next := range []func() error{
			func() error { return s.Peek(t.Context(), c, v) },
			func() error { return s.Refund(t.Context(), c) },
			func() error { return s.Reset(t.Context(), []ratelimit.Key{c[0].Key}) },
		} {
			if err == nil {
				err = next()
			}
		}
		if err != nil {
			require.ErrorIs(t, err, ratelimit.ErrMisconfigured)
		}
		return err == nil
	}
	require.True(t, works())
	for _, right := range rights {
		server.Do(t, "ACL", "SETUSER", "limits", "-"+right[1:])
		require.False(t, works(), "works without %s", right)
		server.Do(t, "ACL", "SETUSER", "limits", right)
	}
	require.True(t, works())
}

// The texts of the manual.
func TestManualMatchesTheCode(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(strings.ReplaceAll(manual(t), "\n//", " ")), " ")
	for _, words := range []string{
		"at most what was admitted in the lost interval is admitted again", "No more is promised", "may evict", "whose Redis must not", "hooks, such as those for traces, are not called",
	} {
		require.Contains(t, text, words)
	}
}

// Hooks of the client see every call with the manual's options, and none with the
// defaults.
func TestManualHooks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	recommended := server.Options()
	recommend(t, recommended)
	for _, row := range []struct {
		name    string
		options *redis.Options
		seen    bool
	}{{"the manual's options", recommended, true}, {"default options", server.Options(), false}} {
		t.Run(row.name, func(t *testing.T) {
			client := connect(t, row.options)
			var calls counts
			client.AddHook(&calls)
			s := open(t, client, redislimit.Options{})
			ctx, cancel := context.WithTimeout(t.Context(), patient)
			defer cancel()
			require.NoError(t, s.Take(ctx, []ratelimit.Charge{charge("/p", row.name, 5)}, make([]ratelimit.Verdict, 1)))
			require.Equal(t, row.seen, calls.n.Load() > 0, "if go-redis calls hooks now, the manual need not warn")
		})
	}
}

// counts is a hook that counts scripts.
type counts struct{ n atomic.Int32 }

func (*counts) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			c.n.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (*counts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := redislimit.New(nil, redislimit.Options{Prefix: "a{b"})
	require.ErrorContains(t, err, "redislimit: client: must not be nil; did you mean redis.NewClient?")
	require.ErrorContains(t, err, "redislimit: Secret: has 0 bytes; the minimum is 16; did you mean 32 bytes of crypto/rand?")
	require.ErrorContains(t, err, `redislimit: Prefix "a{b": must have at most 64 bytes and no braces, which change the slot of a key in Redis Cluster; did you mean "ab"?`)
	for _, client := range []redis.UniversalClient{(*redis.Client)(nil), (*redis.ClusterClient)(nil), (*redis.Ring)(nil)} {
		_, err = redislimit.New(client, redislimit.Options{Secret: secret})
		require.EqualError(t, err, "redislimit: client: must not be nil; did you mean redis.NewClient?")
	}
	client := connect(t, &redis.Options{Addr: "127.0.0.1:1"})
	_, err = redislimit.New(client, redislimit.Options{Secret: secret, Prefix: strings.Repeat("x", 65)})
	require.ErrorContains(t, err, `did you mean "`+strings.Repeat("x", 64)+`"?`)
	s, err := redislimit.New(client, redislimit.Options{Secret: secret})
	require.NoError(t, err, "nothing listens there, and nothing is sent")
	for _, row := range []struct {
		name string
		c    ratelimit.Charge
	}{
		{"no requests", ratelimit.Charge{Window: time.Minute}},
		{"no window", ratelimit.Charge{Requests: 1}},
		{"a negative cost", ratelimit.Charge{Requests: 1, Window: time.Minute, Cost: -1}},
		{"a negative penalty", ratelimit.Charge{Requests: 1, Window: time.Minute, Penalty: -1}},
		{"a window of 292 years", ratelimit.Charge{Requests: 1, Window: math.MaxInt64}},
		{"a penalty of 292 years", ratelimit.Charge{Requests: 1, Window: time.Minute, Penalty: math.MaxInt64}},
		{"too many requests", ratelimit.Charge{Requests: 1 << 31, Window: time.Minute}},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := s.Take(t.Context(), []ratelimit.Charge{row.c}, make([]ratelimit.Verdict, 1))
			require.ErrorContains(t, err, "redislimit: a charge")
		})
	}
	require.ErrorContains(t, s.Take(t.Context(), make([]ratelimit.Charge, 9), make([]ratelimit.Verdict, 9)), "more than 8")
	require.NoError(t, s.Take(t.Context(), nil, nil))
	require.NoError(t, s.Refund(t.Context(), []ratelimit.Charge{charge("/p", "a", 1)}), "what was not charged is not sent")
	require.NoError(t, s.Reset(t.Context(), nil))
}
