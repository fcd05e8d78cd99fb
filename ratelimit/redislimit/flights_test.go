package redislimit_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// A gate is a hook that holds the calls of the script, and records their keys.
type gate struct {
	mu     sync.Mutex
	held   chan struct{}  // nil while the gate is open
	keys   []int          // of each call
	before func(keys int) // nil, or called before each call
	ended  atomic.Int64   // calls
}

func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return next(ctx, cmd)
		}
		keys, _ := cmd.Args()[2].(int)
		g.mu.Lock()
		g.keys = append(g.keys, keys)
		held := g.held
		g.mu.Unlock()
		if held != nil {
			<-held
		}
		g.mu.Lock()
		before := g.before
		g.mu.Unlock()
		if before != nil {
			before(keys)
		}
		defer g.ended.Add(1)
		return next(ctx, cmd)
	}
}

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// hold holds calls from now on, and returns the function that lets them go.
func (g *gate) hold() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := make(chan struct{})
	g.held, g.keys = held, nil
	return func() {
		g.mu.Lock()
		g.held = nil
		g.mu.Unlock()
		close(held)
	}
}

func (g *gate) calls() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]int(nil), g.keys...)
}

// A gated store has a client with a gate. Its script is loaded.
func gatedStore(t *testing.T, addr string) (*redislimit.Store, *gate) {
	t.Helper()
	client := connect(t, &redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	g := new(gate)
	client.AddHook(g)
	s := open(t, client, redislimit.Options{})
	require.NoError(t, s.Take(within(t, patient), []ratelimit.Charge{charge("/first", "first", 5)}, make([]ratelimit.Verdict, 1)))
	return s, g
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// A result is what a caller got.
type result struct {
	verdict ratelimit.Verdict
	err     error
}

// takeAtOnce starts calls of Take that all wait for the gate: two are under way, and the
// others wait for the next call. It returns the function that waits for the results.
func takeAtOnce(t *testing.T, s *redislimit.Store, charges []ratelimit.Charge, timeout time.Duration) (results func() []result) {
	t.Helper()
	all := make([]result, len(charges))
	var group sync.WaitGroup
	for i, c := range charges {
		before := s.Pending()
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
			defer cancel()
			v := make([]ratelimit.Verdict, 1)
			err := s.Take(ctx, []ratelimit.Charge{c}, v)
			all[i] = result{v[0], err}
		})
		redistest.Await(t, patient, "the decision is under way, or waits", func() bool { return s.Pending() > before })
	}
	return func() []result {
		group.Wait()
		return all
	}
}

// awaitLanding waits until no call is under way: the last one ends after its callers have
// their results.
func awaitLanding(t *testing.T, s *redislimit.Store) {
	t.Helper()
	redistest.Await(t, patient, "no call is under way", func() bool { return s.Pending() == 0 })
}

// charges returns charges of keys of their own.
func charges(n, requests int) []ratelimit.Charge {
	all := make([]ratelimit.Charge, n)
	for i := range all {
		all[i] = charge("/p", strconv.Itoa(i), requests)
	}
	return all
}

func TestDecisionsShareCalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	for _, row := range []struct {
		name    string
		charges []ratelimit.Charge
		keys    []int // of each call
	}{
		{name: "one caller", charges: charges(1, 5), keys: []int{1}},
		{name: "two callers", charges: charges(2, 5), keys: []int{1, 1}},
		{name: "three callers", charges: charges(3, 5), keys: []int{1, 1, 1}},
		{name: "66 callers", charges: charges(66, 5), keys: []int{1, 1, 64}},
		{name: "100 callers", charges: charges(100, 5), keys: []int{1, 1, 64, 34}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server.Do(t, "FLUSHDB")
			release := g.hold()
			results := takeAtOnce(t, s, row.charges, patient)
			release()
			for _, r := range results() {
				require.NoError(t, r.err)
				require.Equal(t, 4, r.verdict.Remaining)
				require.NotZero(t, r.verdict.Mark)
			}
			require.ElementsMatch(t, row.keys, g.calls(), "two calls are under way at a time, in any order")
			awaitLanding(t, s)
		})
	}
	t.Run("one key of 64 callers is one key, charged in order", func(t *testing.T) {
		release := g.hold()
		all := make([]ratelimit.Charge, 64)
		for i := range all {
			all[i] = charge("/p", "hot", 40)
		}
		results := takeAtOnce(t, s, all, patient)
		release()
		remaining := make(map[int]int)
		denied := 0
		for _, r := range results() {
			require.NoError(t, r.err)
			if r.verdict.Wait > 0 {
				denied++
				continue
			}
			remaining[r.verdict.Remaining]++
		}
		awaitLanding(t, s)
		require.Equal(t, 24, denied)
		require.Len(t, remaining, 40, "each number once")
		require.Equal(t, []int{1, 1, 1}, g.calls())
	})
	t.Run("eight limits of each of 64 callers", func(t *testing.T) {
		release := g.hold()
		var group sync.WaitGroup
		for i := range 64 {
			before := s.Pending()
			group.Go(func() {
				eight := make([]ratelimit.Charge, 8)
				for j := range eight {
					eight[j] = charge("/p-"+strconv.Itoa(j+1), strconv.Itoa(i), 5)
				}
				v := make([]ratelimit.Verdict, 8)
				if err := s.Take(within(t, patient), eight, v); err != nil || v[7].Remaining != 4 {
					t.Error(err, v)
				}
			})
			redistest.Await(t, patient, "it waits", func() bool { return s.Pending() > before })
		}
		release()
		group.Wait()
		require.ElementsMatch(t, []int{1, 1, 16, 16, 16, 14}, g.calls(), "at most 128 limits in a call")
	})
}

// With separate calls, and without, concurrent callers are admitted exactly as often as the
// limit says.
func TestConcurrentCallersKeepTheLimit(t *testing.T) {
	t.Parallel()
	for _, separate := range []bool{false, true} {
		t.Run(fmt.Sprint("separate ", separate), func(t *testing.T) {
			server := redistest.Start(t)
			s := open(t, connect(t, server.Options()), redislimit.Options{SeparateCalls: separate})
			var admitted, failed atomic.Int64
			var group sync.WaitGroup
			for range 64 {
				group.Go(func() {
					v := make([]ratelimit.Verdict, 1)
					for range 40 {
						switch err := s.Take(within(t, patient), []ratelimit.Charge{charge("/p", "hot", 1000)}, v); {
						case err != nil:
							failed.Add(1)
						case v[0].Wait == 0:
							admitted.Add(1)
						}
					}
				})
			}
			group.Wait()
			calls := server.Calls(t, "evalsha")
			t.Logf("2560 decisions in %d calls", calls)
			require.Zero(t, failed.Load())
			require.EqualValues(t, 1000, admitted.Load())
			if separate {
				require.GreaterOrEqual(t, calls, 2560)
			} else {
				require.Less(t, calls, 2560)
			}
		})
	}
}

