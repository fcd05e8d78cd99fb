package apikey_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
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

// counting is a store that counts its reads, and fails when told to.
type counting struct {
	apikey.Store
	gets       atomic.Int64
	fails      bool
	before     func() // runs after a read, before its answer
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

func TestKeysThatAreRefused(t *testing.T) {
	b := setUp(t, nil)
	other := apikey.Format("acme", b.key.ID, strings.Repeat("x", 43))
	unknown := apikey.Format("acme", strings.Repeat("x", 16), strings.Repeat("x", 43))
	for _, row := range []struct {
		name, text string
		gets       int
	}{
		{"a wrong checksum", b.text[:len(b.text)-1] + flip(b.text[len(b.text)-1]), 0},
		{"a wrong letter", b.text[:10] + flip(b.text[10]) + b.text[11:], 0},
		{"cut", b.text[:len(b.text)-1], 0}, {"longer", b.text + "0", 0}, {"a space before", " " + b.text[1:], 0},
		{"another prefix", "test" + b.text[4:], 0}, {"another prefix, sealed", apikey.Format("test", b.key.ID, strings.Repeat("x", 43)), 0},
		{"a letter that is none", apikey.Format("acme", b.key.ID, strings.Repeat("-", 43)), 0}, {"64 KiB", strings.Repeat("a", 64<<10), 0}, {"two keys", b.text + ", " + b.text, 0},
		{"a wrong secret", other, 1}, {"an unknown ID", unknown, 1},
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

func TestPrincipal(t *testing.T) {
	b := setUp(t, nil)
	r := httptest.NewRequest("GET", "/partner/stock", nil)
	r.Header.Set("X-API-Key", b.text)
	r.RemoteAddr = home
	p, err := b.Authenticate(r)
	require.NoError(t, err)
	require.Equal(t, []any{auth.Service, "warehouse", b.key.ID, "gold", []string{"stock:read"}, []string{"partner"}}, []any{p.Kind(), p.Subject(), p.CredentialID(), p.Tier(), p.Scope(), p.Roles()})
}

func TestWhereKeysAreRead(t *testing.T) {
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

func TestNetworks(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) {
		k.Networks = nets("10.0.0.0/8", "::ffff:192.0.2.0/120", "2001:db8::/32", "fe80::/10")
	})
	for _, row := range []struct {
		remote string
		want   error
	}{
		{"11.0.0.1:1", apikey.ErrNetworkDenied}, {"[::ffff:11.0.0.1]:1", apikey.ErrNetworkDenied}, {"[2001:db9::1]:1", apikey.ErrNetworkDenied}, {"@", apikey.ErrNetworkDenied},
		{"[fe80::1%eth0]:1", apikey.ErrNetworkDenied}, {"10.255.0.1:1", nil}, {"[::ffff:10.1.2.3]:1", nil}, {"192.0.2.9:1", nil}, {"[2001:db8:1::1]:1", nil},
	} {
		require.ErrorIs(t, b.call(b.text, row.remote), row.want, row.remote)
	}
	require.Contains(t, b.events, apikey.NetworkDenied)
	_, err := b.Verify(t.Context(), b.text, netip.MustParseAddr("10.1.1.1"), false)
	require.ErrorIs(t, err, apikey.ErrNetworkDenied, "an uncertain address")
	require.ErrorIs(t, b.call(apikey.Format("acme", b.key.ID, strings.Repeat("x", 43)), "11.0.0.1:1"), auth.ErrInvalid, "only a genuine key learns of its network")

	anywhere := setUp(t, func(k *apikey.Key) { k.Networks, k.InsecureAnyNetwork = nil, true })
	require.NoError(t, anywhere.call(anywhere.text, "@"))
}

// TestToldOfStrangers holds that who has a stolen key cannot fill the log.
func TestToldOfStrangers(t *testing.T) {
	b := setUp(t, nil)
	denied := func(requests int, remote func(i int) string) int {
		b.events = nil
		for i := range requests {
			require.ErrorIs(t, b.call(b.text, remote(i)), apikey.ErrNetworkDenied)
		}
		return len(b.events)
	}
	same := func(int) string { return "11.0.0.1:1" }
	require.Equal(t, 1, denied(100, same))
	require.Equal(t, 1, denied(100, func(int) string { return "11.0.0.2:1" }), "from another address")
	require.Zero(t, denied(1, same))
	b.now = b.now.Add(time.Minute)
	require.Equal(t, 1, denied(100, same), "a minute later")
	many := func(i int) string { return netip.AddrFrom4([4]byte{12, 0, byte(i >> 8), byte(i)}).String() + ":1" }
	require.Equal(t, 15, denied(2000, many), "at most 16 addresses a minute")
	b.now = b.now.Add(time.Minute - time.Second)
	require.Zero(t, denied(1, same), "not yet a minute")
	b.now = b.now.Add(time.Second)
	require.Equal(t, 1, denied(1, same))
	require.Zero(t, denied(1, func(int) string { return "[::ffff:11.0.0.1]:1" }), "the same, mapped")
}

// TestToldOfEachKey holds that a flood with one stolen key hides no other, and
// that what is remembered is bounded.
func TestToldOfEachKey(t *testing.T) {
	b := setUp(t, nil)
	for i := range 5000 {
		require.ErrorIs(t, b.call(b.text, netip.AddrFrom4([4]byte{12, 0, byte(i >> 8), byte(i)}).String()+":1"), apikey.ErrNetworkDenied)
	}
	for range 1500 {
		_, text, err := b.Create(t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets("10.0.0.0/8")})
		require.NoError(t, err)
		b.events = nil
		require.ErrorIs(t, b.call(text, "12.0.0.1:1"), apikey.ErrNetworkDenied)
		require.Equal(t, []apikey.Reason{apikey.NetworkDenied}, b.events)
	}
	require.LessOrEqual(t, b.Strangers(), 1024)
}

func TestCreateRefuses(t *testing.T) {
	b := setUp(t, nil)
	for _, row := range []struct {
		name, want string
		change     func(*apikey.Key)
	}{
		{"no networks", "Networks: none, or some with InsecureAnyNetwork", func(k *apikey.Key) { k.Networks = nil }},
		{"both", "Networks: none, or some with InsecureAnyNetwork", func(k *apikey.Key) { k.InsecureAnyNetwork = true }},
		{"host bits", `Networks[0] "10.0.0.5/24": has bits beyond its length; did you mean "10.0.0.0/24"?`, func(k *apikey.Key) { k.Networks = nets("10.0.0.5/24") }},
		{"everywhere", `Networks[0] "0.0.0.0/0": is everywhere; did you mean InsecureAnyNetwork?`, func(k *apikey.Key) { k.Networks = nets("0.0.0.0/0") }},
		{"everywhere, mapped", `is everywhere; did you mean InsecureAnyNetwork?`, func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/96") }},
		{"everywhere, mapped and more", `Networks[0] "::ffff:0.0.0.0/90": is IPv4 mapped into IPv6, with fewer than 96 bits; did you mean IPv4 as such?`, func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/90") }},
		{"mapped, a bit short", `is IPv4 mapped into IPv6, with fewer than 96 bits`, func(k *apikey.Key) { k.Networks = nets("::ffff:10.0.0.0/95") }},
		{"halves, one of them mapped", `Networks: together are all of 0.0.0.0/0`, func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/97", "128.0.0.0/1") }},
		{"everywhere, in halves", `Networks: together are all of 0.0.0.0/0; did you mean InsecureAnyNetwork?`, func(k *apikey.Key) { k.Networks = nets("128.0.0.0/1", "10.0.0.0/8", "0.0.0.0/1") }},
		{"everywhere, in parts", `Networks: together are all of ::/0`, func(k *apikey.Key) { k.Networks = nets("8000::/1", "::/2", "4000::/3", "6000::/3") }},
		{"no network", `is not a network`, func(k *apikey.Key) { k.Networks = []netip.Prefix{{}} }},
		{"nameless", "Name: has not 1 to 100 bytes of UTF-8", func(k *apikey.Key) { k.Name = "" }},
		{"nobody", "Subject: has not 1 to 256 bytes of UTF-8", func(k *apikey.Key) { k.Subject = "" }},
		{"over", "Expires: is over already", func(k *apikey.Key) { k.Expires = b.now }},
		{"in the year 10000", "Expires: is after the year 9999", func(k *apikey.Key) { k.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"often", "RotateEvery 1h0m0s: is below a day", func(k *apikey.Key) { k.RotateEvery = time.Hour }},
		{"many scopes", "Scope: are 65, above 64", func(k *apikey.Key) { k.Scope = strings.Split(strings.Repeat("a ", 64)+"a", " ") }},
		{"a scope with a space", "Scope[1]: has not 1 to 128 bytes of visible ASCII", func(k *apikey.Key) { k.Scope = []string{"a", "a b"} }},
		{"an empty role", "Roles[0]: has not 1 to 128 bytes of UTF-8", func(k *apikey.Key) { k.Roles = []string{""} }},
		{"a long role", "Roles[0]: has not 1 to 128 bytes of UTF-8", func(k *apikey.Key) { k.Roles = []string{strings.Repeat("a", 129)} }},
		{"half a character", "Tier: has not 0 to 128 bytes of UTF-8", func(k *apikey.Key) { k.Tier = "\xc3" }},
		{"many networks", "Networks: are 257, above 256", func(k *apikey.Key) { k.Networks = slices.Repeat(k.Networks, 257) }},
		{"overlap", "Overlap 744h0m0s: is negative, above RotateEvery, or above 30 days", func(k *apikey.Key) { k.Overlap = 31 * 24 * time.Hour }},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := apikey.Key{Name: "a", Subject: "a", Networks: nets("10.0.0.0/8")}
			row.change(&k)
			_, _, err := b.Create(t.Context(), k)
			require.ErrorContains(t, err, row.want)
		})
	}
	_, err := apikey.New(apikey.Options{Prefix: "Acme"})
	require.EqualError(t, err, "apikey: Prefix: is not 1 to 16 lower-case letters and digits; did you mean the name of your service?\napikey: Store: none; NewMemory loses the keys at a restart\n"+
		"apikey: ClientIP: none; did you mean headers.PeerIP?\napikey: Routes: none; did you mean \"/partner/\"?")
}

// TestAlmostEverywhere holds that a network that is missing makes the rest fit.
func TestAlmostEverywhere(t *testing.T) {
	var networks []netip.Prefix
	for bits := 1; bits <= 32; bits++ { // all but 255.255.255.255
		prefix, err := netip.AddrFrom4([4]byte{255, 255, 255, 254}).Prefix(bits)
		require.NoError(t, err)
		flipped := prefix.Addr().As4()
		flipped[(bits-1)/8] ^= 0x80 >> ((bits - 1) % 8)
		if bits == 32 {
			flipped = [4]byte{255, 255, 255, 254}
		}
		networks = append(networks, netip.PrefixFrom(netip.AddrFrom4(flipped), bits))
	}
	setUp(t, func(k *apikey.Key) { k.Networks = networks })
	b := setUp(t, nil)
	_, _, err := b.Create(t.Context(), apikey.Key{Name: "a", Subject: "a", Networks: append(networks, nets("255.255.255.255/32")...)})
	require.ErrorContains(t, err, "together are all of 0.0.0.0/0")
}

// TestFarTooManyNetworks holds that they are refused at once: what they have
// together takes long to tell.
func TestFarTooManyNetworks(t *testing.T) {
	var networks []netip.Prefix
	for i := range 1 << 17 {
		networks = append(networks, netip.PrefixFrom(netip.AddrFrom16([16]byte{13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}), 128))
	}
	b := setUp(t, nil)
	_, _, err := b.Create(t.Context(), apikey.Key{Name: "a", Subject: "a", Networks: networks})
	require.EqualError(t, err, "apikey: Networks: are 131072, above 256")
}

// damaged is a store with a record that nobody can use, and one that it cannot
// read.
type damaged struct{ apikey.Store }

func (d damaged) Get(ctx context.Context, id string) (apikey.Record, bool, error) {
	if id == "bare" {
		return apikey.Record{Key: apikey.Key{ID: id}, Version: 1}, true, nil
	}
	return d.Store.Get(ctx, id)
}

func (d damaged) List(ctx context.Context) ([]apikey.Record, error) {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) < 30*time.Second {
		return nil, errors.New("many keys take longer")
	}
	list, err := d.Store.List(ctx)
	return append([]apikey.Record{{Key: apikey.Key{ID: "bare"}, Version: 1}}, list...), errors.Join(err, errors.New("one is unreadable"))
}

// TestDamagedRecords holds that they keep no other key from its rotation.
func TestDamagedRecords(t *testing.T) {
	b := setUp(t, nil)
	m, err := apikey.New(apikey.Options{Prefix: "acme", Store: damaged{b.store}, ClientIP: peer, Routes: []string{"/partner/"}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	b.now = b.now.Add(91 * 24 * time.Hour)
	m.SetClock(func() time.Time { return b.now })
	keys, err := m.List(t.Context())
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.Len(t, keys, 2)
	var rotated []string
	err = m.RotateDue(t.Context(), func(_ context.Context, k apikey.Key, _ string) error {
		rotated = append(rotated, k.ID)
		return nil
	})
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "one is unreadable")
	require.ErrorContains(t, err, "bare")
	require.Equal(t, []string{b.key.ID}, rotated)
	_, err = m.Rotate(t.Context(), "bare")
	require.ErrorIs(t, err, auth.ErrUnavailable)
}

func TestRotation(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Overlap = time.Hour })
	second, err := b.Rotate(t.Context(), b.key.ID)
	require.NoError(t, err)
	b.now = b.now.Add(48 * time.Hour)
	require.NoError(t, b.call(b.text, home), "the new one was not used yet")
	require.NoError(t, b.call(second, home))
	b.now = b.now.Add(time.Hour - 1)
	require.NoError(t, b.call(b.text, home))
	b.now = b.now.Add(1)
	require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
	require.NoError(t, b.call(second, home))

	third := errors.Must(b.Rotate(t.Context(), b.key.ID))
	fourth := errors.Must(b.Rotate(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(second, home), auth.ErrInvalid, "the oldest of three")
	require.NoError(t, b.call(third, home))
	require.ErrorIs(t, b.Revoke(t.Context(), "x"), apikey.ErrNotFound)
	b.now = b.now.Add(30 * 24 * time.Hour)
	require.ErrorIs(t, b.call(third, home), auth.ErrInvalid, "the cap")
	require.NoError(t, b.call(fourth, home))

	require.NoError(t, b.Revoke(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(fourth, home), auth.ErrInvalid)
	_, err = b.Rotate(t.Context(), b.key.ID)
	require.ErrorIs(t, err, apikey.ErrNotFound)
}

// TestRevokeFails holds that Revoke is a success only when the key has ended,
// and that one which is made again makes sure of what the first one did.
func TestRevokeFails(t *testing.T) {
	down := errors.New("connection refused")
	for _, row := range []struct {
		name            string
		fails           bool  // reading
		delete          error // of the first call
		first, second   error
		events, events2 int
	}{
		{"nothing", false, nil, nil, apikey.ErrNotFound, 1, 1},
		{"reading", true, nil, nil, nil, 1, 2},
		{"deleting", false, down, auth.ErrUnavailable, nil, 0, 1},
		{"both", true, down, auth.ErrUnavailable, nil, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := setUp(t, nil)
			b.events, b.store.fails, b.store.deleteErr = nil, row.fails, row.delete
			require.ErrorIs(t, b.Revoke(t.Context(), b.key.ID), row.first)
			require.Len(t, b.events, row.events)
			b.store.deleteErr = nil
			require.ErrorIs(t, b.Revoke(t.Context(), b.key.ID), row.second)
			require.Len(t, b.events, row.events2)
			b.store.fails = false
			require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
		})
	}
	b := setUp(t, nil)
	require.NoError(t, b.Revoke(t.Context(), b.key.ID))
	b.store.deleteErr = down // replicas do not confirm what the first one did
	require.ErrorIs(t, b.Revoke(t.Context(), b.key.ID), auth.ErrUnavailable)
}

// TestIDsThatAreNone holds that no store is asked for what it keeps beside the
// keys.
func TestIDsThatAreNone(t *testing.T) {
	b := setUp(t, nil)
	b.store.fails = true
	for _, id := range []string{"", "-", "-" + b.key.ID} {
		_, err := b.Rotate(t.Context(), id)
		require.ErrorIs(t, err, apikey.ErrNotFound, id)
		require.ErrorIs(t, b.Revoke(t.Context(), id), apikey.ErrNotFound, id)
	}
}

func TestExpiry(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Expires = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC) })
	b.now = b.key.Expires.Add(-1)
	require.NoError(t, b.call(b.text, home))
	b.now = b.key.Expires
	require.ErrorIs(t, b.call(b.text, home), auth.ErrExpired)
}

