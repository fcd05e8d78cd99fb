package storetest_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// ledger is the simplest store, with one fault. It keeps all charges in a list, and each
// call reads the whole list.
type ledger struct {
	fault string
	mu    sync.Mutex
	now   time.Duration
	marks int64
	keys  map[ratelimit.Key]*page
	kept  [][]ratelimit.Charge
}

type page struct {
	lines        []line
	penaltyUntil time.Duration
	requests     int
}

type line struct {
	at   time.Duration
	cost int
	mark int64
}

func newLedger(fault string) *ledger {
	return &ledger{fault: fault, now: time.Hour, keys: make(map[ratelimit.Key]*page)}
}

func (l *ledger) does(fault string) bool { return l.fault == fault }

func (l *ledger) page(k ratelimit.Key) *page {
	switch l.fault {
	case "ignores the policy":
		k.Policy = ""
	case "ignores the network":
		k.Net = netip.Prefix{}
	case "ignores the bits of a network":
		k.Text += k.Net.Addr().String()
		k.Net = netip.Prefix{}
	case "joins Policy and Text":
		k.Policy, k.Text = "", k.Policy+"-"+k.Text
	case "folds case":
		k.Text = strings.ToLower(k.Text)
	case "truncates long texts":
		k.Text = k.Text[:min(len(k.Text), 4096)]
	case "truncates texts at a zero byte":
		k.Text, _, _ = strings.Cut(k.Text, "\x00")
	}
	if l.keys[k] == nil {
		l.keys[k] = new(page)
	}
	return l.keys[k]
}

// used returns the sum of the costs that count at a time.
func (l *ledger) used(p *page, c ratelimit.Charge, at time.Duration) int {
	window := c.Window
	switch l.fault {
	case "ignores the time":
		window = 1000 * time.Hour
	case "forgets a charge a millisecond too early":
		window -= time.Millisecond
	case "keeps a charge a millisecond too long":
		window += time.Millisecond
	}
	sum := 0
	for _, v := range p.lines {
		counts := at-v.at < window
		if l.does("counts in fixed windows") {
			counts = at/window == v.at/window
		}
		if counts {
			sum += v.cost
		}
	}
	return max(0, sum)
}

// wait returns the time until at most most is used.
func (l *ledger) wait(p *page, c ratelimit.Charge, most int) time.Duration {
	ends := []time.Duration{0}
	for _, v := range p.lines {
		if end := v.at + c.Window - l.now; end > 0 {
			ends = append(ends, end)
		}
	}
	slices.Sort(ends)
	for _, d := range ends {
		if l.used(p, c, l.now+d) <= most {
			return d
		}
	}
	return ends[len(ends)-1]
}

// verdict returns the verdict on one charge, without regard to the others.
func (l *ledger) verdict(c ratelimit.Charge, take bool) ratelimit.Verdict {
	p := l.page(c.Key)
	if p.requests != 0 && p.requests != c.Requests {
		switch l.fault {
		case "forgets when Requests changes":
			p.lines = nil
		case "keeps the first Requests":
			c.Requests = p.requests
		}
	}
	if p.requests == 0 {
		p.requests = c.Requests
	}
	used := l.used(p, c, l.now)
	v := ratelimit.Verdict{Remaining: max(0, c.Requests-used)}
	cost := c.Cost
	if l.does("counts each cost as 1") {
		cost = min(1, cost)
	}
	switch {
	case cost == 0 && !l.does("denies a cost of 0 when full"): // always allowed
	case cost > c.Requests && l.does("returns a Wait for a cost above Requests"):
		v.Wait = c.Window
	case cost > c.Requests:
		v.Wait = -1
	case used+max(cost, 1) > c.Requests:
		v.Wait = max(1, l.wait(p, c, c.Requests-max(1, cost)))
	}
	if used > 0 {
		v.Reset = l.wait(p, c, min(used-1, c.Requests-1))
	}
	inPenalty := l.now < p.penaltyUntil && (c.Penalty > 0 || l.does("applies a penalty to charges without one"))
	if l.does("has no penalties") || !take && l.does("ignores a penalty in Peek") {
		inPenalty = false
	}
	if inPenalty {
		left := p.penaltyUntil - l.now
		if !l.does("has Remaining in a penalty") {
			v.Remaining = 0
		}
		if cost > 0 || l.does("denies a cost of 0 in a penalty") {
			switch {
			case v.Wait >= 0 && l.does("returns the penalty when the limit's wait is longer"):
				v.Wait = left
			case v.Wait >= 0:
				v.Wait = max(v.Wait, left)
			}
		}
		v.Reset = left
		if v.Wait > 0 {
			v.Reset = v.Wait
		}
	}
	return v
}

