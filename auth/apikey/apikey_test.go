package apikey_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// bench is a manager with one key, a clock and a store that can fail.
type bench struct {
	*apikey.Manager
	now    time.Time
	store  *counting
	key    apikey.Key
	text   string
	mu     sync.Mutex
	events []apikey.Reason
}

// counting is a store that counts its reads, and fails while fails is set.
type counting struct {
	apikey.Store
	gets       atomic.Int64
	fails      bool
	before     func() // runs after a read, before its reply
	puts       atomic.Int64
	failAt     int64         // the write that fails; 0: none
	failFor    int64         // how many after it fail too
	madeAnyway bool          // by a write that fails
	held       chan struct{} // writes wait until it is closed

	deleteErr error // of deletions, which do nothing then
}

func (c *counting) Delete(ctx context.Context, id string) error {
	if c.deleteErr != nil {
		return c.deleteErr
	}
	return c.Store.Delete(ctx, id)
}

func (c *counting) Get(ctx context.Context, id string) (apikey.Record, bool, error) {
	c.gets.Add(1)
	if c.fails {
		return apikey.Record{}, false, errors.New("connection refused")
	}
	r, found, err := c.Store.Get(ctx, id)
	if c.before != nil {
		c.before()
	}
	return r, found, err
}

func (c *counting) Put(ctx context.Context, r apikey.Record) (bool, error) {
	if c.held != nil {
		<-c.held
	}
	n := c.puts.Add(1)
	fails := c.failAt > 0 && n >= c.failAt && n <= c.failAt+c.failFor
	if fails && !c.madeAnyway {
		return false, errors.New("connection refused")
	}
	ok, err := c.Store.Put(ctx, r)
	if fails {
		err = errors.New("no replica has confirmed it")
	}
	return ok, err
}

func peer(r *http.Request) (netip.Addr, bool) {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr(), err == nil
}

func nets(list ...string) (prefixes []netip.Prefix) {
	for _, s := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(s))
	}
	return prefixes
}

func setUp(t *testing.T, change func(*apikey.Key)) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: &counting{Store: apikey.NewMemory()}}
	m, err := apikey.New(apikey.Options{Prefix: "acme", Store: b.store, ClientIP: peer, Routes: []string{"/partner/"}, Logger: slog.New(slog.DiscardHandler), OnEvent: func(_ context.Context, e apikey.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, e.Reason)
		panic("a hook")
	}})
	require.NoError(t, err)
	b.Manager = m
	m.SetClock(func() time.Time { return b.now })
	k := apikey.Key{Name: "warehouse", Subject: "warehouse", Scope: []string{"stock:read"}, Roles: []string{"partner"}, Tier: "gold", Networks: nets("10.0.0.0/8", "2001:db8::/32")}
	if change != nil {
		change(&k)
	}
	b.key, b.text, err = m.Create(t.Context(), k)
	require.NoError(t, err)
	return b
}

func (b *bench) call(text, remote string) error {
	r := httptest.NewRequest("GET", "/partner/stock", nil)
	r.Header.Set("X-API-Key", text)
	r.RemoteAddr = remote
	_, err := b.Authenticate(r)
	b.Settle()
	return err
}

const home = "10.1.2.3:4000"

func TestInvalidKeysAreRefused(t *testing.T) {
	b := setUp(t, nil)
	other := apikey.Format("acme", b.key.ID, strings.Repeat("x", 43))
	unknown := apikey.Format("acme", strings.Repeat("x", 16), strings.Repeat("x", 43))
	for _, row := range []struct {
		name, text string
		gets       int
	}{
		{name: "a wrong checksum", text: b.text[:len(b.text)-1] + flip(b.text[len(b.text)-1]), gets: 0},
		{name: "a wrong letter", text: b.text[:10] + flip(b.text[10]) + b.text[11:], gets: 0},
		{name: "cut", text: b.text[:len(b.text)-1], gets: 0},
		{name: "longer", text: b.text + "0", gets: 0},
		{name: "a space before", text: " " + b.text[1:], gets: 0},
		{name: "another prefix", text: "test" + b.text[4:], gets: 0},
		{name: "another prefix, sealed", text: apikey.Format("test", b.key.ID, strings.Repeat("x", 43)), gets: 0},
		{name: "a letter that is none", text: apikey.Format("acme", b.key.ID, strings.Repeat("-", 43)), gets: 0},
		{name: "64 KiB", text: strings.Repeat("a", 64<<10), gets: 0},
		{name: "two keys", text: b.text + ", " + b.text, gets: 0},
		{name: "a wrong secret", text: other, gets: 1},
		{name: "an unknown ID", text: unknown, gets: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b.store.gets.Store(0)
			err := b.call(row.text, home)
			require.ErrorIs(t, err, auth.ErrInvalid)
			require.EqualValues(t, row.gets, b.store.gets.Load())
			require.NotContains(t, fmt.Sprintf("%v %+v", err, err), row.text)
		})
	}
	b.store.fails = true
	require.ErrorIs(t, b.call(b.text, home), auth.ErrUnavailable)
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestPrincipalHasTheFieldsOfTheKey(t *testing.T) {
	b := setUp(t, nil)
	r := httptest.NewRequest("GET", "/partner/stock", nil)
	r.Header.Set("X-API-Key", b.text)
	r.RemoteAddr = home
	p, err := b.Authenticate(r)
	require.NoError(t, err)
	require.Equal(t, []any{auth.Program, "warehouse", b.key.ID, "gold", []string{"stock:read"}, []string{"partner"}}, []any{p.CallerType(), p.Subject(), p.CredentialID(), p.Tier(), p.Scope(), p.Roles()})
}

