package redisauth_test

import (
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth/session"
	"github.com/stretchr/testify/require"
)

// lifetimeCases has SR15 to SR28: the end of sessions, and the requests that are refused.
var lifetimeCases = []sessionCase{
	{id: "SR15", name: "the absolute age", change: func(o *session.Options) { o.Idle, o.Absolute = time.Hour, 2*time.Hour }, play: func(d *desk) {
		token := d.login()
		for range 3 {
			d.pass(30 * time.Minute)
			token = d.mustRefresh(token)
		}
		list, err := d.List(d.t.Context(), d.subject)
		require.NoError(d.t, err)
		require.Equal(d.t, list[0].Created.Add(2*time.Hour), list[0].Expires)
		d.pass(30 * time.Minute)
		d.refused(token)
		require.Empty(d.t, d.events, "age is no theft")
	}},
	{id: "SR16", name: "idle for too long", change: func(o *session.Options) { o.Idle = time.Hour }, play: func(d *desk) {
		early, late := d.login(), d.login()
		d.pass(time.Hour - second)
		d.mustRefresh(early)
		d.pass(second)
		d.refused(late)
		require.Empty(d.t, d.events)
	}},
	{id: "SR17", name: "a late refresh leaves the cookie of a new login alone", play: func(d *desk) {
		old := d.login()
		current := d.login("Cookie", "__Host-refresh="+old)
		d.refused(old)
		d.mustRefresh(current)
	}},
	{id: "SR18", name: "other origins", play: func(d *desk) {
		token := d.login()
		for _, header := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site", "Origin", "https://blog.example.com"},
			{"Origin", "null"}, {"Origin", "https://evil@api.example.com"}, {"Origin", "https://evil.example"},
		} {
			status, next := d.refresh(token, header...)
			require.Equal(d.t, [2]any{403, ""}, [2]any{status, next}, header)
		}
		d.mustRefresh(token, "Sec-Fetch-Site", "same-origin", "Origin", "https://api.example.com")
	}},
	{id: "SR19", name: "other methods", play: func(d *desk) {
		token := d.login()
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
			for _, h := range d.handlers() {
				w := recorder()
				quiet.Handler(h).ServeHTTP(w, request(method, token))
				require.Equal(d.t, 405, w.Code)
			}
		}
		d.mustRefresh(token)
	}},
	{id: "SR20", name: "two cookies", play: func(d *desk) {
		mine, planted := d.login(), d.login()
		for _, cookies := range []string{mine + "; __Host-refresh=" + planted, mine + "; __Host-refresh=" + mine} {
			for _, h := range d.handlers() {
				require.Equal(d.t, 400, d.post(h, cookies).Code)
			}
		}
		d.mustRefresh(mine)
		d.mustRefresh(planted)
	}},
	{id: "SR21", name: "a login with another's cookie", play: func(d *desk) {
		planted := d.login()
		mine := d.login("Cookie", "__Host-refresh="+planted)
		require.NotEqual(d.t, d.issued[0], d.issued[1])
		d.refused(planted)
		require.True(d.t, d.over())
		forged := d.login("Cookie", "__Host-refresh="+mine[:70]+"AAAAAAAA")
		d.mustRefresh(mine)
		d.mustRefresh(forged)
		require.Empty(d.t, d.events)
	}},
	{id: "SR21", name: "a login with one's own cookie takes that session's place", change: func(o *session.Options) { o.MaxSessions = 2 }, play: func(d *desk) {
		ended, idle := d.login(), ""
		d.pass(second)
		idle = d.login()
		d.pass(second)
		ended = d.mustRefresh(ended)
		d.pass(second)
		mine := d.login("Cookie", "__Host-refresh="+ended)
		require.Empty(d.t, d.events, "nobody is evicted")
		d.refused(ended)
		require.True(d.t, d.over())
		d.mustRefresh(idle)
		d.mustRefresh(mine)
		require.Empty(d.t, d.events)
	}},
	{id: "SR22", name: "logout with whatever cookie", change: grace(10 * second), play: func(d *desk) {
		for _, token := range []string{"", "garbage", "rt_" + strings.Repeat("A", 75)} {
			require.Equal(d.t, 204, d.post(d.Logout(), token).Code)
		}
		used := d.login()
		d.mustRefresh(used)
		for range 2 {
			w := d.post(d.Logout(), used)
			require.Equal(d.t, 204, w.Code)
			require.Contains(d.t, w.Header().Get("Set-Cookie"), "Max-Age=0")
		}
		d.refused(used)
		require.True(d.t, d.over())
		require.Empty(d.t, d.events, "a logout is no theft")
	}},
	{id: "SR23", name: "keys change", play: func(d *desk) {
		early, late := d.login(), d.login()
		next := session.Key{ID: 2, Secret: []byte("fedcba9876543210fedcba9876543210"), Sign: time.Now().Add(-time.Hour)}
		both := d.again(func(o *session.Options) { o.Keys = append([]session.Key{next}, keys...) })
		moved := both.mustRefresh(early)
		d.refused(moved) // a replica that does not have the new key yet
		alone := d.again(func(o *session.Options) { o.Keys = []session.Key{next} })
		alone.refused(late)
		alone.mustRefresh(moved)
		require.Empty(d.t, d.events)
	}},
	{id: "SR24", name: "the store fails", play: func(d *desk) {
		token := d.login()
		failing := d.again(func(o *session.Options) { o.Store = down{} })
		for _, h := range failing.handlers() {
			w := d.post(h, token)
			require.Equal(d.t, 503, w.Code)
			require.Equal(d.t, "1", w.Header().Get("Retry-After"))
			require.Empty(d.t, cookieOf(w))
			require.NotContains(d.t, w.Body.String(), "refused")
		}
		d.mustRefresh(token)
	}},
	{id: "SR25", name: "what the store is told has no token", play: func(d *desk) {
		spied := &spy{Store: d.store}
		other := d.again(func(o *session.Options) { o.Store = spied })
		t0 := other.login()
		t1 := other.mustRefresh(t0, session.AttemptHeader, once)
		require.Greater(d.t, len(spied.told), 100)
		for _, secret := range secrets(t0, t1, once) {
			require.NotContains(d.t, spied.told, secret)
		}
	}},
	{id: "SR26", name: "an access token is no refresh token", play: func(d *desk) {
		d.login()
		d.refused("access-" + d.issued[0])
		d.refused("eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhbm4ifQ.c2ln")
	}},
	{id: "SR27", name: "the store's clock alone measures grace", change: grace(10 * second), play: func(d *desk) {
		t0 := d.login()
		t1 := d.mustRefresh(t0)
		d.pass(9 * second) // for Redis: the clock of this process stands
		require.Equal(d.t, t1, d.mustRefresh(t0))
		d.pass(second)
		d.theft(t0)
	}},
	{id: "SR28", name: "FS3 grace reaches back one generation, however many there are", change: grace(60 * second), play: func(d *desk) {
		tokens := []string{d.login()}
		for i := range 20 {
			tokens = append(tokens, d.mustRefresh(tokens[i]))
		}
		require.Equal(d.t, tokens[20], d.mustRefresh(tokens[19]))
		d.theft(tokens[18], tokens[20])
	}},
}