// Take implements [ratelimit.Store].
func (l *ledger) Take(ctx context.Context, charges []ratelimit.Charge, verdicts []ratelimit.Verdict) error {
	if err := l.hang(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.does("keeps the slice of charges") {
		for _, old := range l.kept { // a caller may have changed them
			p := l.page(old[0].Key)
			p.lines = append(p.lines, line{at: l.now, cost: old[0].Cost})
		}
		l.kept = [][]ratelimit.Charge{charges}
	}
	allowed, before := true, len(charges)
	inPenalty := make([]bool, len(charges))
	for i, c := range charges {
		verdicts[i] = l.verdict(c, true)
		inPenalty[i] = l.now < l.page(c.Key).penaltyUntil && c.Penalty > 0
		denies := verdicts[i].Wait != 0 && (!c.Shadow || l.does("denies by a shadow limit"))
		if l.does("records charges made with a cost above Requests") && verdicts[i].Wait < 0 {
			denies = false
		}
		if denies && (i == 0 || !l.does("decides only by the first limit")) {
			allowed, before = false, min(before, i)
		}
	}
	if l.does("allows two charges at once") {
		l.mu.Unlock()
		time.Sleep(time.Microsecond)
		l.mu.Lock()
	}
	for i, c := range charges {
		l.finish(c, &verdicts[i], allowed, i < before, inPenalty[i])
	}
	if l.does("swaps the verdicts") {
		slices.Reverse(verdicts)
	}
	if l.does("changes the charges") {
		charges[0].Cost++
	}
	return nil
}

// finish records a charge, and sets Mark, Remaining and the penalty.
func (l *ledger) finish(c ratelimit.Charge, v *ratelimit.Verdict, allowed, before, inPenalty bool) {
	p := l.page(c.Key)
	charge := allowed && v.Wait == 0 && c.Cost > 0
	switch l.fault {
	case "records denied charges":
		charge = charge || v.Wait > 0 && c.Cost > 0
	case "records charges before the one that denies":
		charge = charge || before && v.Wait == 0 && c.Cost > 0
	case "decides each limit by itself":
		charge = v.Wait == 0 && c.Cost > 0
	case "records charges in a penalty":
		charge = charge || inPenalty
	case "records a denied charge in a shadow limit":
		charge = charge || c.Shadow && v.Wait == 0 && c.Cost > 0
	case "does not count shadow limits":
		charge = charge && !c.Shadow
	}
	cost := c.Cost
	if l.does("counts each cost as 1") {
		cost = min(1, cost)
	}
	if l.does("records a cost of 0") && c.Cost == 0 && allowed {
		p.lines = append(p.lines, line{l.now, 1, -1})
	}
	if charge {
		l.marks++
		p.lines = append(p.lines, line{l.now, cost, l.marks})
		if v.Wait == 0 && !l.does("returns Remaining before the charge") {
			v.Remaining = max(0, v.Remaining-cost)
		}
		if allowed && v.Wait == 0 {
			v.Mark = l.marks
		}
		v.Reset = l.wait(p, c, min(l.used(p, c, l.now)-1, c.Requests-1))
	}
	begins := v.Wait > 0 && c.Penalty > 0 && (!inPenalty || l.does("extends a penalty"))
	switch l.fault {
	case "starts a penalty for a cost above Requests":
		begins = begins || v.Wait < 0 && c.Penalty > 0
	case "starts a penalty for limits that allowed":
		begins = begins || !allowed && c.Penalty > 0 && !inPenalty
	case "has no penalties of shadow limits":
		begins = begins && !c.Shadow
	}
	if begins {
		p.penaltyUntil = l.now + c.Penalty
		if v.Wait > 0 {
			if l.does("returns the penalty when the limit's wait is longer") {
				v.Wait = c.Penalty
			}
			v.Wait = max(v.Wait, c.Penalty)
			v.Remaining, v.Reset = 0, v.Wait
		}
	}
	l.distort(c, v)
}

// distort applies the faults that only change a verdict.
func (l *ledger) distort(c ratelimit.Charge, v *ratelimit.Verdict) {
	switch l.fault {
	case "returns Remaining that is too small":
		v.Remaining = max(0, v.Remaining-1)
	case "returns a Wait that is too short":
		if v.Wait > time.Millisecond {
			v.Wait -= time.Millisecond
			v.Reset = max(v.Reset-time.Millisecond, 0)
		}
	case "returns a Wait that is too long":
		if v.Wait > 0 {
			v.Wait += time.Millisecond
			v.Reset += time.Millisecond
		}
	case "always returns Reset 0":
		if v.Wait <= 0 {
			v.Reset = 0
		}
	case "always returns the window as Reset":
		if v.Wait <= 0 {
			v.Reset = c.Window
		}
	case "returns a Reset that is too short":
		if v.Wait <= 0 && v.Reset > time.Millisecond {
			v.Reset -= time.Millisecond
		}
	case "returns a Mark for denied charges":
		if v.Mark == 0 && v.Wait > 0 {
			v.Mark = 1 << 40
		}
	case "returns no Mark":
		v.Mark = 0
	case "always reports pressure":
		v.Pressure = true
	}
}
