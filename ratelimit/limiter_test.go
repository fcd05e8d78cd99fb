package ratelimit_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/ratelimit"
)

func TestHandlerRespondsWithFieldsAndRetryAfter(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("reads", 2)}})
	w := call(l, "GET", "/", peer, 200)
	require.Equal(t, `"reads";r=1;t=60`, w.Header().Get("RateLimit"))
	require.Equal(t, `"reads";q=2;w=60`, w.Header().Get("RateLimit-Policy"))
	call(l, "GET", "/", peer, 200)
	w = call(l, "GET", "/", peer, 200)
	require.Equal(t, 429, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	require.Equal(t, `"reads";r=0;t=60`, w.Header().Get("RateLimit"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Contains(t, w.Body.String(), `{"code":"rate_limited","message":"Too many requests. Try again later.","correlation_id":"`)
	require.Equal(t, 200, call(l, "GET", "/", "192.0.2.2:1", 200).Code, "another client")
}

func TestStrictestFormOfAPathSelectsTheTier(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 1, "POST /auth/login"), tierPerMinute("reads", 1000, "GET /"), tierPerMinute("writes", 1000)}})
	call(l, "POST", "/auth/login", peer, 200)
	for _, target := range []string{"/auth/login", "//auth/login", "/auth/./login", "/auth%2Flogin", "/auth/login/", "/x/../auth/login"} {
		require.Equal(t, 429, call(l, "POST", target, peer, 200).Code, target)
	}
	require.Equal(t, 200, call(l, "POST", "/auth/refresh", peer, 200).Code)
	require.Equal(t, 200, call(l, "GET", "/auth/login", peer, 200).Code)
	open := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("login", 1, "/login")}})
	require.Empty(t, call(open, "GET", "/other", peer, 200).Header().Get("RateLimit"), "a request without a tier must have no fields")
}

func TestAddressesMapToClients(t *testing.T) {
	for _, row := range []struct {
		name, first, second string
		same                bool
	}{
		{name: "two ports of one address", first: "192.0.2.1:1", second: "192.0.2.1:2", same: true},
		{name: "an IPv4-mapped address and its IPv4 address", first: "192.0.2.1:1", second: "[::ffff:192.0.2.1]:1", same: true},
		{name: "two IPv4-mapped addresses", first: "[::ffff:192.0.2.1]:1", second: "[::ffff:192.0.2.2]:1", same: false},
		{name: "one /64 network", first: "[2001:db8::1]:1", second: "[2001:db8::2]:1", same: true},
		{name: "two /64 networks", first: "[2001:db8::1]:1", second: "[2001:db8:0:1::1]:1", same: false},
		{name: "two clients behind NAT64", first: "[64:ff9b::192.0.2.1]:1", second: "[64:ff9b::192.0.2.2]:1", same: false},
		{name: "one client with and without NAT64", first: "[64:ff9b::192.0.2.1]:1", second: "192.0.2.1:2", same: true},
		{name: "two addresses next to the prefix of NAT64", first: "[64:ff9b:0:0:0:1:c000:201]:1", second: "[64:ff9b:0:0:0:1:c000:202]:1", same: true},
		{name: "two zones", first: "[fe80::1%a]:1", second: "[fe80::1%b]:1", same: true},
		{name: "Unix sockets", first: "@", second: "", same: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("reads", 1)}})
			call(l, "GET", "/", row.first, 200)
			require.Equal(t, row.same, call(l, "GET", "/", row.second, 200).Code == 429)
		})
	}
	t.Run("an unverified address counts, an invalid one falls back to the peer", func(t *testing.T) {
		addr := netip.MustParseAddr("198.51.100.7")
		l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("reads", 1)}, ClientIP: func(*http.Request) (netip.Addr, bool) { return addr, false }})
		call(l, "GET", "/", peer, 200)
		require.Equal(t, 429, call(l, "GET", "/", "192.0.2.9:1", 200).Code)
		addr = netip.Addr{}
		require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
		require.Equal(t, 429, call(l, "GET", "/", peer, 200).Code)
	})
}

