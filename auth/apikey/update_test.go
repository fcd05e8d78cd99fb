package apikey_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
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

func TestUpdateChangesAKey(t *testing.T) {
	b := setUp(t, nil)
	other := netip.MustParsePrefix("203.0.113.0/24")
	kept := []netip.Prefix{other}
	k, err := b.Update(t.Context(), b.key.ID, func(k *apikey.Key) {
		k.Name, k.Networks, k.Scope, k.Tier = "renamed", kept, []string{"stock:read"}, "gold"
		k.Expires = b.now.Add(time.Hour)
		k.Metadata = map[string]string{"team": "stock"}
		k.ID, k.Subject, k.Disabled, k.Created = "other", "root", true, time.Time{}
	})
	require.NoError(t, err)
	kept[0] = netip.MustParsePrefix("0.0.0.0/1")
	require.Equal(t, b.key.ID, k.ID)
	require.Equal(t, b.key.Subject, k.Subject, "the subject of a key stays")
	require.False(t, k.Disabled)
	require.Equal(t, b.key.Created, k.Created)
	require.Equal(t, []string{"stock:read"}, k.Scope)
	require.Equal(t, map[string]string{"team": "stock"}, k.Metadata)
	require.ErrorIs(t, b.call(b.text, home), apikey.ErrNetworkDenied, "at once in this process")
	require.NoError(t, b.call(b.text, "203.0.113.7:1"))
	b.now = b.now.Add(time.Hour)
	require.ErrorIs(t, b.call(b.text, "203.0.113.7:1"), auth.ErrExpired)
	k, err = b.Update(t.Context(), b.key.ID, func(k *apikey.Key) { k.Name = "expired" })
	require.NoError(t, err, "an expired key can be renamed")
	require.Equal(t, "expired", k.Name)
	require.Contains(t, b.seen(), apikey.KeyUpdated)
}

func TestUpdateRefusesAnInvalidKey(t *testing.T) {
	b := setUp(t, nil)
	for _, row := range []struct {
		name    string
		change  func(*apikey.Key)
		problem string
	}{
		{name: "no networks", change: func(k *apikey.Key) { k.Networks = nil }, problem: "apikey: Networks: must not be empty"},
		{name: "no name", change: func(k *apikey.Key) { k.Name = "" }, problem: "apikey: Name: must have 1 to 100 bytes"},
		{name: "past expiry", change: func(k *apikey.Key) { k.Expires = b.now.Add(-1) }, problem: "apikey: Expires: is in the past"},
		{name: "many metadata", change: func(k *apikey.Key) {
			k.Metadata = make(map[string]string)
			for i := range 17 {
				k.Metadata[strings.Repeat("x", i+1)] = ""
			}
		}, problem: "apikey: Metadata: has 17 entries; the maximum is 16"},
		{name: "long metadata", change: func(k *apikey.Key) { k.Metadata = map[string]string{"x": strings.Repeat("x", 257)} }, problem: `apikey: Metadata["x"]: must have`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := b.Update(t.Context(), b.key.ID, row.change)
			require.ErrorContains(t, err, row.problem)
			require.NoError(t, b.call(b.text, home), "nothing changed")
		})
	}
	_, err := b.Update(t.Context(), "x", func(*apikey.Key) {})
	require.ErrorIs(t, err, apikey.ErrNotFound)
	require.NotContains(t, b.seen(), apikey.KeyUpdated)
}

func TestDisabledKeyIsRefusedUntilItIsEnabled(t *testing.T) {
	b := setUp(t, nil)
	other := errors.Must(apikey.New(apikey.Options{Prefix: "acme", Store: b.store, ClientIP: peer, Routes: []string{"/"}})) // another process
	other.SetClock(func() time.Time { return b.now })
	require.NoError(t, b.call(b.text, home))
	addr := netip.MustParseAddr("10.1.2.3")
	_, err := other.Verify(t.Context(), b.text, addr, true)
	require.NoError(t, err)
	require.NoError(t, b.Disable(t.Context(), b.key.ID))
	require.NoError(t, b.Disable(t.Context(), b.key.ID))
	require.ErrorIs(t, b.call(b.text, home), auth.ErrRevoked)
	b.now = b.now.Add(time.Second) // CacheTTL
	_, err = other.Verify(t.Context(), b.text, addr, true)
	require.ErrorIs(t, err, auth.ErrRevoked)
	require.NoError(t, b.Enable(t.Context(), b.key.ID))
	require.NoError(t, b.call(b.text, home))
	require.ErrorIs(t, b.Enable(t.Context(), "x"), apikey.ErrNotFound)
	changes := slices.DeleteFunc(b.seen(), func(r apikey.Reason) bool { return r != apikey.KeyDisabled && r != apikey.KeyEnabled })
	require.Equal(t, []apikey.Reason{apikey.KeyDisabled, apikey.KeyEnabled}, changes, "an event for each change")
}

