package leftbehind_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/leftbehind"
)

func TestDoReturnsTheResultOfACall(t *testing.T) {
	t.Parallel()
	failure := errors.New("a failure")
	for _, row := range []struct {
		name string
		call func(context.Context) error
		ok   bool
		want error
	}{
		{name: "a panic", call: func(context.Context) error { panic("a mistake") }, ok: true, want: leftbehind.Panic{Value: "a mistake"}},
		{name: "an error", call: func(context.Context) error { return failure }, ok: true, want: failure},
		{name: "no error", call: func(context.Context) error { return nil }, ok: true},
		{name: "a call that ignores its context", call: func(context.Context) error { time.Sleep(time.Hour); return failure }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls leftbehind.Calls
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				ok, err := calls.Do(ctx, leftbehind.NewCall(), row.call)
				require.Equal(t, row.ok, ok)
				require.Equal(t, row.want, err)
				require.LessOrEqual(t, time.Since(start), time.Second)
				if !row.ok {
					require.Equal(t, 1, calls.Abandoned())
				}
				time.Sleep(2 * time.Hour)
				require.Zero(t, calls.Abandoned(), "the call has returned")
			})
		})
	}
	require.EqualError(t, leftbehind.Panic{Value: "a mistake"}, "panic: a mistake")
}

func TestCallsAreFullWith128AbandonedCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls leftbehind.Calls
		release := make(chan struct{})
		hang := func(context.Context) error { <-release; return nil }
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 127 {
			_, _ = calls.Do(ctx, leftbehind.NewCall(), hang)
		}
		require.False(t, calls.IsFull())
		_, _ = calls.Do(ctx, leftbehind.NewCall(), hang)
		require.True(t, calls.IsFull())
		close(release)
		synctest.Wait()
		require.False(t, calls.IsFull())
		require.Zero(t, calls.Abandoned())
	})
}

// A call that returns at its deadline is either abandoned or has its own result,
// and a reused Call never has the result of an earlier call.
func TestCallThatReturnsAtTheDeadlineHasItsOwnResult(t *testing.T) {
	t.Parallel()
	var calls leftbehind.Calls
	var returned, abandoned atomic.Int64
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			call := leftbehind.NewCall()
			for j := range 100 {
				own := errors.New("the result of this call")
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i+j)%100)*10*time.Microsecond)
				ok, err := calls.Do(ctx, call, func(ctx context.Context) error { <-ctx.Done(); return own })
				cancel()
				switch {
				case !ok:
					abandoned.Add(1)
					call = leftbehind.NewCall()
				case err != own:
					t.Errorf("got %v, want the result of this call", err)
				default:
					returned.Add(1)
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 2000, returned.Load()+abandoned.Load())
	require.Eventually(t, func() bool { return calls.Abandoned() == 0 }, 10*time.Second, time.Millisecond)
}

func TestDoAllocatesOnlyItsGoroutine(t *testing.T) {
	var calls leftbehind.Calls
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	call, n := leftbehind.NewCall(), 0
	f := func(context.Context) error { n++; return nil }
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = calls.Do(ctx, call, f) }), 1.0)
}