func TestKeysAreReadOnlyFromTheHeaderOfTheirRoutes(t *testing.T) {
	b := setUp(t, nil)
	for name, change := range map[string]func(*http.Request){
		"another route":    func(r *http.Request) { r.URL.Path = "/orders" },
		"an unclean route": func(r *http.Request) { r.URL.Path = "/partner/../partner/stock" },
		"in the query":     func(r *http.Request) { r.Header.Del("X-API-Key"); r.URL.RawQuery = "X-API-Key=" + b.text },
		"no header":        func(r *http.Request) { r.Header.Del("X-API-Key") },
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/partner/stock", nil)
			r.Header.Set("X-API-Key", b.text)
			change(r)
			p, err := b.Authenticate(r)
			require.NoError(t, err)
			require.Nil(t, p)
		})
	}
	r := httptest.NewRequest("GET", "/partner/stock", nil)
	r.Header["X-Api-Key"] = []string{b.text, b.text}
	_, err := b.Authenticate(r)
	require.ErrorIs(t, err, auth.ErrMalformed)
}

// TestKeysEverywhere_FR6 checks a service whose every route needs a key, over
// real HTTP: the key opens every path, however it is spelled, and no path opens
// without it.
func TestKeysEverywhere_FR6(t *testing.T) {
	for _, row := range []struct {
		name   string
		routes []string
		route  func(*http.Request) string
		method string
		path   string
		status int
	}{
		{name: "a path", routes: []string{"/"}, method: "GET", path: "/stock/7", status: 200},
		{name: "the root", routes: []string{"/"}, method: "POST", path: "/", status: 200},
		{name: "an unclean path", routes: []string{"/"}, method: "GET", path: "/a//b/../c", status: 200},
		{name: "an escaped slash", routes: []string{"/"}, method: "GET", path: "/a%2Fb", status: 200},
		{name: "beside another pattern", routes: []string{"/partner/", "/"}, method: "GET", path: "/stock", status: 200},
		{name: "everywhere, as the rest of the path", routes: []string{"/{rest...}"}, method: "DELETE", path: "/stock", status: 200},
		{name: "one method", routes: []string{"GET /"}, method: "GET", path: "/stock", status: 200},
		{name: "another method", routes: []string{"GET /"}, method: "POST", path: "/stock", status: 401},
		{name: "the root of another router", routes: []string{"/"}, route: func(*http.Request) string { return "/" }, method: "GET", path: "/", status: 200},
		{
			name:   "another pattern of that router",
			routes: []string{"/"},
			route:  func(*http.Request) string { return "/stock" },
			method: "GET",
			path:   "/stock",
			status: 401,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: apikey.NewMemory(), ClientIP: peer, Routes: row.routes, Route: row.route}))
			_, text, err := m.Create(t.Context(), apikey.Key{Name: "a", Subject: "a", Networks: nets("127.0.0.0/8", "::1/128")})
			require.NoError(t, err)
			callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{m}, Logger: slog.New(slog.DiscardHandler)}))
			server := httptest.NewServer(callers.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			defer server.Close()
			for key, status := range map[string]int{text: row.status, "": 401} {
				r := errors.Must(http.NewRequestWithContext(t.Context(), row.method, server.URL+row.path, nil))
				if key != "" {
					r.Header.Set("X-API-Key", key)
				}
				res, err := server.Client().Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, status, res.StatusCode, "key %t", key != "")
			}
		})
	}
}

func TestKeyExpiresAtItsTime(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Expires = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) })
	b.now = b.key.Expires.Add(-1)
	require.NoError(t, b.call(b.text, home))
	b.now = b.key.Expires
	require.ErrorIs(t, b.call(b.text, home), auth.ErrExpired)
}

func TestLastUsedIsWrittenOnceAMinute(t *testing.T) {
	b := setUp(t, nil)
	for range 100 {
		b.now = b.now.Add(time.Second)
		require.NoError(t, b.call(b.text, home))
	}
	keys := errors.Must(b.List(t.Context()))
	require.Len(t, keys, 1)
	require.Equal(t, b.now.Add(-39*time.Second), keys[0].LastUsed, "at 1 s and at 61 s")
	r, _, _ := b.store.Get(t.Context(), b.key.ID)
	require.Equal(t, 3, r.Version)
	require.NotContains(t, fmt.Sprintf("%+v", r), b.text)
}

func FuzzParse(f *testing.F) {
	f.Add(apikey.Format("acme", strings.Repeat("a", 16), strings.Repeat("b", 43)))
	f.Add("acme__")
	f.Fuzz(func(t *testing.T, text string) {
		if id, secret, ok := apikey.Parse("acme", text); ok {
			require.Equal(t, text, apikey.Format("acme", id, secret), "one key, one spelling")
		}
	})
}
