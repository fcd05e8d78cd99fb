package browser_test

import (
	"io"
	"net/http"
	"strings"
)

// cut splits a host from its port.
func cut(host string) (name, port string, found bool) { return strings.Cut(host, ":") }

// pages serves the pages of the browser.
func pages(w http.ResponseWriter, r *http.Request) {
	kind, body := "text/html; charset=utf-8", "<!doctype html><title>page</title>"
	switch r.URL.Path {
	case "/inline":
		body += `<script>document.documentElement.dataset.inline = "ran"</script><script src="/own.js"></script>`
	case "/own.js":
		kind, body = "text/javascript", `document.documentElement.dataset.own = "ran"`
	case "/sniffed.js":
		kind, body = "text/plain", `document.documentElement.dataset.sniffed = "ran"`
	case "/framed":
		body += `<script src="/tell.js"></script>`
	case "/tell.js":
		kind, body = "text/javascript", `parent.postMessage("framed", "*")`
	case "/form":
		w.Header().Set("Referrer-Policy", "no-referrer")
		body += `<form method="post" action="` + r.URL.Query().Get("to") + `"><input name="a" value="b"></form>`
	}
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, body)
}
