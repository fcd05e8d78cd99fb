package cors_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// The handler gets the same ResponseWriter, so no optional interface is lost.
func TestHandlerPassesResponseWriterThrough(t *testing.T) {
	w := httptest.NewRecorder()
	compile(t, options()).Handler(http.HandlerFunc(func(got http.ResponseWriter, _ *http.Request) {
		require.Same(t, w, got)
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
}

// chain wraps cors in the other packages, as a service does.
func chain(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	secure := errors.Must(headers.New(headers.Options{HTTPS: headers.InsecureAllowHTTP}))
	return failures.Handler(secure.Handler(h))
}

// The connection is hijacked, as by a WebSocket, after AllowsOrigin (ASVS 5.0
// 4.4.2): through cors alone, and through all packages.
func TestWebSocketUpgradeChecksOrigin(t *testing.T) {
	m := compile(t, options())
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !m.AllowsOrigin(r) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = buffered.Flush()
		line, _ := buffered.ReadString('\n')
		_, _ = buffered.WriteString(line)
		_ = buffered.Flush()
	}))
	for _, row := range []struct {
		name, origin, status, echo string
		h                          http.Handler
	}{
		{name: "an unlisted origin", origin: "https://evil.example", status: "403 Forbidden", h: h},
		{name: "an unlisted origin, all rings", origin: "https://evil.example", status: "403 Forbidden", h: chain(t, h)},
		{name: "a listed origin", origin: allowedOrigin, status: "101 Switching Protocols", echo: "ping\n", h: h},
		{name: "a listed origin, all rings", origin: allowedOrigin, status: "101 Switching Protocols", echo: "ping\n", h: chain(t, h)},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := httptest.NewServer(row.h)
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nOrigin: "+row.origin+"\r\n\r\n")
			require.NoError(t, err)
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, row.status, res.Status)
			if row.echo == "" {
				return
			}
			_, err = io.WriteString(conn, row.echo)
			require.NoError(t, err)
			rest, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, row.echo, string(rest))
		})
	}
}

// Events arrive while the handler still runs, and http.ResponseController works
// through all packages.
func TestEventsAreStreamed(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		read := make(chan struct{})
		srv := httptest.NewUnstartedServer(chain(t, compile(t, options()).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			control := http.NewResponseController(w)
			if !http2 {
				if err := control.EnableFullDuplex(); err != nil {
					t.Error(err)
				}
			}
			if err := errors.Join(control.SetReadDeadline(time.Now().Add(time.Hour)), control.SetWriteDeadline(time.Now().Add(time.Hour))); err != nil {
				t.Error(err)
			}
			if _, ok := w.(http.Flusher); !ok {
				t.Error("no Flusher")
			}
			_, _ = io.WriteString(w, "data: 1\n\n")
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
			<-read
			_, _ = io.WriteString(w, "data: 2\n\n")
		}))))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		r, err := http.NewRequest("GET", srv.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", allowedOrigin)
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		require.Equal(t, http2, res.ProtoMajor == 2)
		require.Equal(t, allowedOrigin, res.Header.Get("Access-Control-Allow-Origin"))
		first := make([]byte, len("data: 1\n\n"))
		_, err = io.ReadFull(res.Body, first)
		require.NoError(t, err)
		close(read)
		rest, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "data: 2\n\n", string(rest))
		require.NoError(t, res.Body.Close())
		srv.Close()
	}
}

func TestFinalResponseAfterEarlyHintsHasHeaders(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(compile(t, options()).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotModified)
		})))
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		hints := 0
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }})
		r, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", allowedOrigin)
		res, err := srv.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 1, hints)
		require.Equal(t, 304, res.StatusCode, "304 has what 200 has (WPT cors/304.htm)")
		require.Equal(t, allowedOrigin, res.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, []string{"Origin"}, res.Header["Vary"])
		srv.Close()
	}
}

func TestPanicReachesOuterHandler(t *testing.T) {
	h := compile(t, options()).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { do(h, "GET", "/", nil) })
}

// A preflight reaches neither authentication nor limits.
func TestPagesCanReadErrorsFromInside(t *testing.T) {
	for _, status := range []int{401, 429, 404, 500} {
		h := compile(t, options()).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		res := do(h, "GET", "/", http.Header{"Origin": {allowedOrigin}, "Authorization": {"Bearer expired"}})
		require.Equal(t, status, res.StatusCode)
		want := actual("GET")
		delete(want, "X-Next")
		require.Equal(t, want, res.Header)
		res = do(h, "OPTIONS", "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, "Authorization": {"Bearer expired"}})
		require.Equal(t, 204, res.StatusCode)
	}
}

// A cache that honours Vary, filled in the order that would poison it, must not
// serve a response to another origin.
func TestSharedCacheServesNoForeignResponse(t *testing.T) {
	h := compile(t, options()).Handler(next)
	type entry struct {
		method, vary string
		request      http.Header
		response     *http.Response
	}
	var stored []entry
	fetch := func(method string, header http.Header) *http.Response {
		for _, e := range stored {
			same := e.method == method
			for name := range strings.SplitSeq(e.vary, ", ") {
				same = same && header.Get(name) == e.request.Get(name)
			}
			if same {
				return e.response
			}
		}
		res := do(h, method, "/", header.Clone())
		stored = append(stored, entry{method, strings.Join(res.Header["Vary"], ", "), header, res})
		return res
	}
	evil := "https://evil.example"
	for range 2 { // the second time everything comes from the cache
		for _, row := range []struct {
			method, origin, requested, headers string
			status                             int
			allow                              string
		}{
			{method: "GET", status: 200},
			{method: "GET", origin: allowedOrigin, status: 200, allow: allowedOrigin},
			{method: "GET", origin: evil, status: 200},
			{method: "OPTIONS", origin: evil, requested: "PUT", status: 403},
			{method: "OPTIONS", origin: allowedOrigin, requested: "PUT", headers: "x-evil", status: 403},
			{method: "OPTIONS", origin: allowedOrigin, requested: "PUT", status: 204, allow: allowedOrigin},
			{method: "OPTIONS", origin: allowedOrigin, requested: "PATCH", status: 403},
			{method: "OPTIONS", origin: "https://a.wild.example", requested: "PUT", status: 204, allow: "https://a.wild.example"},
			{method: "GET", origin: "https://a.wild.example", status: 200, allow: "https://a.wild.example"},
		} {
			header := http.Header{}
			for key, value := range map[string]string{"Origin": row.origin, acrm: row.requested, acrh: row.headers} {
				if value != "" {
					header.Set(key, value)
				}
			}
			res := fetch(row.method, header)
			require.Equal(t, row.status, res.StatusCode)
			require.Equal(t, row.allow, res.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	require.Len(t, stored, 9)
}

// Routers without OPTIONS routes would refuse it (go-chi/chi issue 263,
// gorilla/mux issue 381).
func TestPreflightNeverReachesRouter(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("POST /x", next)
	h := compile(t, cors.Options{Origins: []string{allowedOrigin}}).Handler(mux)
	for _, target := range []string{"/x", "/nothing"} {
		res := do(h, "OPTIONS", target, http.Header{"Origin": {allowedOrigin}, acrm: {"POST"}})
		require.Equal(t, 204, res.StatusCode)
	}
	require.Equal(t, 405, do(h, "OPTIONS", "/x", http.Header{"Origin": {allowedOrigin}}).StatusCode, "the router must respond to other OPTIONS requests")
}
