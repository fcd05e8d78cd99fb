package storetest_test

import (
	"context"

	"github.com/ringwall/ringwall/ratelimit"
)

// Peek implements [ratelimit.Store].
func (l *ledger) Peek(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if err := l.hang(ctx); err != nil {
		return err
	}
	if l.does("records charges in Peek") {
		err := l.Take(ctx, charges, verdicts)
		for i := range verdicts {
			verdicts[i].Mark = 0
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, c := range charges {
		verdicts[i] = l.verdict(c, false)
		if l.does("starts a penalty in Peek") && verdicts[i].Wait > 0 && c.Penalty > 0 && l.now >= l.page(c.Key).penaltyUntil {
			l.page(c.Key).penaltyUntil = l.now + c.Penalty
		}
	}
	for i, c := range charges {
		l.distort(c, &verdicts[i])
		verdicts[i].Mark = 0
	}
	return nil
}

// Refund implements [ratelimit.Store].
func (l *ledger) Refund(ctx context.Context, charges []ratelimit.Charge) error {
	if err := l.hang(ctx); err != nil || l.does("does not refund") {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.does("refunds only the first") {
		charges = charges[:1]
	}
	for _, c := range charges {
		p := l.page(c.Key)
		if c.Mark == 0 && !l.does("refunds without a Mark") {
			continue
		}
		if l.does("ends a penalty by Refund") {
			p.penaltyUntil = 0
		}
		for i := range p.lines {
			v := &p.lines[i]
			if c.Mark == 0 {
				v = &p.lines[len(p.lines)-1]
			} else if v.mark != c.Mark {
				continue
			}
			if l.now-v.at >= c.Window && l.does("refunds expired charges") && len(p.lines) > 0 {
				v = &p.lines[len(p.lines)-1]
			}
			back := min(c.Cost, v.cost)
			switch l.fault {
			case "refunds all for a part":
				back = v.cost
			case "refunds twice the cost":
				back = c.Cost
			}
			v.cost -= back
			break
		}
	}
	return nil
}

// Reset implements [ratelimit.Store].
func (l *ledger) Reset(ctx context.Context, keys []ratelimit.Key) error {
	if err := l.hang(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.does("resets only the first") {
		keys = keys[:1]
	}
	for _, k := range keys {
		p := l.page(k)
		if !l.does("resets only the penalty") {
			p.lines = nil
		}
		if !l.does("resets only the counts") {
			p.penaltyUntil = 0
		}
	}
	if l.does("resets all keys") {
		l.keys = make(map[ratelimit.Key]*page)
	}
	return nil
}

// hang returns the error of ctx, or hangs if that is the fault.
func (l *ledger) hang(ctx context.Context) error {
	if l.does("hangs when the context has ended") && ctx.Err() != nil {
		select {}
	}
	return ctx.Err()
}
