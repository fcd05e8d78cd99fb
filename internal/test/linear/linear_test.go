package linear_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/redistest"
)

const (
	processes  = 3
	subjects   = 6
	clients    = 4 // of each subject
	operations = 40
)

// rounds returns the number of histories: RINGWALL_LINEAR_ROUNDS, or 1.
func rounds(t *testing.T) int {
	text := os.Getenv("RINGWALL_LINEAR_ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// A recorder has a history, and the tokens that clients share, as browsers do
// that were copied.
type recorder struct {
	t       *testing.T
	round   int // which has choices of its own
	addrs   []string
	began   time.Time
	mu      sync.Mutex
	history []porcupine.Operation
	tokens  map[string][]presented // of each subject
	texts   map[credential]string
	counts  map[string]int
}

// client does one thing after the other. A 503 that names its attempt is
// repeated with that name.
func (r *recorder) client(subject string, id int) {
	random := rand.New(rand.NewPCG(uint64(id), uint64(7+r.round)))
	hc := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer hc.CloseIdleConnections()
	cookie := "" // of the last request, when that got a 503 which names its attempt
	var in input
	var token presented
	for n := range operations {
		if in.cookie = cookie; cookie == "" {
			in, token = r.choose(random, subject, fmt.Sprintf("attempt-%08d-%04d", id, n))
		}
		call := time.Since(r.began)
		var out output
		var got presented
		var err error
		out, got, cookie, err = ask(hc, r.addrs[random.IntN(len(r.addrs))], in, token.text)
		done := time.Since(r.began)
		if err != nil {
			r.t.Error(err)
			return
		}
		if out.status == 503 {
			done = time.Hour // it may still be done
		}
		r.mu.Lock()
		if in.cookie != "" {
			r.counts[fmt.Sprint("repeat of a 503 ", out.status)]++
		}
		r.history = append(r.history, porcupine.Operation{ClientId: id, Input: in, Call: int64(call), Output: out, Return: int64(done)})
		r.counts[fmt.Sprint([]string{"login", "refresh", "logout", "revoke all"}[in.what], " ", out.status)]++
		if got.text != "" {
			if text, known := r.texts[got.credential]; known && text != got.text {
				r.t.Errorf("two texts of one token: a fork")
			}
			r.texts[got.credential] = got.text
			r.tokens[subject] = append(r.tokens[subject], got)
		}
		r.mu.Unlock()
	}
}

// choose prefers newest tokens, and takes old ones too. Some attempts are made
// twice.
func (r *recorder) choose(random *rand.Rand, subject, attempt string) (input, presented) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tokens := r.tokens[subject]
	dice := random.IntN(100)
	if len(tokens) == 0 || dice < 8 {
		return input{subject: subject, what: login}, presented{}
	}
	token := tokens[len(tokens)-1-random.IntN(min(len(tokens), 1+random.IntN(6)))]
	switch {
	case dice < 15:
		return input{subject: subject, what: login, token: token.credential}, token
	case dice < 20:
		return input{subject: subject, what: logout, token: token.credential}, token
	case dice < 25:
		return input{subject: subject, what: revokeAll}, presented{}
	case dice < 40: // a browser that does not number its attempts
		return input{subject: subject, what: refresh, token: token.credential, attempt: attempt, bare: true}, token
	case dice < 65:
		attempt = "the-attempt-of-" + token.session + fmt.Sprint(token.generation)
	}
	return input{subject: subject, what: refresh, token: token.credential, attempt: attempt}, token
}

// TestLinearizable holds that three processes behave as one, also while their
// connections to Redis break.
func TestLinearizable(t *testing.T) {
	for _, row := range []struct {
		name   string
		every  time.Duration
		break_ func(*redistest.Proxy)
	}{
		{name: "calm", every: time.Second, break_: func(*redistest.Proxy) {}},
		{name: "replies are lost", every: 10 * time.Millisecond, break_: func(p *redistest.Proxy) { p.ResetReply("evalsha") }},
		{name: "connections break", every: 200 * time.Millisecond, break_: func(p *redistest.Proxy) { p.Reset() }},
	} {
		for round := range rounds(t) {
			t.Run(row.name, func(t *testing.T) { play(t, round, row.every, row.break_) })
		}
	}
}

// play makes a history, and holds that there is an order.
func play(t *testing.T, round int, every time.Duration, break_ func(*redistest.Proxy)) {
	proxy := redistest.StartProxy(t, redistest.Start(t).Addr)
	r := &recorder{t: t, round: round, addrs: start(t, proxy.Addr, processes), began: time.Now(), tokens: map[string][]presented{}, texts: map[credential]string{}, counts: map[string]int{}}
	var all sync.WaitGroup
	for s := range subjects {
		for c := range clients {
			all.Go(func() { r.client(fmt.Sprint("subject", s), s*clients+c) })
		}
	}
	stop, broken := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(broken)
		for {
			select {
			case <-stop:
				return
			case <-time.After(every):
				break_(proxy)
			}
		}
	}()
	all.Wait()
	close(stop)
	<-broken
	require.Len(t, r.history, subjects*clients*operations)
	require.Greater(t, r.counts["refresh 200"], 30)
	require.Greater(t, r.counts["revoke all 204"], 3)
	nothingOlderWorks(t, r.history)
	refusedWithReason(t, r.history)
	require.Equal(t, porcupine.Ok, porcupine.CheckOperationsTimeout(model.ToModel(), r.history, time.Minute))
	t.Logf("%d requests at %d processes: %v; there is an order", len(r.history), processes, r.counts)
}

