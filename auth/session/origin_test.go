package session_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

const self, app, evil = "https://api.example.com", "https://app.example.com", "https://evil.example"

// origins are of requests to api.example.com, where app is allowed.
var origins = []struct {
	name    string
	host    string
	sites   []string
	origins []string
	want    int
}{
	{"cross-site", "", []string{"cross-site"}, []string{evil}, 403},
	{"cross-site without Origin", "", []string{"cross-site"}, nil, 403},
	{"cross-site, Origin that says it is ours", "", []string{"cross-site"}, []string{self}, 403},
	{"same-site", "", []string{"same-site"}, []string{"https://blog.example.com"}, 403},
	{"none, which no POST is", "", []string{"none"}, nil, 403},
	{"empty site", "", []string{""}, nil, 403},
	{"site of another spelling", "", []string{"Same-Origin"}, nil, 403},
	{"two sites", "", []string{"same-origin", "cross-site"}, nil, 403},
	{"two sites, allowed", "", []string{"same-site", "cross-site"}, []string{app}, 403},
	{"two origins", "", nil, []string{self, evil}, 403},
	{"two sites beside", "", []string{"same-origin"}, []string{self, evil}, 403},
	{"opaque origin", "", nil, []string{"null"}, 403},
	{"empty origin", "", nil, []string{""}, 403},
	{"foreign origin", "", nil, []string{evil}, 403},
	{"golang/go#78563 userinfo", "", nil, []string{"https://evil@api.example.com"}, 403},
	{"longer host", "", nil, []string{"https://api.example.com.evil.example"}, 403},
	{"other scheme", "", nil, []string{"http://api.example.com"}, 403},
	{"other port", "", nil, []string{self + ":8443"}, 403},
	{"path", "", nil, []string{self + "/"}, 403},
	{"other case", "", nil, []string{"https://API.example.com"}, 403},
	{"allowed, same-site", "", []string{"same-site"}, []string{app}, 200},
	{"allowed, older browser", "", nil, []string{app}, 200},
	{"same-origin", "", []string{"same-origin"}, []string{self}, 200},
	{"own origin, older browser", "", nil, []string{self}, 200},
	{"own origin, default port", "API.example.com:443", nil, []string{self}, 200},
	{"own origin, own port", "api.example.com:8443", nil, []string{self + ":8443"}, 200},
	{"no browser", "", nil, nil, 200},
}

// TestOrigin holds R18 for every way in.
func TestOrigin(t *testing.T) {
	for _, tt := range origins {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, func(o *session.Options) {
				o.AllowsOrigin = func(r *http.Request) bool {
					origin := r.Header.Get("Origin")
					return origin == app || origin == "null" || origin == ""
				}
			})
			token := d.login()
			for _, h := range []http.Handler{errors.HandlerFunc(d.Login), d.Refresh(), d.Logout(), d.LogoutAll()} {
				r := httptest.NewRequest("POST", "https://api.example.com/", nil)
				r.Header = http.Header{"Cookie": {"__Host-refresh=" + token}}
				if tt.host != "" {
					r.Host = tt.host
				}
				if tt.sites != nil {
					r.Header["Sec-Fetch-Site"] = tt.sites
				}
				if tt.origins != nil {
					r.Header["Origin"] = tt.origins
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if tt.want == 403 {
					require.Equal(t, 403, w.Code)
					require.Equal(t, auth.ErrDenied.Code(), codeOf(t, w))
					require.Empty(t, cookieOf(t, w))
					continue
				}
				require.NotEqual(t, 403, w.Code)
			}
			if tt.want == 403 {
				require.Equal(t, 200, d.post(d.Refresh(), token).Code, "nothing was rotated")
			}
		})
	}
}

// TestOwnOrigin holds where our own origin is taken from.
func TestOwnOrigin(t *testing.T) {
	fixed := func(s string) func(*http.Request) string { return func(*http.Request) string { return s } }
	for _, tt := range []struct {
		name, origin string
		tls          bool
		scheme, host func(*http.Request) string
		ok           bool
	}{
		{"clear", "https://api.example.com", false, nil, nil, false},
		{"clear, own", "http://api.example.com", false, nil, nil, true},
		{"TLS", "https://api.example.com", true, nil, nil, true},
		{"behind a proxy", "https://api.example.com", false, fixed("https"), nil, true},
		{"behind a proxy that changes the host", "https://shop.example", false, fixed("https"), fixed("shop.example"), true},
		{"the name inside", "https://api.example.com", false, fixed("https"), fixed("shop.example"), false},
		{"port 80 in clear", "http://shop.example", false, nil, fixed("shop.example:80"), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, func(o *session.Options) { o.Scheme, o.Host = tt.scheme, tt.host })
			r := httptest.NewRequest("POST", "http://api.example.com/", nil)
			r.Header.Set("Origin", tt.origin)
			if tt.tls {
				r.TLS = new(tls.ConnectionState)
			}
			_, err := d.Manager.Login(httptest.NewRecorder(), r, session.Session{Subject: "ann"})
			require.Equal(t, !tt.ok, errors.Is(err, auth.ErrDenied))
		})
	}
}

// TestAttemptHeader holds that a bad attempt rotates nothing.
func TestAttemptHeader(t *testing.T) {
	d := newDesk(t)
	token := d.login()
	for _, lines := range [][]string{{""}, {"fifteen-letters"}, {"sixteen letters!"}, {"é1234567890123456"}, {once, once}, {once + "," + other}, {string(make([]byte, 20))}, {once + once + once + once + "x"}} {
		r := httptest.NewRequest("POST", "https://api.example.com/", nil)
		r.Header = http.Header{"Cookie": {"__Host-refresh=" + token}, session.AttemptHeader: lines}
		w := httptest.NewRecorder()
		d.Refresh().ServeHTTP(w, r)
		require.Equal(t, 400, w.Code, lines)
		require.Equal(t, auth.ErrMalformed.Code(), codeOf(t, w))
	}
	require.Equal(t, 200, d.post(d.Refresh(), token, session.AttemptHeader, once+once+once+once).Code)
}
