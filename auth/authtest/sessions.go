package authtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

// A SessionBackend is a [session.Store] to be tested.
type SessionBackend struct {
	Store session.Store
	// Pass advances the store's clock; a negative duration sets it back. It is not
	// called during a call of the store.
	Pass func(time.Duration)
}

// TestSessionStore tests that a store implements [session.Store]. It opens a store for
// each subtest. The stores may share a backend, because every owner is new.
func TestSessionStore(t *testing.T, open func(t *testing.T) SessionBackend) {
	for _, row := range sessionRows {
		t.Run(row.name, func(t *testing.T) {
			row.test(&sessions{open(t), t, random(t)})
		})
	}
}

var sessionRows = []struct {
	name string
	test func(*sessions)
}{
	{"rotation", (*sessions).rotation},
	{"FS3 grace covers the generation directly before alone", (*sessions).grace},
	{"FS4 an attempt gets its successor until that is presented", (*sessions).repeatAttempt},
	{"FS5 a reuse has the age of its generation", (*sessions).ages},
	{"a new record", (*sessions).create},
	{"an ID is created twice", (*sessions).createTwice},
	{"too many", (*sessions).evictsOldest},
	{"too many, the dead aside", (*sessions).evictDead},
	{"too many, a dead one used later", (*sessions).evictDeadFirst},
	{"one takes another's place", (*sessions).replace},
	{"the end of a session", (*sessions).expire},
	{"owners are kept apart", (*sessions).owners},
	{"the deleted stay deleted", (*sessions).deletedStayDeleted},
	{"all of an owner", (*sessions).removeAll},
	{"logins that all of an owner overtakes", (*sessions).epoch},
	{"many presenters, one successor", (*sessions).presenters},
	{"presenters race a deletion", (*sessions).deletedStaysDeletedInARace},
	{"logins race a deletion of all", (*sessions).deleteAllStopsLoginsInARace},
}

// sessions has a store and its backend for one subtest.
type sessions struct {
	SessionBackend
	t     *testing.T
	owner string
}

// random returns an ID.
func random(t *testing.T) string {
	var b [16]byte
	_, err := rand.Read(b[:])
	require.NoError(t, err)
	return hex.EncodeToString(b[:])
}

const hour = time.Hour

// created makes a record with the defaults of these tests.
func (s *sessions) created(change ...func(*session.Creation)) session.Created {
	s.t.Helper()
	c := session.Creation{Owner: s.owner, ID: random(s.t), Value: []byte("value"), Idle: hour, Absolute: 3 * hour, Max: 50}
	for _, f := range change {
		f(&c)
	}
	created, err := s.Store.Create(s.t.Context(), c)
	require.NoError(s.t, err)
	return created
}

// login creates a new record, and returns its ID.
func (s *sessions) login(change ...func(*session.Creation)) string {
	s.t.Helper()
	return s.created(change...).Record.ID
}

// rotateToken presents a generation. An empty attempt means a new one.
func (s *sessions) rotateToken(id string, generation uint64, attempt string, grace time.Duration) session.Rotated {
	s.t.Helper()
	if attempt == "" {
		attempt = random(s.t)
	}
	rotated, err := s.Store.Rotate(s.t.Context(), session.Rotation{
		Owner: s.owner, ID: id, Generation: generation, Attempt: sha256.Sum256([]byte(attempt)), Idle: hour, Grace: grace,
	})
	require.NoError(s.t, err)
	return rotated
}

