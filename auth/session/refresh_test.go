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
		{"SR11 a token is used once", 0, []step{{0, 0, "t0", "", 200, "t1"}, {0, 0, "t0", "", 401, ""}, {0, 0, "t1", "", 401, ""}}, theft, true},
		{"SR5 the thief first, the owner later", 0, []step{{0, 0, "t0", "", 200, "thief"}, {3600 * second, 0, "t0", "", 401, ""}, {0, 0, "thief", "", 401, ""}}, theft, true},
		{"the owner first, the thief later", 0, []step{{0, 0, "t0", once, 200, "t1"}, {0, 0, "t1", other, 200, "t2"}, {0, 0, "t0", other, 401, ""}, {0, 0, "t2", "", 401, ""}}, theft, true},
		{"other attempt", 0, []step{{0, 0, "t0", once, 200, "t1"}, {0, 0, "t0", other, 401, ""}}, theft, true},
		{"attempt of two rotations ago", 0, []step{{0, 0, "t0", once, 200, "t1"}, {0, 0, "t1", other, 200, "t2"}, {0, 0, "t0", once, 401, ""}}, theft, true},
		{"one attempt for all", 0, []step{{0, 0, "t0", once, 200, "t1"}, {0, 0, "t1", once, 200, "t2"}, {0, 0, "t1", once, 200, "t2"}, {0, 0, "t0", once, 401, ""}}, theft, true},
		{"FS4 the same attempt after 62 s and after an hour", 0, []step{
			{0, 0, "t0", once, 200, "t1"}, {62 * second, 0, "t0", once, 200, "t1"}, {time.Hour, 0, "t0", once, 200, "t1"}, {0, 0, "t1", other, 200, "t2"}}, nil, false},
		{"FS4 the same attempt after an hour, its successor presented", 0, []step{
			{0, 0, "t0", once, 200, "t1"}, {time.Hour, 0, "t1", other, 200, "t2"}, {0, 0, "t0", once, 401, ""}, {0, 0, "t2", "", 401, ""}}, theft, true},
		{"FS4 another attempt after an hour", 0, []step{{0, 0, "t0", once, 200, "t1"}, {time.Hour, 0, "t0", other, 401, ""}}, theft, true},
		{"repeat of a request without an attempt", 0, []step{{0, 0, "t0", "", 200, "t1"}, {0, 0, "t0", once, 401, ""}}, theft, true},
		{"SR2 same attempt, also a minute later", 0, []step{
			{0, 0, "t0", once, 200, "t1"}, {0, 0, "t0", once, 200, "t1"}, {60*second - 1, 0, "t0", once, 200, "t1"}, {0, 0, "t1", other, 200, "t2"}}, nil, false},
		{"SR1 two tabs in grace", 10 * second, []step{{0, 0, "t0", "", 200, "t1"}, {0, 0, "t0", "", 200, "t1"}, {10*second - 1, 0, "t0", "", 200, "t1"}}, nil, false},
		{"SR3 repeat after grace", 10 * second, []step{{0, 0, "t0", "", 200, "t1"}, {10 * second, 0, "t0", "", 401, ""}, {0, 0, "t1", "", 401, ""}}, theft, true},
		{"a repeat does not extend grace", 10 * second, []step{{0, 0, "t0", "", 200, "t1"}, {9 * second, 0, "t0", "", 200, "t1"}, {9 * second, 0, "t0", "", 401, ""}}, theft, true},
		{"SR4 a delayed tab finds the successor", 10 * second, []step{{0, 0, "t0", "", 200, "t1"}, {second, 0, "t1", "", 200, "t2"}, {second, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}}, nil, false},
		{"FS3 grace covers the token directly before", 3 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {0, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}, {0, 0, "t2", "", 200, "t3"}, {0, 0, "t3", "", 200, "t4"}}, nil, false},
		{"FS3 not the one before that", 3 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {0, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}, {0, 0, "t1", "", 401, ""}, {0, 0, "t3", "", 401, ""}}, theft, true},
		{"FS3 nor an older one", 3 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {0, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}, {0, 0, "t0", "", 401, ""}, {0, 0, "t3", "", 401, ""}}, theft, true},
		{"SR6 a thief in grace gets no line of their own", 10 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {0, 0, "t0", "", 200, "t1"}, {60 * second, 0, "t1", "", 200, "t2"}, {60 * second, 0, "t1", "", 401, ""}, {0, 0, "t2", "", 401, ""}}, theft, true},
		{"SR8 lost write, the newest token goes on", 0, []step{
			{0, 0, "t0", "", 200, "t1"}, {20 * second, 1, "t1", "", 200, "t2"}, {20 * second, 0, "t0", "", 401, ""}, {0, 0, "t2", "", 401, ""}},
			[]session.Reason{session.StoreRolledBack, session.TokenReused}, true},
		{"SR8 lost writes, another tab in grace", 10 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {second, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}, {second, 2, "t3", "", 200, "t4"},
			{0, 0, "t3", "", 200, "t4"}, {9 * second, 0, "t3", "", 200, "t4"}, {second, 0, "t3", "", 401, ""}},
			[]session.Reason{session.StoreRolledBack, session.TokenReused}, true},
		{"FS3 lost writes, a token that was skipped", 10 * second, []step{
			{0, 0, "t0", "", 200, "t1"}, {0, 0, "t1", "", 200, "t2"}, {0, 0, "t2", "", 200, "t3"}, {0, 2, "t3", "", 200, "t4"}, {0, 0, "t2", "", 401, ""}},
			[]session.Reason{session.StoreRolledBack, session.TokenReused}, true},
		{"SR8 lost writes, without grace", 0, []step{
			{0, 0, "t0", "", 200, "t1"}, {second, 0, "t1", "", 200, "t2"}, {second, 1, "t2", "", 200, "t3"}, {0, 0, "t1", "", 401, ""}},
			[]session.Reason{session.StoreRolledBack, session.TokenReused}, true},
		{"SR9 lost write, the thief uses what came back", 0, []step{
			{0, 0, "t0", "", 200, "t1"}, {20 * second, 1, "t0", "", 200, "t1"}, {20 * second, 0, "t1", "", 200, "t2"}, {20 * second, 0, "t1", "", 401, ""}, {0, 0, "t2", "", 401, ""}}, theft, true},
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
		{"strictly once", 0, "", 1},
		{"one attempt", 0, once, 64},
		{"grace", time.Minute, "", 64},
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
