package errors_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/testlog"
)

var (
	errNoOrder = errors.Define(404, "order_not_found", "No such order.")
	errBusy    = errors.Define(429, "test_busy", "Too many.").Sampled("tier")
)

const internal = `{"code":"internal_error","message":"Something went wrong on our side.","correlation_id":"ID"}` + "\n"

// journal is a log that tests read.
type journal struct{ testlog.Log }

func (j *journal) records() int { return strings.Count(j.String(), `"msg":"request `) }

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve runs a handler inside a Responder, on a real socket.
func serve(t *testing.T, o errors.Options, h http.Handler) (*httptest.Server, *journal) {
	t.Helper()
	return serveOver(t, false, o, h)
}

func serveOver(t *testing.T, http2 bool, o errors.Options, h http.Handler) (*httptest.Server, *journal) {
	t.Helper()
	j := new(journal)
	o.Logger = j.logger()
	s := httptest.NewUnstartedServer(errors.Must(errors.NewResponder(o)).Handler(h))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if s.EnableHTTP2 = http2; http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, j
}

// do returns the response, and its body with the correlation ID as "ID".
func do(t *testing.T, s *httptest.Server, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	require.NoError(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	id := res.Header.Get("X-Correlation-Id")
	require.Regexp(t, "^[0-9a-f]{32}$", id)
	return res, strings.ReplaceAll(string(body), id, "ID")
}

type statusError struct{} // an error of a dependency, with a StatusCode method

func (statusError) Error() string   { return "upstream said 401" }
func (statusError) StatusCode() int { return 401 }

// EE1 to EE3, and the kinds of errors of the standard library.
func TestErrorsBecomeResponses(t *testing.T) {
	notFound := `{"code":"order_not_found","message":"No such order.","correlation_id":"ID"}` + "\n"
	for _, tt := range []struct {
		name   string
		err    error
		status int
		body   string
		log    string
	}{
		{name: "EE1 driver's text", err: fmt.Errorf("pq: relation %q: %w", "users", io.EOF), status: 500, body: internal, log: `pq: relation`},
		{name: "sql.ErrNoRows hides no bug", err: sql.ErrNoRows, status: 500, body: internal, log: "no rows"},
		{name: "foreign status method", err: statusError{}, status: 500, body: internal, log: "upstream said 401"},
		{name: "EE2 wrapped kind", err: fmt.Errorf("load: %w", errNoOrder.Wrap(sql.ErrNoRows)), status: 404, body: notFound, log: "no rows"},
		{
			name:   "EE2 joined, first kind depth first",
			err:    errors.Join(io.EOF, fmt.Errorf("a: %w", errors.Join(errNoOrder, errors.ErrTimeout)), errors.ErrTooLarge),
			status: 404,
			body:   notFound,
			log:    "order_not_found",
		},
		{name: "EE2 kind before a mapped error", err: errors.Join(&http.MaxBytesError{Limit: 1}, errNoOrder), status: 404, body: notFound, log: "too large"},
		{name: "EE3 dependency's kind through Opaque", err: errors.Opaque(errNoOrder.Wrap(io.EOF)), status: 500, body: internal, log: "order_not_found"},
		{name: "a slow upstream", err: fmt.Errorf("read: %w", os.ErrDeadlineExceeded), status: 500, body: internal, log: "timeout"},
		{name: "a missing file", err: &fs.PathError{Op: "open", Path: "/etc/x", Err: fs.ErrNotExist}, status: 500, body: internal, log: "/etc/x"},
		{name: "other deadline than the request's", err: context.DeadlineExceeded, status: 500, body: internal, log: "deadline"},
		{name: "canceled elsewhere", err: context.Canceled, status: 500, body: internal, log: "canceled"},
		{name: "nil pointer as an error", err: (*errors.Error)(nil), status: 500, body: internal, log: "panics"},
		{name: "MaxBytesError", err: fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}), status: 413,
			body: `{"code":"content_too_large","message":"The request content is too large.","correlation_id":"ID"}` + "\n", log: "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				for _, key := range []string{"Content-Length", "ETag", "Last-Modified", "Content-Encoding"} {
					w.Header().Set(key, "1")
				}
				return tt.err
			}))
			res, body := do(t, s, "GET", "/a/../x?secret=1", nil)
			require.Equal(t, tt.status, res.StatusCode)
			require.Equal(t, tt.body, body)
			res.Header.Del("Date")
			require.Equal(t, http.Header{
				"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
				"Content-Length": {fmt.Sprint(len(body) + 30)}, "X-Correlation-Id": res.Header["X-Correlation-Id"],
			}, res.Header)
			require.Equal(t, 1, j.records())
			require.Contains(t, j.String(), tt.log)
			require.Contains(t, j.String(), `"correlation_id":"`+res.Header.Get("X-Correlation-Id"))
			require.Contains(t, j.String(), `"route":"/x"`)
		})
	}
}

func TestProblemAndMapChangeTheResponse(t *testing.T) {
	mapping := func(err error) *errors.Kind {
		if errors.Is(err, sql.ErrNoRows) {
			return errNoOrder
		}
		return nil
	}
	s, _ := serve(t, errors.Options{Map: mapping, Problem: true}, errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return sql.ErrNoRows }))
	res, body := do(t, s, "GET", "/", nil)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.JSONEq(t, `{"title":"Not Found","status":404,"detail":"No such order.","code":"order_not_found","correlation_id":"ID"}`, body)
}