// nothingOlderWorks checks one consequence without the checker: a token from
// before the end of all sessions does not work after it.
func nothingOlderWorks(t *testing.T, history []porcupine.Operation) {
	issued := map[credential]int64{} // the time at which the response with the token arrived first
	for _, op := range history {
		if out := op.Output.(output); out.token.session != "" {
			if at, known := issued[out.token]; !known || op.Return < at {
				issued[out.token] = op.Return
			}
		}
	}
	for _, end := range history {
		if end.Input.(input).what != revokeAll || end.Output.(output).status != 204 {
			continue
		}
		for _, op := range history {
			in := op.Input.(input)
			if in.what != refresh || in.subject != end.Input.(input).subject || op.Output.(output).status != 200 || op.Call < end.Return {
				continue
			}
			if at, known := issued[in.token]; known && at < end.Call {
				t.Errorf("a token of %d worked at %d, although all was ended from %d to %d", at, op.Call, end.Call, end.Return)
			}
		}
	}
}

// refusedWithReason holds that a login is refused only when all sessions were
// ended meanwhile.
func refusedWithReason(t *testing.T, history []porcupine.Operation) {
	for _, op := range history {
		if op.Input.(input).what != login || op.Output.(output).status != 401 {
			continue
		}
		reason := slices.ContainsFunc(history, func(end porcupine.Operation) bool {
			in := end.Input.(input)
			return in.what == revokeAll && in.subject == op.Input.(input).subject && end.Call < op.Return && op.Call < end.Return
		})
		if !reason {
			t.Errorf("a login from %d to %d was refused for nothing", op.Call, op.Return)
		}
	}
}

// TestModelRefuses holds that the checker finds what must not happen.
func TestModelRefuses(t *testing.T) {
	first := credential{"s", 0}
	second := credential{"s", 1}
	op := func(at int64, in input, out output) porcupine.Operation {
		in.subject = "ann"
		return porcupine.Operation{Input: in, Call: at, Output: out, Return: at + 1}
	}
	begin := op(0, input{what: login}, output{200, first})
	instead := func(status int) porcupine.Operation {
		return op(2, input{what: login, token: first}, output{status, credential{session: map[int]string{200: "t"}[status]}})
	}
	use := func(at int64, token credential, attempt string, status int, next credential) porcupine.Operation {
		return op(at, input{what: refresh, token: token, attempt: attempt}, output{status, next})
	}
	none := credential{}
	for _, row := range []struct {
		name    string
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		{name: "a second successor", history: []porcupine.Operation{begin, use(2, first, "a", 200, second), use(4, first, "b", 200, second)}, want: porcupine.Illegal},
		{name: "a token skips one", history: []porcupine.Operation{begin, use(2, first, "a", 200, credential{"s", 2})}, want: porcupine.Illegal},
		{
			name:    "a session goes on after reuse",
			history: []porcupine.Operation{begin, use(2, first, "a", 200, second), use(4, first, "b", 401, none), use(6, second, "c", 200, credential{"s", 2})},
			want:    porcupine.Illegal,
		},
		{
			name:    "a token works after all was ended",
			history: []porcupine.Operation{begin, op(2, input{what: revokeAll}, output{status: 204}), use(4, first, "a", 200, second)},
			want:    porcupine.Illegal,
		},
		{
			name:    "a token works after a logout",
			history: []porcupine.Operation{begin, op(2, input{what: logout, token: first}, output{status: 204}), use(4, first, "a", 200, second)},
			want:    porcupine.Illegal,
		},
		{
			name:    "a token works after a login took its place",
			history: []porcupine.Operation{begin, instead(200), use(4, first, "a", 200, second)},
			want:    porcupine.Illegal,
		},
		{
			name:    "a login takes the place of another's session",
			history: []porcupine.Operation{op(0, input{what: login}, output{200, credential{"u", 0}}), begin, instead(200), use(4, credential{"u", 0}, "a", 401, none)},
			want:    porcupine.Illegal,
		},
		{
			name:    "a login that was refused took the place before all was ended",
			history: []porcupine.Operation{begin, instead(401), use(4, first, "a", 401, none)},
			want:    porcupine.Ok,
		},
		{name: "a login that was refused took nothing", history: []porcupine.Operation{begin, instead(401), use(4, first, "a", 200, second)}, want: porcupine.Ok},
		{
			name:    "a login that was refused took the place of another's session",
			history: []porcupine.Operation{op(0, input{what: login}, output{200, credential{"u", 0}}), begin, instead(401), use(4, credential{"u", 0}, "a", 401, none)},
			want:    porcupine.Illegal,
		},
		{name: "a login that failed took the place", history: []porcupine.Operation{begin, instead(503), use(4, first, "a", 401, none)}, want: porcupine.Ok},
		{
			name:    "a login took the place",
			history: []porcupine.Operation{begin, instead(200), use(4, first, "a", 401, none), use(6, credential{"t", 0}, "a", 200, credential{"t", 1})},
			want:    porcupine.Ok,
		},
		{name: "an honest client is logged out", history: []porcupine.Operation{begin, use(2, first, "a", 401, none)}, want: porcupine.Illegal},
		{
			name:    "a repeat gets another",
			history: []porcupine.Operation{begin, use(2, first, "a", 200, second), use(4, first, "a", 200, credential{"s", 2})},
			want:    porcupine.Illegal,
		},
		{name: "a repeat", history: []porcupine.Operation{begin, use(2, first, "a", 200, second), use(4, first, "a", 200, second)}, want: porcupine.Ok},
		{
			name:    "a reuse",
			history: []porcupine.Operation{begin, use(2, first, "a", 200, second), use(4, first, "b", 401, none), use(6, second, "c", 401, none)},
			want:    porcupine.Ok,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.want, porcupine.CheckOperationsTimeout(model.ToModel(), row.history, time.Minute))
		})
	}
}
