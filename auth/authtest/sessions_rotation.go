package authtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

// A presentation is one rotation of a record, and its expected outcome.
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

// A play is a sequence of presentations of one record.
type play struct {
	name  string
	grace time.Duration
	steps []presentation
}

// rotations has a row for each rule of [session.Outcome].
var rotations = []play{
	{"used twice", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 0, "", session.Reused, 1}, {0, 1, "", session.Gone, 0}, {0, 0, "", session.Gone, 0}}},
	{"used twice, a generation later", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "c", session.Reused, 2}, {0, 2, "", session.Gone, 0}}},
	{"the attempt of two rotations ago", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "a", session.Reused, 2}}},
	{"one attempt for several generations", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 1, "a", session.Advanced, 2}, {0, 1, "a", session.Repeated, 2}, {0, 0, "a", session.Reused, 2}}},
	{"a repeated reuse is told again or gone", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {0, 0, "b", session.Reused, 1}, {0, 0, "c", session.Gone, 0}}},
	{"grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 0, "", session.Repeated, 1}, {10*second - almost, 0, "", session.Repeated, 1}, {almost, 0, "", session.Reused, 1}}},
	{"a repeat does not extend grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {9 * second, 0, "", session.Repeated, 1}, {9 * second, 0, "", session.Reused, 1}}},
	{"the clock is set back, strictly once", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {-10 * second, 0, "b", session.Reused, 1}, {10 * second, 0, "", session.Gone, 0}}},
	{"the clock is set back, far beyond grace", 10 * second, []presentation{{0, 0, "a", session.Advanced, 1}, {-minute, 0, "b", session.Reused, 1}, {minute, 0, "", session.Gone, 0}}},
	{"the clock is set back a little", 10 * second, []presentation{{0, 0, "a", session.Advanced, 1}, {-second, 0, "b", session.Repeated, 1}, {0, 1, "b", session.Advanced, 2}, {second, 1, "c", session.Repeated, 2}}},
	{"lost writes, without grace", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 3, "a", session.RolledBack, 4}, {0, 3, "a", session.Repeated, 4}, {0, 4, "", session.Advanced, 5}, {0, 3, "", session.Reused, 5}}},
	{"lost writes, what was left before them", 0, []presentation{{0, 0, "", session.Advanced, 1}, {0, 3, "a", session.RolledBack, 4}, {0, 0, "", session.Reused, 4}}},
	{"lost writes, with grace", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {9 * second, 3, "", session.RolledBack, 4}, {9 * second, 3, "", session.Repeated, 4}, {second, 3, "", session.Reused, 4}}},
	{"lost writes, with grace, one that was skipped", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 3, "", session.RolledBack, 4}, {0, 2, "", session.Reused, 4}}},
	{"many lost writes", 10 * second, []presentation{{0, 1000, "", session.RolledBack, 1001}, {0, 1000, "", session.Repeated, 1001}, {0, 985, "", session.Reused, 1001}}},
	{"the largest generation", 0, []presentation{{0, 1<<48 - 2, "a", session.RolledBack, 1<<48 - 1}, {0, 1<<48 - 2, "a", session.Repeated, 1<<48 - 1}}},
}

// graces has repeats within Grace, which covers only the generation directly before the
// record's. An older generation is reuse, because a client has presented its successor.
var graces = []play{
	{"the one before", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {second, 1, "", session.Advanced, 2}, {0, 1, "", session.Repeated, 2}, {0, 2, "", session.Advanced, 3}}},
	{"the one before that", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {second, 1, "", session.Advanced, 2}, {second, 0, "", session.Reused, 2}, {0, 2, "", session.Gone, 0}}},
	{"r0 to r3, then r1", 3 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 1, "", session.Advanced, 2}, {0, 2, "", session.Advanced, 3}, {0, 1, "", session.Reused, 3}}},
	{"r0 to r3, then r0", 3 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 1, "", session.Advanced, 2}, {0, 2, "", session.Advanced, 3}, {0, 0, "", session.Reused, 3}}},
	{"r0 to r3, then r2", 3 * second, []presentation{{0, 0, "", session.Advanced, 1}, {0, 1, "", session.Advanced, 2}, {0, 2, "", session.Advanced, 3}, {0, 2, "", session.Repeated, 3}, {3 * second, 2, "", session.Reused, 3}}},
	{"its own time counts", 10 * second, []presentation{{0, 0, "", session.Advanced, 1}, {8 * second, 1, "", session.Advanced, 2}, {3 * second, 1, "", session.Repeated, 2}, {7 * second, 1, "", session.Reused, 2}}},
}

