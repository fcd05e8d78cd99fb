package redislimit

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// SetClock makes the script count with this time, or with the server's clock
// again in the case of 0.
func (s *Store) SetClock(now time.Duration) { s.clock = now }

// Abandoned returns the number of abandoned calls that are running.
func (s *Store) Abandoned() int { return s.client.calls.Abandoned() }

// Op is one call of a Store at a time.
type Op struct {
	Name     string // take, peek, refund or reset
	At       time.Duration
	Charges  []ratelimit.Charge
	Verdicts []ratelimit.Verdict
	Err      error
}

// op returns the operation of the script.
func (o Op) op() op {
	for _, op := range []op{opTake, opPeek, opRefund, opReset} {
		if op.String() == o.Name {
			return op
		}
	}
	panic("no operation " + o.Name)
}

// decision returns the decision of the script, for which all keys are on one server.
func (o Op) decision(s *Store) *decision {
	var sorted [maxCharges]group
	var places [maxCharges]place
	s.groupCharges(o.Charges, &sorted, &places)
	if o.op() == opReset {
		return newReset(places[0])
	}
	return newDecision(o.op(), sorted[0].which[:sorted[0].n], o.Charges, &places)
}

// Play makes many calls in one pipeline. With together, consecutive operations at one
// time are one call of the script.
func (s *Store) Play(ctx context.Context, ops []Op, together bool) error {
	var calls []*call
	for begin := 0; begin < len(ops); {
		var decisions []*decision
		end := begin
		for ; end < len(ops) && (end == begin || together && ops[end].At == ops[begin].At && len(decisions) < maxDecisions); end++ {
			if err := checkCharges(ops[end].Charges); err != nil && ops[end].op() != opReset {
				return err
			}
			decisions = append(decisions, ops[end].decision(s))
		}
		calls = append(calls, newCall(ctx, ops[begin].At, decisions))
		begin = end
	}
	if err := s.client.send(ctx, calls); err != nil {
		return err
	}
	i := 0
	for _, c := range calls {
		for _, d := range c.decisions {
			op := &ops[i]
			i++
			if op.Err = d.err; op.op() == opReset {
				continue
			}
			op.Verdicts = make([]ratelimit.Verdict, len(op.Charges))
			op.Err = d.readVerdicts(op.Verdicts)
		}
	}
	return nil
}

// Pending returns the number of decisions that are under way alone, or wait, and those of
// shared calls.
func (s *Store) Pending() int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return s.flights.running + len(s.flights.queue)
}

// KeyOf returns the key of a limit in Redis.
func (s *Store) KeyOf(k ratelimit.Key) string {
	return s.keys.placeOf(s.keys.principalTag(&k), k.Policy).key
}
