package ratelimit_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
)

// windows are long, so that no key expires by the server's clock while the test uses
// its own. Their eighths are whole milliseconds, because Redis counts in milliseconds.
var windows = []time.Duration{10 * time.Minute, 15 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour}

// epoch is a multiple of the eighths of all windows, with as many digits as the current
// time.
const epoch = 760 * 2343600 * time.Second

// A luaOp is a call of the script of redislimit at a time.
type luaOp struct {
	name     string // take, peek or refund
	at       time.Duration
	charges  []ratelimit.Charge
	verdicts []ratelimit.Verdict
}

// A limit has the layout that the script unpacks.
type limit struct {
	Key, Shadow                   uint8
	Requests, Window, Cost, Phase uint32
	Penalty, Mark                 float64
	NameLength                    uint8
}

// runLua makes many calls in one pipeline. The limits of a principal are in one key, as
// in redislimit, or in two.
func runLua(t *testing.T, client *redis.Client, sha string, ops []luaOp) {
	pipe := client.Pipeline()
	replies := make([]*redis.IntSliceCmd, len(ops))
	for i, op := range ops {
		var keys []string
		var packed bytes.Buffer
		for _, c := range op.charges {
			key, name := c.Key.Text, c.Key.Policy
			if name == "p3" {
				key, name = key+"3", ""
			}
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			l := limit{
				Key: uint8(slices.Index(keys, key) + 1), Requests: uint32(c.Requests), Window: uint32(c.Window.Milliseconds()), Cost: uint32(c.Cost),
				Penalty: float64(c.Penalty.Microseconds()), Mark: float64(c.Mark), NameLength: uint8(len(name)),
			}
			if c.Shadow {
				l.Shadow = 1
			}
			require.NoError(t, binary.Write(&packed, binary.LittleEndian, l))
			packed.WriteString(name)
		}
		args := []any{"evalsha", sha, len(keys)}
		for _, k := range keys {
			args = append(args, k)
		}
		replies[i] = redis.NewIntSliceCmd(t.Context(), append(args, op.name, op.at.Microseconds(), packed.Bytes())...)
		require.NoError(t, pipe.Process(t.Context(), replies[i]))
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	for i := range ops {
		r := replies[i].Val()
		require.Len(t, r, 4*len(ops[i].charges))
		for ; len(r) > 0; r = r[4:] {
			v := ratelimit.Verdict{Remaining: int(r[0]), Wait: -1, Reset: time.Duration(r[2]) * time.Microsecond, Mark: r[3]}
			if r[1] >= 0 {
				v.Wait = time.Duration(r[1]) * time.Microsecond
			}
			ops[i].verdicts = append(ops[i].verdicts, v)
		}
	}
}

// A player makes random calls. It refunds only charges whose verdicts have arrived.
type player struct {
	random  *rand.Rand
	now     time.Duration
	charged []ratelimit.Charge // with their Marks in Redis
	from    []int              // index of the call that made each of them
	quotas  int
}

func (p *player) next() luaOp {
	window := windows[p.random.IntN(len(windows))]
	switch p.random.IntN(8) {
	case 0, 1, 2: // at the same time
	case 3:
		p.now += time.Duration(p.random.Int64N(int64(window/8))) / time.Millisecond * time.Millisecond
	default:
		p.now += time.Duration(p.random.IntN(5000)) * time.Millisecond
	}
	if p.random.IntN(6) == 0 {
		return p.quota()
	}
	op := luaOp{name: "take", at: epoch + p.now}
	if p.random.IntN(12) == 0 {
		op.name = "peek"
	}
	text := string(rune('a' + p.random.IntN(3)))
	for policy := range 1 + p.random.IntN(4) {
		requests := []int{1, 5, 128, 129, 1000, 1 << 20}[(policy+int(text[0]))%6]
		c := ratelimit.Charge{
			Key:      ratelimit.Key{Policy: fmt.Sprint("p", policy), Text: text},
			Requests: requests, Window: windows[(policy*2+int(text[0]))%len(windows)],
			Cost: p.random.IntN(3) * p.random.IntN(max(2, requests/2+2)), Shadow: policy == 3,
		}
		if policy == 1 {
			c.Penalty = c.Window / 5
		}
		op.charges = append(op.charges, c)
	}
	return op
}

// quota changes a limit across exactLimit. Each call charges, because Redis does not
// write a conversion without a charge, and a Memory does.
func (p *player) quota() luaOp {
	p.quotas++
	return luaOp{name: "take", at: epoch + p.now, charges: []ratelimit.Charge{{
		Key:      ratelimit.Key{Policy: "quota", Text: fmt.Sprint(p.quotas / 100)},
		Requests: []int{100, 110, 128, 129, 150, 1000}[p.random.IntN(6)], Window: 10 * time.Minute, Cost: 1,
	}}}
}

// refund refunds one of the last charges, or a part of it.
func (p *player) refund() (op luaOp, from int) {
	i := len(p.charged) - 1 - p.random.IntN(min(40, len(p.charged)))
	c, from := p.charged[i], p.from[i]
	c.Cost = 1 + p.random.IntN(c.Cost)
	p.charged, p.from = append(p.charged[:i], p.charged[i+1:]...), append(p.from[:i], p.from[i+1:]...)
	return luaOp{name: "refund", at: epoch + p.now, charges: []ratelimit.Charge{c}}, from
}

// The script on a real Redis and a Memory return equal verdicts for random calls: limits
// from 1 to 2^20, windows from ten minutes to 31 days, several limits in a call,
// penalties, shadows, refunds, and quotas that change.
func TestLuaAndGoAgree(t *testing.T) {
	t.Parallel()
	const calls, batch = 100_000, 1000
	server := redistest.Start(t)
	client := redis.NewClient(server.Options())
	t.Cleanup(func() { _ = client.Close() })
	script, err := os.ReadFile("redislimit/limit.lua")
	require.NoError(t, err)
	sha, err := client.ScriptLoad(t.Context(), string(script)).Result()
	require.NoError(t, err)
	p := &player{random: rand.New(rand.NewPCG(5, 9)), now: time.Millisecond}
	var ops []luaOp
	refunds := make(map[int]int) // index of the refunded call, by the index of the refund
	for len(ops) < calls {
		begin := len(ops)
		for range batch {
			if len(p.charged) > 0 && p.random.IntN(10) == 0 {
				op, from := p.refund()
				refunds[len(ops)] = from
				ops = append(ops, op)
				continue
			}
			ops = append(ops, p.next())
		}
		runLua(t, client, sha, ops[begin:])
		p.recordCharges(ops, begin)
	}
	var denied, charged int
	synctest.Test(t, func(t *testing.T) { denied, charged = replay(t, ops, refunds) })
	t.Logf("%d calls agree: %d charged, %d denied, %d refunded", len(ops), charged, denied, len(refunds))
	require.Greater(t, charged, calls/10)
	require.Greater(t, denied, calls/10)
	require.Greater(t, len(refunds), calls/20)
}

// replay makes the calls with a Memory and a fake clock, and compares the verdicts.
func replay(t *testing.T, ops []luaOp, refunds map[int]int) (denied, charged int) {
	memory := ratelimit.NewMemory(ratelimit.MemoryOptions{})
	marks := make(map[string]int64)
	at := epoch
	for i, op := range ops {
		time.Sleep(op.at - at)
		at = op.at
		for _, c := range op.charges {
			memory.SetPhaseZero(c.Key)
		}
		if of, ok := refunds[i]; ok {
			c := op.charges[0]
			c.Mark = marks[fmt.Sprint(of, c.Key)]
			require.NotZero(t, c.Mark)
			require.NoError(t, memory.Refund(t.Context(), []ratelimit.Charge{c}))
			continue
		}
		want := make([]ratelimit.Verdict, len(op.charges))
		decide := memory.Take
		if op.name == "peek" {
			decide = memory.Peek
		}
		require.NoError(t, decide(t.Context(), op.charges, want))
		for j, got := range op.verdicts {
			if want[j].Mark != 0 {
				charged++
				marks[fmt.Sprint(i, op.charges[j].Key)] = want[j].Mark
			}
			if want[j].Wait > 0 {
				denied++
			}
			require.Equal(t, roundVerdict(want[j]), roundVerdict(got), "call %d, charge %d: %+v", i, j, op.charges[j])
		}
	}
	return denied, charged
}

// recordCharges keeps the charges of the calls for refunds, except those of quotas.
func (p *player) recordCharges(ops []luaOp, begin int) {
	p.charged, p.from = p.charged[:0], p.from[:0]
	for i := begin; i < len(ops); i++ {
		for j, v := range ops[i].verdicts {
			if c := ops[i].charges[j]; ops[i].name == "take" && v.Mark != 0 && c.Key.Policy != "quota" {
				c.Mark = v.Mark
				p.charged, p.from = append(p.charged, c), append(p.from, i)
			}
		}
	}
}

// roundVerdict rounds a verdict up to whole milliseconds. Its Mark is 0 or 1.
func roundVerdict(v ratelimit.Verdict) ratelimit.Verdict {
	up := func(d time.Duration) time.Duration {
		if d <= 0 {
			return d
		}
		return (d + time.Millisecond - 1).Truncate(time.Millisecond)
	}
	return ratelimit.Verdict{Remaining: v.Remaining, Wait: up(v.Wait), Reset: up(v.Reset), Mark: min(1, v.Mark)}
}