func TestKeyAndCostOverrideTheDefaults(t *testing.T) {
	key, cost := "", 1
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{{
		Requests: 3, Window: time.Minute, Key: func(*http.Request) string { return key }, Cost: func(*http.Request) int { return cost },
	}}}}})
	require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
	cost = 4
	w := call(l, "GET", "/", peer, 200)
	require.Equal(t, 413, w.Code)
	require.Empty(t, w.Header().Get("Retry-After"), "a retry cannot succeed")
	cost = -5
	require.Equal(t, `"a";r=2;t=60`, call(l, "GET", "/", peer, 200).Header().Get("RateLimit"))
	cost, key = 2, "ada"
	require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
	require.Equal(t, 429, call(l, "GET", "/", "192.0.2.77:1", 200).Code, "the key counts, not the address")
}

func TestTakeRefundAndResetChangeTheCount(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("account", 1)}})
	d, err := l.Take(t.Context(), "account", "ada", 1)
	require.NoError(t, err)
	require.True(t, d.Allowed)
	denied, err := l.Take(t.Context(), "account", "ada", 1)
	require.ErrorIs(t, err, ratelimit.ErrLimited)
	require.False(t, denied.Allowed)
	require.InDelta(t, time.Minute, denied.RetryAfter, float64(time.Second))
	w := httptest.NewRecorder()
	errors.Respond(w, httptest.NewRequest("POST", "/", nil), err)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	_, err = l.Take(t.Context(), "account", "eve", 2)
	require.ErrorIs(t, err, ratelimit.ErrTooExpensive)
	denied.Refund(t.Context()) // nothing was charged
	d.Refund(t.Context())
	d, _ = l.Take(t.Context(), "account", "ada", 1)
	require.True(t, d.Allowed)
	require.NoError(t, l.Reset(t.Context(), "account", "ada"))
	d, _ = l.Take(t.Context(), "account", "ada", 1)
	require.True(t, d.Allowed)
	for _, bad := range []func() error{
		func() error { _, err := l.Take(t.Context(), "x", "ada", 1); return err },
		func() error { _, err := l.Take(t.Context(), "account", "", 1); return err },
		func() error { _, err := l.Take(t.Context(), "account", "ada", -1); return err },
		func() error { return l.Reset(t.Context(), "x", "ada") },
	} {
		require.Error(t, bad())
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = l.Take(context.Background(), "account", "ada", 1) }))
}

// A broken store fails while fails is set.
type broken struct {
	*ratelimit.Memory
	fails bool
}

func (b *broken) Take(ctx context.Context, c []ratelimit.Charge, v []ratelimit.Verdict) error {
	if b.fails {
		return errors.New("dial tcp 10.0.0.1: refused")
	}
	return b.Memory.Take(ctx, c, v)
}

func TestOnStoreFailureDecidesWithoutTheStore(t *testing.T) {
	for name, row := range map[string]struct {
		failure ratelimit.Failure
		want    []int
	}{
		"Local uses the local count": {failure: ratelimit.Local, want: []int{200, 429}}, "Deny responds with 503": {failure: ratelimit.Deny, want: []int{503, 503}}, "InsecureAllow admits": {failure: ratelimit.InsecureAllow, want: []int{200, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			store := &broken{Memory: ratelimit.NewMemory(ratelimit.MemoryOptions{})}
			var events []bool
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("reads", 2)}, Store: store, OnStoreFailure: row.failure, OnEvent: func(_ context.Context, e ratelimit.Event) {
				events = append(events, e.Decision.Degraded)
				panic("a hook")
			}})
			require.Equal(t, 200, call(l, "GET", "/", peer, 200).Code)
			store.fails = true
			for _, want := range row.want {
				w := call(l, "GET", "/", peer, 200)
				require.Equal(t, want, w.Code)
				require.NotContains(t, w.Body.String(), "10.0.0.1")
			}
			require.Equal(t, []bool{false, true, true}, events)
		})
	}
}