func TestRequestDeadlineIsATimeout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		status int
	}{
		{name: "deadline", ctx: func(c context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(c, 0) }, status: 503},
		{name: "canceled", ctx: func(c context.Context) (context.Context, context.CancelFunc) {
			c, cancel := context.WithCancel(c)
			cancel()
			return c, cancel
		}, status: 499},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := tt.ctx(t.Context())
			defer cancel()
			<-ctx.Done()
			w := httptest.NewRecorder()
			errors.Respond(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil), fmt.Errorf("query: %w", ctx.Err()))
			require.Equal(t, tt.status, w.Code)
		})
	}
}

// EE9 and EE17.
func TestHeadResponseHasHeadersOnly(t *testing.T) {
	s, _ := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		w.Header().Add("Vary", "Origin")
		errors.Respond(w, r, errBusy.Header("Retry-After", "7").Header("Vary", "Accept").Wrap(io.EOF))
	}))
	res, body := do(t, s, "HEAD", "/", nil)
	require.Equal(t, 429, res.StatusCode)
	require.Empty(t, body)
	require.Equal(t, "7", res.Header.Get("Retry-After"))
	require.Equal(t, "max-age=1", res.Header.Get("Strict-Transport-Security"))
	require.Equal(t, []string{"Origin", "Accept"}, res.Header["Vary"])
}

// EE10.
func TestIsAndAsFindKindAndCause(t *testing.T) {
	cause := &http.MaxBytesError{Limit: 3}
	err := fmt.Errorf("outer: %w", errNoOrder.With("order", 7).Wrap(cause))
	require.True(t, errors.Is(err, errNoOrder))
	require.True(t, errors.Is(err, cause))
	kind, ok := errors.AsType[*errors.Kind](err)
	require.True(t, ok)
	require.Same(t, errNoOrder, kind)
	var found *http.MaxBytesError
	require.True(t, errors.As(err, &found))
	require.False(t, errors.Is(errors.Opaque(err), errNoOrder))
	require.NoError(t, errors.Opaque(nil))
	require.ErrorIs(t, errors.Opaque(err), errors.ErrInternal)
	require.Equal(t, err.Error(), errors.Opaque(err).Error())
	require.Equal(t, "outer: order_not_found: http: request body too large", err.Error())
}

// EE15.
func TestDefinePanicsOnAnInvalidKind(t *testing.T) {
	require.Panics(t, func() { errors.Define(399, "low", "x") })
	require.Panics(t, func() { errors.Define(600, "high", "x") })
	require.Panics(t, func() { errors.Define(400, "Upper", "x") })
	require.Panics(t, func() { errors.Define(400, "", "x") })
	for _, k := range errors.Kinds() {
		require.Regexp(t, "^[a-z][a-z0-9_]{0,62}$", k.Code())
		require.NotEmpty(t, k.Message())
	}
	require.Contains(t, errors.Kinds(), errNoOrder)
}

// EE16: a secret in every input and in the error.
func TestSecretsDoNotReachTheClientOrTheLog(t *testing.T) {
	const secret = "hunter2-8f3a9c1e"
	var seen string
	s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		seen = string(body)
		return errors.ErrInternal.Wrap(fmt.Errorf("dial postgres://app:%s@db/x?password=%s: password=%s, %q", secret, secret, secret, "Authorization: Bearer "+secret)).
			With("headers", r.Header, "password", secret, "url", "https://x/?q="+secret, slog.Group("deep", "api_key", secret), "login", struct{ Password string }{secret})
	}))
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/path?q="+secret, strings.NewReader(secret))
	require.NoError(t, err)
	req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Cookie": {"sid=" + secret}, "X-Api-Key": {secret}}
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	var dump bytes.Buffer
	require.NoError(t, res.Write(&dump))
	require.NoError(t, res.Body.Close())
	require.Equal(t, secret, seen)
	require.NotContains(t, dump.String(), secret)
	require.NotContains(t, j.String(), secret)
}

func TestSampledKindLeavesOneRecord(t *testing.T) {
	s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		return errBusy.With("tier", r.URL.Path)
	}))
	for range 5 {
		do(t, s, "GET", "/login", nil)
	}
	do(t, s, "GET", "/reads", nil)
	require.Equal(t, 2, j.records())
}

func TestRespondAllocatesLittle(t *testing.T) {
	h := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	pass := h.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	reject := h.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, errNoOrder) }))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	vary := []string{"Accept-Encoding"}
	through := testing.AllocsPerRun(200, func() { clear(w.Header()); pass.ServeHTTP(w, r) })
	require.LessOrEqual(t, through, 4.0)
	inside := testing.AllocsPerRun(200, func() { clear(w.Header()); w.Header()["Vary"] = vary; pass.ServeHTTP(w, r) })
	require.LessOrEqual(t, inside, 5.0, "behind a handler that sets headers")
	w.Body.Grow(1 << 20)
	rejected := testing.AllocsPerRun(200, func() { clear(w.Header()); reject.ServeHTTP(w, r) })
	require.LessOrEqual(t, rejected-through, 6.0)
}

func TestLogHandlerAddsTheCorrelationID(t *testing.T) {
	j := new(journal)
	logger := slog.New(errors.LogHandler(slog.NewJSONHandler(j, nil), "pin"))
	h := errors.Must(errors.NewResponder(errors.Options{})).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.With("token", "abcdef").InfoContext(r.Context(), "hello Bearer abcdefgh", "user_pin", 1234, "took", time.Second)
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(j.String()), &record))
	delete(record, "time")
	require.Equal(t, map[string]any{"level": "INFO", "msg": "hello Bearer [redacted]", "token": "[redacted]", "user_pin": "[redacted]",
		"took": 1e9, "correlation_id": w.Header().Get("X-Correlation-Id")}, record)
}