func TestRotateDue(t *testing.T) {
	b := setUp(t, nil)
	var mu sync.Mutex
	var got []string
	deliver := func(_ context.Context, k apikey.Key, text string) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, text)
		if len(got) == 1 {
			return errors.New("the vault is sealed")
		}
		return nil
	}
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Empty(t, got, "not due yet")

	b.now = b.now.Add(91 * 24 * time.Hour)
	require.NoError(t, b.call(b.text, home))
	require.Contains(t, b.events, apikey.RotationOverdue)
	require.EqualError(t, b.RotateDue(t.Context(), deliver), "the vault is sealed")
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Len(t, got, 1, "another replica waits")
	b.now = b.now.Add(5 * time.Minute)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _ = b.RotateDue(context.Background(), deliver) })
	}
	wg.Wait()
	require.Len(t, got, 2, "one replica wins")
	require.ErrorIs(t, b.call(got[0], home), auth.ErrInvalid, "what nobody got")
	require.NoError(t, b.call(b.text, home), "the old one works on")
	require.NoError(t, b.call(got[1], home))
	require.NoError(t, b.RotateDue(t.Context(), deliver))
	require.Len(t, got, 2)
}

// The secret that is in use never ends because a newer one was not fetched, and
// an expired key is left alone.
func TestRotateDueSparesTheSecretInUse(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) {
		k.RotateEvery, k.Expires = 24*time.Hour, time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	})
	delivered := 0
	deliver := func(context.Context, apikey.Key, string) error { delivered++; return nil }
	for day := range 25 {
		b.now = b.now.Add(24 * time.Hour)
		require.NoError(t, b.RotateDue(t.Context(), deliver))
		if day < 18 {
			require.NoError(t, b.call(b.text, home), day)
		}
	}
	require.Equal(t, 1, delivered)
}

// A vault that stays sealed does not keep an old secret alive for ever.
func TestTheCapHoldsWhileDeliveryFails(t *testing.T) {
	b := setUp(t, nil)
	sealed := func(context.Context, apikey.Key, string) error { return errors.New("sealed") }
	b.now = b.now.Add(90 * 24 * time.Hour)
	for range 31 {
		require.Error(t, b.RotateDue(t.Context(), sealed))
		b.now = b.now.Add(24 * time.Hour)
	}
	require.ErrorIs(t, b.call(b.text, home), auth.ErrInvalid)
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
