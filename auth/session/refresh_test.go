package session_test

import (
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
)

// A step is one refresh. Tokens have names: t0 comes from Login, and a response
// with a known name must have exactly that token.
type step struct {
	after   time.Duration
	rewind  uint64 // the store loses as many rotations before the step
	present string
	attempt string
	status  int
	yields  string
}

const (
	second = time.Second
	// once and other are attempts.
	once  = "abcdefghijklmn-_"
	other = "ABCDEFGHIJKLMNOP"
)

var theft = []session.Reason{session.TokenReused}

// TestRefreshTokenWorksOnce plays the scenarios in which a token is presented more than once.
// The access tokens of an ended session are revoked.
func TestRefreshTokenWorksOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		grace  time.Duration
		steps  []step
		events []session.Reason
		over   bool
	}{
		{
			name:  "SR11 a token is used once",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 0, rewind: 0, present: "t0", status: 401},
				{after: 0, rewind: 0, present: "t1", status: 401}},
			events: theft,
			over:   true,
		},
		{
			name:  "SR5 the thief first, the owner later",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "thief"},
				{after: 3600 * second, rewind: 0, present: "t0", status: 401},
				{after: 0, rewind: 0, present: "thief", status: 401}},
			events: theft,
			over:   true,
		},
		{
			name:  "the owner first, the thief later",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
				{after: 0, rewind: 0, present: "t1", attempt: other, status: 200, yields: "t2"},
				{after: 0, rewind: 0, present: "t0", attempt: other, status: 401},
				{after: 0, rewind: 0, present: "t2", status: 401}},
			events: theft,
			over:   true,
		},
		{name: "other attempt", grace: 0, steps: []step{{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t0", attempt: other, status: 401}}, events: theft, over: true},
		{
			name:  "attempt of two rotations ago",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
				{after: 0, rewind: 0, present: "t1", attempt: other, status: 200, yields: "t2"},
				{after: 0, rewind: 0, present: "t0", attempt: once, status: 401}},
			events: theft,
			over:   true,
		},
		{
			name:  "one attempt for all",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
				{after: 0, rewind: 0, present: "t1", attempt: once, status: 200, yields: "t2"},
				{after: 0, rewind: 0, present: "t1", attempt: once, status: 200, yields: "t2"},
				{after: 0, rewind: 0, present: "t0", attempt: once, status: 401}},
			events: theft,
			over:   true,
		},
		{name: "FS4 the same attempt after 62 s and after an hour", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 62 * second, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: time.Hour, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", attempt: other, status: 200, yields: "t2"}}},
		{name: "FS4 the same attempt after an hour, its successor presented", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: time.Hour, rewind: 0, present: "t1", attempt: other, status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 401},
			{after: 0, rewind: 0, present: "t2", status: 401}}, events: theft, over: true},
		{
			name:  "FS4 another attempt after an hour",
			grace: 0,
			steps: []step{{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
				{after: time.Hour, rewind: 0, present: "t0", attempt: other, status: 401}},
			events: theft,
			over:   true,
		},
		{name: "repeat of a request without an attempt", grace: 0, steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 401}}, events: theft, over: true},
		{name: "SR2 same attempt, also a minute later", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 60*second - 1, rewind: 0, present: "t0", attempt: once, status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", attempt: other, status: 200, yields: "t2"}}},
		{
			name:  "SR1 two tabs in grace",
			grace: 10 * second,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 10*second - 1, rewind: 0, present: "t0", status: 200, yields: "t1"}},
		},
		{
			name:  "SR3 repeat after grace",
			grace: 10 * second,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 10 * second, rewind: 0, present: "t0", status: 401},
				{after: 0, rewind: 0, present: "t1", status: 401}},
			events: theft,
			over:   true,
		},
		{
			name:  "a repeat does not extend grace",
			grace: 10 * second,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 9 * second, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: 9 * second, rewind: 0, present: "t0", status: 401}},
			events: theft,
			over:   true,
		},
		{
			name:  "SR4 a delayed tab finds the successor",
			grace: 10 * second,
			steps: []step{{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
				{after: second, rewind: 0, present: "t1", status: 200, yields: "t2"},
				{after: second, rewind: 0, present: "t1", status: 200, yields: "t2"},
				{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"}},
		},
		{name: "FS3 grace covers the token directly before", grace: 3 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 0, present: "t3", status: 200, yields: "t4"}}},
		{name: "FS3 not the one before that", grace: 3 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 0, present: "t1", status: 401},
			{after: 0, rewind: 0, present: "t3", status: 401}}, events: theft, over: true},
		{name: "FS3 nor an older one", grace: 3 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 0, present: "t0", status: 401},
			{after: 0, rewind: 0, present: "t3", status: 401}}, events: theft, over: true},
		{name: "SR6 a thief in grace gets no line of their own", grace: 10 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 60 * second, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 60 * second, rewind: 0, present: "t1", status: 401},
			{after: 0, rewind: 0, present: "t2", status: 401}}, events: theft, over: true},
		{name: "SR8 lost write, the newest token goes on", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 20 * second, rewind: 1, present: "t1", status: 200, yields: "t2"},
			{after: 20 * second, rewind: 0, present: "t0", status: 401},
			{after: 0, rewind: 0, present: "t2", status: 401}},
			events: []session.Reason{session.StoreRolledBack, session.TokenReused}, over: true},
		{name: "SR8 lost writes, another tab in grace", grace: 10 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: second, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: second, rewind: 2, present: "t3", status: 200, yields: "t4"},
			{after: 0, rewind: 0, present: "t3", status: 200, yields: "t4"},
			{after: 9 * second, rewind: 0, present: "t3", status: 200, yields: "t4"},
			{after: second, rewind: 0, present: "t3", status: 401}},
			events: []session.Reason{session.StoreRolledBack, session.TokenReused}, over: true},
		{name: "FS3 lost writes, a token that was skipped", grace: 10 * second, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 0, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 0, rewind: 0, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 2, present: "t3", status: 200, yields: "t4"},
			{after: 0, rewind: 0, present: "t2", status: 401}},
			events: []session.Reason{session.StoreRolledBack, session.TokenReused}, over: true},
		{name: "SR8 lost writes, without grace", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: second, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: second, rewind: 1, present: "t2", status: 200, yields: "t3"},
			{after: 0, rewind: 0, present: "t1", status: 401}},
			events: []session.Reason{session.StoreRolledBack, session.TokenReused}, over: true},
		{name: "SR9 lost write, the thief uses what came back", grace: 0, steps: []step{
			{after: 0, rewind: 0, present: "t0", status: 200, yields: "t1"},
			{after: 20 * second, rewind: 1, present: "t0", status: 200, yields: "t1"},
			{after: 20 * second, rewind: 0, present: "t1", status: 200, yields: "t2"},
			{after: 20 * second, rewind: 0, present: "t1", status: 401},
			{after: 0, rewind: 0, present: "t2", status: 401}}, events: theft, over: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, func(o *session.Options) { o.Grace = tt.grace })
				d.play(tt.steps)
				require.Equal(t, tt.events, d.events)
				err := d.revoked.Check(t.Context(), "", d.issued[0].ID, "", time.Now())
				require.Equal(t, tt.over, isRevoked(err))
			})
		})
	}
}

