package redisauth_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// keys are those of every process.
var keys = []session.Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}}

// A desk is a manager of sessions with everything around it in reach.
type desk struct {
	*session.Manager
	t       *testing.T
	store   session.Store
	pass    func(time.Duration) // lets time go by for the store
	options session.Options
	subject string
	revoked *auth.Revocations

	mu      sync.Mutex
	events  []session.Reason
	last    session.Event
	issued  []string // the IDs of sessions
	failing error    // of Issue
	account func(session.Session) (session.Session, error)
}

// newDesk returns a desk on a store, for a subject of its own.
func newDesk(t *testing.T, store session.Store, pass func(time.Duration), change ...func(*session.Options)) *desk {
	t.Helper()
	d := &desk{t: t, store: store, pass: pass, subject: rand.Text(), revoked: errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))}
	d.options = session.Options{
		Issue: func(_ context.Context, s session.Session) (string, time.Time, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.issued = append(d.issued, s.ID)
			return "access-" + s.ID, time.Now().Add(5 * time.Minute), d.failing
		},
		Account: func(_ context.Context, s session.Session) (session.Session, error) {
			if d.account != nil {
				return d.account(s)
			}
			return s, nil
		},
		Revocations: d.revoked, Store: store, Keys: keys, Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(_ context.Context, e session.Event) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.events, d.last = append(d.events, e.Reason), e
		},
	}
	for _, f := range change {
		f(&d.options)
	}
	d.Manager = errors.Must(session.New(d.options))
	return d
}

// again is another process at the same desk: another manager, with changes.
func (d *desk) again(change func(*session.Options)) *desk {
	o := d.options
	change(&o)
	return &desk{Manager: errors.Must(session.New(o)), t: d.t, store: o.Store, pass: d.pass, options: o, subject: d.subject, revoked: d.revoked}
}

func (d *desk) Login(w http.ResponseWriter, r *http.Request) error {
	_, err := d.Manager.Login(w, r, session.Session{Subject: d.subject, Scope: []string{"orders:read"}})
	return err
}

// login returns the first token of a new session.
func (d *desk) login(header ...string) string {
	d.t.Helper()
	w := d.post(errors.HandlerFunc(d.Login), "", header...)
	require.Equal(d.t, 200, w.Code, w.Body)
	return cookieOf(w)
}

// refresh returns the status, and the token that the response sets, or "".
func (d *desk) refresh(token string, header ...string) (int, string) {
	d.t.Helper()
	w := d.post(d.Refresh(), token, header...)
	return w.Code, cookieOf(w)
}

// mustRefresh returns the successor of a token.
func (d *desk) mustRefresh(token string, header ...string) string {
	d.t.Helper()
	status, next := d.refresh(token, header...)
	require.Equal(d.t, 200, status)
	require.NotEmpty(d.t, next)
	require.NotEqual(d.t, token, next)
	return next
}

// refused presents a token that gets a 401, and leaves the cookie alone.
func (d *desk) refused(token string, header ...string) {
	d.t.Helper()
	status, next := d.refresh(token, header...)
	require.Equal(d.t, [2]any{401, ""}, [2]any{status, next})
}

// over reports whether the access tokens of the first session are revoked.
func (d *desk) over() bool {
	return errors.Is(d.revoked.Check(d.t.Context(), "", d.issued[0], "", time.Now()), auth.ErrRevoked)
}

// quiet responds as a service does, without a log.
var quiet = errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))

// request is one to a desk. Headers come in pairs.
func request(method, token string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "https://api.example.com/auth", nil)
	if token != "" {
		r.Header.Add("Cookie", "__Host-refresh="+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func (d *desk) post(h http.Handler, token string, header ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	quiet.Handler(h).ServeHTTP(w, request("POST", token, header...))
	return w
}

// cookieOf returns the token that a response sets, or "".
func cookieOf(w *httptest.ResponseRecorder) string { return cookieNamed(w.Result(), "__Host-refresh") }

func cookieNamed(res *http.Response, name string) string {
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// onEach runs a test on sessions in memory, on one Redis, and on a Cluster.
// Memory has the clock of a bubble.
func onEach(t *testing.T, test func(t *testing.T, store session.Store, pass func(time.Duration))) {
	t.Run("memory", func(t *testing.T) {
		// A bubble for each test within: t.Run is not allowed inside of one.
		test(t, nil, nil)
	})
	for _, kind := range kindsOf() {
		t.Run(kind.name, func(t *testing.T) {
			store := sessions(t, kind.start(t), redisauth.Options{})
			test(t, store, store.Advance)
		})
	}
}

// play runs one case, in a synctest bubble if there is no store yet.
func play(t *testing.T, store session.Store, pass func(time.Duration), test func(*testing.T, session.Store, func(time.Duration))) {
	if store != nil {
		test(t, store, pass)
		return
	}
	synctest.Test(t, func(t *testing.T) {
		test(t, session.NewMemory(), func(d time.Duration) { <-time.After(d) })
	})
}
