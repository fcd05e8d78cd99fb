package nethttp_test

import (
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/auth/token"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/testlog"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

const page = "https://app.example.com"

// world has every ring, and the headers that a request needs to pass them.
type world struct {
	rings  []ring // from the outside in
	header http.Header
	log    *testlog.Log
}

type ring struct {
	name    string
	handler func(http.Handler) http.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	journal := new(testlog.Log)
	tokens := authtest.NewTokens(t)
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewJSONHandler(journal, nil))}))
	secure := errors.Must(headers.New(headers.Options{HTTPS: headers.InsecureAllowHTTP}))
	origins := errors.Must(cors.New(cors.Options{Origins: []string{page}, Headers: []string{"Authorization", "Content-Type"}}))
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "all", Limits: []ratelimit.Limit{{Requests: 1e6, Window: time.Hour}}},
	}}))
	callers := errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{tokens.Verifier}}))
	query := errors.Must(validate.Query[struct {
		N int `query:"n"`
	}]())
	return &world{
		rings: []ring{
			{name: "errors", handler: failures.Handler},
			{name: "headers", handler: secure.Handler},
			{name: "cors", handler: origins.Handler},
			{name: "ratelimit", handler: limits.Handler},
			{name: "auth", handler: callers.Handler},
			{name: "auth.Require", handler: auth.Require()},
			{name: "validate", handler: query},
		},
		header: http.Header{"Authorization": {"Bearer " + tokens.Token(token.Grant{Subject: "ada"})}, "Origin": {page}},
		log:    journal,
	}
}

// wrap puts a handler behind every ring. The router stands where a service has
// it: before the rings of a route.
func (x *world) wrap(pattern string, h http.Handler) http.Handler {
	for i := len(x.rings) - 1; i >= 0; i-- {
		if h = x.rings[i].handler(h); x.rings[i].name == "auth.Require" {
			mux := http.NewServeMux()
			mux.Handle(pattern, h)
			h = mux
		}
	}
	return h
}

// each runs a test behind every ring, over both versions of HTTP. Each ring
// that does not need another one is also tested by itself.
func (x *world) each(t *testing.T, test func(t *testing.T, version int, wrap func(pattern string, h http.Handler) http.Handler)) {
	stacks := []ring{{name: "all rings"}}
	for _, r := range x.rings {
		if r.name != "auth.Require" { // which needs auth
			stacks = append(stacks, r)
		}
	}
	for _, stack := range stacks {
		wrap := x.wrap
		if stack.handler != nil {
			wrap = func(pattern string, h http.Handler) http.Handler {
				mux := http.NewServeMux()
				mux.Handle(pattern, h)
				return stack.handler(mux)
			}
		}
		for version := 1; version <= 2; version++ {
			t.Run(stack.name+map[int]string{1: " HTTP/1.1", 2: " HTTP/2"}[version], func(t *testing.T) { test(t, version, wrap) })
		}
	}
}

// serve starts a server of one version of HTTP.
func serve(t *testing.T, version int, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.EnableHTTP2 = version == 2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// send sends a request that every ring lets through.
func (x *world) send(t *testing.T, srv *httptest.Server, method, path string, body io.Reader, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, body)
	require.NoError(t, err)
	for _, h := range []http.Header{x.header, header} {
		for key, lines := range h {
			r.Header[key] = lines
		}
	}
	res, err := srv.Client().Do(r)
	require.NoError(t, err)
	return res
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return string(body)
}

// dial opens a connection on which a test writes HTTP/1.1 by itself.
func dial(t *testing.T, srv *httptest.Server) *tls.Conn {
	t.Helper()
	config := srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "example.com", nil
	conn, err := tls.Dial("tcp", srv.Listener.Addr().String(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	return conn
}
