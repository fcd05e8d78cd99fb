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

// ledger is the simplest store, with one fault. It stores every charge, and reads
// all of them.
type ledger struct {
	fault string
	mu    sync.Mutex
	now   time.Duration
	marks int64
	keys  map[ratelimit.Key]*page
	kept  [][]ratelimit.Charge
}

type page struct {
	lines    []line
	banned   time.Duration // until
	requests int
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
	case "joins policy and text":
		k.Policy, k.Text = "", k.Policy+"-"+k.Text
	case "folds case":
		k.Text = strings.ToLower(k.Text)
	case "cuts long texts":
		k.Text = k.Text[:min(len(k.Text), 4096)]
	case "cuts texts at a zero byte":
		k.Text, _, _ = strings.Cut(k.Text, "\x00")
	}
	if l.keys[k] == nil {
		l.keys[k] = new(page)
	}
	return l.keys[k]
}

// used sums what counts at a moment.
func (l *ledger) used(p *page, c ratelimit.Charge, at time.Duration) int {
	window := c.Window
	switch l.fault {
	case "takes none of the time into account":
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

// wait returns how long until no more than most is used.
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

// verdict returns the verdict on one charge alone.
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
	if l.does("counts every cost as one") {
		cost = min(1, cost)
	}
	switch {
	case cost == 0 && !l.does("denies a cost of nothing when full"): // always allowed
	case cost > c.Requests && l.does("says that too much comes with time"):
		v.Wait = c.Window
	case cost > c.Requests:
		v.Wait = -1
	case used+max(cost, 1) > c.Requests:
		v.Wait = max(1, l.wait(p, c, c.Requests-max(1, cost)))
	}
	if used > 0 {
		v.Reset = l.wait(p, c, min(used-1, c.Requests-1))
	}
	banned := l.now < p.banned && (c.Penalty > 0 || l.does("asks for a mark without a penalty"))
	if l.does("knows no penalty") || !take && l.does("does not see a penalty in Peek") {
		banned = false
	}
	if banned {
		left := p.banned - l.now
		if !l.does("remains in a penalty") {
			v.Remaining = 0
		}
		if cost > 0 || l.does("denies a cost of nothing in a penalty") {
			switch {
			case v.Wait >= 0 && l.does("tells the penalty though the limit waits longer"):
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
	if l.does("keeps the charges") {
		for _, old := range l.kept { // which the caller may have changed since
			p := l.page(old[0].Key)
			p.lines = append(p.lines, line{at: l.now, cost: old[0].Cost})
		}
		l.kept = [][]ratelimit.Charge{charges}
	}
	allowed, before := true, len(charges)
	banned := make([]bool, len(charges))
	for i, c := range charges {
		verdicts[i] = l.verdict(c, true)
		banned[i] = l.now < l.page(c.Key).banned && c.Penalty > 0
		denies := verdicts[i].Wait != 0 && (!c.Shadow || l.does("lets a shadow deny"))
		if l.does("charges others beside too much") && verdicts[i].Wait < 0 {
			denies = false
		}
		if denies && (i == 0 || !l.does("decides the first limit alone")) {
			allowed, before = false, min(before, i)
		}
	}
	if l.does("lets two in at once") {
		l.mu.Unlock()
		time.Sleep(time.Microsecond)
		l.mu.Lock()
	}
	for i, c := range charges {
		l.finish(c, &verdicts[i], allowed, i < before, banned[i])
	}
	if l.does("mixes up the verdicts") {
		slices.Reverse(verdicts)
	}
	if l.does("changes the charges") {
		charges[0].Cost++
	}
	return nil
}

// finish writes what comes of a charge.
func (l *ledger) finish(c ratelimit.Charge, v *ratelimit.Verdict, allowed, before, banned bool) {
	p := l.page(c.Key)
	charge := allowed && v.Wait == 0 && c.Cost > 0
	switch l.fault {
	case "charges what it denies":
		charge = charge || v.Wait > 0 && c.Cost > 0
	case "charges the limits before the one that denies":
		charge = charge || before && v.Wait == 0 && c.Cost > 0
	case "decides each limit by itself":
		charge = v.Wait == 0 && c.Cost > 0
	case "charges in a penalty":
		charge = charge || banned
	case "charges a shadow though another denies":
		charge = charge || c.Shadow && v.Wait == 0 && c.Cost > 0
	case "charges no shadow":
		charge = charge && !c.Shadow
	}
	cost := c.Cost
	if l.does("counts every cost as one") {
		cost = min(1, cost)
	}
	if l.does("charges a cost of nothing") && c.Cost == 0 && allowed {
		p.lines = append(p.lines, line{l.now, 1, -1})
	}
	if charge {
		l.marks++
		p.lines = append(p.lines, line{l.now, cost, l.marks})
		if v.Wait == 0 && !l.does("tells what remained before") {
			v.Remaining = max(0, v.Remaining-cost)
		}
		if allowed && v.Wait == 0 {
			v.Mark = l.marks
		}
		v.Reset = l.wait(p, c, min(l.used(p, c, l.now)-1, c.Requests-1))
	}
	begins := v.Wait > 0 && c.Penalty > 0 && (!banned || l.does("prolongs a penalty"))
	switch l.fault {
	case "begins a penalty for too much":
		begins = begins || v.Wait < 0 && c.Penalty > 0
	case "marks those who allowed":
		begins = begins || !allowed && c.Penalty > 0 && !banned
	case "keeps no penalty of a shadow":
		begins = begins && !c.Shadow
	}
	if begins {
		p.banned = l.now + c.Penalty
		if v.Wait > 0 {
			if l.does("tells the penalty though the limit waits longer") {
				v.Wait = c.Penalty
			}
			v.Wait = max(v.Wait, c.Penalty)
			v.Remaining, v.Reset = 0, v.Wait
		}
	}
	l.distort(c, v)
}

// distort returns a wrong verdict.
func (l *ledger) distort(c ratelimit.Charge, v *ratelimit.Verdict) {
	switch l.fault {
	case "tells that less remains":
		v.Remaining = max(0, v.Remaining-1)
	case "waits too short":
		if v.Wait > time.Millisecond {
			v.Wait -= time.Millisecond
			v.Reset = max(v.Reset-time.Millisecond, 0)
		}
	case "waits too long":
		if v.Wait > 0 {
			v.Wait += time.Millisecond
			v.Reset += time.Millisecond
		}
	case "says Reset is 0 always":
		if v.Wait <= 0 {
			v.Reset = 0
		}
	case "says Reset is the window always":
		if v.Wait <= 0 {
			v.Reset = c.Window
		}
	case "says Reset too early":
		if v.Wait <= 0 && v.Reset > time.Millisecond {
			v.Reset -= time.Millisecond
		}
	case "marks what it denied":
		if v.Mark == 0 && v.Wait > 0 {
			v.Mark = 1 << 40
		}
	case "marks nothing":
		v.Mark = 0
	case "is under pressure always":
		v.Pressure = true
	}
}