// Takes, peeks, refunds and resets share calls.
func TestAllOperationsShareCalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	v := make([]ratelimit.Verdict, 1)
	back, gone, seen := charge("/p", "back", 5), charge("/p", "gone", 5), charge("/p", "seen", 5)
	for _, c := range []ratelimit.Charge{back, gone, seen} {
		require.NoError(t, s.Take(within(t, patient), []ratelimit.Charge{c}, v))
	}
	require.NoError(t, s.Take(within(t, patient), []ratelimit.Charge{back}, v))
	back.Mark = v[0].Mark
	release := g.hold()
	results := takeAtOnce(t, s, charges(2, 5), patient) // under way
	var group sync.WaitGroup
	peeked := make([]ratelimit.Verdict, 1)
	for _, call := range []func() error{
		func() error { return s.Refund(within(t, patient), []ratelimit.Charge{back}) },
		func() error { return s.Reset(within(t, patient), []ratelimit.Key{gone.Key}) },
		func() error { return s.Peek(within(t, patient), []ratelimit.Charge{seen}, peeked) },
		func() error {
			return s.Take(within(t, patient), []ratelimit.Charge{charge("/p", "new", 5)}, make([]ratelimit.Verdict, 1))
		},
	} {
		before := s.Pending()
		group.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
		redistest.Await(t, patient, "it waits", func() bool { return s.Pending() > before })
	}
	release()
	group.Wait()
	results()
	require.Equal(t, []int{1, 1, 4}, g.calls())
	require.Equal(t, 4, peeked[0].Remaining)
	for _, row := range []struct {
		charge ratelimit.Charge
		want   int
	}{{back, 4}, {gone, 5}, {seen, 4}, {charge("/p", "new", 5), 4}} {
		require.NoError(t, s.Peek(within(t, patient), []ratelimit.Charge{row.charge}, v))
		require.Equal(t, row.want, v[0].Remaining, row.charge.Key.Text)
	}
}

// The server loses its scripts again and again: a call of several decisions is sent once
// more, since nothing of it ran.
func TestScriptFlushHurtsNoSharedCall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	results := takeAtOnce(t, s, charges(20, 5), patient)
	server.Do(t, "SCRIPT", "FLUSH")
	g.mu.Lock()
	flush := sync.OnceFunc(func() { server.Do(t, "SCRIPT", "FLUSH") })
	g.before = func(int) { flush() }
	g.mu.Unlock()
	release()
	for _, r := range results() {
		require.NoError(t, r.err)
		require.Equal(t, 4, r.verdict.Remaining, "charged once")
	}
}

// Values that are not of redislimit fail their own decisions, and no other in the call. They
// are not changed.
func TestForeignValueFailsAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	whole := charge("/p", "whole", 5)
	v := make([]ratelimit.Verdict, 1)
	require.NoError(t, s.Take(within(t, patient), []ratelimit.Charge{whole}, v))
	good, _ := server.Do(t, "GET", s.KeyOf(whole.Key)).(string)
	require.NotEmpty(t, good)
	for _, row := range []struct {
		name  string
		value string // empty means a list
		says  string
	}{
		{name: "a list", says: "WRONGTYPE"},
		{name: "a short string", value: "short", says: "not of redislimit"},
		{name: "a long string", value: strings.Repeat("another application's ", 100), says: "not of redislimit"},
		{name: "zeros", value: strings.Repeat("\x00", 80), says: "not of redislimit"},
		{name: "a value that was cut", value: good[:len(good)-1], says: "not of redislimit"},
		{name: "a value and a byte", value: good + "x", says: "not of redislimit"},
		{name: "a state that is longer than the value", value: "\xff\xff" + good[2:], says: "not of redislimit"},
		{name: "a state without a length", value: "\x00\x00" + good[2:], says: "not of redislimit"},
		{name: "a state of an odd length", value: "\x29\x00" + good[2:] + "x", says: "not of redislimit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			foreign := charge("/p", row.name, 5)
			key := s.KeyOf(foreign.Key)
			read := []any{"GET", key}
			if row.value == "" {
				server.Do(t, "RPUSH", key, "x")
				read = []any{"LRANGE", key, 0, -1}
			} else {
				server.Do(t, "SET", key, row.value)
			}
			before := server.Do(t, read...)
			all := charges(12, 5)
			for i := range all {
				all[i].Key.Text += row.name
			}
			all[5] = foreign
			release := g.hold()
			results := takeAtOnce(t, s, all, patient)
			release()
			for i, r := range results() {
				if i != 5 {
					require.NoError(t, r.err)
					require.Equal(t, 4, r.verdict.Remaining)
					continue
				}
				require.ErrorContains(t, r.err, row.says)
				require.ErrorIs(t, r.err, ratelimit.ErrMisconfigured)
				require.Zero(t, r.verdict.Mark)
			}
			require.Equal(t, []int{1, 1, 10}, g.calls())
			awaitLanding(t, s)
			require.Equal(t, before, server.Do(t, read...), "untouched")
			for _, call := range []func() error{
				func() error { return s.Peek(within(t, patient), []ratelimit.Charge{foreign}, v) },
				func() error { return s.Reset(within(t, patient), []ratelimit.Key{foreign.Key}) },
				func() error {
					c := foreign
					c.Mark = 1
					return s.Refund(within(t, patient), []ratelimit.Charge{c})
				},
			} {
				require.ErrorContains(t, call(), row.says)
			}
			require.Equal(t, before, server.Do(t, read...), "untouched")
		})
	}
}