func (d *desk) play(steps []step) {
	tokens := map[string]string{"t0": d.login()}
	for i, s := range steps {
		pass(s.after)
		d.store.Rewind(s.rewind)
		var header []string
		if s.attempt != "" {
			header = []string{session.AttemptHeader, s.attempt}
		}
		w := d.post(d.Refresh(), tokens[s.present], header...)
		require.Equal(d.t, s.status, w.Code, "step %d: %s", i, w.Body)
		require.Equal(d.t, s.status == 401, w.Header().Get("WWW-Authenticate") != "", "RFC 9110, section 15.5.2")
		got := cookieOf(d.t, w)
		if s.yields == "" {
			require.Empty(d.t, got, "step %d: SR17 a refusal must not change the cookie", i)
			continue
		}
		require.NotEqual(d.t, tokens[s.present], got)
		if known, ok := tokens[s.yields]; ok {
			require.Equal(d.t, known, got, "step %d", i)
		}
		tokens[s.yields] = got
	}
}

// TestConcurrentRefreshesMakeOneSuccessor holds SR10: of 64 concurrent requests with one token, one makes
// the successor.
func TestConcurrentRefreshesMakeOneSuccessor(t *testing.T) {
	for _, tt := range []struct {
		name    string
		grace   time.Duration
		attempt string
		good    int
	}{
		{name: "strictly once", grace: 0, good: 1},
		{name: "one attempt", grace: 0, attempt: once, good: 64},
		{name: "grace", grace: time.Minute, good: 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, func(o *session.Options) { o.Grace, o.Issue = tt.grace, issue })
			token := d.login()
			answers := make([]*httptest.ResponseRecorder, 64)
			start, done := make(chan struct{}), sync.WaitGroup{}
			for i := range answers {
				done.Go(func() {
					<-start
					if tt.attempt != "" {
						answers[i] = d.post(d.Refresh(), token, session.AttemptHeader, tt.attempt)
					} else {
						answers[i] = d.post(d.Refresh(), token)
					}
				})
			}
			close(start)
			done.Wait()
			successors := map[string]int{}
			for _, w := range answers {
				successors[cookieOf(t, w)]++
			}
			delete(successors, "")
			require.Len(t, successors, 1)
			for successor, n := range successors {
				require.Equal(t, tt.good, n)
				require.Equal(t, tt.good == 64, d.post(d.Refresh(), successor).Code == 200, "reuse ended the session")
			}
			if tt.good == 1 {
				require.Equal(t, theft, d.events)
			}
		})
	}
}

// TestTabsAreNotTakenForThieves holds SR12: tabs that share a jar, and whose requests are delayed by
// less than Grace and overtake no more than one rotation, are never taken for
// thieves.
func TestTabsAreNotTakenForThieves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(o *session.Options) { o.Grace = 30 * second })
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			jar, flying := d.login(), []string(nil)
			for range 14 { // at most 2 s each: no request flies for longer than 28 s
				pass(time.Duration(random.IntN(2000)) * time.Millisecond)
				flying = append(flying, jar)
				for len(flying) > 0 && random.IntN(2) == 0 {
					w := d.post(d.Refresh(), flying[0])
					require.Equal(t, 200, w.Code)
					jar, flying = cookieOf(t, w), flying[1:]
				}
			}
		}
		require.NotContains(t, d.events, session.TokenReused)
	})
}
