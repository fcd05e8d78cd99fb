package errors_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// A returned error has no stack in the log: its stack would be the same for
// every error, and an outage would fill the disk with it.
func TestOnlyPanicsAreLoggedWithAStack_FE12(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fail  func(http.ResponseWriter, *http.Request)
		stack bool
	}{
		{name: "an error without a kind", fail: respondWith(io.EOF)},
		{name: "a 503", fail: respondWith(errStore.Wrap(io.EOF))},
		{name: "an http.Error", fail: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "pq", 500) }},
		{name: "a bare 502", fail: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }},
		{name: "an error after the header", fail: func(w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }()
			write(w)
			errors.Respond(w, r, io.EOF)
		}},
		{name: "a panic", fail: func(http.ResponseWriter, *http.Request) { panic("x") }, stack: true},
		{name: "a Goexit", fail: func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, stack: true},
	} {
		t.Run("FE12 "+tt.name, func(t *testing.T) {
			j := new(journal)
			h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(http.HandlerFunc(tt.fail))
			done := make(chan struct{})
			go func() { // a Goexit ends it
				defer close(done)
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}()
			<-done
			record := j.record(t)
			require.Equal(t, "ERROR", record["level"])
			require.Equal(t, tt.stack, record["stack"] != nil)
			if !tt.stack {
				require.Less(t, len(j.String()), 400)
			}
		})
	}
}

// An expected outage leaves one record in ten seconds for each kind and reason.
// Every other 5xx is logged.
func TestOutageIsSampled_FE12(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  func(i int) error
		want int
	}{
		{name: "a 503", err: func(int) error { return errStore.Wrap(io.EOF) }, want: 1},
		{name: "a 503 with two reasons", err: func(i int) error { return errStore.With("reason", fmt.Sprint("shard ", i%2)) }, want: 2},
		{name: "two kinds", err: func(i int) error { return []error{errStore, errors.ErrTimeout}[i%2] }, want: 2},
		{name: "a kind that names its own attribute", err: func(i int) error { return errShards.With("shard", i%4, "reason", "x") }, want: 4},
		{name: "a 500", err: func(int) error { return io.EOF }, want: 20},
		{name: "a 507", err: func(int) error { return errDisk }, want: 20},
		{name: "a 4xx", err: func(int) error { return errNoOrder }, want: 20},
	} {
		t.Run("FE12 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, i := new(journal), 0
				h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(
					func(http.ResponseWriter, *http.Request) error { i++; return tt.err(i) }))
				for range 20 {
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				}
				require.Equal(t, tt.want, j.records())
				if tt.want == 1 {
					time.Sleep(10 * time.Second) // of the bubble
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
					require.Contains(t, j.String(), `"suppressed":19`)
				}
			})
		})
	}
}

// Ended floods, and floods of other statuses, must not suppress the record of an
// outage, although clients choose the sampled values.
func TestFullSamplerLogsAnOutage_FE12(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pause time.Duration
	}{{name: "of floods that are over", pause: 10 * time.Second},
		{name: "of refusals that go on", pause: 0}} {
		t.Run("FE12 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := new(journal)
				var err error
				h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(
					func(http.ResponseWriter, *http.Request) error { return err }))
				fail := func(with error) {
					err = with
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				}
				for i := range 4000 {
					fail(errGuess.With("guess", i/2))
				}
				time.Sleep(tt.pause) // of the bubble
				fail(errGuess.With("guess", "one more"))
				fail(errGuess.With("guess", "and one more"))
				before := j.records()
				fail(errStore.Wrap(io.EOF))
				fail(errShards.With("shard", 1))
				want := 1 // they share the entry of 503
				if tt.pause > 0 {
					want = 2
				}
				require.Equal(t, want, j.records()-before)
			})
		})
	}
}

var (
	errGuess  = errors.Define(429, "test_guesses", "Too many guesses.").Sampled("guess")
	errShards = errors.Define(503, "test_shards", "Try again later.").Sampled("shard")
	errDisk   = errors.Define(507, "test_disk_full", "No more orders are accepted right now.")
)

