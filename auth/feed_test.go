package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

func TestRevocationsReachOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		a, b := start(t, auth.RevocationsOptions{Feed: l}), start(t, auth.RevocationsOptions{Feed: l})
		pass(time.Millisecond)
		require.NoError(t, b.Ready(t.Context()))
		until := time.Now().Add(5 * time.Minute)
		require.NoError(t, a.RevokeSession(t.Context(), "s1", until))
		require.NoError(t, a.RevokeToken(t.Context(), "t1", until))
		require.NoError(t, a.RevokeSubject(t.Context(), "u1", time.Now(), until))
		pass(time.Second)
		for name, p := range map[string]process{"here": a, "there": b, "a process that starts later": start(t, auth.RevocationsOptions{Feed: l})} {
			pass(time.Millisecond)
			require.Equal(t, auth.ErrRevoked, p.session(t, "s1"), name)
			require.Equal(t, auth.ErrRevoked, p.Check(t.Context(), "t1", "", "", time.Now()), name)
			require.Equal(t, auth.ErrRevoked, p.Check(t.Context(), "", "", "u1", time.Now().Add(-2*time.Second)), name)
			require.NoError(t, p.Check(t.Context(), "", "", "u1", time.Now().Add(time.Second)), name)
			require.NoError(t, p.session(t, "s2"), name)
		}
		pass(5*time.Minute + 65*time.Second)
		require.NoError(t, b.session(t, "s1"), "its tokens are dead")
	})
}

// In each row, a process cannot know whether s2 was revoked, and returns
// ErrUnavailable.
func TestUnknownRevocationsAreUnavailable(t *testing.T) {
	outage := errors.New("connection refused")
	for _, row := range []struct {
		name string
		run  func(t *testing.T, l *ledger) (p process, heal func())
	}{
		{name: "booting: Run was not called", run: func(t *testing.T, l *ledger) (process, func()) {
			p := process{Revocations: errors.Must(auth.NewRevocations(auth.RevocationsOptions{Feed: l}))}
			require.NoError(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Minute)))
			return p, func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, p.Run(ctx), context.DeadlineExceeded)
			}
		}},
		{name: "booting: the feed fails", run: func(t *testing.T, l *ledger) (process, func()) {
			l.fails = outage
			p := start(t, auth.RevocationsOptions{Feed: l})
			require.ErrorIs(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)), outage)
			pass(time.Minute)
			require.Equal(t, 1, strings.Count(p.log.String(), "level=WARN msg=\"revocation feed unreadable\" error=\"connection refused\""), p.log)
			return p, func() {
				l.set(func(l *ledger) { l.fails = nil })
				pass(time.Second)
				require.Equal(t, 1, strings.Count(p.log.String(), "level=INFO msg=\"revocation feed recovered\""), p.log)
			}
		}},
		{name: "booting: the feed hangs", run: func(t *testing.T, l *ledger) (process, func()) {
			l.hangs = true
			p := start(t, auth.RevocationsOptions{Feed: l})
			before := time.Now()
			require.ErrorIs(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)), auth.ErrUnavailable)
			require.Equal(t, 3*time.Second, time.Since(before), "and nobody waits for it longer")
			pass(time.Minute)
			return p, func() { l.set(func(l *ledger) { l.hangs = false }); pass(11 * time.Second) }
		}},
		{name: "stale: the feed fails", run: func(t *testing.T, l *ledger) (process, func()) {
			p := start(t, auth.RevocationsOptions{Feed: l})
			require.NoError(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
			pass(10 * time.Second)
			l.set(func(l *ledger) { l.fails = outage })
			pass(28 * time.Second)
			require.NoError(t, p.session(t, "s2"), "up to 30 s it counts")
			pass(3 * time.Second)
			return p, func() { l.set(func(l *ledger) { l.fails = nil }); pass(2 * time.Second) }
		}},
		{name: "stale: the feed hangs", run: func(t *testing.T, l *ledger) (process, func()) {
			p := start(t, auth.RevocationsOptions{Feed: l})
			require.NoError(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
			pass(10 * time.Second)
			l.set(func(l *ledger) { l.hangs = true })
			pass(31 * time.Second)
			return p, func() { l.set(func(l *ledger) { l.hangs = false }); pass(11 * time.Second) }
		}},
		{name: "stale: an entry that cannot be understood", run: func(t *testing.T, l *ledger) (process, func()) {
			p := start(t, auth.RevocationsOptions{Feed: l})
			require.NoError(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
			pass(time.Second)
			require.NoError(t, l.Add(t.Context(), auth.Revocation{Token: "t1", Session: "s1", Until: time.Now().Add(time.Hour)}))
			pass(31 * time.Second)
			return p, func() { l.set(func(l *ledger) { l.trimmed, l.entries = 2, l.entries[:1] }); pass(time.Second) }
		}},
		{name: "full: the feed has more than fits", run: func(t *testing.T, l *ledger) (process, func()) {
			for i := range 3 {
				require.NoError(t, l.Add(t.Context(), auth.Revocation{Session: fmt.Sprint("s", 1+10*i), Until: time.Now().Add(time.Hour)}))
			}
			p := start(t, auth.RevocationsOptions{Feed: l, MaxEntries: 2})
			pass(time.Second)
			require.NoError(t, l.Add(t.Context(), auth.Revocation{Session: "s1", Until: time.Now().Add(2 * time.Hour)}), "which is there and may last longer")
			pass(time.Hour - 2*time.Second)
			return p, func() { pass(time.Second) }
		}},
		{name: "the clock was ahead, dropped what was dead by it, and was set back", run: func(t *testing.T, l *ledger) (process, func()) {
			p := start(t, auth.RevocationsOptions{Feed: l, MaxEntries: 2})
			require.NoError(t, p.RevokeSession(t.Context(), "s1", time.Now().Add(2*time.Hour)))
			require.NoError(t, p.RevokeSession(t.Context(), "s2", time.Now().Add(10*time.Minute)))
			p.skew.Store(int64(time.Hour))
			pass(2 * time.Second)
			require.NoError(t, p.RevokeSession(t.Context(), "s3", time.Now().Add(2*time.Hour)), "it has the place of s2")
			p.skew.Store(0)
			pass(2 * time.Second)
			return p, func() { pass(10*time.Minute + 65*time.Second) }
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, heal := row.run(t, newLedger())
				require.ErrorIs(t, p.session(t, "s2"), auth.ErrUnavailable)
				require.ErrorIs(t, p.Ready(t.Context()), auth.ErrUnavailable)
				require.Contains(t, logged(p.Ready(t.Context())), reasons[strings.Split(row.name, ":")[0]])
				require.Equal(t, auth.ErrRevoked, p.session(t, "s1"), "what is known is refused for good")
				heal()
				require.NoError(t, p.session(t, "s2"))
			})
		})
	}
}

