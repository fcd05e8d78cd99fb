package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ratelimit/redislimit"
)

// windows are so long that no key expires by the server's own clock while the
// test plays with another one, and their eighths are whole milliseconds, in
// which alone the two kernels count alike.
var windows = []time.Duration{10 * time.Minute, 15 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 31 * 24 * time.Hour}

// epoch is a multiple of the eighths of all windows, with as many digits as
// today has.
const epoch = 760 * 2343600 * time.Second

// player makes random calls. Refunds are of charges whose answer is known.
type player struct {
	random  *rand.Rand
	now     time.Duration
	charged []ratelimit.Charge // with their Redis Marks
	from    []int              // and the number of the call that made them
	quotas  int
}

func (p *player) next() redislimit.Op {
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
	op := redislimit.Op{Name: "take", At: epoch + p.now}
	if p.random.IntN(12) == 0 {
		op.Name = "peek"
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
		op.Charges = append(op.Charges, c)
	}
	return op
}

// quota changes a limit over the border of what is exact. What a Memory changes
// in a call that charges nothing, Redis does not write; so all of these charge.
func (p *player) quota() redislimit.Op {
	p.quotas++
	return redislimit.Op{Name: "take", At: epoch + p.now, Charges: []ratelimit.Charge{{
		Key:      ratelimit.Key{Policy: "quota", Text: fmt.Sprint(p.quotas / 100)},
		Requests: []int{100, 110, 128, 129, 150, 1000}[p.random.IntN(6)], Window: 10 * time.Minute, Cost: 1,
	}}}
}

// refund gives back one of the last charges, or a part of it.
func (p *player) refund() (op redislimit.Op, from int) {
	i := len(p.charged) - 1 - p.random.IntN(min(40, len(p.charged)))
	c, from := p.charged[i], p.from[i]
	c.Cost = 1 + p.random.IntN(c.Cost)
	p.charged, p.from = append(p.charged[:i], p.charged[i+1:]...), append(p.from[:i], p.from[i+1:]...)
	return redislimit.Op{Name: "refund", At: epoch + p.now, Charges: []ratelimit.Charge{c}}, from
}

// The kernel in Lua, on a real Redis, and the kernel in Go answer random calls
// alike: limits from 1 to 2^20, windows from ten minutes to 31 days, several
// limits in a call, penalties, shadows, refunds, quotas that change.
func TestKernelsAgree(t *testing.T) {
	t.Parallel()
	const calls, batch = 100_000, 1000
	server := redistest.Start(t)
	store := open(t, connect(t, server.Options()), redislimit.Options{})
	p := &player{random: rand.New(rand.NewPCG(5, 9)), now: time.Millisecond}
	var ops []redislimit.Op
	refunds := make(map[int]int) // by the number of the call: of which call
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
		require.NoError(t, store.Play(t.Context(), ops[begin:]))
		p.learn(ops, begin)
	}
	denied, charged := 0, 0
	synctest.Test(t, func(t *testing.T) { // which has a clock that can be moved
		memory := ratelimit.NewMemory(ratelimit.MemoryOptions{})
		marks := make(map[string]int64)
		at := epoch
		for i, op := range ops {
			time.Sleep(op.At - at)
			at = op.At
			if of, ok := refunds[i]; ok {
				c := op.Charges[0]
				c.Mark = marks[fmt.Sprint(of, c.Key)]
				require.NotZero(t, c.Mark)
				require.NoError(t, memory.Refund(t.Context(), []ratelimit.Charge{c}))
				continue
			}
			want := make([]ratelimit.Verdict, len(op.Charges))
			ask := memory.Take
			if op.Name == "peek" {
				ask = memory.Peek
			}
			require.NoError(t, ask(t.Context(), op.Charges, want))
			for j, got := range op.Verdicts {
				if want[j].Mark != 0 {
					charged++
					marks[fmt.Sprint(i, op.Charges[j].Key)] = want[j].Mark
				}
				if want[j].Wait > 0 {
					denied++
				}
				require.Equal(t, inRedis(want[j]), inRedis(got), "call %d, charge %d: %+v", i, j, op.Charges[j])
			}
		}
	})
	t.Logf("%d calls agree: %d charged, %d denied, %d given back", len(ops), charged, denied, len(refunds))
	require.Greater(t, charged, calls/10)
	require.Greater(t, denied, calls/10)
	require.Greater(t, len(refunds), calls/20)
}

// learn keeps what the calls charged. The quotas' charges are not given back.
func (p *player) learn(ops []redislimit.Op, begin int) {
	p.charged, p.from = p.charged[:0], p.from[:0]
	for i := begin; i < len(ops); i++ {
		for j, v := range ops[i].Verdicts {
			if c := ops[i].Charges[j]; ops[i].Name == "take" && v.Mark != 0 && c.Key.Policy != "quota" {
				c.Mark = v.Mark
				p.charged, p.from = append(p.charged, c), append(p.from, i)
			}
		}
	}
}

// inRedis is a verdict in whole milliseconds, rounded up, whose Mark is there
// or not.
func inRedis(v ratelimit.Verdict) ratelimit.Verdict {
	up := func(d time.Duration) time.Duration {
		if d <= 0 {
			return d
		}
		return (d + time.Millisecond - 1).Truncate(time.Millisecond)
	}
	return ratelimit.Verdict{Remaining: v.Remaining, Wait: up(v.Wait), Reset: up(v.Reset), Mark: min(1, v.Mark)}
}
