package apikey_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

func TestCreateRefuses(t *testing.T) {
	b := setUp(t, nil)
	for _, row := range []struct {
		name, want string
		change     func(*apikey.Key)
	}{
		{name: "no networks", want: "Networks: must not be empty; did you mean InsecureAnyNetwork?", change: func(k *apikey.Key) { k.Networks = nil }},
		{name: "both", want: "InsecureAnyNetwork: contradicts Networks; did you mean to leave one out?", change: func(k *apikey.Key) { k.InsecureAnyNetwork = true }},
		{
			name:   "host bits",
			want:   `Networks[0] "10.0.0.5/24": has bits beyond its length; did you mean "10.0.0.0/24"?`,
			change: func(k *apikey.Key) { k.Networks = nets("10.0.0.5/24") },
		},
		{
			name:   "everywhere",
			want:   `Networks[0] "0.0.0.0/0": is everywhere; did you mean InsecureAnyNetwork?`,
			change: func(k *apikey.Key) { k.Networks = nets("0.0.0.0/0") },
		},
		{name: "everywhere, mapped", want: `is everywhere; did you mean InsecureAnyNetwork?`, change: func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/96") }},
		{
			name:   "everywhere, mapped and more",
			want:   `Networks[0] "::ffff:0.0.0.0/90": is IPv4 mapped into IPv6, with fewer than 96 bits; did you mean IPv4 as such?`,
			change: func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/90") },
		},
		{name: "mapped, a bit short", want: `is IPv4 mapped into IPv6, with fewer than 96 bits`, change: func(k *apikey.Key) { k.Networks = nets("::ffff:10.0.0.0/95") }},
		{
			name:   "halves, one of them mapped",
			want:   `Networks: contain every address of 0.0.0.0/0`,
			change: func(k *apikey.Key) { k.Networks = nets("::ffff:0.0.0.0/97", "128.0.0.0/1") },
		},
		{
			name:   "everywhere, in halves",
			want:   `Networks: contain every address of 0.0.0.0/0; did you mean InsecureAnyNetwork?`,
			change: func(k *apikey.Key) { k.Networks = nets("128.0.0.0/1", "10.0.0.0/8", "0.0.0.0/1") },
		},
		{
			name:   "everywhere, in parts",
			want:   `Networks: contain every address of ::/0`,
			change: func(k *apikey.Key) { k.Networks = nets("8000::/1", "::/2", "4000::/3", "6000::/3") },
		},
		{name: "no network", want: `is not a network`, change: func(k *apikey.Key) { k.Networks = []netip.Prefix{{}} }},
		{name: "nameless", want: "Name: must have 1 to 100 bytes of UTF-8", change: func(k *apikey.Key) { k.Name = "" }},
		{name: "nobody", want: "Subject: must have 1 to 256 bytes of UTF-8", change: func(k *apikey.Key) { k.Subject = "" }},
		{name: "over", want: "Expires: is in the past", change: func(k *apikey.Key) { k.Expires = b.now }},
		{name: "in the year 10000", want: "Expires: is after the year 9999", change: func(k *apikey.Key) { k.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{name: "often", want: "RotateEvery 1h0m0s: must be at least 24h", change: func(k *apikey.Key) { k.RotateEvery = time.Hour }},
		{
			name:   "many scopes",
			want:   "Scope: has 65 entries; the maximum is 64",
			change: func(k *apikey.Key) { k.Scope = strings.Split(strings.Repeat("a ", 64)+"a", " ") },
		},
		{name: "a scope with a space", want: "Scope[1]: must have 1 to 128 bytes of visible ASCII", change: func(k *apikey.Key) { k.Scope = []string{"a", "a b"} }},
		{name: "an empty role", want: "Roles[0]: must have 1 to 128 bytes of UTF-8", change: func(k *apikey.Key) { k.Roles = []string{""} }},
		{name: "a long role", want: "Roles[0]: must have 1 to 128 bytes of UTF-8", change: func(k *apikey.Key) { k.Roles = []string{strings.Repeat("a", 129)} }},
		{name: "half a character", want: "Tier: must have 0 to 128 bytes of UTF-8", change: func(k *apikey.Key) { k.Tier = "\xc3" }},
		{name: "many networks", want: "Networks: has 257 entries; the maximum is 256", change: func(k *apikey.Key) { k.Networks = slices.Repeat(k.Networks, 257) }},
		{
			name:   "overlap",
			want:   "Overlap 744h0m0s: must be between 0 and RotateEvery, and at most 30 days",
			change: func(k *apikey.Key) { k.Overlap = 31 * 24 * time.Hour },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := apikey.Key{Name: "a", Subject: "a", Networks: nets("10.0.0.0/8")}
			row.change(&k)
			_, _, err := b.Create(t.Context(), k)
			require.ErrorContains(t, err, row.want)
		})
	}
	_, err := apikey.New(apikey.Options{Prefix: "Acme"})
	require.EqualError(t, err, "apikey: Prefix: must have 1 to 16 lower-case letters and digits; did you mean the name of your service?\napikey: Store: must not be nil; NewMemory loses the keys at a restart\n"+
		"apikey: ClientIP: must not be nil; did you mean headers.PeerIP?\napikey: Routes: must not be empty; did you mean \"/partner/\", or \"/\" for everywhere?")
}

// TestRevokeSucceedsOnlyIfTheKeyIsRevoked checks that Revoke succeeds only if the key is revoked, and
// that a repeated call completes the first.
func TestRevokeSucceedsOnlyIfTheKeyIsRevoked(t *testing.T) {
	down := errors.New("connection refused")
	for _, row := range []struct {
		name            string
		fails           bool  // reading
		delete          error // of the first call
		first, second   error
		events, events2 int
	}{
		{name: "nothing", second: apikey.ErrNotFound, events: 1, events2: 1},
		{name: "reading", fails: true, events: 1, events2: 2},
		{name: "deleting", delete: down, first: auth.ErrUnavailable, events: 0, events2: 1},
		{name: "both", fails: true, delete: down, first: auth.ErrUnavailable, events: 0, events2: 1},
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
	b.store.deleteErr = down // replicas do not confirm the first deletion
	require.ErrorIs(t, b.Revoke(t.Context(), b.key.ID), auth.ErrUnavailable)
}

// TestUnreadableKeyIsRevoked checks that an unreadable key is revoked, and that the
// event has its ID.
func TestUnreadableKeyIsRevoked(t *testing.T) {
	b := setUp(t, nil)
	b.store.fails = true
	var told []apikey.Event
	m := errors.Must(apikey.New(apikey.Options{
		Prefix: "acme", Store: b.store, ClientIP: peer, Routes: []string{"/partner/"},
		OnEvent: func(_ context.Context, e apikey.Event) { told = append(told, e) },
	}))
	require.NoError(t, m.Revoke(t.Context(), b.key.ID))
	require.Equal(t, []apikey.Event{{Reason: apikey.KeyRevoked, Key: apikey.Key{ID: b.key.ID}}}, told)
	_, found, err := b.store.Store.Get(t.Context(), b.key.ID)
	require.NoError(t, err)
	require.False(t, found)
}

// TestInvalidIDsDoNotReachTheStore checks that an ID of a store's own record never reaches the
// store.
func TestInvalidIDsDoNotReachTheStore(t *testing.T) {
	b := setUp(t, nil)
	b.store.fails = true
	for _, id := range []string{"", "-", "-" + b.key.ID} {
		_, err := b.Rotate(t.Context(), id)
		require.ErrorIs(t, err, apikey.ErrNotFound, id)
		require.ErrorIs(t, b.Revoke(t.Context(), id), apikey.ErrNotFound, id)
	}
}