// Values with random bytes changed hurt no other decision of the call, and raise no error in
// the script: at most their own decision fails.
func TestDamagedValueFailsAlone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, server.Options())
	s := open(t, client, redislimit.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Duration(time.Now().UnixNano()).Truncate(time.Microsecond)
	// three is a decision about three limits of one key, of which the second has many runs.
	three := func(name, text string, at time.Duration) redislimit.Op {
		op := redislimit.Op{Name: name, At: at}
		for i, requests := range []int{5, 1000, 100} {
			c := charge("/p-"+strconv.Itoa(i+1), text, requests)
			if c.Penalty = time.Minute * time.Duration(i%2); name == "refund" {
				c.Mark = at.Microseconds()
			}
			op.Charges = append(op.Charges, c)
		}
		return op
	}
	var ops []redislimit.Op
	for i := range 5 {
		ops = append(ops, three("take", "whole", now+time.Duration(i)*5*time.Minute))
	}
	require.NoError(t, s.Play(t.Context(), ops, false))
	key := s.KeyOf(ops[0].Charges[0].Key)
	whole, err := client.Get(t.Context(), key).Bytes()
	require.NoError(t, err)
	damagedKey := s.KeyOf(ratelimit.Key{Policy: "p-1", Text: "damaged"})
	failed := 0
	const rounds = 3000
	for i := range rounds {
		value := bytes.Clone(whole)
		for range 1 + random.IntN(4) {
			switch random.IntN(8) {
			case 0:
				value = value[:random.IntN(len(value)+1)]
			case 1:
				value = append(value, byte(random.Uint32()))
			default:
				if len(value) > 0 {
					value[random.IntN(len(value))] = byte(random.Uint32())
				}
			}
		}
		require.NoError(t, client.Set(t.Context(), damagedKey, value, time.Hour).Err())
		name := []string{"take", "take", "peek", "refund", "reset"}[random.IntN(5)]
		at := now + time.Duration(30+i)*time.Minute
		ops := []redislimit.Op{three("take", "before"+strconv.Itoa(i), at), three(name, "damaged", at), three("take", "after"+strconv.Itoa(i), at)}
		require.NoError(t, s.Play(t.Context(), ops, true))
		if ops[1].Err != nil {
			failed++
			require.ErrorContains(t, ops[1].Err, "not of redislimit")
		}
		for _, op := range []redislimit.Op{ops[0], ops[2]} {
			require.NoError(t, op.Err)
			require.Equal(t, 4, op.Verdicts[0].Remaining)
		}
	}
	t.Logf("%d of %d damaged values were refused", failed, rounds)
	require.Positive(t, failed)
}