// reasons are the causes in the log.
var reasons = map[string]string{
	"booting": "does Run run?", "stale": "was not read for MaxStale", "full": "was full",
	"the clock was ahead, dropped what was dead by it, and was set back": "its clock was set back",
}

// logged returns the record of a request that failed with an error.
func logged(err error) string {
	var log bytes.Buffer
	respond := errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err })
	errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})).Handler(respond).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	return log.String()
}

// A clock that is set back must not make old entries look fresh, and one that is
// set ahead must not delete live ones: the result is unknown.
func TestJumpingClockMakesRevocationsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l})
		pass(time.Second)
		for name, jump := range map[string]time.Duration{"back": -time.Hour, "ahead": time.Hour} {
			l.set(func(l *ledger) { l.fails = errors.New("down") })
			pass(time.Second)
			require.NoError(t, p.session(t, "s1"))
			p.skew.Store(int64(jump))
			require.ErrorIs(t, p.session(t, "s1"), auth.ErrUnavailable, name)
			p.skew.Store(0)
			l.set(func(l *ledger) { l.fails = nil })
			pass(time.Second)
		}
	})
}

func TestLostPositionReloadsTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l})
		pass(time.Second)
		require.NoError(t, p.session(t, "s1"))
		until := time.Now().Add(time.Hour)
		l.set(func(l *ledger) { // two were added, and one trimmed, between two reads
			l.trimmed, l.entries = 1, []auth.Revocation{{Session: "s1", Until: until}}
		})
		pass(2 * time.Second)
		require.Equal(t, auth.ErrRevoked, p.session(t, "s1"))
		require.Equal(t, 2, l.loads)
		require.Empty(t, p.log, "it is no failure")
	})
}

// impatient returns at once, with or without entries.
type impatient struct {
	*ledger
	err error
}

func (f impatient) Next(_ context.Context, after string) ([]auth.Revocation, string, error) {
	f.set(func(l *ledger) { l.reads++ })
	return nil, after, f.err
}

// A feed that does not wait, or has lost every position, is not called in a busy
// loop.
func TestFeedIsNotCalledInABusyLoop(t *testing.T) {
	for name, err := range map[string]error{"nothing": nil, "lost": auth.ErrPositionLost} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger()
				start(t, auth.RevocationsOptions{Feed: impatient{l, err}})
				pass(10 * time.Second)
				l.set(func(l *ledger) { require.InDelta(t, 200, l.reads, 2) })
			})
		})
	}
}

func TestARevocationSurvivesItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, p.RevokeSession(ctx, "s1", time.Now().Add(time.Minute)))
		require.Len(t, l.entries, 1)
		require.Equal(t, time.Now().Add(125*time.Second).Round(0), l.entries[0].Until, "leeway and skew of clocks included")
	})
}

func TestRunWithoutAFeedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, auth.RevocationsOptions{})
		pass(time.Hour)
		require.NoError(t, p.Ready(t.Context()))
	})
}