func TestListSubjectReturnsItsKeys(t *testing.T) {
	b := setUp(t, nil)
	for _, subject := range []string{"stock", "billing", "stock"} {
		_, _, err := b.Create(t.Context(), apikey.Key{Name: "k", Subject: subject, Networks: nets("203.0.113.0/24")})
		require.NoError(t, err)
	}
	keys, err := b.ListSubject(t.Context(), "stock")
	require.NoError(t, err)
	require.Len(t, keys, 2)
	for _, k := range keys {
		require.Equal(t, "stock", k.Subject)
	}
}

func TestRepeatedRotationEndsNoSecretInUse(t *testing.T) {
	b := setUp(t, func(k *apikey.Key) { k.Overlap = time.Hour })
	lost, err := b.RotateOnce(t.Context(), b.key.ID, "attempt-1")
	require.NoError(t, err)
	second, err := b.RotateOnce(t.Context(), b.key.ID, "attempt-1")
	require.NoError(t, err)
	require.NoError(t, b.call(b.text, home), "the secret in use")
	require.ErrorIs(t, b.call(lost, home), auth.ErrInvalid, "the lost secret")
	require.NoError(t, b.call(second, home))
	third, err := b.RotateOnce(t.Context(), b.key.ID, "attempt-1")
	require.NoError(t, err)
	require.NoError(t, b.call(second, home), "a used secret is not replaced alone")
	require.NoError(t, b.call(third, home))
	_, err = b.RotateOnce(t.Context(), b.key.ID, "attempt-2")
	require.NoError(t, err)
	require.ErrorIs(t, b.call(second, home), auth.ErrInvalid, "another attempt is another rotation")
	for _, attempt := range []string{"", strings.Repeat("x", 129)} {
		_, err = b.RotateOnce(t.Context(), b.key.ID, attempt)
		require.ErrorContains(t, err, "apikey: attempt: must have 1 to 128 bytes")
	}
}

func TestKeysAreAcceptedAsBearerTokens(t *testing.T) {
	b := setUp(t, nil)
	m := errors.Must(apikey.New(apikey.Options{
		Prefix: "ring", Store: b.store, Routes: []string{"/"}, Bearer: true,
		ClientIP: func(*http.Request) (netip.Addr, bool) { return netip.MustParseAddr("10.1.2.3"), true },
	}))
	_, text, err := m.Create(t.Context(), apikey.Key{Name: "k", Subject: "stock", Networks: nets("10.0.0.0/8")})
	require.NoError(t, err)
	for _, row := range []struct {
		name    string
		header  http.Header
		subject string       // "" means no principal
		err     *errors.Kind // nil means none
	}{
		{name: "bearer", header: http.Header{"Authorization": {"Bearer " + text}}, subject: "stock"},
		{name: "bearer in lower case", header: http.Header{"Authorization": {"bearer " + text}}, subject: "stock"},
		{name: "own header", header: http.Header{"X-Api-Key": {text}}, subject: "stock"},
		{name: "JWT", header: http.Header{"Authorization": {"Bearer a.b.c"}}},
		{name: "another prefix", header: http.Header{"Authorization": {"Bearer x" + text}}},
		{name: "Basic", header: http.Header{"Authorization": {"Basic " + text}}},
		{name: "two headers", header: http.Header{"Authorization": {"Bearer " + text, "Bearer " + text}}, err: auth.ErrMalformed},
		{name: "own header and bearer", header: http.Header{"X-Api-Key": {text}, "Authorization": {"Bearer " + text}}, err: auth.ErrMalformed},
		{name: "own header and JWT", header: http.Header{"X-Api-Key": {text}, "Authorization": {"Bearer a.b.c"}}, subject: "stock"},
		{name: "key and JWT", header: http.Header{"Authorization": {"Bearer a.b.c", "Bearer " + text}}, err: auth.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.TLS, r.Header = &tls.ConnectionState{}, row.header
			p, err := m.Authenticate(r)
			kind, _ := errors.AsType[*errors.Kind](err)
			require.Equal(t, row.err == nil, err == nil)
			require.Same(t, row.err, kind)
			if row.subject == "" {
				require.Nil(t, p)
				return
			}
			require.Equal(t, row.subject, p.Subject())
		})
	}
	require.Equal(t, []string{`ApiKey header="X-API-Key"`, "Bearer"}, m.Challenges())
}

// seen returns the reasons of the events until now.
func (b *bench) seen() []apikey.Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}
