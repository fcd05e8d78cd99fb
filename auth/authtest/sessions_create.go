package authtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

func (s *sessions) create() {
	value := []byte("\x00\xff{\"a\": 1}\r\n\xc3")
	first := s.created(func(c *session.Creation) { c.Value = value }).Record
	require.Zero(s.t, first.Generation)
	require.Equal(s.t, value, first.Value)
	require.Equal(s.t, first.Created, first.LastUsed)
	require.Equal(s.t, first.Created.Add(hour), first.Expires)
	require.Len(s.t, first.ID, 32)
	s.Pass(time.Minute)
	rotated := s.rotateToken(first.ID, 0, "", 0)
	require.Equal(s.t, session.Advanced, rotated.Outcome)
	r := rotated.Record
	require.Equal(s.t, [2]string{first.ID, string(value)}, [2]string{r.ID, string(r.Value)})
	require.EqualValues(s.t, 1, r.Generation)
	require.True(s.t, r.Created.Equal(first.Created), "it never changes")
	require.False(s.t, r.LastUsed.Before(first.LastUsed.Add(time.Minute)))
	require.Equal(s.t, r.LastUsed.Add(hour), r.Expires)
	list, err := s.Store.List(s.t.Context(), s.owner)
	require.NoError(s.t, err)
	require.Equal(s.t, []session.Record{r}, list)
}

// createTwice checks that a repeat of a call creates no second record and evicts
// no further record. It may return the evicted records of the first call again.
func (s *sessions) createTwice() {
	for range 2 {
		s.login(func(c *session.Creation) { c.Max = 2 })
		s.Pass(time.Second)
	}
	id := random(s.t)
	for range 2 {
		s.login(func(c *session.Creation) { c.Max, c.ID = 2, id })
	}
	require.Len(s.t, s.liveIDs(), 2)
	require.Contains(s.t, s.liveIDs(), id)
}

func (s *sessions) evictsOldest() {
	three := func(c *session.Creation) { c.Max, c.Value = 3, []byte("of "+c.ID) }
	first, second := s.login(three), ""
	s.Pass(time.Second)
	second = s.login(three)
	s.Pass(time.Second)
	third := s.login(three)
	s.Pass(time.Second)
	require.Equal(s.t, session.Advanced, s.rotateToken(first, 0, "", 0).Outcome)
	s.Pass(time.Second)
	created := s.created(three)
	require.Len(s.t, created.Evicted, 1, "the one that was idle for the longest")
	require.Equal(s.t, [2]string{second, "of " + second}, [2]string{created.Evicted[0].ID, string(created.Evicted[0].Value)})
	require.Equal(s.t, session.Gone, s.rotateToken(second, 0, "", 0).Outcome)
	require.ElementsMatch(s.t, []string{first, third, created.Record.ID}, s.liveIDs())
	s.Pass(time.Second)
	created = s.created(func(c *session.Creation) { c.Max = 1 })
	require.Len(s.t, created.Evicted, 3)
	require.Equal(s.t, third, created.Evicted[0].ID)
	require.Equal(s.t, []string{created.Record.ID}, s.liveIDs())
}

func (s *sessions) evictDead() {
	s.login()
	s.Pass(hour)
	alive := s.login()
	created := s.created(func(c *session.Creation) { c.Max = 2 })
	require.Empty(s.t, created.Evicted, "an expired record must not count")
	require.ElementsMatch(s.t, []string{alive, created.Record.ID}, s.liveIDs())
}

// A record that expired by its absolute age may have been used later than a live one.
func (s *sessions) evictDeadFirst() {
	alive := s.login()
	s.Pass(time.Second)
	dead := s.login(func(c *session.Creation) { c.Absolute = 10 * time.Second })
	s.Pass(5 * time.Second)
	require.Equal(s.t, session.Advanced, s.rotateToken(dead, 0, "", 0).Outcome)
	s.Pass(6 * time.Second)
	created := s.created(func(c *session.Creation) { c.Max = 2 })
	require.Empty(s.t, created.Evicted, "a dead one does not count")
	require.ElementsMatch(s.t, []string{alive, created.Record.ID}, s.liveIDs())
}

// replace checks that a login deletes the session that it replaces in the same step,
// before it evicts others.
func (s *sessions) replace() {
	instead := func(id string) func(*session.Creation) {
		return func(c *session.Creation) { c.Max, c.Replaces = 2, id }
	}
	idle := s.login()
	s.Pass(time.Second)
	old := s.login()
	s.rotateToken(old, 0, "", 0)
	created := s.created(instead(old))
	require.Empty(s.t, created.Evicted, "nobody else has to go, and the one that does is known")
	require.ElementsMatch(s.t, []string{idle, created.Record.ID}, s.liveIDs())
	for generation := range uint64(3) {
		require.Equal(s.t, session.Rotated{}, s.rotateToken(old, generation, "", time.Minute))
	}
	again := s.created(instead(old), func(c *session.Creation) { c.ID = created.Record.ID })
	require.Equal(s.t, created.Record.ID, again.Record.ID, "the same call")
	require.ElementsMatch(s.t, []string{idle, created.Record.ID}, s.liveIDs())

	s.Pass(time.Second)
	third := s.created(instead(random(s.t)))
	require.Len(s.t, third.Evicted, 1, "one that is not there makes no room")
	require.Equal(s.t, idle, third.Evicted[0].ID)

	owner, mine := s.owner, third.Record.ID
	s.owner = random(s.t)
	s.login(instead(mine))
	s.owner = owner
	require.Contains(s.t, s.liveIDs(), mine, "another's")

	_, err := s.Store.DeleteAll(s.t.Context(), s.owner, mine)
	require.NoError(s.t, err)
	require.True(s.t, s.created(instead(mine), func(c *session.Creation) { c.Age = hour }).Superseded)
	require.Equal(s.t, []string{mine}, s.liveIDs(), "a login that comes to nothing takes no place")
}
