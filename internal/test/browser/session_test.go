package browser_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/redisauth"
	"github.com/ringwall/ringwall/auth/session"
	failure "github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/redistest"
	"github.com/ringwall/ringwall/internal/test/browser"
)

// A front serves sessions in Redis without Grace, and can lose the response to a
// refresh.
type front struct {
	redis  *redistest.Server
	server *browser.Server

	mu         sync.Mutex
	cut        string // how the next refresh's connection ends: "FIN", "RST", or not
	presented  []string
	successors []string
	statuses   []int
	events     []session.Reason
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{redis: redistest.Start(t)}
	client := redis.NewClient(f.redis.Options())
	t.Cleanup(func() { _ = client.Close() })
	sessions := failure.Must(session.New(session.Options{
		Issue: func(context.Context, session.Session) (string, time.Time, error) {
			return "access", time.Now().Add(time.Minute), nil
		},
		InsecureStaticGrants: true, Revocations: failure.Must(auth.NewRevocations(auth.RevocationsOptions{})),
		Store: failure.Must(redisauth.NewSessionStore(client, redisauth.Options{})), Keys: []session.Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}},
		OnEvent: func(_ context.Context, e session.Event) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, e.Reason)
		},
	}))
	mux := http.NewServeMux()
	mux.HandleFunc("/", pages)
	mux.Handle("/auth/login", failure.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, err := sessions.Login(w, r, session.Session{Subject: "ann"})
		return err
	}))
	mux.Handle("/auth/refresh", f.losing(sessions.Refresh()))
	responder := failure.Must(failure.NewResponder(failure.Options{Logger: slog.New(slog.DiscardHandler)}))
	var err error
	f.server, err = world.server.Beside(responder.Handler(mux))
	require.NoError(t, err)
	t.Cleanup(f.server.Close)
	return f
}

// losing writes the response, or ends the connection instead.
func (f *front) losing(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made := httptest.NewRecorder()
		h.ServeHTTP(made, r)
		f.mu.Lock()
		cut := f.cut
		f.cut = ""
		c, _ := r.Cookie("__Host-refresh")
		f.presented, f.statuses = append(f.presented, c.Value), append(f.statuses, made.Code)
		successor := ""
		for _, c := range made.Result().Cookies() {
			successor = c.Value
		}
		f.successors = append(f.successors, successor)
		f.mu.Unlock()
		if cut != "" {
			_ = browser.Cut(w, cut == "RST")
			return
		}
		for name, lines := range made.Header() {
			w.Header()[name] = lines
		}
		w.WriteHeader(made.Code)
		_, _ = io.Copy(w, made.Body)
	})
}

func (f *front) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// post is a request of the page.
func post(path, attempt string) string {
	headers := "{}"
	if attempt != "" {
		headers = fmt.Sprintf(`{"Refresh-Attempt": %q}`, attempt)
	}
	return fmt.Sprintf(`fetch(%q, {method: "POST", headers: %s}).then(r => r.status + " " + (r.headers.get("Retry-After") ?? ""), e => "failed: " + e)`, path, headers)
}

// page is a tab at the front that has logged in, over a connection that is
// kept.
func (f *front) page(t *testing.T) *browser.Tab {
	t.Helper()
	tab := open(t, "app.example.test", "/")
	require.NoError(t, tab.Open("https://own.example.test:"+f.server.Port+"/"))
	got, err := tab.Ask(post("/auth/login", ""))
	require.NoError(t, err)
	require.Equal(t, "200 ", got)
	got, err = tab.Ask(`document.cookie`)
	require.NoError(t, err)
	require.Empty(t, got, "HttpOnly")
	return tab
}

// TestBrowserRepeats holds that what Chromium sends again by itself, since a
// reused connection ended before the answer, is no theft: the same attempt gets
// the same successor, at Grace 0.
func TestBrowserRepeats(t *testing.T) {
	for _, how := range []string{"FIN", "RST"} {
		t.Run(how, func(t *testing.T) {
			open(t, "app.example.test", "/")
			f := newFront(t)
			tab := f.page(t)
			f.set(func() { f.cut = how })
			got, err := tab.Ask(post("/auth/refresh", "abcdefghijklmnop"))
			require.NoError(t, err)
			require.Equal(t, "200 ", got, "the page has not noticed")
			f.set(func() {
				require.Equal(t, []int{200, 200}, f.statuses, "it was sent twice")
				require.Equal(t, f.presented[0], f.presented[1])
				require.Equal(t, f.successors[0], f.successors[1])
				require.NotEqual(t, f.presented[0], f.successors[0])
			})
			got, err = tab.Ask(post("/auth/refresh", "ponmlkjihgfedcba"))
			require.NoError(t, err)
			require.Equal(t, "200 ", got, "the session lives")
			f.set(func() {
				require.Equal(t, f.successors[0], f.presented[2])
				require.Empty(t, f.events)
			})
		})
	}
}

// TestBrowserRepeatsWithoutAnAttempt shows the reason for the header: the repeat
// looks like a thief.
func TestBrowserRepeatsWithoutAnAttempt(t *testing.T) {
	open(t, "app.example.test", "/")
	f := newFront(t)
	tab := f.page(t)
	f.set(func() { f.cut = "FIN" })
	got, err := tab.Ask(post("/auth/refresh", ""))
	require.NoError(t, err)
	require.Equal(t, "401 ", got)
	f.set(func() {
		require.Equal(t, []int{200, 401}, f.statuses)
		require.Equal(t, []session.Reason{session.TokenReused}, f.events)
	})
}

// TestRedisTimesOut checks that a page that gets a 503 and retries with the same
// attempt stays logged in, although the rotation ran meanwhile.
func TestRedisTimesOut(t *testing.T) {
	open(t, "app.example.test", "/")
	f := newFront(t)
	tab := f.page(t)
	got, err := tab.Ask(post("/auth/refresh", "the-first-attempt"))
	require.NoError(t, err)
	require.Equal(t, "200 ", got)
	before := f.redis.Calls(t, "evalsha")
	f.redis.Pause(t)
	got, err = tab.Ask(post("/auth/refresh", "abcdefghijklmnop"))
	require.NoError(t, err)
	require.Equal(t, "503 1", got)
	f.redis.Resume(t)
	redistest.Await(t, 10*time.Second, "the rotation that nobody waited for has run", func() bool { return f.redis.Calls(t, "evalsha") > before })
	got, err = tab.Ask(post("/auth/refresh", "abcdefghijklmnop"))
	require.NoError(t, err)
	require.Equal(t, "200 ", got)
	got, err = tab.Ask(post("/auth/refresh", "ponmlkjihgfedcba"))
	require.NoError(t, err)
	require.Equal(t, "200 ", got)
	f.set(func() {
		require.Equal(t, []int{200, 503, 200, 200}, f.statuses)
		require.Equal(t, f.presented[1], f.presented[2], "the cookie was left alone")
		require.Empty(t, f.events)
	})
}
