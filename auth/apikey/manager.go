package apikey

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/route"
)

// ErrNetworkDenied is the response to a genuine key from a network that it does not
// list: 403 network_denied.
var ErrNetworkDenied = errors.Define(403, "network_denied", "This API key is not accepted from this network.")

// A Manager creates and verifies API keys. It is an [auth.Authenticator], and safe for
// concurrent use.
type Manager struct {
	prefix    string
	store     Store
	clientIP  func(*http.Request) (netip.Addr, bool)
	routes    *route.Table
	header    string
	bearer    bool
	challenge string
	cache     cache
	onEvent   func(context.Context, Event)
	logger    *slog.Logger
	now       func() time.Time
	strangers strangers
	touching  sync.Map      // the IDs of keys whose use is being written
	writers   chan struct{} // bounds their number
	writing   sync.WaitGroup
}

var _ auth.Authenticator = (*Manager)(nil)

// taken lists headers that cannot carry a key: they have another meaning, or net/http
// removes them.
var taken = [...]string{"authorization", "proxy-authorization", "cookie", "host", "content-type", "content-length", "origin", "connection", "transfer-encoding"}

// wallNow returns the time without a monotonic reading. The monotonic clock stops while a
// machine sleeps, and keys must expire nevertheless.
func wallNow() time.Time { return time.Now().Round(0).UTC() }

// Challenge returns the scheme ApiKey, which is not registered, with the name of the
// header, so that a client can see that the 401 is about its key.
func (m *Manager) Challenge() string { return m.challenge }

// Challenges returns that of [Manager.Challenge], and Bearer if Options.Bearer is set.
func (m *Manager) Challenges() []string {
	if m.bearer {
		return []string{m.challenge, "Bearer"}
	}
	return []string{m.challenge}
}

// Authenticate verifies the key of a request. It returns nil and nil for a request
// outside of Routes or without the header. A query or a form is never read.
func (m *Manager) Authenticate(r *http.Request) (*auth.Principal, error) {
	lines := r.Header[m.header]
	if m.bearer {
		lines = append(slices.Clone(lines), m.bearerKeys(r)...)
	}
	if len(lines) == 0 {
		return nil, nil
	}
	if _, ours := m.routes.Find(r); !ours {
		return nil, nil
	}
	if len(lines) > 1 {
		return nil, auth.ErrMalformed.With("reason", "several keys")
	}
	addr, certain := m.clientIP(r)
	return m.Verify(r.Context(), lines[0], addr, certain)
}

// bearerKeys returns the Authorization headers of a request if one has a key.
func (m *Manager) bearerKeys(r *http.Request) []string {
	var keys []string
	found := false
	for _, line := range r.Header["Authorization"] {
		scheme, text, _ := strings.Cut(line, " ")
		text = strings.Trim(text, " ")
		keys = append(keys, text)
		found = found || strings.EqualFold(scheme, "Bearer") && m.IsKey(text)
	}
	if !found {
		return nil
	}
	return keys
}

// Verify returns the principal of a key that is used from an address. It returns
// [auth.ErrInvalid], [auth.ErrExpired], [ErrNetworkDenied], which only a genuine key
// gets, or [auth.ErrUnavailable].
func (m *Manager) Verify(ctx context.Context, text string, addr netip.Addr, certain bool) (*auth.Principal, error) {
	id, secret, ok := parseKey(m.prefix, text)
	if !ok {
		return nil, auth.ErrInvalid.With("reason", "form")
	}
	now := m.now()
	record, used, err := m.lookUpSecret(ctx, id, secret, now)
	if err != nil {
		return nil, err
	}
	switch {
	case used < 0:
		return nil, auth.ErrInvalid.With("reason", "secret", "key_id", id)
	case record.Key.Disabled:
		return nil, auth.ErrRevoked.With("reason", "disabled", "key_id", id)
	case record.expired(now):
		return nil, auth.ErrExpired.With("key_id", id)
	case !record.Key.acceptsAddress(addr, certain):
		if m.strangers.isNewSighting(id, addr, now) {
			m.notifyHook(ctx, Event{Reason: NetworkDenied, Key: record.Key, Addr: addr})
		}
		return nil, ErrNetworkDenied.With("key_id", id, "address", addr.String())
	}
	m.touch(ctx, &record, used, now)
	k := &record.Key
	expires := k.Expires
	if end := record.overlapEndOf(used); !end.IsZero() && (expires.IsZero() || end.Before(expires)) {
		expires = end
	}
	return auth.NewPrincipal(auth.Identity{
		CallerType: auth.Program, Subject: k.Subject, CredentialID: k.ID, Tier: k.Tier, Scope: k.Scope, Roles: k.Roles, ExpiresAt: expires,
	})
}

// lookUpSecret returns the record of a key and the index of the secret, or -1. A
// secret that is not cached may be a new one, so the store is called.
func (m *Manager) lookUpSecret(ctx context.Context, id, secret string, now time.Time) (Record, int, error) {
	sum := digest(secret)
	record, drops, known := m.cache.lookUpRecord(id, now)
	if used := record.match(sum, now); known && used >= 0 {
		return record, used, nil
	}
	limited, cancel := withStoreTimeout(ctx)
	defer cancel()
	record, _, err := m.store.Get(limited, id)
	if err != nil {
		return Record{}, -1, unavailableError(err)
	}
	used := record.match(sum, now)
	if used >= 0 {
		m.cache.storeRecord(record, now, drops)
	}
	return record, used, nil
}

// match returns the index of the valid secret with this digest, or -1. It always
// compares twice, also with an empty record, so that its time does not depend on
// the store.
func (r *Record) match(sum [sha256.Size]byte, now time.Time) int {
	found := -1
	for i := range 2 {
		var stored Secret
		if i < len(r.Secrets) {
			stored = r.Secrets[i]
		}
		same := subtle.ConstantTimeCompare(sum[:], stored.Digest[:]) == 1
		if same && i < len(r.Secrets) && (i == 0 || now.Before(r.overlapEnds())) {
			found = i
		}
	}
	return found
}

// overlapEndOf returns the time at which a secret expires because a newer one replaces
// it, or the zero time.
func (r *Record) overlapEndOf(used int) time.Time {
	if used == 0 {
		return time.Time{}
	}
	return r.overlapEnds()
}

func (r *Record) expired(now time.Time) bool {
	return !r.Key.Expires.IsZero() && !now.Before(r.Key.Expires)
}

// overlapEnds returns the time at which the older of two secrets expires: Overlap
// after the first use of the newer one, at the latest 30 days after the rotation.
func (r *Record) overlapEnds() time.Time {
	end := r.Secrets[1].Ends
	if first := r.Secrets[0].FirstUsed; !first.IsZero() && first.Add(r.Key.Overlap).Before(end) {
		return first.Add(r.Key.Overlap)
	}
	return end
}

// withStoreTimeout returns a context for a store call. A client that disconnects does not
// cancel it.
func withStoreTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// storeTimeout bounds each call of the store but List.
const storeTimeout = 2 * time.Second

// unavailableError returns the error for a failure of the store. It hides the kind of
// err, which must not decide the response.
func unavailableError(err error) error {
	return auth.ErrUnavailable.Wrap(errors.Opaque(err)).Header("Retry-After", "1").With("reason", "API key")
}
