package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// TestTheftIsLoggedWithoutTokens checks the record of a theft without a hook, and that it has no token.
func TestTheftIsLoggedWithoutTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := newDesk(t, func(o *session.Options) { o.OnEvent, o.Logger = nil, slog.New(slog.NewJSONHandler(&out, nil)) })
		token := d.login()
		d.post(d.Refresh(), token)
		pass(90 * time.Second)
		d.post(d.Refresh(), token)
		var record map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &record))
		delete(record, "time")
		require.Equal(t, map[string]any{"level": "WARN", "msg": "suspicious refresh", "reason": "token_reused",
			"session_id": d.issued[0].ID, "subject": "ann", "generations_back": 1., "age": 90e9}, record)
	})
}

// TestTheftHasItsDistance_FS5 checks that the event of a theft distinguishes a
// late tab from a thief.
func TestTheftHasItsDistance_FS5(t *testing.T) {
	for _, tt := range []struct {
		name      string
		grace     time.Duration
		rotations int // one minute apart
		after     time.Duration
		present   int
		back      uint64
		age       time.Duration
	}{
		{name: "a tab that is a little late", grace: 0, rotations: 1, after: 2 * time.Second, present: 0, back: 1, age: 2 * time.Second},
		{name: "a tab after grace", grace: 10 * time.Second, rotations: 1, after: 11 * time.Second, present: 0, back: 1, age: 11 * time.Second},
		{name: "a tab that two rotations have overtaken", grace: time.Minute, rotations: 2, after: 0, present: 0, back: 2, age: time.Minute},
		{name: "a copy of yesterday", grace: 0, rotations: 3, after: 24 * time.Hour, present: 0, back: 3, age: 24*time.Hour + 2*time.Minute},
		{name: "the token before the current one, a day later", grace: 0, rotations: 3, after: 24 * time.Hour, present: 2, back: 1, age: 24 * time.Hour},
		{
			name:      "an old copy, whose age is known in part",
			grace:     0,
			rotations: 40,
			after:     time.Hour,
			present:   0,
			back:      40,
			age:       time.Hour + (session.MaxHistory-1)*time.Minute,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events []session.Event
				d := newDesk(t, func(o *session.Options) {
					o.Grace, o.OnEvent = tt.grace, func(_ context.Context, e session.Event) { events = append(events, e) }
				})
				tokens := []string{d.login()}
				for i := range tt.rotations {
					if i > 0 {
						pass(time.Minute)
					}
					tokens = append(tokens, cookieOf(t, d.post(d.Refresh(), tokens[i])))
				}
				pass(tt.after)
				require.Equal(t, 401, d.post(d.Refresh(), tokens[tt.present]).Code)
				require.Len(t, events, 1)
				require.Equal(t, d.issued[0].ID, events[0].Session.ID)
				events[0].Session = session.Session{}
				require.Equal(t, session.Event{Reason: session.TokenReused, GenerationsBack: tt.back, Age: tt.age}, events[0])
			})
		})
	}
}

// TestPanicInTheHookIsLogged checks that a panic in the hook is logged, and changes no
// response.
func TestPanicInTheHookIsLogged(t *testing.T) {
	var out bytes.Buffer
	d := newDesk(t, func(o *session.Options) {
		o.OnEvent = func(context.Context, session.Event) { panic("hook") }
		o.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	})
	token := d.login()
	require.Equal(t, 200, d.post(d.Refresh(), token).Code)
	w := d.post(d.Refresh(), token)
	require.Equal(t, 401, w.Code)
	require.Equal(t, auth.ErrRevoked.Code(), codeOf(t, w))
	require.Contains(t, out.String(), `"level":"ERROR","msg":"hook panicked","hook":"session: OnEvent","panic":"hook"`)
}

// TestFullRevocationsRefuseALogin checks that a login fails if the tokens of an evicted
// session cannot be revoked, and that a theft is answered as a theft.
func TestFullRevocationsRefuseALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.Must(auth.NewRevocations(auth.RevocationsOptions{MaxEntries: 1}))
		d := newDesk(t, func(o *session.Options) { o.MaxSessions, o.Revocations = 1, full })
		require.NoError(t, full.RevokeSession(t.Context(), "another", time.Now().Add(time.Hour)))
		token := d.login()
		w := d.post(errors.HandlerFunc(d.Login), "")
		require.Equal(t, 503, w.Code)
		require.Empty(t, cookieOf(t, w))
		records, _ := d.store.Len()
		require.Zero(t, records)
		require.Equal(t, 401, d.post(d.Refresh(), token).Code)

		pass(3 * time.Hour)
		token = d.login()
		require.NoError(t, full.RevokeSession(t.Context(), "another", time.Now().Add(time.Hour)))
		d.post(d.Refresh(), token)
		require.Equal(t, 401, d.post(d.Refresh(), token).Code)
		require.Equal(t, []session.Reason{session.SessionEvicted, session.TokenReused}, d.events)
		require.ErrorIs(t, d.RevokeAll(t.Context(), "ann"), auth.ErrUnavailable)
		pass(1)
		require.Equal(t, 503, d.post(d.Logout(), d.login()).Code)
	})
}

// TestInsecureOptionsDisableADefence holds the two set-ups that do without a defence.
func TestInsecureOptionsDisableADefence(t *testing.T) {
	d := newDesk(t, func(o *session.Options) {
		o.Account, o.InsecureStaticGrants, o.Revocations, o.InsecureNoRevocations = nil, true, nil, true
		o.Store, o.Keys = nil, nil
	})
	token := d.login()
	w := d.post(d.Refresh(), token)
	require.Equal(t, 200, w.Code)
	require.Equal(t, []string{"orders:read"}, d.issued[1].Scope)
	require.Equal(t, 401, d.post(d.Refresh(), token).Code)
	require.NoError(t, d.RevokeAll(t.Context(), "ann"))
	other := newDesk(t, func(o *session.Options) { o.Store, o.Keys = nil, nil })
	require.Equal(t, auth.ErrInvalid.Code(), codeOf(t, other.post(other.Refresh(), token)), "each process has its own key")
}

// corrupting is a store whose records cannot be read.
type corrupting struct{ *session.Memory }

func (c corrupting) Rotate(ctx context.Context, r session.Rotation) (session.Rotated, error) {
	rotated, err := c.Memory.Rotate(ctx, r)
	rotated.Record.Value = []byte("{")
	return rotated, err
}

func (c corrupting) List(ctx context.Context, owner string) ([]session.Record, error) {
	return []session.Record{{ID: owner}}, nil
}

// TestCorruptRecordsAreUnavailable holds that they are the store's failure, and not a logout.
func TestCorruptRecordsAreUnavailable(t *testing.T) {
	d := newDesk(t, func(o *session.Options) { o.Store = corrupting{session.NewMemory()} })
	token := d.login()
	w := d.post(d.Refresh(), token)
	require.Equal(t, 503, w.Code)
	require.NotEmpty(t, cookieOf(t, w))
	_, err := d.List(t.Context(), "ann")
	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.Equal(t, 401, d.post(d.Refresh(), token).Code, "theft is seen all the same")
}

// TestNoKeySigns holds that running out of keys is a 503.
func TestNoKeySigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) {
			o.Keys = []session.Key{{ID: 1, Secret: keys[0].Secret, Remove: time.Now().Add(time.Hour)}}
		})
		d.login()
		pass(time.Hour)
		require.Equal(t, 503, d.post(errors.HandlerFunc(d.Login), "").Code)
	})
}
