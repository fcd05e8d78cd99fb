package redislimit

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/ringwall/ringwall/ratelimit"
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
func (s *Store) decideCharges(ctx context.Context, o op, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if len(charges) == 0 {
		return nil
	}
	if err := checkCharges(charges); err != nil {
		return err
	}
	var groups [maxCharges]group
	var places [maxCharges]place
	n := s.groupCharges(charges, &groups, &places)
	n, err := s.sendGroups(ctx, o, charges, verdicts, groups[:n], &places)
	if err != nil {
		return s.wrapError(o, err)
	}
	if o == opTake && n > 1 {
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
		places[i] = s.keys.placeOf(last, key.Policy)
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
func (s *Store) sendGroups(ctx context.Context, o op, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, places *[maxCharges]place) (int, error) {
	err := s.sendOnce(ctx, o, charges, verdicts, groups, places)
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
	return len(groups) + n, s.sendOnce(ctx, o, charges, verdicts, split[:n], places)
}

// sendOnce makes the decisions of groups. On one server there is one group, which goes
// together with what other callers send.
func (s *Store) sendOnce(ctx context.Context, o op, charges []ratelimit.Charge, verdicts []ratelimit.Verdict, groups []group, places *[maxCharges]place) error {
	if !s.scattered {
		g := &groups[0]
		d := newDecision(o, g.which[:g.n], charges, places)
		if err := s.flights.makeDecision(ctx, d); err != nil {
			return err
		}
		return d.readVerdicts(verdicts)
	}
	calls := make([]*call, len(groups))
	for i := range groups {
		g := &groups[i]
		calls[i] = newCall(ctx, s.clock, []*decision{newDecision(o, g.which[:g.n], charges, places)})
	}
	if err := s.client.send(ctx, calls); err != nil {
		return err
	}
	var failed error
	for i := range groups {
		g := &groups[i]
		if g.err = calls[i].decisions[0].readVerdicts(verdicts); g.err != nil {
			failed = g.err
		}
	}
	return failed
}

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
