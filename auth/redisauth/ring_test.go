package redisauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// counted is a store that counts its calls.
type counted struct {
	apikey.Store
	gets, puts atomic.Int64
}

func (c *counted) Get(ctx context.Context, id string) (apikey.Record, bool, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, id)
}

func (c *counted) Put(ctx context.Context, r apikey.Record) (bool, error) {
	c.puts.Add(1)
	return c.Store.Put(ctx, r)
}

// A ring is a manager of API keys, with one key.
type ring struct {
	*apikey.Manager
	t      *testing.T
	store  *counted
	key    apikey.Key
	text   string
	mu     sync.Mutex
	events []string
	log    strings.Builder
}

// newRing returns a manager with the shortest cache, unless a row sets another.
func newRing(t *testing.T, store apikey.Store, change ...func(*apikey.Options)) *ring {
	t.Helper()
	r := &ring{t: t, store: &counted{Store: store}}
	o := apikey.Options{
		Prefix: "acme", Store: r.store, ClientIP: headers.PeerIP, Routes: []string{"/partner/"}, CacheTTL: 1, Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(_ context.Context, e apikey.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, string(e.Reason))
			_, _ = fmt.Fprintf(&r.log, "%v %+v %#v", e, e, e)
		},
	}
	for _, f := range change {
		f(&o)
	}
	r.Manager = errors.Must(apikey.New(o))
	return r
}

func (r *ring) create(change ...func(*apikey.Key)) {
	r.t.Helper()
	k := apikey.Key{Name: "warehouse", Subject: "warehouse", Scope: []string{"stock:read"}, Networks: nets("10.0.0.0/8", "fe80::/10", "2001:db8::/32")}
	for _, f := range change {
		f(&k)
	}
	var err error
	r.key, r.text, err = r.Create(r.t.Context(), k)
	require.NoError(r.t, err)
}

func nets(list ...string) (prefixes []netip.Prefix) {
	for _, s := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(s))
	}
	return prefixes
}

// call sends a key from an address, with headers in pairs.
func (r *ring) call(text, remote string, header ...string) error {
	q := httptest.NewRequest("GET", "/partner/stock", nil)
	q.Header.Set("X-API-Key", text)
	q.RemoteAddr = remote
	for i := 0; i < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	_, err := r.Authenticate(q)
	return err
}

// used uses a secret until that is written.
func (r *ring) used(text string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		k, found, err := r.store.Store.Get(context.Background(), r.key.ID)
		return r.call(text, home) == nil && err == nil && found && !k.Secrets[0].FirstUsed.IsZero() && time.Since(k.Key.LastUsed) < time.Minute
	}, 5*time.Second, 5*time.Millisecond)
}

// age makes the key older, as if time had passed.
func (r *ring) age(d time.Duration) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { // a use that is being written comes between
		k, found, err := r.store.Store.Get(context.Background(), r.key.ID)
		times := []*time.Time{&k.Key.Created, &k.Key.Rotated, &k.Key.LastUsed, &k.Key.Expires, &k.Warned}
		for i := range k.Secrets {
			times = append(times, &k.Secrets[i].Created, &k.Secrets[i].FirstUsed, &k.Secrets[i].Ends)
		}
		for _, at := range times {
			if !at.IsZero() {
				*at = at.Add(-d)
			}
		}
		k.Version++
		ok, failed := r.store.Store.Put(context.Background(), k)
		return found && ok && err == nil && failed == nil
	}, 5*time.Second, 5*time.Millisecond)
}

const (
	home = "10.1.2.3:4000"
	day  = 24 * time.Hour
)

// sealed is a key of the right form.
func (r *ring) sealed(prefix, id string) string {
	other := newRing(r.t, apikey.NewMemory(), func(o *apikey.Options) { o.Prefix = prefix })
	other.create()
	_, secret, _ := strings.Cut(other.text[len(prefix)+1:], "_")
	text := prefix + "_" + id + "_" + secret[:43]
	return text + checksum(text)
}

// behind returns a manager that believes a proxy on 192.0.2.1.
func (r *ring) behind(header string) *ring {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: nets("192.0.2.1/32", "192.0.2.2/32"), Header: header}))
	other := newRing(r.t, r.store, func(o *apikey.Options) { o.ClientIP = proxy.ClientIP })
	other.key, other.text = r.key, r.text
	return other
}

const proxied = "192.0.2.1:1"

// flip returns another letter.
func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
