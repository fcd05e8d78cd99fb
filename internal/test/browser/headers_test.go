package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	waitFor = 15 * time.Second
	tick    = 50 * time.Millisecond
)

// A browser that was at the https address once never sends http again.
func TestBrowserKeepsToHTTPS(t *testing.T) {
	tab := open(t, "app.example.test", "/")
	plain := "http://hsts.example.test:" + world.server.Port
	require.NoError(t, tab.Open(plain+"/?before"))
	require.Equal(t, 1, world.seen.count("http GET /?before"), "the first visit is in clear, and redirected")
	where, err := tab.Ask(`location.href`)
	require.NoError(t, err)
	require.Equal(t, at("hsts.example.test", "/"), where)
	require.NoError(t, tab.Open(plain+"/?after"))
	require.Zero(t, world.seen.count("http GET /?after"))
	require.Equal(t, 1, world.seen.count("https GET /?after"), "the browser went to https by itself")
}

// The Documents profile lets a page's own script file run, and no inline one.
func TestInlineScriptDoesNotRun(t *testing.T) {
	got, err := open(t, "documents.example.test", "/inline").Ask(`JSON.stringify(document.documentElement.dataset)`)
	require.NoError(t, err)
	require.Equal(t, `{"own":"ran"}`, got)
	got, err = open(t, "app.example.test", "/inline").Ask(`JSON.stringify(document.documentElement.dataset)`)
	require.NoError(t, err)
	require.Equal(t, `{"inline":"ran","own":"ran"}`, got, "without the profile it runs")
}

// load returns a script that adds an element, and reports whether it loaded.
func load(element, url string) string {
	return fmt.Sprintf(`new Promise(done => {
		const e = document.createElement(%q)
		e.onload = () => done("loaded")
		e.onerror = () => done("blocked")
		e.src = %q
		document.head.append(e)
	})`, element, url)
}

func TestResourcePolicyControlsEmbedding(t *testing.T) {
	for _, row := range []struct{ name, from, element, host, path, want string }{
		{
			name:    "an image of the API in a foreign page: Cross-Origin-Resource-Policy",
			from:    "evil.test",
			element: "img",
			host:    "api.example.test",
			path:    "/image",
			want:    "blocked",
		},
		{
			name:    "FD4 an image of the API in the service's own page of another origin: likewise",
			from:    "app.example.test",
			element: "img",
			host:    "api.example.test",
			path:    "/image",
			want:    "blocked",
		},
		{
			name:    "FD4 the same image with the line that opens it, in a page of the same site",
			from:    "app.example.test",
			element: "img",
			host:    "api.example.test",
			path:    "/opened",
			want:    "loaded",
		},
		{
			name:    "FD4 the same image with the line that opens it, in a foreign page",
			from:    "evil.test",
			element: "img",
			host:    "api.example.test",
			path:    "/opened",
			want:    "blocked",
		},
		{
			name:    "a script with the type of a text: nosniff",
			from:    "documents.example.test",
			element: "script",
			host:    "documents.example.test",
			path:    "/sniffed.js",
			want:    "blocked",
		},
		{
			name:    "an image of the API in an answer of the API: its CSP",
			from:    "api.example.test",
			element: "img",
			host:    "api.example.test",
			path:    "/image",
			want:    "blocked",
		},
		{name: "the page's own script", from: "documents.example.test", element: "script", host: "documents.example.test", path: "/own.js", want: "loaded"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := open(t, row.from, "/").Ask(load(row.element, at(row.host, row.path)))
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
	got, err := open(t, "app.example.test", "/").Ask(fetch(at("api.example.test", "/image"), `{}`))
	require.NoError(t, err)
	require.Contains(t, got, "200 ", "CORS outweighs Cross-Origin-Resource-Policy for a fetch that asks for it")
}

// A frame of a foreign page stays empty: frame-ancestors and X-Frame-Options.
func TestFramesOfOtherPagesStayEmpty(t *testing.T) {
	for host, want := range map[string]string{"documents.example.test": "blocked", "app.example.test": "framed"} {
		t.Run(host, func(t *testing.T) {
			got, err := open(t, "evil.test", "/").Ask(fmt.Sprintf(`new Promise(done => {
				addEventListener("message", e => done(e.data))
				const frame = document.createElement("iframe")
				frame.onload = () => setTimeout(() => done("blocked"), 1000)
				frame.src = %q
				document.documentElement.append(frame)
			})`, at(host, "/framed")))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}
