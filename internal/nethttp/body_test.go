package nethttp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/auth/authtest"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

// readTimeout is longer than any response of these tests takes.
const readTimeout = 5 * time.Minute

// idleTime is the time that nethttp.DiscardBody waits for the next bytes.
const idleTime = time.Second

// slowServe starts a server with a long ReadTimeout.
func slowServe(t *testing.T, version int, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadTimeout = readTimeout
	srv.EnableHTTP2 = version == 2
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

type named struct {
	Name string `json:"name" validate:"max=100"`
}

// refusing has a handler for each way in which a ring or a handler refuses a
// request with a body that it has not read, or not to its end.
func refusing(t *testing.T) map[string]http.Handler {
	t.Helper()
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the request was not refused") })
	limits := errors.Must(ratelimit.New(ratelimit.Options{Tiers: []ratelimit.Tier{
		{Name: "one", Limits: []ratelimit.Limit{{Requests: 1, Window: time.Hour}}},
	}}))
	first := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	first.RemoteAddr = "127.0.0.1:1"
	limits.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), first) // the one that it allows
	origins := errors.Must(cors.New(cors.Options{Origins: []string{page}}))
	return map[string]http.Handler{
		"auth":             errors.Must(auth.New(auth.Options{Authenticators: []auth.Authenticator{authtest.NewTokens(t).Verifier}})).Handler(next),
		"cors":             origins.Handler(next),
		"cors preflight":   origins.Handler(next),
		"ratelimit":        limits.Handler(next),
		"headers":          errors.Must(headers.New(headers.Options{AllowedHosts: []string{"api.example.com"}})).Handler(next),
		"headers redirect": errors.Must(headers.New(headers.Options{CanonicalHost: "a", Scheme: func(*http.Request) string { return "http" }})).Handler(next),
		"validate":         errors.Must(validate.Query[struct{}]())(next),
	}
}

// requests that the handlers of refusing refuse, without their bodies.
var requests = map[string]string{
	"auth": "POST / HTTP/1.1\r\n", "ratelimit": "POST / HTTP/1.1\r\n", "headers": "POST / HTTP/1.1\r\n", "validate": "POST /?x=1 HTTP/1.1\r\n",
	"cors":             "POST / HTTP/1.1\r\nOrigin: https://evil.example\r\n",
	"cors preflight":   "OPTIONS / HTTP/1.1\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n",
	"headers redirect": "GET / HTTP/1.1\r\nAccept: text/html\r\n",
}

var bodies = map[string]string{
	"some bytes":         "Content-Length: 1000\r\n\r\nsome",
	"no bytes":           "Content-Length: 1000\r\n\r\n",
	"some chunks":        "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
	"100-continue":       "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n",
	"a larger body":      "Content-Length: 100000000\r\n\r\nsome",
	"and Close":          "Content-Length: 1000\r\nConnection: close\r\n\r\nsome",
	"and no more chunks": "Transfer-Encoding: chunked\r\n\r\n",
}

// refusal sends a request whose body never ends, and returns the status of the
// response. The response must come, and the connection must end, long before
// ReadTimeout.
func refusal(conn net.Conn, request string) (int, error) { // the connection's deadline is 30 s
	if _, err := io.WriteString(conn, strings.Replace(request, "\r\n", "\r\nHost: a\r\n", 1)); err != nil {
		return 0, err
	}
	b := bufio.NewReader(conn)
	res, err := http.ReadResponse(b, nil)
	if err != nil {
		return 0, fmt.Errorf("no response: %w", err)
	}
	if !res.Close {
		return 0, errors.New("the response must say that it closes the connection")
	}
	if _, err := io.ReadAll(res.Body); err != nil {
		return 0, err
	}
	if _, err = b.ReadByte(); err != io.EOF {
		return 0, fmt.Errorf("the server must close the connection: %w", err)
	}
	return res.StatusCode, nil
}

func TestRefusalsDoNotWaitForTheBody_FE3(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	failures := newWorld(t).rings[0].handler
	var all sync.WaitGroup // most of them wait for a second
	for name, h := range refusing(t) {
		for rings, h := range map[string]http.Handler{"alone": h, "inside a Responder": failures(h)} {
			srv := slowServe(t, 1, h)
			for body, text := range bodies {
				conn := dial(t, srv)
				all.Go(func() {
					status, err := refusal(conn, requests[name]+text)
					if err != nil || status < 300 {
						t.Errorf("%s %s, %s: %d %v", name, rings, body, status, err)
					}
				})
			}
		}
	}
	all.Wait()
}

var errBad = errors.Define(400, "nethttp_bad", "It is bad.")

// readers are handlers that limit a body by http.MaxBytesReader, and respond in
// different ways.
func readers() map[string]http.Handler {
	bounded := func(answer func(http.ResponseWriter, *http.Request, error)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 2)
			if _, err := io.ReadAll(r.Body); err != nil {
				answer(w, r, err)
			}
		})
	}
	return map[string]http.Handler{
		"Respond":           bounded(errors.Respond),
		"a kind of its own": bounded(func(w http.ResponseWriter, r *http.Request, err error) { errors.Respond(w, r, errBad.Wrap(err)) }),
		"http.Error": bounded(func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}),
		"a foreign 413": bounded(func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Content-Type", "a/b")
			w.WriteHeader(413)
		}),
		"MaxBytesHandler":    http.MaxBytesHandler(errors.Must(validate.JSON[named]())(http.NotFoundHandler()), 2),
		"a Content-Length":   errors.Must(validate.JSON[named](validate.Options{Limits: validate.Limits{Body: 64}}))(http.NotFoundHandler()),
		"MaxBytes in a ring": errors.Must(validate.Query[struct{}]())(http.MaxBytesHandler(bounded(errors.Respond), 3)),
	}
}