// lateAttempts has late repeats of one attempt whose successor was not presented.
var lateAttempts = []play{
	{"the attempt, however late", 0, []presentation{
		{0, 0, "a", session.Advanced, 1}, {0, 0, "a", session.Repeated, 1}, {62 * second, 0, "a", session.Repeated, 1}, {58 * minute, 0, "a", session.Repeated, 1}, {0, 1, "b", session.Advanced, 2}, {0, 0, "a", session.Reused, 2}}},
	{"the attempt does not extend the session", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {59 * minute, 0, "a", session.Repeated, 1}, {minute, 0, "a", session.Gone, 0}, {0, 1, "b", session.Gone, 0}}},
	{"another attempt, however late", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {62 * second, 0, "a", session.Repeated, 1}, {0, 0, "b", session.Reused, 1}, {0, 0, "a", session.Gone, 0}}},
	{"the attempt, with the clock set back", 0, []presentation{{0, 0, "a", session.Advanced, 1}, {-minute, 0, "a", session.Repeated, 1}, {2 * minute, 0, "a", session.Repeated, 1}}},
}

// playAll plays each row on a new record.
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

func (s *sessions) rotation() { s.playAll(rotations) }

func (s *sessions) grace() {
	s.playAll(graces)
	for back := uint64(2); back < session.MaxHistory+3; back++ {
		id := s.login()
		for generation := range uint64(session.MaxHistory + 3) {
			require.Equal(s.t, session.Advanced, s.rotateToken(id, generation, "", minute).Outcome)
		}
		require.Equal(s.t, session.Reused, s.rotateToken(id, session.MaxHistory+3-back, "", minute).Outcome, "%d back", back)
	}
}

// ages checks the age of a generation that a reuse returns.
func (s *sessions) ages() {
	for _, row := range []struct {
		name       string
		rotations  int           // one minute apart
		after      time.Duration // the last of them
		generation uint64
		least      time.Duration
		most       time.Duration
	}{
		{"at once", 1, 0, 0, 0, 0},
		{"the one before", 1, 90 * second, 0, 90 * second, 90 * second},
		{"three back", 3, 10 * minute, 0, 12 * minute, 12 * minute},
		{"two back", 3, 10 * minute, 1, 11 * minute, 11 * minute},
		{"as far back as is known", session.MaxHistory, 0, 0, (session.MaxHistory - 1) * minute, (session.MaxHistory - 1) * minute},
		{"further back than is known", session.MaxHistory + 4, 0, 0, (session.MaxHistory - 1) * minute, (session.MaxHistory + 3) * minute},
		{"the clock is set back", 2, -30 * second, 1, 30 * second, 30 * second},
	} {
		id := s.login()
		for generation := range uint64(row.rotations) {
			if generation > 0 {
				s.Pass(minute)
			}
			r := s.rotateToken(id, generation, "", 0)
			require.Equal(s.t, session.Advanced, r.Outcome, row.name)
			require.Zero(s.t, r.Age, row.name)
		}
		s.Pass(row.after)
		r := s.rotateToken(id, row.generation, "", 0)
		require.Equal(s.t, session.Reused, r.Outcome, row.name)
		require.Equal(s.t, uint64(row.rotations), r.Record.Generation, row.name)
		require.GreaterOrEqual(s.t, r.Age, row.least-almost, row.name)
		require.LessOrEqual(s.t, r.Age, row.most+almost, row.name)
		require.GreaterOrEqual(s.t, r.Age, time.Duration(0), row.name)
		s.Pass(max(0, -row.after))
	}
	id := s.login()
	s.rotateToken(id, 5, "", 0)
	s.Pass(minute)
	require.InDelta(s.t, minute, s.rotateToken(id, 3, "", 0).Age, float64(almost), "what was lost counts as left when that was seen")
}
