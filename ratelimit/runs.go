package ratelimit

import "math"

// A runLog counts the charges of one limit in runs: neighboring charges that share one
// time, that of the last of them. A run leaves the window as a whole, together with its
// last charge, so that no window has more charges than the limit.
//
// A charge joins the newest run if both were made at the same time, or if the run has
// fewer charges than a quantum, which is 1/128 of the limit, and began less than 1/32 of
// the window ago. Up to a limit of 128 no charges are joined: every one has its own time,
// and the count is exact. Above it, a charge may count for up to 1/32 of the window too
// long. Only the oldest run can have charges that have left the window, so a charge is
// denied only if more than the limit less a quantum is used in the window, and the limit
// itself in 33/32 of it.
//
// Times and durations are in microseconds.
type runLog struct {
	closed       []run // a ring buffer of the runs before the newest
	oldest, size uint32
	newest       int64 // time of the last charge of the newest run
	began        int64 // time of its first charge
	count        int64 // charges in the newest run
	total        int64 // charges in all runs
}

// A run is the number of charges that leave the window together. Its time is in ticks,
// rounded up, and modulo 2^32, which is more than a window: so a run takes 8 bytes.
type run struct{ tick, count uint32 }

const (
	// quanta is the number of parts in which a limit is counted. Twice as many halve the
	// share of the limit that a client may lose, at twice the memory of a busy key.
	quanta = 128
	// spans bounds the time of a run to a part of the window: a client that was slow
	// first, and is fast now, does not wait for its first requests twice.
	spans = 32
	// mostRuns is the number of runs from which refunds have hollowed out so many that
	// neighbors are merged. Without refunds, a limit has at most quanta + spans + 1.
	mostRuns = 3 * quanta
)

// tickOf returns the unit of the times of runs: a microsecond for windows up to 71
// minutes, and a millisecond above. A window has fewer than 2^32 ticks.
func tickOf(window int64) int64 {
	tick := int64(1)
	for ; window >= math.MaxUint32; window /= 1000 {
		tick *= 1000
	}
	return tick
}

// inTicks returns t/tick, without a division for the usual tick.
func inTicks(t, tick int64) int64 {
	if tick == 1 {
		return t
	}
	return t / tick
}

// at returns closed run i, counted from the oldest.
func (l *runLog) at(i uint32) *run {
	if i += l.oldest; i >= uint32(len(l.closed)) {
		i -= uint32(len(l.closed))
	}
	return &l.closed[i]
}

// lastOf returns the time of the last charge of a closed run. It is less than 2^32 ticks
// before the newest.
func (l *runLog) lastOf(r *run, tick int64) int64 {
	newest := inTicks(l.newest, tick)
	return (newest - int64(uint32(newest)-r.tick)) * tick
}

// dropExpired removes the runs that have left the window. If the clock went back, the
// runs go back with it, as though the last charge had been made now: no charge is lost,
// and no client waits for longer than a window.
func (l *runLog) dropExpired(f frame) {
	if l.newest > f.now && l.total > 0 {
		ahead := inTicks(l.newest, f.tick) - inTicks(f.now, f.tick)
		for i := range l.size {
			l.at(i).tick -= uint32(ahead)
		}
		l.newest, l.began = f.now, l.began+f.now-l.newest
	}
	since := f.now - f.window
	if l.newest <= since {
		l.oldest, l.size, l.count, l.total = 0, 0, 0, 0
		return
	}
	for l.size > 0 {
		r := l.at(0)
		if l.lastOf(r, f.tick) > since {
			return
		}
		l.total -= int64(r.count)
		l.dropOldest()
	}
}

// dropOldest removes the oldest closed run.
func (l *runLog) dropOldest() {
	l.size--
	if l.oldest++; l.oldest == uint32(len(l.closed)) || l.size == 0 {
		l.oldest = 0
	}
}

