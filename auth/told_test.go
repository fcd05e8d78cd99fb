package auth_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

// TestRevocationIsAddedOnce checks that a revocation is added again only if the feed has a
// shorter one, or may have lost it.
func TestRevocationIsAddedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		a, b := start(t, auth.RevocationsOptions{Feed: l}), start(t, auth.RevocationsOptions{Feed: l})
		pass(time.Millisecond)
		told := func(want int, message string) {
			t.Helper()
			pass(time.Second)
			l.set(func(l *ledger) { require.Equal(t, want, l.trimmed+len(l.entries), message) })
		}
		until := time.Now().Add(time.Hour)
		for range 3 {
			require.NoError(t, a.RevokeSession(t.Context(), "s1", until))
			require.NoError(t, a.RevokeSession(t.Context(), "s1", until.Add(-time.Minute)))
		}
		told(1, "what it has")
		require.NoError(t, b.RevokeSession(t.Context(), "s1", until))
		told(2, "what only another process is sure of")
		require.NoError(t, a.RevokeSession(t.Context(), "s1", until.Add(time.Second)))
		told(3, "for longer")
		now := time.Now()
		require.NoError(t, a.RevokeSubject(t.Context(), "u1", now, until))
		require.NoError(t, a.RevokeSubject(t.Context(), "u1", now.Add(time.Minute), until.Add(-time.Minute)))
		told(5, "of other tokens")
		require.NoError(t, a.RevokeSubject(t.Context(), "u1", now.Add(time.Minute), until))
		told(6, "what no entry says by itself")
		l.set(func(l *ledger) { l.fails = errors.New("down") })
		require.ErrorIs(t, a.RevokeSession(t.Context(), "s2", until), auth.ErrUnavailable)
		require.ErrorIs(t, a.RevokeSession(t.Context(), "s2", until), auth.ErrUnavailable, "it was not told")
		l.set(func(l *ledger) { l.fails = nil })
		pass(time.Second)
		require.NoError(t, a.RevokeSession(t.Context(), "s2", until))
		told(7, "after a failure")
		l.set(func(l *ledger) { l.unsure = errors.New("no replica has it") })
		for range 3 {
			require.ErrorIs(t, a.RevokeSession(t.Context(), "s3", until), auth.ErrUnavailable)
			pass(time.Second) // it reads its own entry
		}
		l.set(func(l *ledger) { l.unsure = nil })
		told(10, "each time, until it is sure")
		l.set(func(l *ledger) { l.trimmed, l.entries = l.trimmed+len(l.entries)+1, nil }) // the feed lost them, and one more
		pass(3 * time.Second)
		require.NoError(t, a.RevokeSession(t.Context(), "s2", until))
		told(12, "after a loss")
	})
}

// TestRevocationThatDoesNotFitIsAddedOnce checks that a revocation that does not fit is added once,
// however often it is repeated, and that it takes no place.
func TestRevocationThatDoesNotFitIsAddedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l, MaxEntries: 3})
		pass(time.Millisecond)
		until := time.Now().Add(time.Hour)
		for i := range 3 {
			require.NoError(t, p.RevokeSession(t.Context(), fmt.Sprint("s", i), until))
		}
		require.ErrorIs(t, p.RevokeSession(t.Context(), "more", until), auth.ErrUnavailable, "it did not fit")
		for range 1000 {
			require.NoError(t, p.RevokeSession(t.Context(), "more", until), "the feed has it, and so has this process")
		}
		pass(time.Second)
		l.set(func(l *ledger) { require.Len(t, l.entries, 4) })
		require.Equal(t, 3, p.Len())
		require.Equal(t, auth.ErrRevoked, p.session(t, "more"))
		refused := 0
		for i := range 3 {
			err := p.session(t, fmt.Sprint("s", i))
			require.Error(t, err, "nothing is forgotten")
			if errors.Is(err, auth.ErrRevoked) {
				refused++
			}
		}
		require.Equal(t, 2, refused)
		require.ErrorIs(t, p.session(t, "another"), auth.ErrUnavailable)
		pass(time.Hour + 65*time.Second)
		require.NoError(t, p.session(t, "another"))
	})
}

