package redislimit

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/ratelimit"
)

// The operations of the script.
const (
	opTake   = "take"
	opPeek   = "peek"
	opRefund = "refund"
	opReset  = "reset"
	opSecret = "secret"
)

// group is the charges that one call of the script decides: all of them where
// all keys are on one server, else those of one principal.
type group struct {
	tag   string
	which [maxCharges]int // indexes of charges
	n     int
	err   error // of the call
}

// decideCharges decides charges, and writes the verdicts.
func (s *Store) decideCharges(ctx context.Context, op string, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if len(charges) == 0 {
		return nil
	}
	if err := checkCharges(charges); err != nil {
		return err
	}
	var groups [maxCharges]group
	var places [maxCharges]place
	n := s.groupCharges(charges, &groups, &places)
	n, err := s.sendGroups(ctx, op, charges, verdicts, groups[:n], &places)
	if err != nil {
		return s.wrapError(op, err)
	}
	if op == opTake && n > 1 {
		s.refundGroups(ctx, charges, verdicts, &places)
	}
	return nil
}

// groupCharges finds the places of charges, and puts them in groups.
func (s *Store) groupCharges(charges []ratelimit.Charge, groups *[maxCharges]group, places *[maxCharges]place) int {
	n := 0
	var last string
	for i := range charges {
		key := &charges[i].Key
		if i == 0 || key.Text != charges[i-1].Key.Text || key.Net != charges[i-1].Key.Net {
			last = s.keys.principalTag(key)
		}
		places[i] = s.keys.place(last, key.Policy)
		at := 0
		for s.scattered && at < n && groups[at].tag != last {
			at++
		}
		n = max(n, at+1)
		g := &groups[at]
		g.tag, g.which[g.n] = last, i
		g.n++
	}
	return n
}

// sendGroups runs the script for each group in one round trip, and returns the
// number of groups.
//
// While a Cluster moves a slot, it refuses a call with several keys of which some
// have moved, with TRYAGAIN, and for several new keys until the slot has moved.
// It does not refuse single keys.
func (s *Store) sendGroups(ctx context.Context, op string, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, places *[maxCharges]place) (int, error) {
	err := s.sendOnce(ctx, op, charges, verdicts, groups, places)
	if err == nil || !s.scattered {
		return len(groups), err
	}
	var split [maxCharges]group
	n := 0
	for i := range groups {
		g := &groups[i]
		switch {
		case g.err == nil:
			continue
		case g.n == 1 || !redis.IsTryAgainError(g.err):
			return len(groups), g.err
		}
		for _, at := range g.which[:g.n] {
			split[n] = group{tag: g.tag, n: 1}
			split[n].which[0] = at
			n++
		}
	}
	if n == 0 { // it was no error of a group
		return len(groups), err
	}
	return len(groups) + n, s.sendOnce(ctx, op, charges, verdicts, split[:n], places)
}

func (s *Store) sendOnce(ctx context.Context, op string, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, places *[maxCharges]place) error {
	calls := make([]*call, len(groups))
	for i := range groups {
		calls[i] = groups[i].newCall(ctx, op, s.clock, charges, places)
	}
	if err := s.client.do(ctx, calls); err != nil {
		return err
	}
	var failed error
	for i := range groups {
		g := &groups[i]
		if g.err = g.readVerdicts(calls[i], verdicts); g.err != nil {
			failed = g.err
		}
	}
	return failed
}

// newCall makes the call of the script for a group.
func (g *group) newCall(ctx context.Context, op, clock string, charges []ratelimit.Charge, places *[maxCharges]place) *call {
	keys, limits := make([]string, 0, g.n), make([]byte, 0, 48*g.n)
	for _, at := range g.which[:g.n] {
		p := &places[at]
		i := slices.Index(keys, p.key)
		if i < 0 {
			i, keys = len(keys), append(keys, p.key)
		}
		limits = appendLimit(limits, byte(i+1), &charges[at], p)
	}
	return script(ctx, keys, []any{op, clock, limits})
}

// appendLimit packs a limit as the script unpacks it. A number takes less time
// in Redis so than as an argument of its own. Times are doubles, which hold
// microseconds of 285 years.
func appendLimit(b []byte, key byte, c *ratelimit.Charge, p *place) []byte {
	shadow := byte(0)
	if c.Shadow {
		shadow = 1
	}
	b = append(b, key, shadow)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Requests))
	b = binary.LittleEndian.AppendUint32(b, uint32(milliseconds(c.Window)))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(c.Cost, c.Requests+1))) // more is no dearer
	b = binary.LittleEndian.AppendUint32(b, p.phase(c.Window))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(milliseconds(c.Penalty)*1000)))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(c.Mark)))
	b = append(b, byte(len(p.name)))
	return append(b, p.name...)
}

// readVerdicts writes the verdicts of a group.
func (g *group) readVerdicts(c *call, verdicts []ratelimit.Verdict) error {
	reply, err := c.reply()
	if err != nil {
		return err
	}
	if len(reply) != 4*g.n {
		return errReply
	}
	for i, at := range g.which[:g.n] {
		r := reply[4*i : 4*i+4]
		verdicts[at] = ratelimit.Verdict{Remaining: int(r[0]), Wait: -1, Reset: microseconds(r[2]), Mark: r[3]}
		if r[1] >= 0 {
			verdicts[at].Wait = microseconds(r[1])
		}
	}
	return nil
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// refundGroups gives back what some groups charged when another one denied. Until it
// has, others may be denied what would have been allowed, and never the other
// way. If it fails, the charge stays: so does the denial.
func (s *Store) refundGroups(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, places *[maxCharges]place) {
	denied := false
	for i := range charges {
		denied = denied || verdicts[i].Wait != 0 && !charges[i].Shadow
	}
	if !denied {
		return
	}
	var back [maxCharges]ratelimit.Charge
	var groups [maxCharges]group
	n := 0
	for i := range charges {
		if verdicts[i].Mark != 0 {
			back[i] = charges[i]
			back[i].Mark = verdicts[i].Mark
			groups[n].n, groups[n].which[0] = 1, i
			n++
		}
		verdicts[i].Mark = 0
	}
	if n == 0 {
		return
	}
	var after [maxCharges]ratelimit.Verdict
	if s.sendOnce(ctx, opRefund, back[:len(charges)], after[:], groups[:n], places) != nil {
		return
	}
	for i := range charges {
		if back[i].Mark != 0 {
			verdicts[i].Remaining, verdicts[i].Reset = after[i].Remaining, after[i].Reset
		}
	}
}
