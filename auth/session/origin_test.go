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
	"github.com/ringwall/ringwall/internal/sameorigin/origincases"
)

const evil = origincases.Evil

// TestEveryWayInDecidesOnTheOrigin_FC7 holds SR18: the cases of cors, for every
// handler.
func TestEveryWayInDecidesOnTheOrigin_FC7(t *testing.T) {
	for _, tt := range origincases.Table {
		t.Run(tt.Name, func(t *testing.T) {
			d := newDesk(t, func(o *session.Options) {
				o.AllowsOrigin = func(r *http.Request) bool {
					origin := r.Header.Get("Origin")
					return origin == origincases.Listed || origin == "null" || origin == ""
				}
			})
			token := d.login()
			for _, h := range []http.Handler{errors.HandlerFunc(d.Login), d.Refresh(), d.Logout(), d.LogoutAll()} {
				r := tt.Request("/")
				r.Header["Cookie"] = []string{"__Host-refresh=" + token}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if tt.Allowed {
					require.NotEqual(t, 403, w.Code)
					continue
				}
				require.Equal(t, 403, w.Code)
				require.Equal(t, auth.ErrDenied.Code(), codeOf(t, w))
				require.Empty(t, cookieOf(t, w))
			}
			if !tt.Allowed {
				require.Equal(t, 200, d.post(d.Refresh(), token).Code, "nothing was rotated")
			}
		})
	}
}

// TestOwnOriginIsTheRequestsHost holds where our own origin is taken from.
func TestOwnOriginIsTheRequestsHost(t *testing.T) {
	fixed := func(s string) func(*http.Request) string { return func(*http.Request) string { return s } }
	for _, tt := range []struct {
		name, origin string
		tls          bool
		scheme, host func(*http.Request) string
		ok           bool
	}{
		{name: "clear", origin: "https://api.example.com"},
		{name: "clear, own", origin: "http://api.example.com", ok: true},
		{name: "TLS", origin: "https://api.example.com", tls: true, ok: true},
		{name: "behind a proxy", origin: "https://api.example.com", scheme: fixed("https"), ok: true},
		{name: "behind a proxy that changes the host", origin: "https://shop.example", scheme: fixed("https"), host: fixed("shop.example"), ok: true},
		{name: "the name inside", origin: "https://api.example.com", scheme: fixed("https"), host: fixed("shop.example")},
		{name: "port 80 in clear", origin: "http://shop.example", host: fixed("shop.example:80"), ok: true},
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

// TestBadAttemptRotatesNothing holds that a bad attempt rotates nothing.
func TestBadAttemptRotatesNothing(t *testing.T) {
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