// firstResponse returns the status of the response, and the time until it came.
func firstResponse(t *testing.T, srv *httptest.Server, request string) (int, time.Duration) {
	t.Helper()
	conn := dial(t, srv)
	defer func() { _ = conn.Close() }()
	sent := time.Now()
	_, err := io.WriteString(conn, strings.Replace(request, "\r\n", "\r\nHost: a\r\n", 1))
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.True(t, res.Close, "the response must say that it closes the connection")
	return res.StatusCode, time.Since(sent)
}

func TestBodiesThatAreTooLargeAreRefusedAtOnce_FE3(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	failures := newWorld(t).rings[0].handler
	var ends sync.WaitGroup
	defer ends.Wait()
	for name, h := range readers() {
		for rings, h := range map[string]http.Handler{"alone": h, "inside a Responder": failures(h)} {
			if rings == "alone" && (name == "http.Error" || name == "a foreign 413") {
				continue // no ring is there
			}
			srv := slowServe(t, 1, h)
			for _, text := range []string{"Content-Length: 1000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"} {
				if name == "a Content-Length" && !strings.HasPrefix(text, "Content-Length") {
					continue
				}
				request := "POST / HTTP/1.1\r\nContent-Type: application/json\r\n" + text
				// At once is less than the second that DiscardBody waits. A busy machine may
				// need further tries.
				atOnce := false
				for range 20 {
					status, took := firstResponse(t, srv, request)
					require.Equal(t, name == "a kind of its own", status == 400, name)
					require.Equal(t, name != "a kind of its own", status == 413, name)
					if atOnce = took < idleTime/2; atOnce {
						break
					}
				}
				require.True(t, atOnce, "%s %s: the response must not wait for the body", name, rings)
				conn := dial(t, srv)
				ends.Go(func() { // after a second or two
					if _, err := refusal(conn, request); err != nil {
						t.Errorf("%s %s: %v", name, rings, err)
					}
				})
			}
		}
	}
}

// The handler responds to a body that is too large with its own status and body.
// The Responder does not know the reason, and waits for a second.
func TestOwnResponsesAfterMaxBytesReaderDoNotWait_FE3(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	x := newWorld(t)
	srv := slowServe(t, 1, x.rings[0].handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 2)
		if err := json.NewDecoder(r.Body).Decode(new(any)); err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"mine":true}`)
		}
	})))
	for name, text := range bodies {
		if !strings.Contains(text, "some") {
			continue // the handler waits for the bytes
		}
		status, err := refusal(dial(t, srv), "POST / HTTP/1.1\r\n"+text)
		require.NoError(t, err, name)
		require.Equal(t, 400, status, name)
	}
}

// After a refusal, the connection and the contexts of further requests remain
// usable.
func TestRefusedConnectionsServeOn_FE3(t *testing.T) {
	failures := newWorld(t).rings[0].handler
	for name, h := range refusing(t) {
		for rings, h := range map[string]http.Handler{"alone": h, "inside a Responder": failures(h)} {
			t.Run(name+" "+rings, func(t *testing.T) {
				mux := http.NewServeMux()
				mux.Handle("/", h)
				mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.Context().Err()) })
				srv := slowServe(t, 1, mux)
				conn := dial(t, srv)
				b := bufio.NewReader(conn)
				for _, body := range []string{"Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "Content-Length: 0\r\n\r\n"} {
					_, err := io.WriteString(conn, strings.Replace(requests[name], "\r\n", "\r\nHost: a\r\n", 1)+body)
					require.NoError(t, err)
					res, err := http.ReadResponse(b, nil)
					require.NoError(t, err)
					require.GreaterOrEqual(t, res.StatusCode, 300)
					require.False(t, res.Close)
					_, err = io.ReadAll(res.Body)
					require.NoError(t, err)
					_, err = io.WriteString(conn, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
					require.NoError(t, err)
					res, err = http.ReadResponse(b, nil)
					require.NoError(t, err)
					text, err := io.ReadAll(res.Body)
					require.NoError(t, err)
					require.Equal(t, "<nil>", string(text))
				}
			})
		}
	}
}

func TestRefusalsOverHTTP2DoNotWaitForTheBody_FE3(t *testing.T) {
	failures := newWorld(t).rings[0].handler
	srv := slowServe(t, 2, failures(refusing(t)["auth"]))
	body, end := io.Pipe()
	defer func() { _ = end.Close() }()
	r, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL, body)
	require.NoError(t, err)
	res, err := srv.Client().Do(r)
	require.NoError(t, err)
	require.Equal(t, 401, res.StatusCode)
	require.NoError(t, res.Body.Close())
}

// The handler reads the body after it has begun to respond.
func TestFullDuplexBodiesAreLeftAlone_FE3(t *testing.T) {
	x := newWorld(t)
	srv := slowServe(t, 1, x.rings[0].handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "a/b")
		w.WriteHeader(http.StatusBadRequest)
		_ = control.Flush()
		_, _ = io.Copy(w, r.Body)
	})))
	conn := dial(t, srv)
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsome")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	_, err = io.WriteString(conn, "more")
	require.NoError(t, err)
	require.Equal(t, "somemore", readAll(t, res))
}
