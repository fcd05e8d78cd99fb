package ratelimit_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

// onBothStores runs a test with a Memory, and with a remote store.
func onBothStores(t *testing.T, name string, play func(t *testing.T, s ratelimit.Store)) {
	t.Helper()
	t.Run(name+" with a Memory", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { play(t, nil) }) })
	t.Run(name+" with a remote store", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { play(t, newTestStore()) }) })
}

func TestPenaltyDeniesForItsDuration(t *testing.T) {
	onBothStores(t, "a denial denies for 10 minutes", func(t *testing.T, s ratelimit.Store) {
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 2, Window: time.Second, Penalty: 10 * time.Minute}}}}})
		for _, want := range []int{200, 200, 429} {
			require.Equal(t, want, call(l, "GET", "/", peer, 200).Code)
		}
		for i := range 9 { // denials do not prolong the penalty
			time.Sleep(time.Minute)
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, 429, w.Code)
			require.Equal(t, itoa(600-60*(i+1)), w.Header().Get("Retry-After"))
			require.Equal(t, `"a";r=0;t=`+itoa(600-60*(i+1)), w.Header().Get("RateLimit"))
		}
		time.Sleep(time.Minute)
		require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
	})
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestScaleSetsTheQuota(t *testing.T) {
	onBothStores(t, "each principal has its quota", func(t *testing.T, s ratelimit.Store) {
		quotas := map[string]int{"small": 1, "none": 0, "negative": -5, "pro": 300, "huge": 1 << 62}
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{
			Requests: 3, Window: time.Minute,
			Key:   func(r *http.Request) string { return r.URL.Query().Get("subject") },
			Scale: func(r *http.Request) int { return quotas[r.URL.Query().Get("subject")] },
		}}}}})
		for subject, want := range map[string]int{"small": 1, "none": 3, "negative": 3, "unknown": 3, "pro": 300} {
			n := 0
			for call(l, "GET", "/?subject="+subject, peer, 200).Code == 200 {
				n++
			}
			require.Equal(t, want, n, subject)
		}
		w := call(l, "GET", "/?subject=huge", peer, 200)
		require.Equal(t, 200, w.Code)
		require.Equal(t, `"a";q=2147483647;w=60`, w.Header().Get("RateLimit-Policy"))
		require.Contains(t, w.Header().Get("RateLimit"), `"a";r=2147483646;t=`)

		quotas["small"] = 5 // an upgrade keeps the count
		require.Equal(t, `"a";r=3;t=60`, call(l, "GET", "/?subject=small", peer, 200).Header().Get("RateLimit"))
		quotas["small"] = 2
		w = call(l, "GET", "/?subject=small", peer, 200)
		require.Equal(t, 429, w.Code)
		require.Equal(t, `"a";q=2;w=60`, w.Header().Get("RateLimit-Policy"))
	})
}

// A request that a shadow limit would have denied is an event of errors, and served.
func TestInsecureShadowReportsToErrors(t *testing.T) {
	var reported []errors.Event
	failures := errors.Must(errors.NewResponder(errors.Options{
		Logger: slog.New(slog.DiscardHandler), OnEvent: func(_ context.Context, e errors.Event) { reported = append(reported, e) },
	}))
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
		{Requests: 4, Window: time.Minute}, {Requests: 2, Window: time.Minute, InsecureShadow: true},
	}}}})
	h := failures.Handler(l.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for i := range 6 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.Equal(t, i < 4, w.Code == 200)
		require.Len(t, reported, max(0, i-1))
	}
	for i, e := range reported {
		require.Equal(t, ratelimit.ErrLimited, e.Kind)
		require.Equal(t, i < 2, e.Reported)
	}
	require.ErrorContains(t, reported[0].Err, "rate_limited")
}