// remainingAndWait returns the number of requests that remain before the charge, and the
// time until the charge is allowed: 0 if it is allowed now, -1 if its cost is above the
// limit. It must be called after dropExpired.
func (l *runLog) remainingAndWait(f frame, limit, cost int64) (remaining, wait int64) {
	remaining = max(0, limit-l.total)
	switch excess := l.total + cost - limit; {
	case cost > limit:
		return remaining, -1
	case cost > 0 && excess > 0:
		return remaining, l.freedAt(excess, f.tick) + f.window - f.now
	}
	return remaining, 0
}

// untilReset returns the time until more requests remain than now, or 0 if nothing is
// charged. It must be called after dropExpired.
func (l *runLog) untilReset(f frame, limit int64) int64 {
	if l.total == 0 {
		return 0
	}
	// The total is above the limit after the limit was lowered.
	return l.freedAt(max(1, l.total-limit+1), f.tick) + f.window - f.now
}

// freedAt returns the time of the run with which n charges have left, counted from the
// oldest.
func (l *runLog) freedAt(n, tick int64) int64 {
	for i := range l.size {
		r := l.at(i)
		if n -= int64(r.count); n <= 0 {
			return l.lastOf(r, tick)
		}
	}
	return l.newest
}

// addCharge records a charge. It must be called after dropExpired.
func (l *runLog) addCharge(f frame, limit, cost int64) {
	quantum := quantumOf(limit)
	switch {
	case l.count == 0:
		l.began = f.now
	case inTicks(l.newest, f.tick) == inTicks(f.now, f.tick), l.count < quantum && spans*(f.now-l.began) < f.window: // it joins
	default:
		if l.size >= mostRuns {
			l.mergeRuns(quantum)
		}
		l.closeNewest(f.tick)
		l.count, l.began = 0, f.now
	}
	l.newest = f.now
	l.count += cost
	l.total += cost
}

// closeNewest appends the newest run to the closed runs.
func (l *runLog) closeNewest(tick int64) {
	if n := uint32(len(l.closed)); l.size == n {
		const usual = quanta + spans
		grown := max(2, 2*n)
		if n < usual && grown > usual {
			grown = usual
		}
		closed := make([]run, grown)
		copy(closed[copy(closed, l.closed[l.oldest:]):], l.closed[:l.oldest])
		l.closed, l.oldest = closed, 0
	}
	l.size++
	*l.at(l.size - 1) = run{uint32(inTicks(l.newest+tick-1, tick)), uint32(l.count)}
}

// mergeRuns merges neighboring runs that have at most a quantum together. A merged
// run has the time of the later one: charges leave late, never early.
func (l *runLog) mergeRuns(quantum int64) {
	merged := uint32(0)
	for i := uint32(1); i < l.size; i++ {
		into, r := l.at(merged), l.at(i)
		if int64(into.count)+int64(r.count) <= quantum {
			*into = run{r.tick, into.count + r.count}
			continue
		}
		merged++
		*l.at(merged) = *r
	}
	l.size = merged + 1
}

// removeCharge takes back up to cost of a charge that was recorded at the time made.
// It does nothing if the charge has left the window, or is later than all charges, as
// after a failover that lost it. It must be called after dropExpired.
func (l *runLog) removeCharge(f frame, made, cost int64) {
	if made > l.newest || made <= f.now-f.window {
		return
	}
	i := l.size
	for i > 0 && l.lastOf(l.at(i-1), f.tick) >= made {
		i--
	}
	if i == l.size {
		cost = min(cost, l.count)
		l.count -= cost
	} else {
		r := l.at(i)
		cost = min(cost, int64(r.count))
		if r.count -= uint32(cost); r.count == 0 {
			for ; i+1 < l.size; i++ {
				*l.at(i) = *l.at(i + 1)
			}
			l.size--
		}
	}
	l.total -= cost
}

// quantumOf returns the number of charges from which a run is not joined any more.
func quantumOf(limit int64) int64 { return (limit + quanta - 1) / quanta }
