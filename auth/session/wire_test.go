package session_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/ringwall/ringwall/errors"
)

// serve puts a desk behind a real socket, and returns a client with a jar.
func (d *desk) serve(start func(http.Handler) *httptest.Server) (*http.Client, string) {
	mux := http.NewServeMux()
	mux.Handle("POST /auth/login", errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		tokens, err := d.Manager.Login(w, r, session.Session{Subject: "ann", Scope: []string{"orders:read"}})
		if err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(tokens)
	}))
	mux.Handle("/auth/refresh", d.Refresh())
	mux.Handle("/auth/logout", d.Logout())
	mux.Handle("/auth/logout-all", d.LogoutAll())
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	s := start(failures.Handler(mux))
	d.t.Cleanup(s.Close)
	client := s.Client()
	client.Jar = errors.Must(cookiejar.New(nil))
	return client, s.URL
}

func send(t *testing.T, client *http.Client, method, to string, header ...string) (*http.Response, string) {
	r, err := http.NewRequestWithContext(t.Context(), method, to, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, []string{"no-store"}, res.Header["Cache-Control"])
	return res, string(body)
}

// jarred returns the refresh cookie that a jar would send, or "".
func jarred(t *testing.T, client *http.Client, to string) string {
	u, err := url.Parse(to)
	require.NoError(t, err)
	for _, c := range client.Jar.Cookies(u) {
		return c.Name + "=" + c.Value
	}
	return ""
}

// TestSessionWorksOverTheWire is one client's life, over TLS and in clear.
func TestSessionWorksOverTheWire(t *testing.T) {
	for _, tt := range []struct {
		name, cookie string
		start        func(http.Handler) *httptest.Server
		change       func(*session.Options)
	}{
		{name: "TLS", cookie: "__Host-refresh=", start: httptest.NewTLSServer, change: func(*session.Options) {}},
		{name: "in clear", cookie: "refresh=", start: httptest.NewServer, change: func(o *session.Options) { o.InsecureCookie = true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, tt.change)
			client, at := d.serve(tt.start)
			res, _ := send(t, client, "POST", at+"/auth/refresh")
			require.Equal(t, 401, res.StatusCode)
			res, body := send(t, client, "POST", at+"/auth/login", "Origin", at)
			require.Equal(t, 200, res.StatusCode)
			require.Regexp(t, `^\{"access_token":"access-[0-9a-f]{32}","token_type":"Bearer","expires_in":(300|299),"scope":"orders:read"\}\n$`, body)
			first := jarred(t, client, at)
			require.True(t, strings.HasPrefix(first, tt.cookie), first)

			res, _ = send(t, client, "GET", at+"/auth/refresh")
			require.Equal(t, 405, res.StatusCode)
			require.Equal(t, "POST", res.Header.Get("Allow"))
			res, body = send(t, client, "POST", at+"/auth/refresh", "Sec-Fetch-Site", "cross-site")
			require.Equal(t, 403, res.StatusCode)
			require.Regexp(t, `^\{"code":"[a-z_]+","message":"[^"]+","correlation_id":"[0-9a-f]{32}"\}\n$`, body)
			require.Equal(t, first, jarred(t, client, at))

			res, _ = send(t, client, "POST", at+"/auth/refresh", session.AttemptHeader, once)
			require.Equal(t, 200, res.StatusCode)
			second := jarred(t, client, at)
			require.NotEqual(t, first, second)

			// The same attempt again, as a browser does whose connection broke.
			bare := &http.Client{Transport: client.Transport}
			res, _ = send(t, bare, "POST", at+"/auth/refresh", session.AttemptHeader, once, "Cookie", first)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, second, res.Cookies()[0].Name+"="+res.Cookies()[0].Value)

			res, _ = send(t, client, "POST", at+"/auth/logout")
			require.Equal(t, 204, res.StatusCode)
			require.Empty(t, jarred(t, client, at), "the jar has forgotten it")
			res, _ = send(t, bare, "POST", at+"/auth/refresh", "Cookie", second)
			require.Equal(t, 401, res.StatusCode)
			require.Empty(t, d.events)
		})
	}
}

// TestLateRefreshDoesNotChangeTheCookie holds SR17: a late response to the old session does not change
// the cookie of the new one.
func TestLateRefreshDoesNotChangeTheCookie(t *testing.T) {
	d := newDesk(t)
	client, at := d.serve(httptest.NewTLSServer)
	send(t, client, "POST", at+"/auth/login")
	old := jarred(t, client, at)
	send(t, client, "POST", at+"/auth/login")
	current := jarred(t, client, at)
	bare := &http.Client{Transport: client.Transport}
	res, _ := send(t, bare, "POST", at+"/auth/refresh", "Cookie", old)
	require.Equal(t, 401, res.StatusCode)
	require.Empty(t, res.Header["Set-Cookie"])
	res, _ = send(t, client, "POST", at+"/auth/refresh")
	require.Equal(t, 200, res.StatusCode)
	require.NotEqual(t, current, jarred(t, client, at))
}

// TestOtherCookiesAreKept holds that an application's own cookies stay, whatever
// happens to ours.
func TestOtherCookiesAreKept(t *testing.T) {
	d := newDesk(t)
	token := d.login()
	for _, h := range []http.Handler{d.Refresh(), d.Logout()} {
		w := httptest.NewRecorder()
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
		r := httptest.NewRequest("POST", "https://api.example.com/", nil)
		r.Header.Set("Cookie", "__Host-refresh="+token)
		h.ServeHTTP(w, r)
		require.Len(t, w.Header()["Set-Cookie"], 2)
		require.Equal(t, "theme=dark", w.Header()["Set-Cookie"][0])
	}
}