func TestInsecureShadowNeverDenies(t *testing.T) {
	onBothStores(t, "a shadow limit reports its denials", func(t *testing.T, s ratelimit.Store) {
		recorded := new(events)
		l := newLimiter(t, ratelimit.Options{Store: s, OnEvent: recorded.record, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
			{Requests: 3, Window: time.Minute}, {Requests: 1, Window: time.Minute, InsecureShadow: true, Penalty: time.Hour},
		}}}})
		for i, want := range []int{200, 200, 200, 429} {
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, want, w.Code)
			require.Equal(t, `"a";q=3;w=60`, w.Header().Get("RateLimit-Policy"))
			require.Contains(t, w.Header().Get("RateLimit"), `"a";r=`+itoa(max(0, 2-i)))
		}
		var got []string
		for _, e := range recorded.all {
			got = append(got, string(e.Reason)+" "+e.Limit)
		}
		require.Equal(t, []string{"allowed ", "shadow a-2", "shadow a-2", "denied a"}, got)
	})
	onBothStores(t, "a shadow limit without others has no fields", func(t *testing.T, s ratelimit.Store) {
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Minute, InsecureShadow: true}}}}})
		for range 5 {
			w := call(l, "GET", "/", peer, 200)
			require.Equal(t, 200, w.Code)
			require.Empty(t, w.Header()["Ratelimit"])
		}
		d := mustTake(t, l, "a", "k", 7)
		require.True(t, d.Allowed, "a shadow limit must allow a cost above Requests")
	})
}

func TestCostOfZeroIsNotCounted(t *testing.T) {
	onBothStores(t, "cost of 0 for OPTIONS", func(t *testing.T, s ratelimit.Store) {
		l := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{
			Requests: 1, Window: time.Minute, Cost: func(r *http.Request) int { return map[string]int{"GET": 1}[r.Method] },
		}}}}})
		require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
		require.Equal(t, 429, call(l, "GET", "/", peer, 200).Code)
		for range 5 {
			require.Equal(t, 200, call(l, "OPTIONS", "/", peer, 200).Code)
		}
	})
}

// The event names a quiet limit that denied. The fields have only the other limits.
func TestEventsNameTheLimit(t *testing.T) {
	recorded := new(events)
	l := newLimiter(t, ratelimit.Options{OnEvent: recorded.record, Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{
		{Requests: 5, Window: time.Minute}, {Requests: 1, Window: time.Hour, Quiet: true},
	}}}})
	call(l, "GET", "/", peer, 200)
	w := call(l, "GET", "/", peer, 200)
	require.Equal(t, 429, w.Code)
	require.Equal(t, "3600", w.Header().Get("Retry-After"))
	require.Equal(t, `"a";r=4;t=60`, w.Header().Get("RateLimit"))
	require.Equal(t, "a-2", recorded.all[1].Limit)
	require.Equal(t, ratelimit.Denied, recorded.all[1].Reason)
}

func TestSecondLimiterInsideAuthLimitsPrincipals(t *testing.T) {
	onBothStores(t, "two limiters in one chain", func(t *testing.T, s ratelimit.Store) {
		if s == nil {
			s = ratelimit.NewMemory(ratelimit.MemoryOptions{})
		}
		address := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{tierPerMinute("address", 5)}})
		principal := newLimiter(t, ratelimit.Options{Store: s, Tiers: []ratelimit.Tier{{Name: "principal", Limits: []ratelimit.Limit{{
			Requests: 2, Window: time.Minute,
			Key: func(r *http.Request) string {
				p, ok := auth.From(r.Context())
				if !ok {
					return "" // not authenticated: the address counts
				}
				return p.Subject()
			},
		}}}}})
		login := func(next http.Handler) http.Handler { // stands for auth
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if subject := r.Header.Get("Subject"); subject != "" {
					r = r.WithContext(auth.NewContext(r.Context(), errors.Must(auth.NewPrincipal(auth.Identity{CallerType: auth.Person, Subject: subject}))))
				}
				next.ServeHTTP(w, r)
			})
		}
		h := address.Handler(login(principal.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
		get := func(subject, from string) *httptest.ResponseRecorder {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header.Set("Subject", subject)
			r.RemoteAddr = from
			h.ServeHTTP(w, r)
			return w
		}
		w := get("ada", "192.0.2.1:1")
		require.Equal(t, []string{`"address";r=4;t=60, "principal";r=1;t=60`}, w.Header()["Ratelimit"])
		require.Equal(t, []string{`"address";q=5;w=60, "principal";q=2;w=60`}, w.Header()["Ratelimit-Policy"])
		require.Equal(t, 200, get("ada", "192.0.2.2:1").Code)
		w = get("ada", "192.0.2.3:1")
		require.Equal(t, 429, w.Code, "the address must not matter")
		require.Equal(t, []string{`"address";r=4;t=60, "principal";r=0;t=60`}, w.Header()["Ratelimit"])
		require.Equal(t, 200, get("eve", "192.0.2.3:1").Code, "another principal")
		require.Equal(t, 200, get("", "192.0.2.4:1").Code, "a request without a principal counts by address")
		for range 3 {
			get("", "192.0.2.1:1")
		}
		require.Equal(t, 429, get("", "192.0.2.1:1").Code)
	})
}

func TestEachDecisionHasOneReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorded, s := new(events), newTestStore()
		l := newLimiter(t, ratelimit.Options{Store: s, OnEvent: recorded.record, Tiers: []ratelimit.Tier{
			tierPerMinute("a", 1), {Name: "lease", Routes: []string{"/l"}, Limits: []ratelimit.Limit{{Requests: 1000, Window: time.Hour, Lease: true}}},
			{Name: "shadow", Routes: []string{"/s"}, Limits: []ratelimit.Limit{{Requests: 1, Window: time.Hour, InsecureShadow: true}}},
		}})
		for _, tier := range []string{"a", "a", "a", "lease", "lease", "lease", "shadow", "shadow"} {
			mustTake(t, l, tier, "k", 1)
		}
		s.set(func() { s.fail = errDown })
		for range 4 {
			mustTake(t, l, "a", "down", 1)
		}
		s.set(func() { s.fail = nil })
		time.Sleep(time.Second)
		mustTake(t, l, "a", "up", 1)
		full := newLimiter(t, ratelimit.Options{Store: ratelimit.NewMemory(ratelimit.MemoryOptions{MaxKeys: 1}), OnEvent: recorded.record, Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
		mustTake(t, full, "a", "first", 1)
		mustTake(t, full, "a", "second", 1)
		var got []ratelimit.Reason
		for _, e := range recorded.all {
			got = append(got, e.Reason)
		}
		require.Equal(t, []ratelimit.Reason{
			"allowed", "denied", "cached", "allowed", "allowed", "leased", "allowed", "shadow",
			"allowed", "denied", "degraded", "denied", "denied", "restored", "allowed", "allowed", "pressure",
		}, got)
	})
}

// Denied and allowed decisions of several limits do not allocate.
func TestTakeOfSeveralLimitsAllocatesNothing(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "login", Limits: ratelimit.Login()}, tierPerMinute("many", 1<<30, "/x")}})
	ctx := context.Background()
	for range 10 {
		mustTake(t, l, "login", "k", 1)
		mustTake(t, l, "many", "k", 1)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, "login", "k", 1) }))
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, "many", "k", 1) }))
	most := 0.0
	if raceEnabled {
		most = 1 // sync.Pool drops items on purpose
	}
	for _, fields := range []ratelimit.Fields{ratelimit.RateLimitFields, ratelimit.LegacyFields, ratelimit.BothFields, ratelimit.NoFields} {
		h := newLimiter(t, ratelimit.Options{Fields: fields, Tiers: []ratelimit.Tier{tierPerMinute("reads", 1<<30)}}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { clear(w.Header()); h.ServeHTTP(w, r) }), most)
	}
}

func TestTierWithoutRoutesIsNamedDefault(t *testing.T) {
	tiers := []ratelimit.Tier{tierPerMinute("", 1), tierPerMinute("login", 1, "/login")}
	l := newLimiter(t, ratelimit.Options{Tiers: tiers})
	require.Empty(t, tiers[0].Name, "New must not change its options")
	require.Equal(t, "default", mustTake(t, l, "default", "k", 1).Tier)
	for _, row := range []struct {
		name    string
		tiers   []ratelimit.Tier
		problem string
	}{
		{name: "tier with Routes and no name", tiers: []ratelimit.Tier{tierPerMinute("", 1, "/login")}, problem: `ratelimit: Tiers[0].Name "": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "default"?`},
		{name: "name of another tier", tiers: []ratelimit.Tier{tierPerMinute("default", 1, "/login"), tierPerMinute("", 1)}, problem: `ratelimit: Tiers[1].Name "default": is listed twice; did you mean one tier with all Routes?`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ratelimit.New(ratelimit.Options{Tiers: row.tiers})
			require.EqualError(t, err, row.problem)
		})
	}
}

func TestConstructorsSetTheWindow(t *testing.T) {
	require.Equal(t, []ratelimit.Limit{
		{Requests: 5, Window: time.Second}, {Requests: 6, Window: time.Minute}, {Requests: 7, Window: time.Hour},
	}, []ratelimit.Limit{ratelimit.PerSecond(5), ratelimit.PerMinute(6), ratelimit.PerHour(7)})
}
