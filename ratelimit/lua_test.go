package ratelimit_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/ratelimit"
)

var luaOps = flag.Int("lua.ops", 100_000, "random `operations` that Lua and Go must agree on")

// epoch is a time with as many digits as the current one, in the future of the server:
// its clock must not expire the keys of a test with a clock of its own.
const epoch = 60 * 365 * 24 * time.Hour

// A luaOp is a decision of the script of redislimit at a time.
type luaOp struct {
	name     string // take, peek or refund
	at       time.Duration
	charges  []ratelimit.Charge
	verdicts []ratelimit.Verdict
	refunds  int // the index of the decision that a refund refunds
	era      int // how often the clock went back before
}

// A luaLimit has the layout that the script unpacks.
type luaLimit struct {
	Key                    uint16
	Flags                  uint8
	ID                     uint16
	Requests, Window, Cost uint32
	Penalty, Mark          float64
	LifeLength             uint8
}

// appendLua appends the decision as the script unpacks it. The limits of a principal are
// in one key, as in redislimit, or in two.
func (op *luaOp) appendLua(t *testing.T, packed *bytes.Buffer, keys []string) []string {
	t.Helper()
	for i, c := range op.charges {
		key := c.Key.Text
		if c.Key.Policy == "p3" {
			key += "3"
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		id, err := strconv.Atoi(c.Key.Policy[1:])
		require.NoError(t, err)
		life := strconv.FormatInt(100*365*24*time.Hour.Milliseconds(), 10)
		l := luaLimit{
			Key: uint16(slices.Index(keys, key) + 1), Flags: map[string]uint8{"take": 0, "peek": 4, "refund": 8}[op.name], ID: uint16(id),
			Requests: uint32(c.Requests), Window: uint32(c.Window.Milliseconds()), Cost: uint32(c.Cost),
			Penalty: float64(c.Penalty.Microseconds()), Mark: float64(c.Mark), LifeLength: uint8(len(life)),
		}
		if c.Shadow {
			l.Flags++
		}
		if i+1 == len(op.charges) {
			l.Flags += 2
		}
		require.NoError(t, binary.Write(packed, binary.LittleEndian, l))
		packed.WriteString(life)
	}
	return keys
}

// readLua reads the verdicts.
func (op *luaOp) readLua(t *testing.T, reply any) {
	t.Helper()
	text, ok := reply.(string)
	require.True(t, ok, "%v", reply)
	numbers := make([]float64, 4*len(op.charges))
	require.NoError(t, binary.Read(bytes.NewReader([]byte(text)), binary.LittleEndian, numbers), "%q", text)
	for r := numbers; len(r) > 0; r = r[4:] {
		v := ratelimit.Verdict{Remaining: int(r[0]), Wait: -1, Reset: time.Duration(r[2]) * time.Microsecond, Mark: int64(r[3])}
		if r[1] >= 0 {
			v.Wait = time.Duration(r[1]) * time.Microsecond
		}
		op.verdicts = append(op.verdicts, v)
	}
}

// runLua makes decisions in one pipeline: those at one time in one call of the script,
// so that a key is in a call more than once.
func runLua(t *testing.T, client *redis.Client, sha string, ops []luaOp) {
	t.Helper()
	pipe := client.Pipeline()
	var replies []*redis.Cmd
	var sizes []int
	for begin := 0; begin < len(ops); {
		var keys []string
		var packed bytes.Buffer
		require.NoError(t, binary.Write(&packed, binary.LittleEndian, float64(ops[begin].at.Microseconds())))
		end := begin
		for ; end < len(ops) && ops[end].at == ops[begin].at; end++ {
			keys = ops[end].appendLua(t, &packed, keys)
		}
		args := []any{"evalsha", sha, len(keys)}
		for _, k := range keys {
			args = append(args, k)
		}
		replies, sizes = append(replies, pipe.Do(t.Context(), append(args, packed.Bytes())...)), append(sizes, end-begin)
		begin = end
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	for i, reply := range replies {
		texts, ok := reply.Val().([]any)
		if !ok {
			texts = []any{reply.Val()}
		}
		require.Len(t, texts, sizes[i])
		for j, text := range texts {
			ops[j].readLua(t, text)
		}
		ops = ops[sizes[i]:]
	}
}

// A player makes random decisions. It refunds only charges whose verdicts have arrived.
type player struct {
	random  *rand.Rand
	now     time.Duration
	charged []ratelimit.Charge // with their Marks in Redis
	from    []int              // the index of the decision that made each of them
	settled map[string]bool    // keys that were written since the clock went back
	era     int                // how often it went back
}

// next returns a decision. The clock sometimes goes back, by less than it takes for charges
// to leave a window: a store may have forgotten these, or not. A Peek writes nothing, not
// even that the clock went back, so no key is peeked before another decision has written it.
func (p *player) next() luaOp {
	switch p.random.IntN(8) {
	case 0, 1, 2: // at the same time
	case 3:
		p.now += time.Duration(p.random.Int64N(int64(3*time.Hour/time.Microsecond))) * time.Microsecond
	default:
		p.now += time.Duration(p.random.IntN(5_000_000)) * time.Microsecond
	}
	if p.random.IntN(500) == 0 {
		p.now = max(0, p.now-time.Duration(1+p.random.IntN(50_000))*time.Microsecond)
		p.settled, p.charged, p.from = make(map[string]bool), nil, nil
		p.era++
	}
	if len(p.charged) > 0 && p.random.IntN(8) == 0 {
		return p.refund()
	}
	op := luaOp{name: "take", at: epoch + p.now, era: p.era}
	text := string(rune('a' + p.random.IntN(8)))
	if p.random.IntN(6) == 0 {
		op.charges = append(op.charges, p.quota(text))
		p.settle(op.charges)
		return op
	}
	for policy := range 1 + p.random.IntN(4) {
		op.charges = append(op.charges, p.charge(text, policy))
	}
	if p.random.IntN(12) == 0 {
		op.name = "peek"
		for _, c := range op.charges {
			if !p.settled[fmt.Sprint(c.Key)] {
				op.name = "take"
			}
		}
	}
	if op.name == "take" {
		p.settle(op.charges)
	}
	return op
}

// settle records that a decision writes the keys.
func (p *player) settle(charges []ratelimit.Charge) {
	for _, c := range charges {
		p.settled[fmt.Sprint(c.Key)] = true
	}
}

func (p *player) charge(text string, policy int) ratelimit.Charge {
	n := policy + int(text[0])
	requests := []int{1, 5, 20, 128, 129, 1000, 100_000, 1 << 20}[n%8]
	c := ratelimit.Charge{
		Key: ratelimit.Key{Policy: fmt.Sprint("p", policy), Text: text}, Requests: requests,
		Window: []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 31 * 24 * time.Hour}[(3*policy+int(text[0]))%5],
		Shadow: policy == 3,
	}
	switch p.random.IntN(4) {
	case 0:
		c.Cost = p.random.IntN(requests + 2) // 0, and above Requests
	case 1:
		c.Cost = 1 + p.random.IntN(1+requests/8)
	default:
		c.Cost = 1 + p.random.IntN(1+requests/100)
	}
	if policy == 1 {
		c.Penalty = c.Window / 5
	}
	return c
}

// quota changes Requests of a limit.
func (p *player) quota(text string) ratelimit.Charge {
	requests := []int{1, 100, 110, 128, 129, 150, 1000, 100_000}[p.random.IntN(8)]
	return ratelimit.Charge{
		Key: ratelimit.Key{Policy: "p9", Text: text}, Requests: requests, Window: 10 * time.Minute, Cost: 1 + p.random.IntN(1+requests/50),
	}
}

// refund refunds one of the last charges, or a part of it.
func (p *player) refund() luaOp {
	i := len(p.charged) - 1 - p.random.IntN(min(40, len(p.charged)))
	c, from := p.charged[i], p.from[i]
	c.Cost = 1 + p.random.IntN(c.Cost)
	p.charged, p.from = slices.Delete(p.charged, i, i+1), slices.Delete(p.from, i, i+1)
	return luaOp{name: "refund", at: epoch + p.now, charges: []ratelimit.Charge{c}, refunds: from}
}

// recordCharges keeps the charges of the decisions from begin on for refunds, but not those
// before the clock went back: their Marks are times that come again.
func (p *player) recordCharges(ops []luaOp, begin int) {
	p.charged, p.from = p.charged[:0], p.from[:0]
	for i := begin; i < len(ops); i++ {
		for j, v := range ops[i].verdicts {
			if c := ops[i].charges[j]; ops[i].name == "take" && ops[i].era == p.era && v.Mark != 0 {
				c.Mark = v.Mark
				p.charged, p.from = append(p.charged, c), append(p.from, i)
			}
		}
	}
}

// The script on a real Redis and a Memory return equal verdicts, to the microsecond, for
// random decisions: limits from 1 to 2^20, windows from a minute to 31 days, several limits
// and the same key twice in a call, costs up to the limit and above, penalties, shadows,
// refunds, quotas that change, and a clock that goes back. What they decide is also
// compared with the list of all charges.
func TestLuaAndGoAgree(t *testing.T) {
	t.Parallel()
	const batch = 1000
	server := redistest.Start(t)
	client := redis.NewClient(server.Options())
	t.Cleanup(func() { _ = client.Close() })
	script, err := os.ReadFile("redislimit/limit.lua")
	require.NoError(t, err)
	sha, err := client.ScriptLoad(t.Context(), string(script)).Result()
	require.NoError(t, err)
	p := &player{random: rand.New(rand.NewPCG(5, 9)), now: time.Millisecond, settled: make(map[string]bool)}
	var ops []luaOp
	most := *luaOps
	if testing.Short() {
		most = min(most, 20_000)
	}
	for len(ops) < most {
		begin := len(ops)
		for range batch {
			ops = append(ops, p.next())
		}
		runLua(t, client, sha, ops[begin:])
		p.recordCharges(ops, begin)
	}
	replay(t, ops, len(ops)/20)
}

// Refunds that leave one charge in each run make the script merge runs as a Memory does.
func TestLuaAndGoMergeTheSameRuns(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(server.Options())
	t.Cleanup(func() { _ = client.Close() })
	script, err := os.ReadFile("redislimit/limit.lua")
	require.NoError(t, err)
	sha, err := client.ScriptLoad(t.Context(), string(script)).Result()
	require.NoError(t, err)
	for _, window := range []time.Duration{time.Hour, 31 * 24 * time.Hour} {
		var ops []luaOp
		c := ratelimit.Charge{Key: ratelimit.Key{Policy: "p1", Text: "k" + window.String()}, Requests: 100_000, Window: window}
		for i := range 3000 {
			at := epoch + time.Duration(i)*window/4000
			c.Cost, c.Mark = 782, 0
			ops = append(ops, luaOp{name: "take", at: at, charges: []ratelimit.Charge{c}})
			if i > 0 {
				back := ops[len(ops)-2]
				if back.name == "refund" {
					back = ops[len(ops)-3]
				}
				c.Cost, c.Mark = 781-i%3, back.at.Microseconds()
				ops = append(ops, luaOp{name: "refund", at: at, charges: []ratelimit.Charge{c}, refunds: slices.IndexFunc(ops, func(o luaOp) bool { return o.name == "take" && o.at == back.at })})
			}
		}
		runLua(t, client, sha, ops)
		replay(t, ops, 0)
		size, err := client.StrLen(t.Context(), c.Key.Text).Result()
		require.NoError(t, err)
		t.Logf("%d bytes", size)
		require.LessOrEqual(t, size, int64(40+8*mostRuns))
	}
}

// replay makes the decisions with a Memory and its own clock, and compares the verdicts.
// There must be more refunds than least, and more than twice as many charges and denials.
func replay(t *testing.T, ops []luaOp, least int) {
	start := time.Unix(0, 0)
	now, memory := start, ratelimit.NewMemory(ratelimit.MemoryOptions{})
	memory.SetClock(func() time.Time { return now })
	lists := make(map[ratelimit.Key]*chargeList)
	marks := make(map[string]int64)
	denied, charged, refunded, late := 0, 0, 0, 0
	for i, op := range ops {
		now = start.Add(op.at)
		if op.name == "refund" {
			c := op.charges[0]
			lists[c.Key].refund(op.at, c)
			c.Mark = marks[fmt.Sprint(op.refunds, c.Key)]
			require.NotZero(t, c.Mark)
			require.NoError(t, memory.Refund(t.Context(), []ratelimit.Charge{c}))
			refunded++
			continue
		}
		want := make([]ratelimit.Verdict, len(op.charges))
		decide := memory.Take
		if op.name == "peek" {
			decide = memory.Peek
		}
		require.NoError(t, decide(t.Context(), op.charges, want))
		for j, got := range op.verdicts {
			c := op.charges[j]
			if want[j].Mark != 0 {
				charged++
				marks[fmt.Sprint(i, c.Key)] = want[j].Mark
			}
			require.Equal(t, oneMark(want[j]), oneMark(got), "decision %d, charge %d: %+v", i, j, c)
			if lists[c.Key] == nil {
				lists[c.Key] = new(chargeList)
			}
			if got.Wait > 0 {
				denied++
			}
			late += lists[c.Key].check(t, op.at, c, got)
		}
	}
	t.Logf("%d decisions agree: %d charges, %d denials, of which an exact log would have allowed %d, %d refunds", len(ops), charged, denied, late, refunded)
	require.Greater(t, charged, 2*least)
	require.GreaterOrEqual(t, denied, 2*least)
	require.Greater(t, refunded, least)
	require.LessOrEqual(t, late, denied/100)
}

// oneMark returns the verdict with a Mark of 0 or 1, because those of stores differ.
func oneMark(v ratelimit.Verdict) ratelimit.Verdict {
	v.Mark = min(1, v.Mark)
	return v
}

// A chargeList has all charges of one limit.
type chargeList []ratelimit.Charge // the Mark is the time in microseconds

// used returns the sum of the charges in a window.
func (l *chargeList) used(at, window time.Duration) (sum int) {
	for _, c := range *l {
		if at-time.Duration(c.Mark)*time.Microsecond < window {
			sum += c.Cost
		}
	}
	return sum
}

// settle lets the charges go back with the clock, and forgets those that are too old.
func (l *chargeList) settle(at, window time.Duration) {
	if n := len(*l); n > 0 {
		if ahead := (*l)[n-1].Mark - at.Microseconds(); ahead > 0 {
			for i := range *l {
				(*l)[i].Mark -= ahead
			}
		}
	}
	*l = slices.DeleteFunc(*l, func(c ratelimit.Charge) bool { return at-time.Duration(c.Mark)*time.Microsecond > 2*window })
}

func (l *chargeList) refund(at time.Duration, c ratelimit.Charge) {
	l.settle(at, c.Window)
	if c.Mark <= (at - c.Window).Microseconds() {
		return
	}
	for i := range *l {
		if made := &(*l)[i]; made.Mark == c.Mark {
			back := min(made.Cost, c.Cost)
			made.Cost -= back
			c.Cost -= back
		}
	}
}

// check checks a verdict without a penalty, and records its charge. It returns 1 for a
// denial that an exact log would not have made.
func (l *chargeList) check(t *testing.T, at time.Duration, c ratelimit.Charge, v ratelimit.Verdict) (late int) {
	t.Helper()
	l.settle(at, c.Window)
	if v.Mark != 0 {
		require.LessOrEqual(t, l.used(at, c.Window)+c.Cost, c.Requests, "more than the limit in a window: %+v", c)
		made := c
		made.Mark = v.Mark
		*l = append(*l, made)
		return 0
	}
	if v.Wait <= 0 || c.Penalty > 0 {
		return 0
	}
	used := l.used(at, c.Window)
	if used+c.Cost <= c.Requests {
		late = 1
	}
	if c.Key.Policy != "p9" { // which has runs of another quota
		quantum := (c.Requests + 127) / 128
		require.Greater(t, used+c.Cost, c.Requests-(quantum-1)-1, "denied, and a quantum remains: %+v", c)
		require.Greater(t, l.used(at, c.Window+c.Window/32+time.Millisecond)+c.Cost, c.Requests, "denied, and 33/32 of a window keep the limit: %+v", c)
	}
	return late
}
