package errors_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

var discard = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

var errStore = errors.Define(503, "test_store_unavailable", "Try again later.")

// record waits for the only record of a journal.
func (j *journal) record(t *testing.T) map[string]any {
	t.Helper()
	require.Eventually(t, func() bool { return j.records() > 0 }, 10*time.Second, time.Millisecond)
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(j.String()), &record), j.String())
	return record
}

// sendAndHangUp sends the beginning of a request and closes the connection when
// the handler has started.
func sendAndHangUp(t *testing.T, s *httptest.Server, request string, started <-chan struct{}) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	<-started
	require.NoError(t, conn.Close())
}

const bareGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// A canceled request is logged as canceled, whatever kind a handler wraps the
// cancellation in.
func TestCanceledRequestIsLoggedAsCanceled_FE10(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(context.Context) error
	}{
		{name: "the bare error", fail: func(ctx context.Context) error { return ctx.Err() }},
		{name: "a 503 of the application", fail: func(ctx context.Context) error { return errStore.Wrap(ctx.Err()) }},
		{name: "a 503 around a driver's error", fail: func(ctx context.Context) error { return errStore.Wrap(fmt.Errorf("query: %w", ctx.Err())) }},
		{name: "a 503 beside the error", fail: func(ctx context.Context) error { return fmt.Errorf("%w: %w", errStore, ctx.Err()) }},
		{name: "a 503 that is joined", fail: func(ctx context.Context) error { return errors.Join(errStore, ctx.Err()) }},
		{name: "a 4xx that wraps it", fail: func(ctx context.Context) error { return errNoOrder.Wrap(ctx.Err()) }},
		{name: "a 500", fail: func(ctx context.Context) error { return errors.ErrInternal.Wrap(ctx.Err()).With("order", 7) }},
		{name: "a 500 in http.Error"},
	} {
		t.Run("FE10 "+tt.name, func(t *testing.T) {
			started := make(chan struct{})
			s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(started)
				<-r.Context().Done()
				if tt.fail == nil {
					http.Error(w, fmt.Errorf("query: %w", r.Context().Err()).Error(), 500)
					return
				}
				errors.Respond(w, r, tt.fail(r.Context()))
			}))
			sendAndHangUp(t, s, bareGet, started)
			record := j.record(t)
			require.Equal(t, "DEBUG", record["level"])
			require.Equal(t, "client_closed_request", record["code"])
			require.Equal(t, 499.0, record["status"])
			require.NotContains(t, record, "stack")
		})
	}
}

// A failure of the server is not logged as a canceled request.
func TestServerFailuresKeepTheirKind_FE10(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	timedOut, cancelTimedOut := context.WithTimeout(t.Context(), 0)
	defer cancelTimedOut()
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the service is shutting down"))
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		fail  func(http.ResponseWriter, *http.Request)
		level string
		code  string
	}{
		{
			name:  "a timeout of the server's own",
			ctx:   timedOut,
			fail:  respondWith(errStore.Wrap(context.DeadlineExceeded)),
			level: "ERROR",
			code:  "test_store_unavailable",
		},
		{name: "a deadline without a kind", ctx: timedOut, fail: respondWith(context.DeadlineExceeded), level: "ERROR", code: "timeout"},
		{name: "a cause of the server's own", ctx: stopped, fail: respondWith(errStore.Wrap(context.Canceled)), level: "ERROR", code: "test_store_unavailable"},
		{name: "another failure at the same time", ctx: canceled, fail: respondWith(errStore.Wrap(io.EOF)), level: "ERROR", code: "test_store_unavailable"},
		{name: "a refusal that stands beside it", ctx: canceled, fail: respondWith(errors.Join(errNoOrder, context.Canceled)), level: "INFO", code: "order_not_found"},
		{name: "a client that waits", ctx: t.Context(), fail: respondWith(errStore.Wrap(context.Canceled)), level: "ERROR", code: "test_store_unavailable"},
		{name: "a context of the handler's own", ctx: t.Context(), fail: func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			errors.Respond(w, r.WithContext(ctx), context.Canceled)
		}, level: "ERROR", code: "internal_error"},
		{name: "a panic", ctx: canceled, fail: func(http.ResponseWriter, *http.Request) { panic(context.Canceled) }, level: "ERROR", code: "internal_error"},
		{
			name:  "a body that says something else",
			ctx:   canceled,
			fail:  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "pq: relation", 500) },
			level: "ERROR",
			code:  "internal_error",
		},
		{
			name:  "a bare 500, which no proxy writes",
			ctx:   canceled,
			fail:  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Internal Server Error", 500) },
			level: "ERROR",
			code:  "internal_error",
		},
		{name: "a 4xx that is bare", ctx: canceled, fail: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, level: "INFO", code: "not_found"},
	} {
		t.Run("FE10 "+tt.name, func(t *testing.T) {
			j := new(journal)
			h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(http.HandlerFunc(tt.fail))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(tt.ctx, "GET", "/", nil))
			record := j.record(t)
			require.Equal(t, tt.level, record["level"])
			require.Equal(t, tt.code, record["code"])
		})
	}
}

