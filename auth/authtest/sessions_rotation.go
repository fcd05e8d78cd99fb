package authtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

// A presentation is one rotation of a record, and what it comes to.
type presentation struct {
	after      time.Duration
	generation uint64
	attempt    string
	want       session.Outcome
	leads      uint64 // the generation after it
}

const (
	second = time.Second
	minute = time.Minute
	// almost is long enough for the calls that a test makes meanwhile.
	almost = 500 * time.Millisecond
)

// A play is presentations of one record.
type play struct {
	name  string
	grace time.Duration
	steps []presentation
}

// rotations are the rules of [session.Outcome], each on a record of its own.
var rotations = []play{
	{"used twice", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 0, "", session.Reused, 1}, {0, 1, "", session.Gone, 0}, {0, 0, "", session.Gone, 0}}},
	{"used twice, a generation later", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "c", session.Reused, 2}, {0, 2, "", session.Gone, 0}}},
	{"the attempt of two rotations ago", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "a", session.Reused, 2}}},
	{"one attempt for several generations", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "a", session.Advanced, 2}, {0, 1, "a", session.Repeated, 2}, {0, 0, "a", session.Reused, 2}}},
	{"a repeated reuse is told again or gone", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 0, "b", session.Reused, 1}, {0, 0, "c", session.Gone, 0}}},
	{"grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 0, "", session.Repeated, 1}, {10*second - almost, 0, "", session.Repeated, 1}, {almost, 0, "", session.Reused, 1}}},
	{"a repeat does not extend grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {9 * second, 0, "", session.Repeated, 1}, {9 * second, 0, "", session.Reused, 1}}},
	{"grace leads to the newest", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {second, 1, "", session.Advanced, 2}, {second, 0, "", session.Repeated, 2}, {0, 2, "", session.Advanced, 3}}},
	{"grace for each generation by itself", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {8 * second, 1, "", session.Advanced, 2}, {3 * second, 1, "", session.Repeated, 2}, {0, 0, "", session.Reused, 2}}},
	{"the clock is set back, strictly once", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {-10 * second, 0, "b", session.Reused, 1}, {10 * second, 0, "", session.Gone, 0}}},
	{"the clock is set back, far beyond grace", 10 * second, []presentation{{0, 0, "a", session.Advanced, 1}, {-minute, 0, "b", session.Reused, 1}, {minute, 0, "", session.Gone, 0}}},
	{"the clock is set back a little", 10 * second, []presentation{{0, 0, "a", session.Advanced, 1}, {-second, 0, "b", session.Repeated, 1}, {0, 1, "b", session.Advanced, 2}, {second, 1, "c", session.Repeated, 2}}},
	{"lost writes, without grace", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 3, "a", session.RolledBack, 4}, {0, 3, "a", session.Repeated, 4}, {0, 4, "", session.Advanced, 5}, {0, 3, "", session.Reused, 5}}},
	{"lost writes, what was left before them", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 3, "a", session.RolledBack, 4}, {0, 0, "", session.Reused, 4}}},
	{"lost writes, with grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {9 * second, 3, "", session.RolledBack, 4}, {0, 2, "", session.Repeated, 4}, {0, 1, "", session.Repeated, 4}, {0, 0, "", session.Repeated, 4}, {2 * second, 1, "", session.Repeated, 4}, {0, 0, "", session.Reused, 4}}},
	{"many lost writes", 10 * second, []presentation{{0, 1000, "", session.RolledBack, 1001}, {0, 985, "", session.Repeated, 1001}, {0, 984, "", session.Reused, 1001}}},
	{"the largest generation", 0, []presentation{{0, 1<<48 - 2, "a", session.RolledBack, 1<<48 - 1}, {0, 1<<48 - 2, "a", session.Repeated, 1<<48 - 1}}},
}

// lateAttempts are repeats of one attempt: its successor was not presented, for
// however long.
var lateAttempts = []play{
	{"the attempt, however late", 0, []presentation{
		{0, 0, "a", session.Advanced, 1}, {0, 0, "a", session.Repeated, 1}, {62 * second, 0, "a", session.Repeated, 1}, {58 * minute, 0, "a", session.Repeated, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "a", session.Reused, 2}}},
	{"the attempt does not extend the session", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {59 * minute, 0, "a", session.Repeated, 1}, {minute, 0, "a", session.Gone, 0}, {0, 1, "b", session.Gone, 0}}},
	{"another attempt, however late", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {62 * second, 0, "a", session.Repeated, 1}, {0, 0, "b", session.Reused, 1}, {0, 0, "a", session.Gone, 0}}},
	{"the attempt, with the clock set back", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {-minute, 0, "a", session.Repeated, 1}, {2 * minute, 0, "a", session.Repeated, 1}}},
}

// playAll plays each on a record of its own.
func (s *sessions) playAll(plays []play) {
	for _, row := range plays {
		id := s.login()
		for i, step := range row.steps {
			s.Pass(step.after)
			r := s.rotateToken(id, step.generation, step.attempt, row.grace)
			require.Equal(s.t, step.want, r.Outcome, "%s: step %d", row.name, i)
			require.Equal(s.t, step.leads, r.Record.Generation, "%s: step %d", row.name, i)
			require.Equal(s.t, r.Outcome == session.Gone, r.Record.ID == "", row.name)
		}
	}
}

func (s *sessions) repeatAttempt() { s.playAll(lateAttempts) }

func (s *sessions) rotation() {
	s.playAll(rotations)
	id := s.login()
	for generation := range uint64(40) {
		require.Equal(s.t, session.Advanced, s.rotateToken(id, generation, "", time.Minute).Outcome)
	}
	require.Equal(s.t, session.Repeated, s.rotateToken(id, 40-session.MaxHistory, "", time.Minute).Outcome)
	require.Equal(s.t, session.Reused, s.rotateToken(id, 40-session.MaxHistory-1, "", time.Minute).Outcome, "history is bounded")
}
