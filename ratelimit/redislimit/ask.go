package redislimit

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// The operations of the script.
const (
	opTake   = "take"
	opPeek   = "peek"
	opRefund = "refund"
	opSecret = "secret"
)

// group is the charges that one call of the script decides: all of them where
// all keys are on one server, else those of one principal.
type group struct {
	tag   string
	which [maxCharges]int // indexes of charges
	n     int
}

// ask decides charges, and writes the verdicts.
func (s *Store) ask(ctx context.Context, op string, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if len(charges) == 0 {
		return nil
	}
	if err := check(charges); err != nil {
		return err
	}
	var groups [maxCharges]group
	var names [maxCharges]string
	n := s.sort(charges, &groups, &names)
	if err := s.send(ctx, op, charges, verdicts, groups[:n], &names); err != nil {
		return s.explain(op, err)
	}
	if op == opTake && n > 1 {
		s.unwind(ctx, charges, verdicts, groups[:n], &names)
	}
	return nil
}

// sort names the keys, and puts them in groups.
func (s *Store) sort(charges []ratelimit.Charge, groups *[maxCharges]group, names *[maxCharges]string) int {
	n := 0
	var last string
	for i := range charges {
		key := &charges[i].Key
		if i == 0 || key.Text != charges[i-1].Key.Text || key.Net != charges[i-1].Key.Net {
			last = s.keys.who(key)
		}
		names[i] = s.keys.name(last, key.Policy)
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

// send runs the script for each group, in one round trip.
func (s *Store) send(ctx context.Context, op string, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, names *[maxCharges]string) error {
	calls := make([]*call, len(groups))
	for i := range groups {
		calls[i] = groups[i].call(ctx, op, s.clock, charges, names)
	}
	if err := s.client.do(ctx, calls); err != nil {
		return err
	}
	var failed error
	for i := range groups {
		if err := read(&groups[i], calls[i], verdicts); err != nil {
			failed = err
		}
	}
	return failed
}

// call makes the call of the script for a group.
func (g *group) call(ctx context.Context, op, clock string, charges []ratelimit.Charge, names *[maxCharges]string) *call {
	keys, args := make([]string, 0, g.n), make([]any, 0, 2+6*g.n)
	args = append(args, op, clock)
	for _, at := range g.which[:g.n] {
		c := &charges[at]
		keys = append(keys, names[at])
		args = append(args, c.Requests, milliseconds(c.Window), c.Cost, milliseconds(c.Penalty), c.Shadow, c.Mark)
	}
	return script(ctx, keys, args)
}

// read writes the verdicts of a group. What failed is charged nothing, as far
// as anybody knows.
func read(g *group, c *call, verdicts []ratelimit.Verdict) error {
	reply, err := c.reply()
	if err == nil && len(reply) != 4*g.n {
		err = errReply
	}
	for i, at := range g.which[:g.n] {
		if err != nil {
			verdicts[at] = ratelimit.Verdict{}
			continue
		}
		r := reply[4*i : 4*i+4]
		verdicts[at] = ratelimit.Verdict{Remaining: int(r[0]), Wait: time.Duration(r[1]), Reset: microseconds(r[2]), Mark: r[3]}
		if r[1] > 0 {
			verdicts[at].Wait = microseconds(r[1])
		}
	}
	return err
}

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// unwind gives back what some groups charged when another one denied. Until it
// has, others may be denied what would have been allowed, and never the other
// way. If it fails, the charge stays: so does the denial.
func (s *Store) unwind(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, names *[maxCharges]string) {
	denied := false
	for i := range charges {
		denied = denied || verdicts[i].Wait != 0 && !charges[i].Shadow
	}
	if !denied {
		return
	}
	var back [maxCharges]group
	var refunds [maxCharges]ratelimit.Charge
	n := 0
	for _, g := range groups {
		charged := group{tag: g.tag}
		for _, at := range g.which[:g.n] {
			if verdicts[at].Mark != 0 {
				refunds[at] = charges[at]
				refunds[at].Mark = verdicts[at].Mark
				charged.which[charged.n] = at
				charged.n++
			}
		}
		if charged.n > 0 {
			back[n] = charged
			n++
		}
	}
	if n == 0 {
		return
	}
	var after [maxCharges]ratelimit.Verdict
	err := s.send(ctx, opRefund, refunds[:len(charges)], after[:], back[:n], names)
	for i := range charges {
		switch {
		case refunds[i].Mark == 0:
		case err == nil:
			verdicts[i].Remaining, verdicts[i].Reset, verdicts[i].Mark = after[i].Remaining, after[i].Reset, 0
		default:
			verdicts[i].Mark = 0
		}
	}
}
