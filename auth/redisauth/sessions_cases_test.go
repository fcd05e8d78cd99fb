package redisauth_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

const (
	second = time.Second
	// once and other are attempts.
	once    = "abcdefghijklmn-_"
	another = "0123456789abcdef"
	other   = "ABCDEFGHIJKLMNOP"
)

// grace returns a change that sets Grace.
func grace(d time.Duration) func(*session.Options) {
	return func(o *session.Options) { o.Grace = d }
}

// A sessionCase is one of the cases SR1 to SR28.
type sessionCase struct {
	id, name string
	change   func(*session.Options)
	play     func(*desk)
}

// theft checks that the session has ended, and that the theft was reported.
func (d *desk) theft(tokens ...string) {
	d.t.Helper()
	for _, token := range tokens {
		d.refused(token)
	}
	require.Equal(d.t, []session.Reason{session.TokenReused}, d.events)
	require.True(d.t, d.over())
}

var sessionCases = append(rotationCases, lifetimeCases...)

// rotationCases has SR1 to SR14: the rotation of tokens.
var rotationCases = []sessionCase{
	{id: "SR1", name: "two tabs at once", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		require.Equal(d.t, t1, d.mustRefresh(t0))
		require.Empty(d.t, d.events)
	}},
	{id: "SR2", name: "the answer is lost, and asked for again in grace", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.pass(9 * second)
		require.Equal(d.t, t1, d.mustRefresh(t0))
		d.mustRefresh(t1)
	}},
	{id: "SR2", name: "the answer is lost, and asked for again with its attempt", play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0, session.AttemptHeader, once)
		d.pass(59 * second)
		require.Equal(d.t, t1, d.mustRefresh(t0, session.AttemptHeader, once))
		d.mustRefresh(t1, session.AttemptHeader, other)
		require.Empty(d.t, d.events)
	}},
	{id: "SR2", name: "FS4 a client that slept asks again with its attempt", play: func(d *desk) {
		for _, slept := range []time.Duration{62 * second, time.Hour, 24 * time.Hour} {
			t0 := d.login()
			t1 := d.mustRefresh(t0, session.AttemptHeader, once)
			d.pass(slept)
			require.Equal(d.t, t1, d.mustRefresh(t0, session.AttemptHeader, once))
			d.mustRefresh(t1, session.AttemptHeader, other)
		}
		require.Empty(d.t, d.events)
	}},
	{id: "SR2", name: "FS4 its successor was presented meanwhile", play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0, session.AttemptHeader, once)
		t2 := d.mustRefresh(t1, session.AttemptHeader, other)
		d.pass(time.Hour)
		d.refused(t0, session.AttemptHeader, once)
		d.theft(t2)
	}},
	{id: "SR3", name: "the answer is lost, and asked for again after grace", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.pass(10 * second)
		d.theft(t0, t1)
	}},
	{id: "SR4", name: "three tabs converge", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.pass(second)
		require.Equal(d.t, t1, d.mustRefresh(t0))
		t2 := d.mustRefresh(t1)
		require.Equal(d.t, t2, d.mustRefresh(t1))
		d.mustRefresh(t2)
		require.Empty(d.t, d.events)
	}},
	{id: "SR4", name: "FS3 a tab that two rotations have overtaken", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t2 := d.mustRefresh(d.mustRefresh(t0))
		d.theft(t0, t2)
	}},
	{id: "SR5", name: "the thief first, the victim later", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		thief := d.mustRefresh(t0)
		d.pass(time.Hour)
		d.theft(t0, thief)
	}},
	{id: "SR5", name: "FS5 the theft has its distance", play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.pass(time.Hour)
		d.theft(t0, d.mustRefresh(t1))
		require.Equal(d.t, uint64(2), d.last.GenerationsBack)
		require.InDelta(d.t, time.Hour, d.last.Age, float64(30*second))
	}},
	{id: "SR6", name: "a thief in grace gets no line of their own", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		victim := d.mustRefresh(t0)
		thief := d.mustRefresh(t0)
		require.Equal(d.t, victim, thief)
		d.pass(time.Minute)
		newest := d.mustRefresh(victim)
		d.pass(time.Minute)
		d.theft(thief, newest)
	}},
	{id: "SR7", name: "forged tokens do not reach the store", play: func(d *desk) {
		token := d.login()
		asked := d.again(func(o *session.Options) { o.Store = down{} })
		for i := 3; i < len(token); i++ {
			c := "A"
			if token[i] == 'A' {
				c = "Q"
			}
			asked.refused(token[:i] + c + token[i+1:])
		}
		d.mustRefresh(token)
	}},
	{id: "SR8", name: "a lost write heals", play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		lost := d.ahead(t1, 1)
		t3 := d.mustRefresh(lost)
		require.Equal(d.t, []session.Reason{session.StoreRolledBack}, d.events)
		d.events = nil
		d.theft(t1, t3)
	}},
	{id: "SR9", name: "after a lost write the thief uses what came back", play: func(d *desk) {
		t0 := d.login()
		victim := d.ahead(t0, 1) // the same session and generation as the thief gets
		thief := d.mustRefresh(t0)
		require.Equal(d.t, thief, victim)
		newest := d.mustRefresh(victim)
		d.theft(thief, newest)
	}},
	{id: "SR10", name: "64 at once", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		statuses, successors := d.presenters(t0, 64)
		require.Equal(d.t, map[int]int{200: 64}, statuses)
		require.Len(d.t, successors, 1)
	}},
	{id: "SR10", name: "64 at once, strictly once", play: func(d *desk) {
		t0 := d.login()
		statuses, successors := d.presenters(t0, 64)
		require.Equal(d.t, map[int]int{200: 1, 401: 63}, statuses)
		require.Len(d.t, successors, 1)
		for successor := range successors {
			d.theft(successor)
		}
	}},
	{id: "SR11", name: "without grace a token is used once", play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.theft(t0, t1)
	}},
	{id: "SR12", name: "honest tabs", change: grace(10 * second), play: func(d *desk) { d.tabs(10) }}, // 300 of them in schedules
	{id: "SR13", name: "refresh races RevokeAll", change: grace(10 * second), play: func(d *desk) {
		for range 5 {
			t0 := d.login()
			done := make(chan map[string]int, 1)
			go func() { _, s := d.presenters(t0, 8); done <- s }()
			require.NoError(d.t, d.RevokeAll(d.t.Context(), d.subject))
			d.refused(t0)
			for successor := range <-done {
				d.refused(successor)
			}
			for _, id := range d.issued {
				require.ErrorIs(d.t, d.revoked.Check(d.t.Context(), "", id, "", time.Now()), auth.ErrRevoked)
			}
			list, err := d.List(d.t.Context(), d.subject)
			require.NoError(d.t, err)
			require.Empty(d.t, list)
			d.pass(second)
		}
	}},
	{id: "SR14", name: "login races RevokeAll", play: func(d *desk) {
		d.pass(second)
		began := time.Now().Add(-second / 2) // and looked at the password
		require.NoError(d.t, d.RevokeAll(d.t.Context(), d.subject))
		_, err := d.Manager.Login(recorder(), request("POST", ""), session.Session{Subject: d.subject, AuthTime: began})
		require.ErrorIs(d.t, err, auth.ErrStepUp)
		d.pass(time.Millisecond)
		d.mustRefresh(d.login())
	}},
}

