package main

import (
	"embed"
	"net/http"
	"path"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// files has the page: HTML, CSS and modules, without a build step.
//
//go:embed page
var files embed.FS

// The page loads its own files and talks to its own origin, and nothing else.
// No inline script runs, and no string becomes a script: Trusted Types forbid innerHTML and
// similar sinks, and there is no Trusted Types policy.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// The page frames a document that plays a page of another site. It is sandboxed without an
// origin of the shop, even if a user opens it directly, because its script could otherwise
// log the user out.
const strangerPolicy = "sandbox allow-scripts; default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// pageRoutes adds the routes of the page. Their headers replace those of the API.
func pageRoutes(mux *http.ServeMux, c config, scheme func(*http.Request) string) {
	documents := errors.Must(headers.New(headers.Options{Profile: headers.Documents, CSP: pagePolicy, Scheme: scheme, HTTPS: c.plaintext()}))
	stranger := errors.Must(headers.New(headers.Options{
		Profile: headers.Documents, CSP: strangerPolicy, FrameOptions: "SAMEORIGIN", ResourcePolicy: "cross-origin", Scheme: scheme, HTTPS: c.plaintext(),
	}))
	mux.Handle("GET /{$}", documents.Handler(file("index.html")))
	mux.Handle("GET /page/{file}", documents.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file(r.PathValue("file")).ServeHTTP(w, r)
	})))
	mux.Handle("GET /page/stranger.html", stranger.Handler(file("stranger.html")))
	mux.Handle("GET /page/stranger.js", stranger.Handler(file("stranger.js")))
}

// types has the media types of the files. They do not depend on the machine's table of
// types, which may be wrong. With nosniff, browsers do not correct a wrong type.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func file(name string) http.Handler {
	return errors.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		content, err := files.ReadFile("page/" + name)
		if err != nil {
			return errors.ErrNotFound.Wrap(err)
		}
		w.Header().Set("Content-Type", types[path.Ext(name)])
		_, _ = w.Write(content)
		return nil
	})
}