func respondWith(err error) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, err) }
}

// A ReverseProxy writes a bare 502 when its client disconnects.
func TestClientDisconnectBehindAProxyIsNotAnError_FE8(t *testing.T) {
	for _, tt := range []struct{ name, request string }{
		{name: "while the service works", request: bareGet},
		{name: "in the middle of an upload", request: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"},
		{name: "in the middle of a chunk", request: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nhalf"},
	} {
		t.Run("FE8 "+tt.name, func(t *testing.T) {
			started := make(chan struct{})
			service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(started)
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}))
			defer service.Close()
			s, j := serve(t, errors.Options{}, quietProxy(t, service))
			sendAndHangUp(t, s, tt.request, started)
			record := j.record(t)
			require.Equal(t, "DEBUG", record["level"], record)
			require.Equal(t, 499.0, record["status"])
			require.NotContains(t, record, "stack")
		})
	}

	t.Run("FE8 a service that is away is an error", func(t *testing.T) {
		service := httptest.NewServer(http.NotFoundHandler())
		proxy := quietProxy(t, service)
		service.Close()
		s, j := serve(t, errors.Options{}, proxy)
		res, _ := do(t, s, "GET", "/", nil)
		require.Equal(t, 502, res.StatusCode)
		require.Equal(t, "ERROR", j.record(t)["level"])
	})
}

// A client that waits for the response may not have sent its whole body. The
// Responder reads that body before it sends the header, and net/http cancels the
// request when the read fails.
func TestUnsentBodyDoesNotHideAFailure_FE8(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("FE8 InsecureKeepBody %t", keep), func(t *testing.T) {
			s, j := serve(t, errors.Options{InsecureKeepBody: func(*http.Request) bool { return keep }}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadGateway)
			}))
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.Equal(t, 502, res.StatusCode)
			record := j.record(t)
			require.Equal(t, "ERROR", record["level"], record)
			require.Equal(t, "bad_gateway", record["code"])
		})
	}
}

func quietProxy(t *testing.T, service *httptest.Server) *httputil.ReverseProxy {
	t.Helper()
	to, err := url.Parse(service.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = discard
	proxy.Transport = service.Client().Transport
	return proxy
}

// A handler that reads the body itself gets the kind of a failed upload for its
// read error, but not for other errors.
func TestFailedUploadIsAClientFailure_FE8(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	const half = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"
	read := func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return fmt.Errorf("read: %w", err)
	}
	for _, tt := range []struct {
		name    string
		hangsUp bool
		timeout time.Duration
		handler errors.HandlerFunc
		level   string
		code    string
	}{
		{name: "an aborted upload", hangsUp: true, timeout: 0, handler: read, level: "DEBUG", code: "client_closed_request"},
		{
			name:    "an aborted upload in a 503",
			hangsUp: true,
			timeout: 0,
			handler: func(w http.ResponseWriter, r *http.Request) error { return errStore.Wrap(read(w, r)) },
			level:   "DEBUG",
			code:    "client_closed_request",
		},
		{name: "an aborted upload, and another failure", hangsUp: true, timeout: 0, handler: func(w http.ResponseWriter, r *http.Request) error {
			_ = read(w, r)
			return os.ErrDeadlineExceeded
		}, level: "ERROR", code: "internal_error"},
		{name: "a slow upload", timeout: 50 * time.Millisecond, handler: read, level: "DEBUG", code: "body_timeout"},
		{
			name:    "a slow upload in a 503",
			timeout: 50 * time.Millisecond,
			handler: func(w http.ResponseWriter, r *http.Request) error { return errStore.Wrap(read(w, r)) },
			level:   "DEBUG",
			code:    "body_timeout",
		},
		{name: "a slow upload, and another failure", timeout: 50 * time.Millisecond, handler: func(w http.ResponseWriter, r *http.Request) error {
			_ = read(w, r)
			return errStore.Wrap(io.EOF)
		}, level: "ERROR", code: "test_store_unavailable"},
	} {
		t.Run("FE8 "+tt.name, func(t *testing.T) {
			started := make(chan struct{})
			s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.timeout != 0 {
					require.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(tt.timeout)))
				}
				close(started)
				tt.handler.ServeHTTP(w, r)
			}))
			if tt.hangsUp {
				sendAndHangUp(t, s, half, started)
			} else {
				conn, err := net.Dial("tcp", s.Listener.Addr().String())
				require.NoError(t, err)
				defer func() { _ = conn.Close() }()
				_, err = io.WriteString(conn, half)
				require.NoError(t, err)
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err, "a slow client can still read")
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(body), `{"code":"`+tt.code+`"`), string(body))
			}
			record := j.record(t)
			require.Equal(t, tt.level, record["level"], record)
			require.Equal(t, tt.code, record["code"])
		})
	}
}