// A reply of a call is lost: all callers of the call get one failure, what they charged
// counts once, and others are not hurt.
func TestLostReplyFailsOneSharedCall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	s, g := gatedStore(t, proxy.Addr)
	release := g.hold()
	all := make([]ratelimit.Charge, 60) // two alone, then 58
	for i := range all {
		all[i] = charge("/p", "one "+strconv.Itoa(i%2), 1000) // two keys
	}
	results := takeAtOnce(t, s, all, patient)
	fired, before := make(chan (<-chan struct{}), 1), g.ended.Load()
	g.mu.Lock()
	g.before = func(keys int) {
		if keys > 1 { // the reply that is lost must be this one's
			redistest.Await(t, patient, "the two alone have ended", func() bool { return g.ended.Load() == before+2 })
			fired <- proxy.ResetReply("evalsha")
		}
	}
	g.mu.Unlock()
	release()
	failed, trips := 0, make(map[*ratelimit.RoundTrip]int)
	for _, r := range results() {
		if r.err == nil {
			continue
		}
		failed++
		e, ok := errors.AsType[*ratelimit.SharedError](r.err)
		require.True(t, ok, "%v", r.err)
		trips[e.RoundTrip]++
	}
	<-<-fired
	require.Equal(t, 58, failed)
	require.Len(t, trips, 1, "one failure")
	for _, key := range []string{"one 0", "one 1"} {
		require.Equal(t, 970, remaining(t, connect(t, server.Options()), "/p", key, 1000), "what was charged counts, once")
	}
}

// Callers that leave hurt no other. One that waits for the next call is not charged, and one
// whose call is under way is.
func TestCanceledCallerHurtsNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	results := takeAtOnce(t, s, charges(30, 5), patient)
	leave, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	before := s.Pending()
	go func() {
		left <- s.Take(leave, []ratelimit.Charge{charge("/p", "left", 5)}, make([]ratelimit.Verdict, 1))
	}()
	redistest.Await(t, patient, "it waits", func() bool { return s.Pending() > before })
	cancel()
	err := <-left
	require.ErrorIs(t, err, context.Canceled)
	release()
	for _, r := range results() {
		require.NoError(t, r.err)
	}
	require.Equal(t, 5, remaining(t, connect(t, server.Options()), "/p", "left", 5), "it was never sent")
	require.Equal(t, []int{1, 1, 28}, g.calls())
}

// A caller without a deadline does not end the call for the others, nor they for it.
func TestCallersHaveTheirOwnDeadlines(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	first := takeAtOnce(t, s, charges(2, 5), patient)
	short := takeAtOnce(t, s, []ratelimit.Charge{charge("/p", "short", 5)}, 50*time.Millisecond)
	long := takeAtOnce(t, s, []ratelimit.Charge{charge("/p", "long", 5)}, patient)
	none := make(chan result)
	before := s.Pending()
	go func() {
		v := make([]ratelimit.Verdict, 1)
		err := s.Take(t.Context(), []ratelimit.Charge{charge("/p", "none", 5)}, v)
		none <- result{v[0], err}
	}()
	redistest.Await(t, patient, "it waits", func() bool { return s.Pending() > before })
	gone := short()[0].err
	require.ErrorIs(t, gone, context.DeadlineExceeded)
	release()
	for _, r := range append(append(first(), long()...), <-none) {
		require.NoError(t, r.err)
		require.Equal(t, 4, r.verdict.Remaining)
	}
}