// liveIDs returns the IDs of the live records.
func (s *sessions) liveIDs() []string {
	s.t.Helper()
	records, err := s.Store.List(s.t.Context(), s.owner)
	require.NoError(s.t, err)
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

func (s *sessions) expire() {
	idle, used := s.login(), s.login()
	s.Pass(hour - time.Second)
	r := s.rotateToken(used, 0, "", 0)
	require.Equal(s.t, session.Advanced, r.Outcome)
	s.Pass(time.Second)
	require.Equal(s.t, session.Rotated{}, s.rotateToken(idle, 0, "", 0))
	require.Equal(s.t, []string{used}, s.liveIDs())
	for generation := uint64(1); generation < 4; generation++ {
		s.Pass(30 * time.Minute)
		require.Equal(s.t, session.Advanced, s.rotateToken(used, generation, "", 0).Outcome)
	}
	s.Pass(29*time.Minute + 58*time.Second)
	last := s.rotateToken(used, 4, "", 0)
	require.Equal(s.t, session.Advanced, last.Outcome)
	require.Equal(s.t, r.Record.Created.Add(3*hour), last.Record.Expires, "Absolute is never extended")
	s.Pass(2 * time.Second)
	require.Equal(s.t, session.Gone, s.rotateToken(used, 5, "", 0).Outcome)
	require.Empty(s.t, s.liveIDs())
}

func (s *sessions) owners() {
	id, owner := s.login(), s.owner
	s.owner = random(s.t)
	require.Equal(s.t, session.Rotated{}, s.rotateToken(id, 0, "", 0))
	require.Empty(s.t, s.liveIDs())
	require.Empty(s.t, s.deleteIDs(id))
	deleted, err := s.Store.DeleteAll(s.t.Context(), s.owner)
	require.NoError(s.t, err)
	require.Empty(s.t, deleted)
	s.owner = owner
	require.Equal(s.t, session.Advanced, s.rotateToken(id, 0, "", 0).Outcome)
}

// deleteIDs returns the IDs that the store reports as ended.
func (s *sessions) deleteIDs(ids ...string) []session.Ended {
	s.t.Helper()
	ended, err := s.Store.Delete(s.t.Context(), s.owner, ids...)
	require.NoError(s.t, err)
	return ended
}

func (s *sessions) deletedStayDeleted() {
	dead, never := s.login(func(c *session.Creation) { c.Absolute = time.Minute }), random(s.t)
	a, b, c := s.login(), s.login(), s.login()
	s.Pass(time.Minute)
	s.rotateToken(a, 0, "", 0)
	require.Empty(s.t, s.deleteIDs())
	require.ElementsMatch(s.t, []session.Ended{{ID: a}, {ID: b}}, s.deleteIDs(a, b, never, dead))
	s.Pass(time.Minute)
	for _, e := range s.deleteIDs(a, never, dead) {
		require.Equal(s.t, a, e.ID, "one that an earlier call has ended")
		require.InDelta(s.t, time.Minute, e.Ago, float64(30*time.Second))
	}
	for generation := range uint64(3) {
		require.Equal(s.t, session.Rotated{}, s.rotateToken(a, generation, "", time.Minute))
	}
	require.Equal(s.t, []string{c}, s.liveIDs())
	s.Pass(2 * hour)
	require.Empty(s.t, s.deleteIDs(a, b, never, dead), "no access token of them lives any longer")
}

func (s *sessions) removeAll() {
	s.login()
	s.Pass(hour) // expired, so not among the deleted records
	a, b, c, d := s.login(), s.login(), s.login(), s.login()
	deleted, err := s.Store.DeleteAll(s.t.Context(), s.owner, b, d, random(s.t))
	require.NoError(s.t, err)
	require.ElementsMatch(s.t, []session.Ended{{ID: a}, {ID: c}}, deleted)
	require.ElementsMatch(s.t, []string{b, d}, s.liveIDs())
	require.Equal(s.t, session.Gone, s.rotateToken(a, 0, "", 0).Outcome)
	require.Equal(s.t, session.Advanced, s.rotateToken(b, 0, "", 0).Outcome)
	s.Pass(time.Minute)
	for range 2 {
		deleted, err = s.Store.DeleteAll(s.t.Context(), s.owner)
		require.NoError(s.t, err)
		require.Empty(s.t, s.liveIDs())
		for _, e := range deleted {
			if e.ID == a || e.ID == c {
				require.InDelta(s.t, time.Minute, e.Ago, float64(30*time.Second), "one that an earlier call has ended")
			}
		}
	}
}

func (s *sessions) epoch() {
	deleteAll := func() {
		_, err := s.Store.DeleteAll(s.t.Context(), s.owner)
		require.NoError(s.t, err)
	}
	try := func(age time.Duration) bool {
		created := s.created(func(c *session.Creation) { c.Age = age })
		require.Equal(s.t, created.Superseded, created.Record.ID == "")
		return !created.Superseded
	}
	require.True(s.t, try(hour), "nobody has deleted anything")
	deleteAll()
	s.Pass(time.Second)
	require.False(s.t, try(2*time.Second), "it began before")
	require.False(s.t, try(session.EpochWindow))
	require.Empty(s.t, s.liveIDs())
	require.True(s.t, try(500*time.Millisecond), "it began after")
	s.Pass(session.EpochWindow - 2*time.Second)
	require.False(s.t, try(session.EpochWindow))
	deleteAll()
	s.Pass(2 * time.Second)
	require.False(s.t, try(3*time.Second), "the last one counts")
	require.True(s.t, try(0))
}

// presenters checks that of 64 concurrent rotations of one generation, one is
// Advanced.
func (s *sessions) presenters() {
	for _, row := range []struct {
		name           string
		attempt        bool
		grace          time.Duration
		repeated, over int
	}{
		{"strictly once", false, 0, 0, 63},
		{"one attempt", true, 0, 63, 0},
		{"grace", false, time.Minute, 63, 0},
	} {
		id := s.login()
		outcomes, mu := map[session.Outcome]int{}, sync.Mutex{}
		one := sha256.Sum256([]byte(random(s.t)))
		var all sync.WaitGroup
		for range 64 {
			attempt := one
			if !row.attempt {
				attempt = sha256.Sum256([]byte(random(s.t)))
			}
			all.Go(func() {
				r, err := s.Store.Rotate(context.Background(), session.Rotation{Owner: s.owner, ID: id, Attempt: attempt, Idle: hour, Grace: row.grace})
				mu.Lock()
				defer mu.Unlock()
				if err != nil || r.Outcome != session.Gone && r.Record.Generation != 1 {
					s.t.Errorf("%s: %+v %v", row.name, r, err)
				}
				outcomes[r.Outcome]++
			})
		}
		all.Wait()
		require.Equal(s.t, 1, outcomes[session.Advanced], row.name)
		require.Equal(s.t, row.repeated, outcomes[session.Repeated], row.name)
		require.Equal(s.t, row.over, outcomes[session.Reused]+outcomes[session.Gone], row.name)
		require.Equal(s.t, min(1, row.over), outcomes[session.Reused], "one of them ends the session")
	}
}

// deletedStaysDeletedInARace checks that no rotation recreates a deleted record.
func (s *sessions) deletedStaysDeletedInARace() {
	for range 20 {
		id := s.login()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for generation := range uint64(5) {
					_, err := s.Store.Rotate(context.Background(), session.Rotation{Owner: s.owner, ID: id, Generation: generation, Idle: hour, Grace: time.Minute})
					if err != nil {
						s.t.Error(err)
					}
				}
			})
		}
		s.deleteIDs(id)
		require.Empty(s.t, s.liveIDs())
		all.Wait()
		require.Empty(s.t, s.liveIDs())
	}
}

// deleteAllStopsLoginsInARace checks that no login that began before DeleteAll exists after it.
func (s *sessions) deleteAllStopsLoginsInARace() {
	for range 20 {
		var all sync.WaitGroup
		for range 4 {
			began, id := time.Now(), random(s.t)
			all.Go(func() {
				_, err := s.Store.Create(context.Background(), session.Creation{Owner: s.owner, ID: id, Value: []byte("v"), Idle: hour, Absolute: hour, Max: 50, Age: time.Since(began) + time.Second})
				if err != nil {
					s.t.Error(err)
				}
			})
		}
		_, err := s.Store.DeleteAll(s.t.Context(), s.owner)
		require.NoError(s.t, err)
		all.Wait()
		require.Empty(s.t, s.liveIDs())
	}
}
