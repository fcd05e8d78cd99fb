package browser_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	failure "github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/test/browser"
)

// world is the one browser and the one server of all tests.
var world struct {
	chromium *browser.Chromium
	server   *browser.Server
	err      error
	seen     requests
}

func TestMain(m *testing.M) {
	handler := hosts()
	world.server, world.err = browser.Serve(handler)
	if world.err == nil {
		world.chromium, world.err = browser.Start(world.server.Certificate)
	}
	code := m.Run()
	if world.chromium != nil {
		world.chromium.Stop()
	}
	if world.server != nil {
		world.server.Close()
	}
	os.Exit(code)
}

// open opens a page of a host in a tab of its own.
func open(t *testing.T, host, path string) *browser.Tab {
	t.Helper()
	if errors.Is(world.err, browser.ErrMissing) && os.Getenv("RINGWALL_REQUIRE_SERVERS") == "" {
		t.Skip("needs Chromium, which is not installed")
	}
	require.NoError(t, world.err)
	tab, cancel, err := world.chromium.Tab(30 * time.Second)
	require.NoError(t, err)
	t.Cleanup(cancel)
	require.NoError(t, tab.Open(at(host, path)))
	return tab
}

func at(host, path string) string { return "https://" + host + ":" + world.server.Port + path }

// requests counts what reached the handlers.
type requests struct {
	mu   sync.Mutex
	seen map[string]int
}

func (q *requests) add(r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.seen == nil {
		q.seen = make(map[string]int)
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	q.seen[scheme+" "+r.Method+" "+r.URL.RequestURI()]++
}

func (q *requests) count(key string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seen[key]
}

// hosts has the services, by the name in the browser's request.
func hosts() http.Handler {
	quiet := slog.New(slog.DiscardHandler)
	responder := failure.Must(failure.NewResponder(failure.Options{Logger: quiet}))
	secure := failure.Must(headers.New(headers.Options{Logger: quiet}))
	ring := func(o cors.Options) http.Handler {
		m := failure.Must(cors.New(o))
		return responder.Handler(secure.Handler(m.Handler(http.HandlerFunc(api))))
	}
	// app is listed with its port by a wildcard; so is api itself by a host.
	credentialed := ring(cors.Options{
		Origins: []string{"https://*.example.test:*"}, Credentials: true, Methods: []string{"PUT"}, Headers: []string{"Authorization", "Content-Type"},
		Expose: []string{"X-Exposed"},
	})
	everybody := ring(cors.Options{Origins: []string{"*"}, Headers: []string{"*"}, Logger: quiet})
	documents := failure.Must(headers.New(headers.Options{Profile: headers.Documents, Logger: quiet})).Handler(http.HandlerFunc(pages))
	own := responder.Handler(failure.Must(cors.New(cors.Options{Origins: []string{"https://app.example.test"}})).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			api(w, r)
			return
		}
		pages(w, r)
	})))
	hsts := failure.Must(headers.New(headers.Options{AllowedHosts: []string{"hsts.example.test"}, Logger: quiet}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch host, _, _ := cut(r.Host); host {
		case "api.example.test":
			credentialed.ServeHTTP(w, r)
		case "public.example.test":
			everybody.ServeHTTP(w, r)
		case "own.example.test":
			own.ServeHTTP(w, r)
		case "documents.example.test":
			documents.ServeHTTP(w, r)
		case "hsts.example.test":
			world.seen.add(r)
			hsts.Handler(http.HandlerFunc(pages)).ServeHTTP(redirectPort{w}, r)
		default:
			pages(w, r)
		}
	})
}

// redirectPort puts the test's port into a redirect, which names a host alone.
type redirectPort struct{ http.ResponseWriter }

func (p redirectPort) WriteHeader(status int) {
	if status == http.StatusPermanentRedirect {
		p.Header().Set("Location", at("hsts.example.test", "/"))
	}
	p.ResponseWriter.WriteHeader(status)
}

// api is behind the rings.
func api(w http.ResponseWriter, r *http.Request) {
	world.seen.add(r)
	w.Header().Set("X-Exposed", "yes")
	w.Header().Set("X-Hidden", "yes")
	switch r.URL.Path {
	case "/login":
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteNoneMode})
	case "/limited":
		failure.Respond(w, r, errLimited)
		return
	case "/stacked":
		w.Header().Add("Access-Control-Allow-Origin", "*")
	case "/image", "/opened":
		if r.URL.Path == "/opened" {
			w.Header().Set("Cross-Origin-Resource-Policy", "same-site") // the line of headers' page
		}
		w.Header().Set("Content-Type", "image/gif")
		_, _ = io.WriteString(w, "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
		return
	}
	cookie := "none"
	if c, err := r.Cookie("session"); err == nil {
		cookie = c.Value
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprint(w, r.Method, " cookie=", cookie, " authorization=", r.Header.Get("Authorization"))
}

var errLimited = failure.Define(429, "browser_limited", "Too many.")