// TestSessionCasesHold holds SR1 to SR28, everywhere.
func TestSessionCasesHold(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range sessionCases {
		seen[c.id] = true
	}
	for i := range 28 {
		require.True(t, seen["SR"+strconv.Itoa(i+1)], "SR%d has no row", i+1)
	}
	require.Len(t, seen, 28)
	onEach(t, func(t *testing.T, store session.Store, pass func(time.Duration)) {
		for _, c := range sessionCases {
			t.Run(c.id+" "+c.name, func(t *testing.T) {
				play(t, store, pass, func(t *testing.T, store session.Store, pass func(time.Duration)) {
					if c.change == nil {
						c.change = func(*session.Options) {}
					}
					c.play(newDesk(t, store, pass, c.change))
				})
			})
		}
		t.Run("the account changes", func(t *testing.T) { play(t, store, pass, accountChanges) })
		t.Run("300 honest schedules, and 300 that use tokens twice", func(t *testing.T) { play(t, store, pass, schedules) })
	})
}

// accountChanges holds that what changed is noticed at the next refresh, and
// that no failure after the rotation costs the session.
func accountChanges(t *testing.T, store session.Store, pass func(time.Duration)) {
	d := newDesk(t, store, pass)
	token := d.login()
	d.account = func(s session.Session) (session.Session, error) { s.Scope = nil; return s, nil }
	w := d.post(d.Refresh(), token)
	require.NotContains(t, w.Body.String(), "orders:read", "a scope that was taken away")
	token = cookieOf(w)
	d.account = func(session.Session) (session.Session, error) { return session.Session{}, errors.New("down") }
	status, token := d.refresh(token)
	require.Equal(t, 503, status)
	d.account, d.failing = nil, fmt.Errorf("the signer is down")
	status, token = d.refresh(token)
	require.Equal(t, 503, status)
	d.failing = nil
	token = d.mustRefresh(token)
	d.account = func(session.Session) (session.Session, error) { return session.Session{}, auth.ErrRevoked }
	d.refused(token)
	require.Equal(t, []session.Reason{session.AccountRevoked}, d.events)
	require.True(t, d.over())
	d.account = nil
	d.refused(token)
}