func TestNewRefusesInvalidOptions(t *testing.T) {
	ok := ratelimit.Limit{Requests: 1, Window: time.Minute}
	lim := func(l ratelimit.Limit) ratelimit.Options {
		return ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{l}}}}
	}
	named := func(name string) ratelimit.Options {
		return ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute(name, 1)}}
	}
	for _, row := range []struct {
		name string
		o    ratelimit.Options
		want string
	}{
		{name: "no tiers", o: ratelimit.Options{}, want: `Tiers: must not be empty; did you mean {Name: "reads", Limits: ratelimit.Reads()}?`},
		{name: "upper-case name FR4", o: named("API"), want: `Tiers[0].Name "API": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "api"?`},
		{name: "name with a space and an underscore FR4", o: named("_Log in_v2"), want: `Tiers[0].Name "_Log in_v2": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "log-in-v2"?`},
		{name: "name of 40 bytes FR4", o: named(strings.Repeat("a", 31) + "-" + strings.Repeat("b", 8)), want: `Tiers[0].Name "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbb": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "` + strings.Repeat("a", 31) + `"?`},
		{name: "no name with Routes FR4", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("", 1, "/login")}}, want: `Tiers[0].Name "": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "default"?`},
		{name: "name without a letter FR4", o: named("ÄÖ"), want: `Tiers[0].Name "ÄÖ": must have 1 to 32 lower-case letters, digits and hyphens; did you mean "default"?`},
		{name: "no limits", o: ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a"}}}, want: "Tiers[0].Limits: must not be empty; did you mean ratelimit.Writes()?"},
		{name: "five limits", o: ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{ok, ok, ok, ok, ok}}}}, want: "Tiers[0].Limits: has 5 entries; the maximum is 4; did you mean a second Limiter?"},
		{name: "two tiers without Routes", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1), tierPerMinute("b", 1)}}, want: `Tiers[1].Routes: must not be empty, because tier "a" limits all other routes; did you mean []string{"GET /"}?`},
		{name: "name of two tiers FR4", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1, "/a"), {Name: "a", Routes: []string{"/b"}, Limits: []ratelimit.Limit{ok, ok}}}}, want: `Tiers[1].Name "a": is listed twice; did you mean one tier with all Routes?`},
		{name: "name of two limits", o: ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Routes: []string{"/a"}, Limits: []ratelimit.Limit{ok, ok}}, tierPerMinute("a-2", 1)}}, want: `Tiers[1].Name "a-2": limit "a-2" is also one of tier "a"; did you mean another name?`},
		{name: "pattern of two tiers", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1, "/x"), tierPerMinute("b", 1, "/x")}}, want: `Tiers[1].Routes[0] "/x": is the same pattern as ratelimit: Tiers[0].Routes[0] "/x"`},
		{name: "pattern with two methods FR4", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1, "POST,PUT /login")}}, want: `Tiers[0].Routes[0] "POST,PUT /login": must have one method; did you mean "POST /login" and "PUT /login"?`},
		{name: "zero requests", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 0)}}, want: "Tiers[0].Limits[0].Requests 0: must be positive; to close a route, do not serve it"},
		{name: "no window", o: lim(ratelimit.Limit{Requests: 1}), want: "Tiers[0].Limits[0].Window 0s: must be between 1ms and 744h; did you mean 1m0s?"},
		{name: "window without a unit FR4", o: lim(ratelimit.Limit{Requests: 1, Window: 60}), want: "Tiers[0].Limits[0].Window 60ns: must be between 1ms and 744h; did you mean 1m0s?"},
		{name: "window of minutes without a unit FR4", o: lim(ratelimit.Limit{Requests: 1, Window: 900}), want: "Tiers[0].Limits[0].Window 900ns: must be between 1ms and 744h; did you mean 15m0s?"},
		{name: "negative window FR4", o: lim(ratelimit.Limit{Requests: 1, Window: -time.Minute}), want: "Tiers[0].Limits[0].Window -1m0s: must be between 1ms and 744h; did you mean 1m0s?"},
		{name: "smallest duration FR4", o: lim(ratelimit.Limit{Requests: 1, Window: math.MinInt64}), want: "Tiers[0].Limits[0].Window -2562047h47m16.854775808s: must be between 1ms and 744h; did you mean 1m0s?"},
		{name: "too many requests", o: lim(ratelimit.Limit{Requests: math.MaxInt, Window: 31 * 24 * time.Hour}), want: "Tiers[0].Limits[0].Requests 9223372036854775807: must be at most 2147483647; did you mean a shorter Window?"},
		{name: "window of microseconds", o: lim(ratelimit.Limit{Requests: 1, Window: 1500 * time.Microsecond}), want: "Tiers[0].Limits[0].Window 1.5ms: must be whole milliseconds; did you mean 1ms?"},
		{name: "window of months", o: lim(ratelimit.Limit{Requests: 1, Window: 745 * time.Hour}), want: "Tiers[0].Limits[0].Window 745h0m0s: must be between 1ms and 744h; did you mean 744h0m0s?"},
		{name: "negative penalty", o: lim(ratelimit.Limit{Requests: 1, Window: time.Second, Penalty: -1}), want: "Tiers[0].Limits[0].Penalty -1ns: is negative; did you mean 0, which means none?"},
		{name: "long penalty", o: lim(ratelimit.Limit{Requests: 1, Window: time.Second, Penalty: 745 * time.Hour}), want: "Tiers[0].Limits[0].Penalty 745h0m0s: must be between 1ms and 744h; did you mean 744h0m0s?"},
		{name: "penalty without a unit FR4", o: lim(ratelimit.Limit{Requests: 1, Window: time.Second, Penalty: 600}), want: "Tiers[0].Limits[0].Penalty 600ns: must be between 1ms and 744h; did you mean 10m0s?"},
		{name: "penalty of microseconds", o: lim(ratelimit.Limit{Requests: 1, Window: time.Second, Penalty: 2001 * time.Microsecond}), want: "Tiers[0].Limits[0].Penalty 2.001ms: must be whole milliseconds; did you mean 2ms?"},
		{name: "small lease", o: lim(ratelimit.Limit{Requests: 999, Window: time.Second, Lease: true}), want: "Tiers[0].Limits[0].Lease: needs Requests of at least 1000, not 999; did you mean to leave it out?"},
		{name: "short lease", o: lim(ratelimit.Limit{Requests: 1000, Window: 99 * time.Millisecond, Lease: true}), want: "Tiers[0].Limits[0].Lease: needs a Window of at least 100ms, not 99ms; did you mean to leave it out?"},
		{name: "huge lease", o: lim(ratelimit.Limit{Requests: math.MaxInt32/11*10 + 10, Window: 24 * time.Hour, Lease: true}), want: "Tiers[0].Limits[0].Lease: needs a tenth more than Requests 1952257870, which is above the maximum of 2147483647; did you mean to leave it out?"},
		{name: "lease and FailuresOnly", o: lim(ratelimit.Limit{Requests: 1000, Window: time.Second, Lease: true, FailuresOnly: true}), want: "Tiers[0].Limits[0].Lease: excludes FailuresOnly, because a lease is spent before the response; did you mean to leave it out?"},
		{name: "lease and penalty", o: lim(ratelimit.Limit{Requests: 1000, Window: time.Second, Lease: true, Penalty: time.Second}), want: "Tiers[0].Limits[0].Lease: excludes Penalty, because the store does not see single requests; did you mean to leave it out?"},
		{name: "lease and scale", o: lim(ratelimit.Limit{Requests: 1000, Window: time.Second, Lease: true, Scale: func(*http.Request) int { return 1 }}), want: "Tiers[0].Limits[0].Lease: excludes Scale, because a lease is for all requests of a key; did you mean to leave it out?"},
		{name: "lease and shadow", o: lim(ratelimit.Limit{Requests: 1000, Window: time.Second, Lease: true, InsecureShadow: true}), want: "Tiers[0].Limits[0].Lease: excludes InsecureShadow, because a lease is charged in advance; did you mean to leave it out?"},
		{name: "unknown Fields", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}, Fields: 9}, want: "Fields 9: is unknown; did you mean RateLimitFields, LegacyFields, BothFields or NoFields?"},
		{name: "unknown OnStoreFailure", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}, OnStoreFailure: 9}, want: "OnStoreFailure 9: is unknown; did you mean Local, Deny or InsecureAllow?"},
		{name: "unknown OnStoreFailure of a tier", o: ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "a", Limits: []ratelimit.Limit{ok}, OnStoreFailure: -1}}}, want: "Tiers[0].OnStoreFailure -1: is unknown; did you mean Local, Deny or InsecureAllow?"},
		{name: "negative timeout", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}, Timeout: -1}, want: "Timeout -1ns: is negative; did you mean 0, which means 100ms?"},
		{name: "timeout without a unit FR4", o: ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}, Timeout: 250}, want: "Timeout 250ns: must be at least 1ms; did you mean 250ms?"},
		{name: "several problems are joined FR4", o: ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "A", Limits: []ratelimit.Limit{{Window: 60, V6Prefix: 4}}}}}, want: "Tiers[0].Name \"A\": must have 1 to 32 lower-case letters, digits and hyphens; did you mean \"a\"?\nratelimit: Tiers[0].Limits[0].Requests 0: must be positive; to close a route, do not serve it\nratelimit: Tiers[0].Limits[0].Window 60ns: must be between 1ms and 744h; did you mean 1m0s?\nratelimit: Tiers[0].Limits[0].V6Prefix 4: must be between 32 and 128; did you mean 64?"},
		{name: "V6Prefix out of range", o: lim(ratelimit.Limit{Requests: 1, Window: time.Second, V6Prefix: 16}), want: "Tiers[0].Limits[0].V6Prefix 16: must be between 32 and 128; did you mean 64?"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ratelimit.New(row.o)
			require.EqualError(t, err, "ratelimit: "+row.want)
		})
	}
}