// Every response of at least 400 leaves a record, including one that a handler
// writes itself.
func TestEveryFailureIsLogged_FE7(t *testing.T) {
	always := func(*http.Request) bool { return true }
	own := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name    string
		keep    func(*http.Request) bool
		handler http.Handler
		status  int
		level   string
		code    string
	}{
		{name: "a 4xx JSON of the handler's own", handler: own(409, `{"mine":1}`), status: 409, level: "INFO", code: "conflict"},
		{name: "a 404 with a body", handler: own(404, `{"mine":1}`), status: 404, level: "INFO", code: "not_found"},
		{name: "a bare 403", handler: status(403), status: 403, level: "INFO", code: "forbidden"},
		{name: "a 4xx without a name", handler: status(450), status: 450, level: "INFO", code: "client_error"},
		{name: "a 404 that is flushed", handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			w.(http.Flusher).Flush()
		}), status: 404, level: "INFO", code: "not_found"},
		{name: "a kept 500", keep: always, handler: own(500, `{"mine":1}`), status: 500, level: "ERROR", code: "internal_error"},
		{name: "a kept 502 without a body", keep: always, handler: status(502), status: 502, level: "ERROR", code: "bad_gateway"},
		{
			name:    "a kept http.Error",
			keep:    always,
			handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", 400) }),
			status:  400,
			level:   "INFO",
			code:    "bad_request",
		},
		{
			name:    "a kept answer of a handler inside http.TimeoutHandler",
			keep:    always,
			handler: http.TimeoutHandler(own(500, `{}`), time.Minute, ""),
			status:  500,
			level:   "ERROR",
			code:    "internal_error",
		},
		{
			name:    "an answer of Respond, where bodies are kept",
			keep:    always,
			handler: errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoOrder }),
			status:  404,
			level:   "INFO",
			code:    "order_not_found",
		},
		{
			name:    "an answer of Respond inside http.TimeoutHandler",
			keep:    always,
			handler: http.TimeoutHandler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoOrder }), time.Minute, ""),
			status:  404,
			level:   "INFO",
			code:    "order_not_found",
		},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprint("FE7 ", tt.name, ", HTTP/2 ", http2), func(t *testing.T) {
				s, j := serveOver(t, http2, errors.Options{InsecureKeepBody: tt.keep}, tt.handler)
				res, body := do(t, s, "GET", "/x", nil)
				require.Equal(t, tt.status, res.StatusCode)
				record := j.record(t)
				require.Equal(t, tt.level, record["level"])
				require.Equal(t, tt.code, record["code"])
				require.Equal(t, float64(tt.status), record["status"])
				require.Equal(t, "/x", record["route"])
				require.Equal(t, res.Header.Get("X-Correlation-Id"), record["correlation_id"])
				require.Equal(t, !strings.Contains(tt.name, "Respond"), record["kept_body"] == true)
				require.NotContains(t, j.String(), "mine")
				require.Equal(t, strings.Contains(body, "correlation_id"), strings.Contains(tt.name, "Respond"), body)
			})
		}
	}

	t.Run("FE7 what is no failure has no record", func(t *testing.T) {
		for _, code := range []int{200, 204, 304, 302} {
			s, j := serve(t, errors.Options{InsecureKeepBody: always}, status(code))
			s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			do(t, s, "GET", "/", nil)
			require.Zero(t, j.records())
		}
	})
	t.Run("FE7 a handler that aborts its own 5xx", func(t *testing.T) {
		s, j := serve(t, errors.Options{InsecureKeepBody: always}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			own(500, "x").ServeHTTP(w, nil)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		res, err := s.Client().Get(s.URL)
		require.NoError(t, err)
		_, err = io.ReadAll(res.Body)
		require.Error(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "internal_error", j.record(t)["code"])
	})
	t.Run("FE7 an error after a kept header is the one record", func(t *testing.T) {
		s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(409)
			return errStore
		}))
		_, err := s.Client().Get(s.URL)
		require.Error(t, err)
		require.Equal(t, "test_store_unavailable", j.record(t)["code"])
		require.Equal(t, 1, j.records())
	})
	t.Run("FE7 a panic after a kept header is the one record", func(t *testing.T) {
		s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(409)
			panic("late")
		}))
		_, err := s.Client().Get(s.URL)
		require.Error(t, err)
		require.Equal(t, "internal_error", j.record(t)["code"])
		require.Equal(t, 1, j.records())
	})
}

// Foreign 4xx responses leave a bounded number of records. Every foreign 500 is
// logged.
func TestForeignErrorResponsesAreSampled_FE7(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		want   int
	}{
		{name: "a 4xx, by route", status: 409, want: 2},
		{name: "a status without a name", status: 450, want: 2},
		{name: "a 502, by route", status: 502, want: 2},
		{name: "a 500", status: 500, want: 40},
	} {
		t.Run("FE7 "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, mux := new(journal), http.NewServeMux()
				mux.Handle("GET /orders/{id}", status(tt.status))
				mux.Handle("GET /goods/{id}", status(tt.status))
				h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger(), InsecureKeepBody: func(*http.Request) bool { return true }})).Handler(mux)
				for i := range 20 { // the client chooses the path, and not the route
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprint("/orders/", i), nil))
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprint("/goods/", i), nil))
				}
				require.Equal(t, tt.want, j.records())
			})
		})
	}
}
