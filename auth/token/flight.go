package token

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/auth"
)

// A flight is one fetch, for which any number of requests may wait.
type flight struct {
	began time.Time
	done  chan struct{}
	err   error // to be read when done is closed
}

// over reports whether the fetch has ended, and returns its error.
func (f *flight) over() (bool, error) {
	select {
	case <-f.done:
		return true, f.err
	default:
		return false, nil
	}
}

// fetch returns the fetch that runs, or else the last one if the next must wait, or
// else one that begins now. isUnknown means that a token has an unknown kid.
func (r *Remote) fetch(ctx context.Context, now time.Time, isUnknown bool) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest != nil {
		over, err := r.latest.over()
		waits := age(now, r.latest.began) < r.floor
		if isUnknown && err == nil {
			waits = age(now, r.unknown) < r.floor
		}
		if !over || waits {
			return r.latest
		}
	}
	if isUnknown {
		r.unknown = now
	}
	f := &flight{began: now, done: make(chan struct{})}
	r.latest = f
	go func() {
		defer close(f.done)
		// Others wait for it too, so it does not end with the request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
		defer cancel()
		if f.err = r.load(ctx); f.err != nil {
			r.reporter.report(ctx, Event{Reason: FetchFailed, Err: f.err})
		}
	}()
	return f
}

// waiters counts the requests that wait for one source of keys or principals.
type waiters struct{ n atomic.Int32 }

// await waits until a call is done, as long as the request does. It returns full if
// maxWaiting requests wait already, and the reason ended if the request ends first.
func (w *waiters) await(ctx context.Context, done <-chan struct{}, full error, ended string) error {
	defer w.n.Add(-1)
	if w.n.Add(1) > maxWaiting {
		return full
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return auth.ErrUnavailable.Wrap(ctx.Err()).With("reason", ended)
	}
}

// await waits for a fetch as long as the request does.
func (r *Remote) await(ctx context.Context, f *flight) error {
	if over, _ := f.over(); over {
		return nil
	}
	return r.waiting.await(ctx, f.done, errTooManyWaitForKeys, "the request ended before the keys came")
}

var errTooManyWaitForKeys = auth.ErrUnavailable.Header("Retry-After", "1").With("reason", "too many requests wait for keys")
