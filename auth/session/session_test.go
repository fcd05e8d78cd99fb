package session_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// keys are for tests that bring their own store.
var keys = []session.Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}}

// A desk is a Manager with everything around it in reach.
type desk struct {
	*session.Manager
	t       *testing.T
	store   *session.Memory
	revoked *auth.Revocations
	events  []session.Reason
	issued  []session.Session
	failing error // of Issue
	account func(session.Session) (session.Session, error)
}

func newDesk(t *testing.T, change ...func(*session.Options)) *desk {
	d := &desk{t: t, store: session.NewMemory(), revoked: errors.Must(auth.NewRevocations(auth.RevocationsOptions{}))}
	o := session.Options{
		Issue: func(_ context.Context, s session.Session) (string, time.Time, error) {
			d.issued = append(d.issued, s)
			return "access-" + s.ID, time.Now().Add(5 * time.Minute), d.failing
		},
		Account: func(_ context.Context, s session.Session) (session.Session, error) {
			if d.account != nil {
				return d.account(s)
			}
			return s, nil
		},
		Revocations: d.revoked, Store: d.store, Keys: keys,
		OnEvent: func(_ context.Context, e session.Event) { d.events = append(d.events, e.Reason) },
		Logger:  slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&o)
	}
	d.Manager = errors.Must(session.New(o))
	return d
}

func (d *desk) Login(w http.ResponseWriter, r *http.Request) error {
	_, err := d.Manager.Login(w, r, session.Session{Subject: "ann", Scope: []string{"orders:read"}})
	return err
}

// login returns the first token of a new session.
func (d *desk) login(header ...string) string {
	w := d.post(errors.HandlerFunc(d.Login), "", header...)
	require.Equal(d.t, 200, w.Code, w.Body)
	return cookieOf(d.t, w)
}

