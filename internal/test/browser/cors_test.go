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
		{"denied", evil, api, "/denied", `{}`, "blocked", "https GET /denied", 1},
		{"a write of a foreign page", evil, api, "/write", `{method: "POST", mode: "no-cors"}`, "blocked", "https POST /write", 0},
		{"a preflight of a foreign page", evil, api, "/foreign", `{method: "PUT"}`, "blocked", "https PUT /foreign", 0},
		{"a method that is not allowed", app, api, "/method", `{method: "DELETE"}`, "blocked", "https DELETE /method", 0},
		{"a method in lower case", app, api, "/patch", `{method: "patch"}`, "blocked", "https patch /patch", 0},
		{"a header that is not allowed", app, api, "/header", `{headers: {"X-Evil": "1"}}`, "blocked", "https GET /header", 0},
		{"everybody, with credentials", app, public, "/x", `{credentials: "include"}`, "blocked", "", 0},
		{"stacked CORS", app, api, "/stacked", `{}`, "blocked", "", 0},
		{"allowed", app, api, "/allowed", `{}`, "200 GET cookie=none authorization=", "https GET /allowed", 1},
		{"preflighted", app, api, "/preflighted", `{method: "PUT", headers: {Authorization: "Bearer x", "Content-Type": "application/json"}, body: "{}"}`, "200 PUT cookie=none authorization=Bearer x", "https PUT /preflighted", 1},
		{"FC5 a header of everybody, Authorization", evil, public, "/any-token", `{headers: {Authorization: "Bearer x"}}`, "blocked", "https GET /any-token", 0},
		{"FC5 a header of everybody", evil, public, "/any", `{headers: {"X-Any": "1", "Content-Type": "application/json"}}`, "200 GET", "https GET /any", 1},
		{"everybody", evil, public, "/x", `{}`, "200 GET cookie=none authorization=", "", 0},
		{"a 429 from inside", app, api, "/limited", `{}`, "429", "", 0},
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
		{"a foreign page", "evil.test", "own.example.test", "/foreign-form", "origin_denied", 0},
		{"a sibling that is not listed", "documents.example.test", "own.example.test", "/sibling-form", "", 0}, // its CSP has form-action 'self' too
		{"the same host", "own.example.test", "own.example.test", "/own-form", "POST cookie=", 1},
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
