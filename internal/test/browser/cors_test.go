package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fetch returns a script for a request whose result is status and body, or
// "blocked".
func fetch(url, options string) string {
	return fmt.Sprintf(`fetch(%q, %s).then(async r => r.status + " " + await r.text(), () => "blocked")`, url, options)
}

func TestFetchFollowsThePolicy(t *testing.T) {
	const app, evil, api, public = "app.example.test", "evil.test", "api.example.test", "public.example.test"
	for _, row := range []struct {
		name, from, host, path, options, want string
		reached                               string // the request that the handler gets, or not; "": not asked
		times                                 int
	}{
		{name: "denied", from: evil, host: api, path: "/denied", options: `{}`, want: "blocked", reached: "https GET /denied", times: 1},
		{
			name:    "a write of a foreign page",
			from:    evil,
			host:    api,
			path:    "/write",
			options: `{method: "POST", mode: "no-cors"}`,
			want:    "blocked",
			reached: "https POST /write",
			times:   0,
		},
		{
			name:    "a preflight of a foreign page",
			from:    evil,
			host:    api,
			path:    "/foreign",
			options: `{method: "PUT"}`,
			want:    "blocked",
			reached: "https PUT /foreign",
			times:   0,
		},
		{
			name:    "a method that is not allowed",
			from:    app,
			host:    api,
			path:    "/method",
			options: `{method: "DELETE"}`,
			want:    "blocked",
			reached: "https DELETE /method",
			times:   0,
		},
		{name: "a method in lower case", from: app, host: api, path: "/patch", options: `{method: "patch"}`, want: "blocked", reached: "https patch /patch", times: 0},
		{
			name:    "a header that is not allowed",
			from:    app,
			host:    api,
			path:    "/header",
			options: `{headers: {"X-Evil": "1"}}`,
			want:    "blocked",
			reached: "https GET /header",
			times:   0,
		},
		{name: "everybody, with credentials", from: app, host: public, path: "/x", options: `{credentials: "include"}`, want: "blocked", times: 0},
		{name: "stacked CORS", from: app, host: api, path: "/stacked", options: `{}`, want: "blocked", times: 0},
		{name: "allowed", from: app, host: api, path: "/allowed", options: `{}`, want: "200 GET cookie=none authorization=", reached: "https GET /allowed", times: 1},
		{
			name:    "preflighted",
			from:    app,
			host:    api,
			path:    "/preflighted",
			options: `{method: "PUT", headers: {Authorization: "Bearer x", "Content-Type": "application/json"}, body: "{}"}`,
			want:    "200 PUT cookie=none authorization=Bearer x",
			reached: "https PUT /preflighted",
			times:   1,
		},
		{
			name:    "FC5 a header of everybody, Authorization",
			from:    evil,
			host:    public,
			path:    "/any-token",
			options: `{headers: {Authorization: "Bearer x"}}`,
			want:    "blocked",
			reached: "https GET /any-token",
			times:   0,
		},
		{
			name:    "FC5 a header of everybody",
			from:    evil,
			host:    public,
			path:    "/any",
			options: `{headers: {"X-Any": "1", "Content-Type": "application/json"}}`,
			want:    "200 GET",
			reached: "https GET /any",
			times:   1,
		},
		{name: "everybody", from: evil, host: public, path: "/x", options: `{}`, want: "200 GET cookie=none authorization=", times: 0},
		{name: "a 429 from inside", from: app, host: api, path: "/limited", options: `{}`, want: "429", times: 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := open(t, row.from, "/").Ask(fetch(at(row.host, row.path), row.options))
			require.NoError(t, err)
			require.Contains(t, got, row.want)
			if row.reached != "" {
				require.Equal(t, row.times, world.seen.count(row.reached), row.reached)
			}
		})
	}
}

func TestCredentialsAreSentWhereAllowed(t *testing.T) {
	tab := open(t, "app.example.test", "/")
	got, err := tab.Ask(fetch(at("api.example.test", "/login"), `{method: "POST", credentials: "include"}`))
	require.NoError(t, err)
	require.Contains(t, got, "200 POST")
	got, err = tab.Ask(fetch(at("api.example.test", "/me"), `{credentials: "include"}`))
	require.NoError(t, err)
	require.Equal(t, "200 GET cookie=s1 authorization=", got)
	got, err = tab.Ask(fetch(at("api.example.test", "/me"), `{credentials: "omit"}`))
	require.NoError(t, err)
	require.Equal(t, "200 GET cookie=none authorization=", got)
}

func TestOnlyExposedHeadersAreReadable(t *testing.T) {
	got, err := open(t, "app.example.test", "/").Ask(fmt.Sprintf(`fetch(%q).then(r => r.headers.get("X-Exposed") + " " + r.headers.get("X-Hidden"))`, at("api.example.test", "/exposed")))
	require.NoError(t, err)
	require.Equal(t, "yes null", got)
}

// A sandboxed frame has the origin null.
func TestSandboxedFrameHasOriginNull(t *testing.T) {
	got, err := open(t, "app.example.test", "/").Ask(fmt.Sprintf(`new Promise(done => {
		addEventListener("message", e => done(e.origin + " " + e.data))
		const frame = document.createElement("iframe")
		frame.sandbox = "allow-scripts"
		frame.srcdoc = "<script>fetch(%s).then(() => 'read', () => 'blocked').then(x => parent.postMessage(x, '*'))</script>"
		document.body.append(frame)
	})`, `'`+at("api.example.test", "/sandboxed")+`'`))
	require.NoError(t, err)
	require.Equal(t, "null blocked", got)
}

// A form needs no CORS, so the server has to refuse it. Our own page's form
// has Origin null too when it sends no referrer, and passes.
func TestFormsOfOtherOriginsAreRefused(t *testing.T) {
	for _, row := range []struct {
		name, from, to, path, want string
		times                      int
	}{
		{name: "a foreign page", from: "evil.test", to: "own.example.test", path: "/foreign-form", want: "origin_denied", times: 0},
		{name: "a sibling that is not listed", from: "documents.example.test", to: "own.example.test", path: "/sibling-form", times: 0}, // its CSP has form-action 'self' too
		{name: "the same host", from: "own.example.test", to: "own.example.test", path: "/own-form", want: "POST cookie=", times: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			tab := open(t, row.from, "/form?to="+at(row.to, row.path))
			_, err := tab.Ask(`(document.forms[0].submit(), "sent")`)
			require.NoError(t, err)
			if row.want != "" {
				require.Eventually(t, func() bool {
					got, err := tab.Ask(`location.pathname + " " + document.body.innerText`)
					return err == nil && strings.HasPrefix(got, row.path+" ") && strings.Contains(got, row.want)
				}, waitFor, tick)
			}
			require.Equal(t, row.times, world.seen.count("https POST "+row.path))
		})
	}
}
