package redislimit

import (
	"context"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// SetClock makes the script count with this time, or with the server's clock
// again in the case of 0.
func (s *Store) SetClock(now time.Duration) { s.clock = clockOf(now) }

func clockOf(now time.Duration) string {
	if now == 0 {
		return ""
	}
	return strconv.FormatInt(now.Microseconds(), 10)
}

// Abandoned returns the number of abandoned calls that are running.
func (s *Store) Abandoned() int { return s.client.calls.Abandoned() }

// Op is one call of a Store at a time.
type Op struct {
	Name     string // take, peek or refund
	At       time.Duration
	Charges  []ratelimit.Charge
	Verdicts []ratelimit.Verdict
}

// Play makes many calls in one pipeline, in which all keys are on one server.
func (s *Store) Play(ctx context.Context, ops []Op) error {
	calls, groups := make([]*call, len(ops)), make([]group, len(ops))
	for i, op := range ops {
		if err := checkCharges(op.Charges); err != nil {
			return err
		}
		var sorted [maxCharges]group
		var places [maxCharges]place
		s.groupCharges(op.Charges, &sorted, &places)
		groups[i] = sorted[0]
		calls[i] = groups[i].newCall(ctx, op.Name, clockOf(op.At), op.Charges, &places)
	}
	runScripts(ctx, s.client.client, calls)
	for i := range ops {
		ops[i].Verdicts = make([]ratelimit.Verdict, len(ops[i].Charges))
		if err := groups[i].readVerdicts(calls[i], ops[i].Verdicts); err != nil {
			return err
		}
	}
	return nil
}