// Redis is paused: no caller waits for longer than its deadline, a few connections are in
// use, and the failures are few, however many callers there are.
func TestPausedRedisHoldsNoCaller(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprint("ContextTimeoutEnabled ", ends), func(t *testing.T) {
			server := redistest.Start(t)
			client := connect(t, &redis.Options{Addr: server.Addr, ContextTimeoutEnabled: ends, PoolSize: 64})
			s := open(t, client, redislimit.Options{})
			require.NoError(t, s.Take(within(t, patient), []ratelimit.Charge{charge("/p", "first", 5)}, make([]ratelimit.Verdict, 1)))
			server.Pause(t)
			var mu sync.Mutex
			var group sync.WaitGroup
			longest, answers, trips := time.Duration(0), 0, make(map[*ratelimit.RoundTrip]bool)
			for i := range 256 {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), timeout)
					defer cancel()
					begin := time.Now()
					err := s.Take(ctx, []ratelimit.Charge{charge("/p", strconv.Itoa(i), 5)}, make([]ratelimit.Verdict, 1))
					took := time.Since(begin)
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, took)
					if e, ok := errors.AsType[*ratelimit.SharedError](err); ok {
						trips[e.RoundTrip] = true
					} else {
						answers++
					}
				})
			}
			group.Wait()
			connections := client.PoolStats().TotalConns
			t.Logf("256 callers: longest wait %v, %d connections, %d failures", longest.Round(time.Millisecond), connections, len(trips))
			require.Less(t, longest, timeout+slack)
			require.Zero(t, answers)
			require.LessOrEqual(t, connections, uint32(8))
			require.LessOrEqual(t, len(trips), 8)
			server.Resume(t)
			require.Eventually(t, func() bool {
				return s.Take(within(t, time.Second), []ratelimit.Charge{charge("/p", "after", 5)}, make([]ratelimit.Verdict, 1)) == nil
			}, patient, 10*time.Millisecond)
			awaitLanding(t, s)
		})
	}
}

// A hook of the client that panics fails the call that it is for. Later ones are made.
func TestPanicFailsOneSharedCall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	results := takeAtOnce(t, s, charges(40, 5), patient) // two alone, then 38
	g.mu.Lock()
	g.before = func(keys int) {
		if keys > 1 {
			panic("a mistake")
		}
	}
	g.mu.Unlock()
	release()
	failed := 0
	for _, r := range results() {
		if r.err != nil {
			require.ErrorContains(t, r.err, "panic: a mistake")
			failed++
		}
	}
	require.Equal(t, 38, failed)
	awaitLanding(t, s)
}

// More than 4096 decisions do not wait: they are refused at once.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	under := takeAtOnce(t, s, charges(2, 5), patient)
	var group sync.WaitGroup
	var refused, served atomic.Int64
	for i := range 5000 {
		group.Go(func() {
			switch err := s.Take(within(t, patient), []ratelimit.Charge{charge("/p", strconv.Itoa(i), 5)}, make([]ratelimit.Verdict, 1)); {
			case err == nil:
				served.Add(1)
			case strings.Contains(err.Error(), "too many decisions wait"):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	redistest.Await(t, patient, "the queue is full, and the others are refused", func() bool { return refused.Load() == 5000-4096 })
	release()
	group.Wait()
	under()
	require.EqualValues(t, 4096, served.Load())
}

// A server in cluster mode with all slots, as managed services have them, refuses the keys
// of several principals in one call. They are sent one by one then.
func TestCrossSlotEndsSharedCalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "cluster-enabled yes")
	server.Do(t, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	redistest.Await(t, patient, "the slots are served", func() bool {
		reply, err := server.Try("CLUSTER", "INFO")
		return err == nil && strings.Contains(fmt.Sprint(reply), "cluster_state:ok")
	})
	s, g := gatedStore(t, server.Addr)
	release := g.hold()
	results := takeAtOnce(t, s, charges(20, 5), patient)
	release()
	for _, r := range results() {
		require.NoError(t, r.err)
	}
	require.Equal(t, []int{1, 1, 18}, g.calls(), "and then a pipeline")
	awaitLanding(t, s)
	require.Equal(t, 4, remaining(t, connect(t, server.Options()), "/p", "7", 5), "charged once")
	release = g.hold()
	var group sync.WaitGroup
	for _, c := range charges(20, 5) {
		group.Go(func() {
			if err := s.Take(within(t, patient), []ratelimit.Charge{c}, make([]ratelimit.Verdict, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	redistest.Await(t, patient, "each has a call of its own", func() bool { return len(g.calls()) == 20 })
	release()
	group.Wait()
}