func TestResetOfAnAddressResetsItsNetwork(t *testing.T) {
	for _, row := range []struct{ name, peer, key string }{
		{name: "IPv4", peer: "192.0.2.1:1234", key: "192.0.2.1"},
		{name: "IPv4 by its mapped address", peer: "192.0.2.1:1234", key: "::ffff:192.0.2.1"},
		{name: "IPv4 behind NAT64", peer: "[64:ff9b::192.0.2.1]:1234", key: "192.0.2.1"},
		{name: "IPv6 by another address of the network", peer: "[2001:db8::1]:1234", key: "2001:db8::2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{{Name: "login", Limits: []ratelimit.Limit{
				{Requests: 1, Window: time.Minute}, {Requests: 1, Window: time.Hour, V6Prefix: 48},
			}}}})
			require.Equal(t, 200, call(l, "GET", "/", row.peer, 200).Code)
			require.Equal(t, 429, call(l, "GET", "/", row.peer, 200).Code)
			require.NoError(t, l.Reset(t.Context(), "login", "198.51.100.1"))
			require.Equal(t, 429, call(l, "GET", "/", row.peer, 200).Code, "another client")
			require.NoError(t, l.Reset(t.Context(), "login", row.key))
			require.Equal(t, 200, call(l, "GET", "/", row.peer, 200).Code)
		})
	}
}

// The error of a denial is cached for a second.
func TestDenialAllocatesNothing(t *testing.T) {
	l := newLimiter(t, ratelimit.Options{Tiers: []ratelimit.Tier{tierPerMinute("a", 1)}})
	_, err := l.Take(t.Context(), "a", "k", 1)
	require.NoError(t, err)
	_, err = l.Take(t.Context(), "a", "k", 1)
	require.ErrorIs(t, err, ratelimit.ErrLimited)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = l.Take(context.Background(), "a", "k", 1) }))
}
