package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// ledger is a feed that processes share: a log in memory that can be trimmed,
// can fail, and can hang.
type ledger struct {
	mu      sync.Mutex
	trimmed int // entries that are no longer there
	entries []auth.Revocation
	added   chan struct{} // closed by Add
	fails   error
	hangs   bool
	unsure  error // of an Add that is done
	reads   int   // of Load and of Next
	loads   int
}

func newLedger() *ledger { return &ledger{added: make(chan struct{})} }

func (l *ledger) set(change func(*ledger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// begin counts a call, and fails while the ledger is set to fail.
func (l *ledger) begin(ctx context.Context) error {
	l.mu.Lock()
	hangs, fails := l.hangs, l.fails
	l.reads++
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	return errors.Join(ctx.Err(), fails)
}

func (l *ledger) Load(ctx context.Context) ([]auth.Revocation, string, error) {
	if err := l.begin(ctx); err != nil {
		return nil, "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads++
	return append([]auth.Revocation(nil), l.entries...), strconv.Itoa(l.trimmed + len(l.entries)), nil
}

func (l *ledger) Next(ctx context.Context, after string) ([]auth.Revocation, string, error) {
	if err := l.begin(ctx); err != nil {
		return nil, "", err
	}
	l.mu.Lock()
	added := l.added
	l.mu.Unlock()
	n, err := strconv.Atoi(after)
	if err != nil {
		return nil, "", err
	}
	for range 2 {
		l.mu.Lock()
		total := l.trimmed + len(l.entries)
		if n < l.trimmed {
			l.mu.Unlock()
			return nil, "", fmt.Errorf("read %s: %w", after, auth.ErrPositionLost)
		}
		if n < total {
			defer l.mu.Unlock()
			return append([]auth.Revocation(nil), l.entries[n-l.trimmed:]...), strconv.Itoa(total), nil
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-added:
		case <-time.After(500 * time.Millisecond):
			return nil, after, nil
		}
	}
	return nil, after, nil
}

func (l *ledger) Add(ctx context.Context, r auth.Revocation) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, r)
	close(l.added)
	l.added = make(chan struct{})
	return l.unsure
}

// process is one of those that share a feed, inside a synctest bubble.
type process struct {
	*auth.Revocations
	log  *bytes.Buffer
	skew *atomic.Int64 // of its clock, which loses the monotonic reading then
}

func start(t *testing.T, o auth.RevocationsOptions) process {
	t.Helper()
	p := process{log: new(bytes.Buffer), skew: new(atomic.Int64)}
	o.Logger = slog.New(slog.NewTextHandler(p.log, nil))
	p.Revocations = errors.Must(auth.NewRevocations(o))
	p.SetClock(func() time.Time {
		if skew := p.skew.Load(); skew != 0 {
			return time.Now().Round(0).Add(time.Duration(skew))
		}
		return time.Now()
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return p
}

func (p process) session(t *testing.T, id string) error {
	t.Helper()
	return p.Check(t.Context(), "t", id, "u", time.Now())
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
