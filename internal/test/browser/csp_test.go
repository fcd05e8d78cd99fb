package browser_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	failure "github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/test/browser"
)

// trusted is the page's own inline script: it adds another by a relative
// address, which a base element leads elsewhere.
const trusted = `document.documentElement.dataset.hashed = "ran"
document.head.append(Object.assign(document.createElement("script"), {src: "run.js?base"}))`

// hash is the source of the trusted script.
func hash() string {
	sum := sha256.Sum256([]byte(trusted))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// victim is a page with all that an attacker can inject as markup. Each piece
// marks the page's root when its script runs there. EVIL and OWN are origins.
const victim = `<!doctype html><html><head><title>victim</title><base href="EVIL/">
<script>` + trusted + `</script>
<script src="run.js?relative"></script>
</head><body data-text="document.documentElement.dataset.gadget_NAME = 'ran'">
<script>document.documentElement.dataset.inline = "ran"</script>
<img src="OWN/nothing" onerror="document.documentElement.dataset.event = 'ran'">
<svg onload="document.documentElement.dataset.svg = 'ran'"><script href="data:text/javascript,document.documentElement.dataset.svgdata='ran'"></script></svg>
<script src="data:text/javascript,document.documentElement.dataset.data='ran'"></script>
<script src="EVIL/run.js?foreign"></script>
<script type="module" src="EVIL/run.js?module"></script>
<script type="module" src="data:text/javascript,document.documentElement.dataset.moduledata='ran'"></script>
<iframe srcdoc="<script>parent.document.documentElement.dataset.srcdoc = 'ran'</script>"></iframe>
<iframe src="javascript:parent.document.documentElement.dataset.javascript = 'ran'"></iframe>
<object data="data:text/html,<script>parent.document.documentElement.dataset.object = 'ran'</script>"></object>
<object data="javascript:parent.document.documentElement.dataset.objectscript = 'ran'"></object>
<object type="image/svg+xml" data="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='parent.document.documentElement.dataset.objectsvg=1'/>"></object>
<object data="EVIL/frame"></object>
<embed src="data:text/html,<script>parent.document.documentElement.dataset.embed = 'ran'</script>">
<embed src="javascript:parent.document.documentElement.dataset.embedscript = 'ran'">
<embed src="EVIL/frame">
<script src="OWN/own.js"></script>
</body></html>`

// own is the application's script, which makes the two mistakes that a policy
// can still catch: it evaluates a text of the page, and it runs it as a file.
const own = `document.documentElement.dataset.own = "ran"
const text = document.body.dataset.text
try { (0, eval)(text.replace("NAME", "eval")) } catch {}
document.head.append(Object.assign(document.createElement("script"), {src: URL.createObjectURL(new Blob([text.replace("NAME", "blob")]))}))`

// victims serves the victim's page under each policy, and what an attacker has
// on an origin of their own.
func victims(policies []*headers.Policy, port *string) http.Handler {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, body := "text/html; charset=utf-8", strings.NewReplacer("EVIL", "https://evil.test:"+*port, "OWN", "https://csp.example.test:"+*port).Replace(victim)
		switch r.URL.Path {
		case "/own.js":
			kind, body = "text/javascript", own
		case "/policy/run.js": // relative, where no base element leads elsewhere
			kind, body = "text/javascript", fmt.Sprintf("document.documentElement.dataset.own%s = 'ran'", r.URL.RawQuery)
		case "/nothing":
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, body)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := cut(r.Host); host == "evil.test" {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Content-Type", "text/javascript")
			if r.URL.Path == "/frame" {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, `<script>parent.document.documentElement.dataset.frame = "ran"</script>`)
				return
			}
			_, _ = fmt.Fprintf(w, "document.documentElement.dataset.%s = 'ran'", r.URL.RawQuery)
			return
		}
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/policy/%d", &n); err == nil {
			policies[n].Handler(page).ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// played opens the victim's page under each policy, and returns the names of
// the scripts that ran.
func played(t *testing.T, options []headers.Options, check func(t *testing.T, i int, ran map[string]string)) {
	t.Helper()
	open(t, "app.example.test", "/") // skips without a browser
	var policies []*headers.Policy
	for _, o := range options {
		policies = append(policies, failure.Must(headers.New(o)))
	}
	var port string
	server, err := world.server.Beside(victims(policies, &port))
	require.NoError(t, err)
	t.Cleanup(server.Close)
	port = server.Port
	for i, o := range options {
		t.Run(o.CSP, func(t *testing.T) { check(t, i, ranOn(t, server, i)) })
	}
}

func ranOn(t *testing.T, server *browser.Server, policy int) map[string]string {
	t.Helper()
	tab := open(t, "app.example.test", "/")
	require.NoError(t, tab.Open(fmt.Sprintf("https://csp.example.test:%s/policy/%d", server.Port, policy)))
	got, err := tab.Ask(`(document.title !== "victim") ? "no page" : JSON.stringify(document.documentElement.dataset)`)
	require.NoError(t, err)
	ran := make(map[string]string)
	require.NoError(t, json.Unmarshal([]byte(got), &ran), got)
	return ran
}

// TestNoInjectedScriptRunsUnderAnAcceptedCSP_FH1 plays policies that New accepts
// without an Insecure name. What runs is the page's own: its file where the
// policy has 'self', and its inline script where the policy has its hash.
func TestNoInjectedScriptRunsUnderAnAcceptedCSP_FH1(t *testing.T) {
	rows := []struct {
		csp  string
		want map[string]string
	}{
		{want: map[string]string{}},
		{csp: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'", want: map[string]string{"own": "ran", "ownrelative": "ran"}}, // of Documents
		{csp: "default-src 'none'", want: map[string]string{}},
		{csp: "default-src", want: map[string]string{}},
		{csp: "default-src 'self'", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'self'; base-uri 'none'", want: map[string]string{"own": "ran", "ownrelative": "ran"}},
		{csp: "default-src 'self'; base-uri 'self'", want: map[string]string{"own": "ran", "ownrelative": "ran"}},
		{csp: "default-src 'self'; base-uri https://cdn.example.com", want: map[string]string{"own": "ran", "ownrelative": "ran"}},
		{csp: "default-src 'self'; script-src 'self' " + hash(), want: map[string]string{"own": "ran", "hashed": "ran"}},
		{csp: "default-src 'none'; base-uri 'none'; script-src 'strict-dynamic' " + hash(), want: map[string]string{"hashed": "ran", "ownbase": "ran"}},
		{csp: "script-src 'self'; object-src 'none'; style-src 'self'", want: map[string]string{"own": "ran"}},
		{csp: "default-src https:; script-src 'self'; object-src 'none'; style-src 'self'", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'self'; frame-src *; child-src * data:; img-src * data: blob:; worker-src blob: data:", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'self'; script-src 'self' https://cdn.example.com https://*.other.test 'wasm-unsafe-eval' 'inline-speculation-rules'", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'self'; object-src 'self' https://cdn.example.com", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'none'; script-src-elem 'self'; script-src-attr 'none'", want: map[string]string{"own": "ran"}},
		{csp: "default-src 'self'; require-trusted-types-for 'script'", want: map[string]string{"own": "ran"}},
		{csp: "sandbox; script-src 'unsafe-inline'; default-src *; style-src 'none'", want: map[string]string{}},
	}
	var options []headers.Options
	for _, row := range rows {
		options = append(options, headers.Options{CSP: row.csp})
	}
	options = append(options, headers.Options{CSP: "default-src 'self'; style-src 'unsafe-inline' *", InsecureInlineStyles: true}) // a need for styles opens no scripts
	rows = append(rows, rows[4])
	played(t, options, func(t *testing.T, i int, ran map[string]string) { require.Equal(t, rows[i].want, ran) })
}

// TestInjectedScriptRunsUnderARefusedCSP_FH1 is the other side: these need
// InsecureCSP, and Chromium shows why.
func TestInjectedScriptRunsUnderARefusedCSP_FH1(t *testing.T) {
	rows := []struct {
		csp  string
		want []string
	}{
		{csp: "img-src 'self'", want: []string{"inline", "event", "svg", "data", "foreign", "module", "srcdoc", "javascript", "relative", "gadget_eval", "gadget_blob"}},
		{csp: "default-src *", want: []string{"foreign", "module", "relative"}},
		{csp: "default-src 'self'; script-src https:", want: []string{"foreign", "module", "relative"}},
		{csp: "default-src 'self'; script-src https://*:*", want: []string{"foreign"}},
		{csp: "default-src 'self'; script-src *:*", want: []string{"foreign"}},
		{csp: "default-src 'self'; script-src 'self' data:", want: []string{"data", "moduledata", "svgdata"}},
		{csp: "default-src 'self'; script-src 'self' blob:", want: []string{"gadget_blob"}},
		{csp: "default-src 'self'; script-src 'self' 'unsafe-eval'", want: []string{"gadget_eval"}},
		{csp: "default-src 'self'; script-src 'self' 'unsafe-inline'", want: []string{"inline", "event", "svg", "srcdoc", "javascript"}},
		{csp: "default-src 'self'; script-src-attr 'unsafe-inline'", want: []string{"event", "svg"}},
		{csp: "default-src 'self'; script-src-elem 'unsafe-inline'", want: []string{"inline", "srcdoc"}},
		{csp: "default-src 'self'; base-uri *; script-src 'strict-dynamic' " + hash(), want: []string{"base"}},
		{csp: "default-src 'self'; base-uri https:; script-src 'strict-dynamic' " + hash(), want: []string{"base"}},
		{csp: "default-src 'self'; script-src 'strict-dynamic' " + hash(), want: []string{"base"}},
		{csp: "default-src 'self'; sandbox allow-scripts; script-src *", want: []string{"foreign"}},
	}
	var options []headers.Options
	for _, row := range rows {
		_, err := headers.New(headers.Options{CSP: row.csp})
		require.ErrorContains(t, err, "InsecureCSP; did you mean")
		options = append(options, headers.Options{CSP: row.csp, InsecureCSP: true})
	}
	played(t, options, func(t *testing.T, i int, ran map[string]string) {
		for _, name := range rows[i].want {
			require.Contains(t, ran, name)
		}
	})
}
