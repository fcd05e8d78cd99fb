package errors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// A foreign body does not reach the client, even if the handler writes after the
// response was replaced.
func TestOutputAfterAReplacementIsDropped(t *testing.T) {
	const leak = "pq: relation users"
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{name: "flushed, then written", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, leak)
			_, _ = w.Write([]byte(leak))
			_, _ = io.Copy(w, strings.NewReader(leak))
			w.(http.Flusher).Flush()
		}},
		{name: "flushed twice", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_ = http.NewResponseController(w).Flush()
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(w, strings.NewReader(leak))
		}},
		{name: "Goexit after a captured body", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, leak)
			runtime.Goexit()
		}},
		{name: "a declared trailer", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Reason, X-Other")
			w.WriteHeader(500)
			w.Header().Set("X-Reason", leak)
			w.Header().Set("X-Other", leak)
		}},
		{name: "an undeclared trailer", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, leak)
			w.Header().Set(http.TrailerPrefix+"X-Reason", leak)
		}},
		{name: "a trailer after a flush", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Reason", leak)
		}},
		{name: "a return that was forgotten after Respond", handler: func(w http.ResponseWriter, r *http.Request) {
			errors.Respond(w, r, io.EOF)
			http.Error(w, leak, 500)
			w.Header().Set(http.TrailerPrefix+"X-Reason", leak)
		}},
		{name: "a trailer before an error", handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(http.TrailerPrefix+"X-Reason", leak)
			errors.Respond(w, r, io.EOF)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := serve(t, errors.Options{}, tt.handler)
			res, body := do(t, s, "GET", "/", nil)
			require.Equal(t, 500, res.StatusCode)
			require.Equal(t, internal, body)
			require.NotContains(t, fmt.Sprint(res.Header, res.Trailer), "pq")
		})
	}
}

// A replaced response keeps headers that tell the client what to do, and loses
// those of its body.
func TestReplacementDropsHeadersOfTheForeignBody(t *testing.T) {
	s, _ := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, key := range []string{
			"Allow", "Retry-After", "WWW-Authenticate", "Vary", "Access-Control-Allow-Origin",
			"Content-Encoding", "Content-Range", "Content-Disposition", "ETag", "Last-Modified", "Cache-Control", "Content-Type", "Content-Length",
		} {
			w.Header().Set(key, "1")
		}
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "x")
	}))
	res, body := do(t, s, "GET", "/", nil)
	require.Equal(t, `{"code":"service_unavailable","message":"Service Unavailable.","correlation_id":"ID"}`+"\n", body)
	res.Header.Del("Date")
	require.Equal(t, http.Header{
		"Allow": {"1"}, "Retry-After": {"1"}, "Www-Authenticate": {"1"}, "Vary": {"1"}, "Access-Control-Allow-Origin": {"1"},
		"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
		"Content-Length": {fmt.Sprint(len(body) + 30)}, "X-Correlation-Id": res.Header["X-Correlation-Id"],
	}, res.Header)
}

func TestFlushedResponseIsNotReplaced(t *testing.T) {
	s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		http.Error(w, "late", 500)
	}))
	res, body := do(t, s, "GET", "/", nil)
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "late\n", body)
	require.Zero(t, j.records())
}

// hidden is the ResponseWriter of a middleware that buffers, such as
// http.TimeoutHandler. It has no Unwrap method.
type hidden struct{ *httptest.ResponseRecorder }

// A handler that responds at its timeout does not change the response to the
// timeout.
func TestLateRespondDoesNotChangeATimeoutResponse(t *testing.T) {
	late := func(w http.ResponseWriter, r *http.Request) { // as in http.TimeoutHandler, if both happen at once
		errors.Respond(hidden{httptest.NewRecorder()}, r, errors.ErrTimeout)
	}
	answer := func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<html>Timeout")
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{name: "the handler after the answer", handler: func(w http.ResponseWriter, r *http.Request) { answer(w); late(w, r) }},
		{name: "the handler before the answer", handler: func(w http.ResponseWriter, r *http.Request) { late(w, r); answer(w) }},
		{name: "the handler in between", handler: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			late(w, r)
			_, _ = io.WriteString(w, "<html>Timeout")
		}},
		{name: "http.TimeoutHandler", handler: http.TimeoutHandler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		}), time.Millisecond, "<html>Timeout").ServeHTTP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := serve(t, errors.Options{}, tt.handler)
			res, body := do(t, s, "GET", "/", nil)
			require.Equal(t, 503, res.StatusCode)
			require.Regexp(t, `^\{"code":"(timeout|service_unavailable)",`, body)
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		})
	}
}

// Many handlers time out while they respond. The race detector checks the
// writes.
func TestConcurrentTimeoutsDoNotRace(t *testing.T) {
	s, _ := serve(t, errors.Options{}, http.TimeoutHandler(errors.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return r.Context().Err()
	}), time.Millisecond, "<html>Timeout"))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				res, err := s.Client().Get(s.URL)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != 503 || !strings.HasPrefix(string(body), `{"code":"`) || !strings.Contains(string(body), res.Header.Get("X-Correlation-Id")) {
					t.Errorf("%d %s", res.StatusCode, body)
				}
			}
		})
	}
	all.Wait()
}

// A response of Respond that a middleware buffers and sends later is not
// replaced.
func TestBufferedResponseIsRecognized(t *testing.T) {
	s, j := serve(t, errors.Options{}, http.TimeoutHandler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		return errors.ErrTimeout
	}), time.Minute, ""))
	res, body := do(t, s, "GET", "/", nil)
	require.Equal(t, 503, res.StatusCode)
	require.Equal(t, `{"code":"timeout","message":"The request took too long.","correlation_id":"ID"}`+"\n", body)
	require.Equal(t, 1, j.records())
}
