package ratelimit_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/ratelimit"
)

// requestBy returns a request of an account from an address, with a cost.
func requestBy(account, address string, cost int) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Account", account)
	r.Header.Set("Address", address)
	r.Header.Set("Cost", strconv.Itoa(cost))
	return r
}

func header(key string) func(*http.Request) string {
	return func(r *http.Request) string { return r.Header.Get(key) }
}

func costHeader(r *http.Request) int {
	n, _ := strconv.Atoi(r.Header.Get("Cost"))
	return n
}

// If a limit denies, only the charges that were spent return to their leases. Otherwise a
// client could fill the lease of an address with the denials of one account.
func TestDenialReturnsOnlySpentCharges(t *testing.T) {
	const limit = 6400 // the share is 100
	address := ratelimit.Limit{Requests: limit, Window: time.Hour, Lease: true, Key: header("Address"), Cost: costHeader}
	for _, row := range []struct {
		name   string
		limits []ratelimit.Limit
		denied func(i int) *http.Request
	}{
		{
			name: "a limit that was not evaluated", limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, Lease: true, Key: header("Account")}, address},
			denied: func(int) *http.Request { return requestBy("spent", "x", 1) },
		},
		{
			name: "a limit whose lease is too small for the cost", limits: []ratelimit.Limit{address, {Requests: 1000, Window: time.Hour, Key: header("Account"), Cost: costHeader}},
			denied: func(i int) *http.Request { return requestBy("spent", "x", 101+i%800) }, // another cost each time, so that the denial is not cached
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Timeout: time.Minute, Tiers: []ratelimit.Tier{{Name: "a", Limits: row.limits}}})
			admitted := 0
			check := func(r *http.Request) bool {
				d, err := withoutDenial(l.Charge(r))
				require.NoError(t, err)
				require.False(t, d.Degraded)
				return d.Allowed
			}
			for check(requestBy("spent", "another", 1)) {
			}
			for i := range 4 * limit {
				if check(requestBy(strconv.Itoa(i/900), "x", 1)) {
					admitted++
				}
				if i%10 == 0 {
					require.False(t, check(row.denied(i/10)))
				}
			}
			require.LessOrEqual(t, admitted, limit)
			require.GreaterOrEqual(t, admitted, limit*9/10)
		})
	}
}

// While a lease denies, the limits after it are not evaluated. Their verdicts on
// another request must not appear in the decision.
func TestDenialOfALeaseHasOnlyItsOwnVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
			{Requests: 1000, Window: time.Hour, Lease: true, Key: header("Account")},
			{Requests: 1, Window: 24 * time.Hour, Key: header("Address")},
		}}}})
		for i := 0; ; i++ {
			d, err := withoutDenial(l.Charge(requestBy("spent", strconv.Itoa(i), 1)))
			require.NoError(t, err)
			if !d.Allowed {
				break
			}
		}
		for range 20 {
			d, err := withoutDenial(l.Charge(requestBy("other", "0", 1)))
			require.NoError(t, err)
			require.Greater(t, d.RetryAfter, 23*time.Hour, "the limit of the address denies")
			d, err = withoutDenial(l.Charge(requestBy("spent", "free", 1)))
			require.NoError(t, err)
			require.False(t, d.Allowed)
			require.LessOrEqual(t, d.RetryAfter, time.Hour, "a denial lasts for at most a window")
		}
	})
}

// A refund after the lease has expired has no effect, so the next lease does not grow.
func TestLateRefundDoesNotFillTheNextLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1000
		l := newLimiter(t, ratelimit.Options{Store: newTestStore(), Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: limit, Window: time.Minute, Lease: true}}}}})
		var old []ratelimit.Decision
		for range limit {
			old = append(old, mustTake(t, l, "a", "k", 1))
		}
		time.Sleep(10 * time.Minute)
		admitted := 0
		for i := range old {
			for range 2 {
				if mustTake(t, l, "a", "k", 1).Allowed {
					admitted++
				}
			}
			old[i].Refund(t.Context())
		}
		require.LessOrEqual(t, admitted, limit)
		require.GreaterOrEqual(t, admitted, limit*9/10)
	})
}
