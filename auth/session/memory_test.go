package session_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestMaxSessionsEndsTheLongestIdle holds that the session that was idle for the longest ends,
// and its access tokens with it.
func TestMaxSessionsEndsTheLongestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) { o.MaxSessions = 3 })
		var tokens []string
		for range 3 {
			tokens = append(tokens, d.login())
			pass(time.Second)
		}
		w := d.post(d.Refresh(), tokens[0])
		require.Equal(t, 200, w.Code)
		tokens[0] = cookieOf(t, w)
		pass(time.Second)
		last := d.login()
		require.Equal(t, 401, d.post(d.Refresh(), tokens[1]).Code)
		require.ErrorContains(t, d.revoked.Check(t.Context(), "", d.issued[1].ID, "", time.Now()), "revoked")
		for _, token := range []string{tokens[0], tokens[2], last} {
			require.Equal(t, 200, d.post(d.Refresh(), token).Code)
		}
		require.Equal(t, []session.Reason{session.SessionEvicted}, d.events)
		records, owners := d.store.Len()
		require.Equal(t, [2]int{3, 1}, [2]int{records, owners})
	})
}

// TestMemoryIsBounded checks that expired records are deleted as new ones are
// created.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := session.NewMemory()
		create := func(owner, id int) {
			_, err := m.Create(t.Context(), session.Creation{Owner: fmt.Sprint(owner), ID: fmt.Sprint(id), Idle: time.Hour, Absolute: 2 * time.Hour, Max: 5})
			require.NoError(t, err)
		}
		for i := range 1000 {
			create(i/10, i)
		}
		records, owners := m.Len()
		require.Equal(t, [2]int{500, 100}, [2]int{records, owners})
		pass(30 * time.Minute)
		in := errors.Must(m.Rotate(t.Context(), session.Rotation{Owner: "50", ID: "509", Idle: time.Hour}))
		require.Equal(t, session.Advanced, in.Outcome)
		pass(30 * time.Minute)
		list, err := m.List(t.Context(), "7")
		require.NoError(t, err)
		require.Empty(t, list, "dead ones are not listed")
		for i := range 70 {
			create(2000+i, i)
		}
		records, owners = m.Len()
		require.Equal(t, [2]int{71, 71}, [2]int{records, owners}, "the new ones, and one that was used")
	})
}

// spying records the calls of the store.
type spying struct {
	*session.Memory
	seen []any
}

func (s *spying) Create(ctx context.Context, c session.Creation) (session.Created, error) {
	s.seen = append(s.seen, c, string(c.Value))
	return s.Memory.Create(ctx, c)
}

func (s *spying) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	s.seen = append(s.seen, r)
	return s.Memory.Rotate(ctx, r)
}

// TestStoreKeepsNoToken holds SR25: the content of the store opens no session.
func TestStoreKeepsNoToken(t *testing.T) {
	spy := &spying{Memory: session.NewMemory()}
	d := newDesk(t, func(o *session.Options) { o.Store = spy })
	token := d.login()
	d.post(d.Refresh(), token, session.AttemptHeader, once)
	seen := fmt.Sprintf("%+v %x", spy.seen, spy.seen)
	require.NotEmpty(t, spy.seen)
	raw, ok := session.Keyring(keys).Parse(token)
	require.True(t, ok)
	for _, secret := range []string{token, token[3:], once, fmt.Sprintf("%x", raw.Secret())} {
		require.NotContains(t, seen, secret)
		require.NotContains(t, seen, fmt.Sprintf("%x", secret))
	}
}

// TestDeletedSessionsStayDeleted checks that a rotation cannot recreate a deleted
// record, and that owners are separate.
func TestDeletedSessionsStayDeleted(t *testing.T) {
	m := session.NewMemory()
	ctx := t.Context()
	_, err := m.Create(ctx, session.Creation{Owner: "a", ID: "1", Idle: time.Hour, Absolute: time.Hour, Max: 1})
	require.NoError(t, err)
	require.Equal(t, session.Rotated{}, errors.Must(m.Rotate(ctx, session.Rotation{Owner: "b", ID: "1", Idle: time.Hour})))
	_, err = m.Delete(ctx, "b", "1")
	require.NoError(t, err)
	require.Equal(t, session.Advanced, errors.Must(m.Rotate(ctx, session.Rotation{Owner: "a", ID: "1", Idle: time.Hour})).Outcome)
	_, err = m.Delete(ctx, "a", "1", "2")
	require.NoError(t, err)
	for generation := range uint64(3) {
		require.Equal(t, session.Rotated{}, errors.Must(m.Rotate(ctx, session.Rotation{Owner: "a", ID: "1", Generation: generation, Idle: time.Hour})))
	}
	records, owners := m.Len()
	require.Zero(t, records+owners)
}
