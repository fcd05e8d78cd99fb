package auth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
)

func TestMaxStaleIsChecked_FS1(t *testing.T) {
	l := newLedger()
	for name, row := range map[string]struct {
		options auth.RevocationsOptions
		want    string
	}{
		"FS1 negative":       {options: auth.RevocationsOptions{Feed: l, MaxStale: -1}, want: "auth: MaxStale -1ns: must be between 2s and 30s; did you mean 0, for 30s?"},
		"FS1 a bare number":  {options: auth.RevocationsOptions{Feed: l, MaxStale: 2}, want: "auth: MaxStale 2ns: must be between 2s and 30s; did you mean 2s?"},
		"FS1 too short":      {options: auth.RevocationsOptions{Feed: l, MaxStale: 2*time.Second - 1}, want: "auth: MaxStale 1.999999999s: must be between 2s and 30s; did you mean 2s?"},
		"FS1 too long":       {options: auth.RevocationsOptions{Feed: l, MaxStale: 30*time.Second + 1}, want: "auth: MaxStale 30.000000001s: must be between 2s and 30s; did you mean 0, for 30s?"},
		"FS1 without a feed": {options: auth.RevocationsOptions{MaxStale: 2 * time.Second}, want: "auth: MaxStale 2s: has no effect without a Feed; did you mean to set Feed?"},
		"FS1 two problems":   {options: auth.RevocationsOptions{Feed: l, MaxStale: -1, MaxEntries: -1}, want: "auth: MaxEntries: is negative; did you mean 0, for the default?\nauth: MaxStale -1ns: must be between 2s and 30s; did you mean 0, for 30s?"},
		"FS1 the shortest":   {options: auth.RevocationsOptions{Feed: l, MaxStale: 2 * time.Second}},
		"FS1 the longest":    {options: auth.RevocationsOptions{Feed: l, MaxStale: 30 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.NewRevocations(row.options)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, row.want)
		})
	}
}

// A process that is cut off from the feed accepts what another one revoked for
// MaxStale at most, and never after it.
func TestRevocationReachesACutOffProcessInTime_FS1(t *testing.T) {
	for _, maxStale := range []time.Duration{0, 2 * time.Second, 5 * time.Second, 30 * time.Second} {
		for name, cut := range map[string]func(*ledger){
			"fails": func(l *ledger) { l.fails = errors.New("down") },
			"hangs": func(l *ledger) { l.hangs = true },
		} {
			t.Run("FS1 the feed "+name+", MaxStale "+maxStale.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					bound := maxStale
					if bound == 0 {
						bound = 30 * time.Second
					}
					l, down := newLedger(), newLedger()
					b := start(t, auth.RevocationsOptions{Feed: down, MaxStale: maxStale})
					a := start(t, auth.RevocationsOptions{Feed: l})
					pass(10 * time.Second)
					require.NoError(t, b.session(t, "s1"))
					down.set(cut)
					require.NoError(t, a.RevokeSession(t.Context(), "s1", time.Now().Add(time.Hour)))
					require.Equal(t, auth.ErrRevoked, a.session(t, "s1"), "here at once")
					revoked, accepted := time.Now(), time.Duration(0)
					for since := time.Duration(0); since < bound+5*time.Second; since = time.Since(revoked) {
						if b.session(t, "s1") == nil {
							accepted = since
						}
						pass(10 * time.Millisecond)
					}
					require.LessOrEqual(t, accepted, bound)
					require.GreaterOrEqual(t, accepted, bound-1100*time.Millisecond, "and not much less: an outage costs logins")
					require.ErrorIs(t, b.session(t, "s1"), auth.ErrUnavailable)
					down.set(func(l *ledger) { l.fails, l.hangs = nil, false })
					pass(bound + time.Second)
					require.NoError(t, b.session(t, "s2"), "it goes on by itself")
				})
			})
		}
	}
}

// A feed without new entries is not stale, whatever MaxStale is.
func TestIdleFeedIsNeverStale_FS1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, auth.RevocationsOptions{Feed: newLedger(), MaxStale: 2 * time.Second})
		pass(time.Millisecond)
		for range 6000 {
			require.NoError(t, p.Ready(t.Context()))
			pass(10 * time.Millisecond)
		}
	})
}
