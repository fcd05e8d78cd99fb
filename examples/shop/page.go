package main

import (
	"embed"
	"net/http"
	"path"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// files are the page: HTML, CSS and modules as they are written.
//
//go:embed page
var files embed.FS

// The page loads its own files and talks to its own origin, and nothing else.
// No script in the document runs, and no text becomes a script: Trusted Types
// take innerHTML and its like away, and no policy gives them back.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// The stranger is another site in a frame of the page. It has no origin, even if
// a user is lured to it: otherwise its script could log the user out.
const strangerPolicy = "sandbox allow-scripts; default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// pageRoutes serve under headers of their own, which win over those of the API.
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

// types are the media types of the files. A machine's own table of types may
// differ, and browsers obey it because of nosniff.
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