// TestUnconfirmedRevocationIsAddedOncePerSecond checks that a flood with one ID does not fill a feed that
// confirms nothing: it is added once a second, until the feed confirms it.
func TestUnconfirmedRevocationIsAddedOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l})
		pass(time.Millisecond)
		until := time.Now().Add(time.Hour)
		l.set(func(l *ledger) { l.unsure = errors.New("no replica has it") })
		for range 3 {
			for range 1000 {
				require.ErrorIs(t, p.RevokeSession(t.Context(), "s1", until), auth.ErrUnavailable)
			}
			require.Equal(t, auth.ErrRevoked, p.session(t, "s1"), "here it works")
			pass(time.Second)
		}
		l.set(func(l *ledger) { require.Len(t, l.entries, 3) })
		require.ErrorIs(t, p.RevokeSession(t.Context(), "s1", until), auth.ErrUnavailable)
		require.ErrorIs(t, p.RevokeSession(t.Context(), "s1", until.Add(time.Minute)), auth.ErrUnavailable, "it revokes more")
		l.set(func(l *ledger) { require.Len(t, l.entries, 5); l.unsure = nil })
		p.skew.Store(int64(-time.Hour))
		require.NoError(t, p.RevokeSession(t.Context(), "s1", until.Add(time.Minute)), "a clock that is set back delays nothing")
		require.NoError(t, p.RevokeSession(t.Context(), "s1", until.Add(time.Minute)))
		l.set(func(l *ledger) { require.Len(t, l.entries, 6) })
	})
}

// TestUnconfirmedRevocationDoesNotFillAFullTable checks the same for a full table.
func TestUnconfirmedRevocationDoesNotFillAFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		p := start(t, auth.RevocationsOptions{Feed: l, MaxEntries: 3})
		pass(time.Millisecond)
		until := time.Now().Add(time.Hour)
		for i := range 3 {
			require.NoError(t, p.RevokeSession(t.Context(), fmt.Sprint("s", i), until))
		}
		l.set(func(l *ledger) { l.fails = errors.New("down") })
		require.ErrorIs(t, p.RevokeSession(t.Context(), "more", until), auth.ErrUnavailable, "it was not told")
		pass(time.Second)
		l.set(func(l *ledger) { l.fails, l.unsure = nil, errors.New("no replica has it") })
		for range 3 {
			for range 1000 {
				require.ErrorIs(t, p.RevokeSession(t.Context(), "more", until), auth.ErrUnavailable)
			}
			pass(time.Second)
		}
		l.set(func(l *ledger) { require.Len(t, l.entries, 3+3); l.unsure = nil })
		for i := range 3 {
			require.Error(t, p.session(t, fmt.Sprint("s", i)), "nothing is forgotten")
		}
		require.NoError(t, p.RevokeSession(t.Context(), "more", until))
		l.set(func(l *ledger) { require.Len(t, l.entries, 3+4) })
	})
}

// TestReplacedEntryDoesNotExtendFullness checks that a replaced entry does not extend the time for
// which a table is full.
func TestReplacedEntryDoesNotExtendFullness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, auth.RevocationsOptions{Feed: newLedger(), MaxEntries: 3})
		pass(time.Millisecond)
		require.NoError(t, p.RevokeToken(t.Context(), "lasts", time.Now().Add(24*time.Hour)))
		for i := range 30 {
			_ = p.RevokeSession(t.Context(), fmt.Sprint("s", i), time.Now().Add(time.Hour))
		}
		require.ErrorIs(t, p.Ready(t.Context()), auth.ErrUnavailable)
		pass(time.Hour + 65*time.Second)
		require.NoError(t, p.Ready(t.Context()))
		require.Equal(t, auth.ErrRevoked, p.Check(t.Context(), "lasts", "", "", time.Now()))
	})
}

// overtaken is a feed that loses an entry before Add returns.
type overtaken struct {
	*ledger
	lose func()
}

func (f overtaken) Add(ctx context.Context, r auth.Revocation) error {
	err := f.ledger.Add(ctx, r)
	f.lose()
	return err
}

// TestRevocationLostDuringAddIsAddedAgain checks that a revocation is added again if the feed lost it
// before Add returned.
func TestRevocationLostDuringAddIsAddedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		lost := false
		f := overtaken{l, func() {
			if lost {
				return
			}
			lost = true
			pass(time.Second) // another read
			l.set(func(l *ledger) { l.trimmed, l.entries = l.trimmed+len(l.entries)+1, nil })
			pass(3 * time.Second)
		}}
		p := start(t, auth.RevocationsOptions{Feed: f})
		pass(time.Second)
		until := time.Now().Add(time.Hour)
		for range 3 {
			require.NoError(t, p.RevokeSession(t.Context(), "s1", until))
		}
		l.set(func(l *ledger) {
			require.Equal(t, 2, l.loads)
			require.Len(t, l.entries, 1, "told again, and then not more")
		})
	})
}
