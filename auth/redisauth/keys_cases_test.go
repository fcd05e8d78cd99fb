package redisauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/errors"
)

// A keyCase is one of the cases KA1 to KA21.
type keyCase struct {
	id, name string
	play     func(*ring)
}

var keyCases = []keyCase{
	{id: "KA1", name: "a wrong checksum asks no store", play: func(r *ring) {
		r.store.gets.Store(0)
		for i := range r.text {
			require.ErrorIs(r.t, r.call(r.text[:i]+flip(r.text[i])+r.text[i+1:], home), auth.ErrInvalid)
		}
		require.Zero(r.t, r.store.gets.Load())
	}},
	{id: "KA2", name: "an unknown ID and a wrong secret are the same", play: func(r *ring) {
		for _, id := range []string{strings.Repeat("x", 16), r.key.ID} {
			r.store.gets.Store(0)
			err := r.call(r.sealed("acme", id), home)
			require.ErrorIs(r.t, err, auth.ErrInvalid)
			require.EqualValues(r.t, 1, r.store.gets.Load())
			w := recorder()
			quiet.Handler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err })).ServeHTTP(w, request("GET", ""))
			require.Equal(r.t, 401, w.Code)
			require.NotContains(r.t, w.Body.String(), id)
		}
	}},
	{id: "KA3", name: "a stored key without networks is accepted from nowhere", play: func(r *ring) {
		_, _, err := r.Create(r.t.Context(), apikey.Key{Name: "n", Subject: "s"})
		require.ErrorContains(r.t, err, "Networks")
		k, _, err := r.store.Get(r.t.Context(), r.key.ID)
		require.NoError(r.t, err)
		k.Key.Networks = nil
		k.Version++
		require.True(r.t, errors.Must(r.store.Put(r.t.Context(), k)))
		require.ErrorIs(r.t, r.call(r.text, home), apikey.ErrNetworkDenied)
	}},
	{id: "KA4", name: "a mapped address", play: func(r *ring) {
		require.NoError(r.t, r.call(r.text, "[::ffff:10.1.2.3]:1"))
		require.ErrorIs(r.t, r.call(r.text, "[::ffff:11.1.2.3]:1"), apikey.ErrNetworkDenied)
	}},
	{id: "KA5", name: "a mapped network", play: func(r *ring) {
		r.create(func(k *apikey.Key) { k.Networks = nets("::ffff:10.0.0.0/104") })
		require.Equal(r.t, nets("10.0.0.0/8"), r.key.Networks)
		require.NoError(r.t, r.call(r.text, home))
	}},
	{id: "KA6", name: "networks that mean something else", play: func(r *ring) {
		for _, network := range []string{"10.0.0.5/24", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"} {
			_, _, err := r.Create(r.t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: nets(network)})
			require.ErrorContains(r.t, err, "Networks[0]", network)
		}
		for _, text := range []string{"fe80::%eth0/64", "010.0.0.1/32", "10.0.0.0/33"} {
			prefix, err := netip.ParsePrefix(text)
			require.Error(r.t, err)
			_, _, err = r.Create(r.t.Context(), apikey.Key{Name: "n", Subject: "s", Networks: []netip.Prefix{prefix}})
			require.ErrorContains(r.t, err, "is not a network")
		}
	}},
	{id: "KA7", name: "a zone", play: func(r *ring) {
		require.ErrorIs(r.t, r.call(r.text, "[fe80::1%eth0]:1"), apikey.ErrNetworkDenied, "certain of no network")
		require.NoError(r.t, r.call(r.text, "[fe80::1]:1"))
		require.ErrorIs(r.t, r.behind("").call(r.text, proxied, "X-Forwarded-For", "fe80::1%eth0"), apikey.ErrNetworkDenied)
	}},
	{id: "KA8", name: "headers that nobody vouches for", play: func(r *ring) {
		for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"} {
			require.ErrorIs(r.t, r.call(r.text, "203.0.113.9:1", name, "10.1.2.3"), apikey.ErrNetworkDenied, name)
			require.NoError(r.t, r.call(r.text, home, name, "203.0.113.9"))
		}
	}},
	{id: "KA9", name: "the rightmost that is not trusted", play: func(r *ring) {
		require.ErrorIs(r.t, r.behind("").call(r.text, proxied, "X-Forwarded-For", "10.1.2.3, 203.0.113.9"), apikey.ErrNetworkDenied)
		require.NoError(r.t, r.behind("").call(r.text, proxied, "X-Forwarded-For", "203.0.113.9, 10.1.2.3"))
	}},
	{id: "KA10", name: "chains that are odd", play: func(r *ring) {
		b := r.behind("")
		require.NoError(r.t, b.call(r.text, proxied, "X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "10.1.2.3:80"))
		require.NoError(r.t, b.call(r.text, proxied, "X-Forwarded-For", "[2001:db8::1]:80"))
		for _, bad := range []string{"10.1.2.3, unknown", "_hidden", `"10.1.2.3`, "", "10.1.2.3.4", "10.1.2.3, " + strings.Repeat("192.0.2.2, ", 1000) + "192.0.2.2"} {
			require.ErrorIs(r.t, b.call(r.text, proxied, "X-Forwarded-For", bad), apikey.ErrNetworkDenied, bad)
		}
	}},
	{id: "KA11", name: "only the configured header", play: func(r *ring) {
		require.ErrorIs(r.t, r.behind("").call(r.text, proxied, "X-Forwarded-For", "203.0.113.9", "Forwarded", "for=10.1.2.3"), apikey.ErrNetworkDenied)
		require.NoError(r.t, r.behind("Forwarded").call(r.text, proxied, "X-Forwarded-For", "203.0.113.9", "Forwarded", "for=10.1.2.3"))
	}},
	{id: "KA12", name: "a peer that is no proxy", play: func(r *ring) {
		require.ErrorIs(r.t, r.behind("").call(r.text, "203.0.113.9:1", "X-Forwarded-For", "10.1.2.3"), apikey.ErrNetworkDenied)
		require.NoError(r.t, r.behind("").call(r.text, home, "X-Forwarded-For", "203.0.113.9"))
	}},
	{id: "KA13", name: "proxies all the way", play: func(r *ring) {
		require.ErrorIs(r.t, r.behind("").call(r.text, proxied, "X-Forwarded-For", "192.0.2.2, 192.0.2.1"), apikey.ErrNetworkDenied)
	}},
	{id: "KA14", name: "a Unix socket", play: func(r *ring) {
		require.ErrorIs(r.t, r.call(r.text, "@"), apikey.ErrNetworkDenied)
		require.ErrorIs(r.t, r.behind("").call(r.text, "@", "X-Forwarded-For", "10.1.2.3"), apikey.ErrNetworkDenied)
	}},
	{id: "KA15", name: "rotation", play: func(r *ring) {
		second := errors.Must(r.Rotate(r.t.Context(), r.key.ID))
		r.age(2 * day)
		require.NoError(r.t, r.call(r.text, home), "the new one was not used yet")
		r.used(second)
		r.age(day - 10*time.Second)
		require.NoError(r.t, r.call(r.text, home))
		r.age(10 * time.Second)
		require.ErrorIs(r.t, r.call(r.text, home), auth.ErrInvalid)
		third := errors.Must(r.Rotate(r.t.Context(), r.key.ID))
		fourth := errors.Must(r.Rotate(r.t.Context(), r.key.ID))
		require.ErrorIs(r.t, r.call(second, home), auth.ErrInvalid, "the oldest of three")
		require.NoError(r.t, r.call(third, home))
		require.NoError(r.t, r.call(fourth, home))
		require.NoError(r.t, r.Revoke(r.t.Context(), r.key.ID))
		for _, text := range []string{third, fourth} {
			require.ErrorIs(r.t, r.call(text, home), auth.ErrInvalid)
		}
	}},
	{id: "KA16", name: "several replicas rotate", play: func(r *ring) {
		r.age(91 * day)
		var delivered atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			replica := newRing(r.t, r.store)
			all.Go(func() {
				err := replica.RotateDue(context.Background(), func(_ context.Context, k apikey.Key, _ string) error {
					if k.ID == r.key.ID {
						delivered.Add(1)
					}
					return nil
				})
				if err != nil {
					r.t.Error(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(r.t, 1, delivered.Load())
	}},
	{id: "KA17", name: "a revocation reaches other replicas", play: func(r *ring) {
		replica := newRing(r.t, r.store, func(o *apikey.Options) { o.CacheTTL = 100 * time.Millisecond })
		require.NoError(r.t, replica.call(r.text, home))
		require.NoError(r.t, r.Revoke(r.t.Context(), r.key.ID))
		at := time.Now()
		require.Eventually(r.t, func() bool { return errors.Is(replica.call(r.text, home), auth.ErrInvalid) }, 5*time.Second, 5*time.Millisecond)
		require.Less(r.t, time.Since(at), time.Second)
	}},
	{id: "KA18", name: "keys elsewhere", play: func(r *ring) {
		q := httptest.NewRequest("POST", "/partner/stock?X-API-Key="+r.text+"&api_key="+r.text, strings.NewReader("api_key="+r.text))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.RemoteAddr = home
		p, err := r.Authenticate(q)
		require.NoError(r.t, err)
		require.Nil(r.t, p)
		require.ErrorIs(r.t, r.call(r.text, home, "X-API-Key", r.text), auth.ErrMalformed)
	}},
	{id: "KA19", name: "no key in events, errors and what is stored", play: func(r *ring) {
		second := errors.Must(r.Rotate(r.t.Context(), r.key.ID))
		var told strings.Builder
		for _, err := range []error{r.call(r.text, "203.0.113.9:1"), r.call(r.text+"x", home), r.call(r.sealed("acme", r.key.ID), home)} {
			_, _ = fmt.Fprintf(&told, "%v %+v %#v", err, err, err)
		}
		k, _, err := r.store.Get(r.t.Context(), r.key.ID)
		require.NoError(r.t, err)
		_, _ = fmt.Fprintf(&told, "%v %+v %#v %v", k, k, k, k.Key.LogValue())
		told.WriteString(r.log.String())
		require.Contains(r.t, told.String(), r.key.ID)
		for _, text := range []string{r.text, second} {
			require.NotContains(r.t, told.String(), text[len(text)-49:len(text)-6])
		}
	}},
	{id: "KA20", name: "another environment", play: func(r *ring) {
		require.ErrorIs(r.t, r.call(r.sealed("test", r.key.ID), home), auth.ErrInvalid)
		_, rest, _ := strings.Cut(r.text, "_")
		text := "test_" + rest[:len(rest)-6]
		require.ErrorIs(r.t, r.call(text+checksum(text), home), auth.ErrInvalid, "the right secret")
	}},
	{id: "KA21", name: "the last use", play: func(r *ring) {
		other := newRing(r.t, r.store.Store, func(o *apikey.Options) { o.CacheTTL = 100 * time.Millisecond })
		other.key = r.key
		other.used(r.text)
		other.store.puts.Store(0)
		for range 2000 {
			require.NoError(r.t, other.call(r.text, home))
		}
		require.Zero(r.t, other.store.puts.Load(), "within the minute")
		r.age(time.Minute)
		require.Eventually(r.t, func() bool {
			return other.call(r.text, home) == nil && other.store.puts.Load() > 0
		}, 5*time.Second, 5*time.Millisecond)
		other.used(r.text)
		require.EqualValues(r.t, 1, other.store.puts.Load())
	}},
}

// TestKeyCasesHold holds KA1 to KA21, everywhere.
func TestKeyCasesHold(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range keyCases {
		seen[c.id] = true
	}
	for i := range 21 {
		require.True(t, seen["KA"+strconv.Itoa(i+1)], "KA%d has no row", i+1)
	}
	require.Len(t, seen, 21)
	all := func(t *testing.T, store apikey.Store) {
		for _, c := range keyCases {
			t.Run(c.id+" "+c.name, func(t *testing.T) {
				r := newRing(t, store)
				r.create()
				c.play(r)
			})
		}
	}
	t.Run("memory", func(t *testing.T) { all(t, apikey.NewMemory()) })
	for _, kind := range kindsOf() {
		t.Run(kind.name, func(t *testing.T) { all(t, apiKeys(t, kind.start(t), redisauth.Options{})) })
	}
}