// post sends a token, and headers in pairs.
func (d *desk) post(h http.Handler, token string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://api.example.com/auth", nil)
	if token != "" {
		r.Header.Add("Cookie", "__Host-refresh="+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	quiet := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	quiet.Handler(h).ServeHTTP(w, r)
	require.Equal(d.t, "no-store", w.Header().Get("Cache-Control"))
	return w
}

// cookieOf returns the refresh token that a response sets, or "".
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) string {
	token, seen := "", 0
	for _, c := range w.Result().Cookies() {
		if !strings.HasSuffix(c.Name, "-attempt") {
			token, seen = c.Value, seen+1
		}
	}
	require.LessOrEqual(t, seen, 1)
	return token
}

// pass lets time go by, which costs none inside of synctest.
func pass(d time.Duration) { <-time.After(d) }

// TestNewReportsAllProblems checks that all problems are reported at once.
func TestNewReportsAllProblems(t *testing.T) {
	good := func() session.Options {
		return session.Options{
			Issue:                 func(context.Context, session.Session) (string, time.Time, error) { return "", time.Time{}, nil },
			Account:               func(_ context.Context, s session.Session) (session.Session, error) { return s, nil },
			InsecureNoRevocations: true,
		}
	}
	_, err := session.New(good())
	require.NoError(t, err)
	secret := keys[0].Secret
	for _, tt := range []struct {
		name   string
		change func(*session.Options)
		want   string
	}{
		{name: "nothing", change: func(o *session.Options) { *o = session.Options{} }, want: "session: Issue: must not be nil; did you mean the ForSession of a token.Issuer?\n" +
			"session: Account: must not be nil; did you mean a function that looks up the subject?\nsession: Revocations: must not be nil; did you mean those of the verifier?"},
		{
			name:   "both accounts",
			change: func(o *session.Options) { o.InsecureStaticGrants = true },
			want:   "session: InsecureStaticGrants: contradicts Account; did you mean to leave one out?",
		},
		{
			name:   "both revocations",
			change: func(o *session.Options) { o.Revocations = new(auth.Revocations) },
			want:   "session: InsecureNoRevocations: contradicts Revocations; did you mean to leave one out?",
		},
		{
			name:   "store without keys",
			change: func(o *session.Options) { o.Store = session.NewMemory() },
			want:   "session: Keys: must not be empty, because Store outlives the process; did you mean one key of 32 random bytes?",
		},
		{
			name:   "short key",
			change: func(o *session.Options) { o.Keys = []session.Key{{Secret: secret[:31]}} },
			want:   "session: Keys[0]: Secret must have 32 to 256 bytes, not 31; did you mean 32 random ones?",
		},
		{
			name:   "no secret",
			change: func(o *session.Options) { o.Keys = []session.Key{{}} },
			want:   "session: Keys[0]: Secret must have 32 to 256 bytes, not 0; did you mean 32 random ones?",
		},
		{
			name:   "zero key",
			change: func(o *session.Options) { o.Keys = []session.Key{{Secret: make([]byte, 32)}} },
			want:   "session: Keys[0]: Secret is one byte repeated; did you mean 32 random ones?",
		},
		{
			name:   "same ID",
			change: func(o *session.Options) { o.Keys = []session.Key{{Secret: secret}, {Secret: secret}} },
			want:   "session: Keys[1]: ID 0 is listed twice; did you mean another one for the new key?",
		},
		{
			name:   "no key signs",
			change: func(o *session.Options) { o.Keys = []session.Key{{Secret: secret, Sign: time.Now().Add(time.Hour)}} },
			want:   "session: Keys: contain no key that signs now; did you mean a zero Sign for the first?",
		},
		{name: "key removed before it signs", change: func(o *session.Options) {
			o.Keys = []session.Key{{ID: 1, Secret: secret}, {ID: 2, Secret: secret, Sign: time.Unix(9e9, 0), Remove: time.Unix(8e9, 0)}}
		}, want: "session: Keys[1]: Remove must be after Sign"},
		{name: "grace", change: func(o *session.Options) { o.Grace = time.Hour }, want: "session: Grace 1h0m0s: must be between 0 and 60s"},
		{name: "negative grace", change: func(o *session.Options) { o.Grace = -1 }, want: "session: Grace -1ns: must be between 0 and 60s"},
		{name: "idle", change: func(o *session.Options) { o.Idle = 7 }, want: "session: Idle 7ns: must be at least 1m"},
		{name: "absolute before idle", change: func(o *session.Options) { o.Absolute = time.Hour }, want: "session: Absolute 1h0m0s: must be at least Idle, 168h0m0s"},
		{name: "absolute", change: func(o *session.Options) { o.Absolute = 9601 * time.Hour }, want: "session: Absolute 9601h0m0s: must be at most 400 days"},
		{
			name:   "many sessions",
			change: func(o *session.Options) { o.MaxSessions = 1001 },
			want:   "session: MaxSessions 1001: must be between 1 and 1000; did you mean 0, for the default?",
		},
		{
			name:   "cookie without a prefix",
			change: func(o *session.Options) { o.Cookie.Name = "refresh" },
			want:   "session: Cookie.Name \"refresh\": must be a cookie name that begins with __Host-; did you mean \"__Host-refresh\"?",
		},
		{
			name:   "cookie that is a prefix",
			change: func(o *session.Options) { o.Cookie.Name = "__Host-" },
			want:   "session: Cookie.Name \"__Host-\": must be a cookie name that begins with __Host-; did you mean \"__Host-refresh\"?",
		},
		{
			name:   "cookie with a line break",
			change: func(o *session.Options) { o.Cookie.Name = "__Host-a\nb" },
			want:   "session: Cookie.Name \"__Host-a\\nb\": must be a cookie name that begins with __Host-; did you mean \"__Host-refresh\"?",
		},
		{
			name:   "FS2 cookie of an attempt",
			change: func(o *session.Options) { o.Cookie.Name = "__Host-refresh-attempt" },
			want:   "session: Cookie.Name \"__Host-refresh-attempt\": is the name of the attempt cookie of \"__Host-refresh\"; did you mean \"__Host-refresh-2\"?",
		},
		{
			name:   "two cookies",
			change: func(o *session.Options) { o.Cookie.Name, o.InsecureCookie = "__Host-a", true },
			want:   "session: Cookie.Name: contradicts InsecureCookie; did you mean to leave one out?",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := good()
			tt.change(&o)
			_, err := session.New(o)
			require.EqualError(t, err, tt.want)
		})
	}
}

// TestCookieHasTheSafeAttributes holds the whole line.
func TestCookieHasTheSafeAttributes(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		change     func(*session.Options)
	}{
		{name: "default", want: "__Host-refresh=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict", change: func(*session.Options) {}},
		{name: "named", want: "__Host-r=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict", change: func(o *session.Options) { o.Cookie.Name = "__Host-r" }},
		{name: "transient", want: "__Host-refresh=*; Path=/; HttpOnly; Secure; SameSite=Strict", change: func(o *session.Options) { o.Cookie.Transient = true }},
		{name: "insecure", want: "refresh=*; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict", change: func(o *session.Options) { o.InsecureCookie = true }},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t, tt.change)
			w := d.post(errors.HandlerFunc(d.Login), "")
			token := cookieOf(t, w)
			require.Regexp(t, `^rt_[A-Za-z0-9_-]{75}$`, token)
			require.Equal(t, []string{strings.Replace(tt.want, "*", token, 1)}, w.Header()["Set-Cookie"], tt.name)
		})
	}
}
