package redislimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// flights are the calls of a Store that are under way, and the decisions that wait for
// the next one.
//
// With fewer than two calls under way, a caller sends its decision at once, by itself.
// Otherwise the decision waits. A call that returns takes all that waits into the next
// one. So a Store that is not busy makes every decision by itself, and a busy one many
// together, which cost Redis and the process a fraction. There is no timer, and no
// goroutine that outlives the calls.
type flights struct {
	link     *link
	clock    *time.Duration
	separate atomic.Bool // each decision is a call of its own

	mu      sync.Mutex
	running int
	queue   []*decision
	last    *ratelimit.RoundTrip // the one that began last
}

// shareError returns the error of a caller whose decision a call failed, or kept waiting.
func shareError(trip *ratelimit.RoundTrip, err error) error {
	return &ratelimit.SharedError{Err: err, RoundTrip: trip}
}

const (
	// maxFlights is the number of calls under way. One more decision could then wait for
	// a whole call in vain; more make calls smaller.
	maxFlights = 2
	// maxDecisions and maxRecords bound a call, which occupies Redis for about a
	// millisecond then.
	maxDecisions = 64
	maxRecords   = 128
	// maxWaiting bounds the queue.
	maxWaiting = 4096
)

var errCrowded = errors.New("redislimit: too many decisions wait for Redis")

// waiting is the part of a decision that a flight needs while it waits.
type waiting struct {
	ctx      context.Context      // for the values alone
	deadline time.Time            // zero if there is none
	state    int                  // guarded by flights.mu
	trip     *ratelimit.RoundTrip // the one that it is in, or that it waits for
	done     chan struct{}
}

const (
	isWaiting = iota
	isSent
	isGivenUp
)

// makeDecision sends a decision, alone or with others, and waits until its reply is
// there or the context ends. If it still waits then, it is never sent. The error is a
// [ratelimit.SharedError]: a server that fails or hangs has failed once, not once for
// each caller.
func (f *flights) makeDecision(ctx context.Context, d *decision) error {
	if f.separate.Load() {
		return f.sendAlone(ctx, d)
	}
	f.mu.Lock()
	if f.running < maxFlights {
		f.running++
		own := new(ratelimit.RoundTrip)
		f.last = own
		f.mu.Unlock()
		defer f.land()
		if err := f.sendAlone(ctx, d); err != nil {
			return shareError(own, err)
		}
		return nil
	}
	if len(f.queue) >= maxWaiting {
		f.queue = withoutGivenUp(f.queue)
	}
	if len(f.queue) >= maxWaiting {
		last := f.last
		f.mu.Unlock()
		return shareError(last, errCrowded)
	}
	d.waiting = waiting{ctx: ctx, trip: f.last, done: make(chan struct{})}
	d.deadline, _ = ctx.Deadline()
	f.queue = append(f.queue, d)
	f.mu.Unlock()
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.state == isWaiting {
		d.state = isGivenUp
	}
	return shareError(d.trip, context.Cause(ctx))
}

// sendAlone makes a decision in a call of its own.
func (f *flights) sendAlone(ctx context.Context, d *decision) error {
	if err := f.link.send(ctx, []*call{newCall(ctx, *f.clock, []*decision{d})}); err != nil {
		return err
	}
	return d.err
}

// land ends a call. If decisions wait, it begins the next one.
func (f *flights) land() {
	if next := f.nextFlight(); next != nil {
		go f.fly(next)
	}
}

// nextFlight returns the decisions of the next call. If none wait, it ends the flight.
func (f *flights) nextFlight() []*decision {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = withoutGivenUp(f.queue)
	n, records := 0, 0
	for n < len(f.queue) && n < maxDecisions && records+f.queue[n].n <= maxRecords {
		records += f.queue[n].n
		n++
	}
	if n == 0 {
		f.running--
		return nil
	}
	next := append([]*decision(nil), f.queue[:n]...)
	left := copy(f.queue, f.queue[n:])
	clear(f.queue[left:])
	f.queue = f.queue[:left]
	f.last = new(ratelimit.RoundTrip)
	for _, d := range next {
		d.state, d.trip = isSent, f.last
	}
	return next
}

// withoutGivenUp returns the decisions whose callers still wait.
func withoutGivenUp(queue []*decision) []*decision {
	kept := queue[:0]
	for _, d := range queue {
		if d.state == isWaiting {
			kept = append(kept, d)
		}
	}
	clear(queue[len(kept):])
	return kept
}

// fly makes calls until no decision waits.
func (f *flights) fly(decisions []*decision) {
	for ; decisions != nil; decisions = f.nextFlight() {
		f.flyOnce(decisions)
		for _, d := range decisions {
			close(d.done)
		}
	}
}

// flyOnce makes one call. It has the latest of the callers' deadlines: each of them
// waits for its own, and none is hurt by another that leaves.
func (f *flights) flyOnce(decisions []*decision) {
	ctx, cancel := context.WithoutCancel(decisions[0].ctx), context.CancelFunc(func() {})
	if deadline := latestDeadline(decisions); !deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, deadline)
	}
	defer cancel()
	if err := f.sendTogether(ctx, decisions); err != nil {
		for _, d := range decisions {
			d.err = err
		}
	}
	for _, d := range decisions {
		if d.err != nil {
			d.err = shareError(d.trip, d.err)
		}
	}
}

// sendTogether makes decisions in one call. A server in cluster mode refuses a call with
// the keys of several principals, and did nothing: they are then sent one by one, from
// now on.
func (f *flights) sendTogether(ctx context.Context, decisions []*decision) (err error) {
	defer func() {
		if v := recover(); v != nil { // of a hook of the client
			err = fmt.Errorf("call redis: panic: %v", v)
		}
	}()
	c := newCall(ctx, *f.clock, decisions)
	if err := f.link.send(ctx, []*call{c}); err != nil {
		return err
	}
	if err = c.command.Err(); err == nil || len(decisions) == 1 || !hasPrefix(err, "CROSSSLOT") {
		return err
	}
	f.separate.Store(true)
	calls := make([]*call, len(decisions))
	for i, d := range decisions {
		calls[i] = newCall(ctx, *f.clock, []*decision{d})
	}
	return f.link.send(ctx, calls)
}

// latestDeadline returns the latest deadline, or zero if a caller has none.
func latestDeadline(decisions []*decision) (latest time.Time) {
	for i, d := range decisions {
		if d.deadline.IsZero() {
			return time.Time{}
		}
		if i == 0 || d.deadline.After(latest) {
			latest = d.deadline
		}
	}
	return latest
}
