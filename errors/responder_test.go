package errors_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// EE4 and EE7: a panic before the header is sent.
func TestPanicBecomesA500(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(http.ResponseWriter)
		log  string
	}{
		{name: "EE7 secret", do: func(http.ResponseWriter) { panic("Bearer 0123456789abcdef") }, log: "panic: Bearer [redacted]"},
		{name: "EE7 nil", do: func(http.ResponseWriter) { panic(nil) }, log: "panic called with nil"},
		{name: "EE7 Goexit", do: func(http.ResponseWriter) { runtime.Goexit() }, log: "runtime.Goexit"},
		{name: "EE6 wrapped ErrAbortHandler", do: func(http.ResponseWriter) { panic(fmt.Errorf("x: %w", http.ErrAbortHandler)) }, log: "abort Handler"},
		{name: "EE4 a status that is none", do: func(w http.ResponseWriter) { w.WriteHeader(0) }, log: "invalid WriteHeader code 0"},
		{name: "EE4 a status that is too high", do: func(w http.ResponseWriter) { w.WriteHeader(1000) }, log: "invalid WriteHeader code 1000"},
		{name: "EE4 error", do: func(http.ResponseWriter) { panic(errNoOrder) }, log: "order_not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, j := serve(t, errors.Options{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.do(w) }))
			res, body := do(t, s, "GET", "/", nil)
			require.Equal(t, 500, res.StatusCode)
			require.Equal(t, internal, body)
			require.Equal(t, 1, j.records())
			require.Contains(t, j.String(), tt.log)
			require.Contains(t, j.String(), "responder_test.go", "the stack")
		})
	}
}

// EE5, EE6 and EE18.
func TestErrorAfterTheHeaderAbortsTheConnection(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler errors.HandlerFunc
		records int
	}{
		{name: "EE5 panic after write", handler: func(w http.ResponseWriter, _ *http.Request) error { write(w); panic("late") }, records: 1},
		{name: "EE5 error after write", handler: func(w http.ResponseWriter, _ *http.Request) error { write(w); return io.EOF }, records: 1},
		{name: "EE5 Respond twice", handler: func(w http.ResponseWriter, r *http.Request) error {
			errors.Respond(w, r, errNoOrder)
			w.(http.Flusher).Flush()
			return io.EOF
		}, records: 2},
		{name: "EE7 Goexit after write", handler: func(w http.ResponseWriter, _ *http.Request) error { write(w); runtime.Goexit(); return nil }, records: 1},
		{name: "EE18 encoder fails after write", handler: func(w http.ResponseWriter, _ *http.Request) error {
			write(w)
			return json.NewEncoder(w).Encode(math.Inf(1))
		}, records: 1},
		{name: "EE6 ErrAbortHandler", handler: func(w http.ResponseWriter, _ *http.Request) error { write(w); panic(http.ErrAbortHandler) }, records: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, http2 := range []bool{false, true} {
				s, j := serveOver(t, http2, errors.Options{}, tt.handler)
				res, err := s.Client().Get(s.URL)
				require.NoError(t, err)
				require.Equal(t, http2, res.ProtoMajor == 2)
				_, err = io.ReadAll(res.Body)
				if http2 {
					require.ErrorContains(t, err, "INTERNAL_ERROR", "a reset stream")
				} else {
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				}
				require.NoError(t, res.Body.Close())
				require.Equal(t, tt.records, j.records())
			}
		})
	}
}

func write(w http.ResponseWriter) {
	_, _ = io.WriteString(w, "half")
	_ = http.NewResponseController(w).Flush()
}

// EE8, and informational responses (1xx), which are not the final response.
func TestHijackedConnectionIsNotWrittenTo(t *testing.T) {
	s, j := serve(t, errors.Options{}, errors.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		conn, _, err := w.(http.Hijacker).Hijack()
		require.NoError(t, err)
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nraw")
		require.NoError(t, err)
		_, ok := errors.Status(w)
		require.False(t, ok)
		defer conn.Close()
		return io.EOF
	}))
	res, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(bufio.NewReader(res.Body))
	require.NoError(t, err)
	require.Equal(t, "raw", string(raw))
	require.Eventually(t, func() bool { return j.records() == 1 }, 5*time.Second, time.Millisecond)

	s, _ = serve(t, errors.Options{}, errors.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusEarlyHints)
		return errNoOrder
	}))
	early, _ := do(t, s, "GET", "/", nil)
	require.Equal(t, 404, early.StatusCode)
}

// EE13 and EE14.
func TestForeignErrorBodiesAreReplaced(t *testing.T) {
	own := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Allow", "GET")
			w.Header().Set("Content-Disposition", "attachment")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /only-post", own(200, "", ""))
	notFound := `{"code":"not_found","message":"Nothing was found at this URL.","correlation_id":"ID"}` + "\n"
	notAllowed := `{"code":"method_not_allowed","message":"This URL does not support the request method.","correlation_id":"ID"}` + "\n"
	for _, tt := range []struct {
		name    string
		handler http.Handler
		path    string
		status  int
		body    string
		log     string
	}{
		{name: "EE13 http.Error with a driver's text", handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "pq: password=hunter2 refused"+strings.Repeat("x ", 4096), 500)
		}), path: "/", status: 500, body: internal, log: "pq: password=[redacted] refused"},
		{name: "EE13 own 5xx", handler: own(502, "application/json", `{"secret":1}`), path: "/", status: 502,
			body: `{"code":"bad_gateway","message":"Bad Gateway.","correlation_id":"ID"}` + "\n", log: `[redacted]`},
		{name: "5xx without a name", handler: own(599, "", ""), path: "/", status: 599,
			body: `{"code":"server_error","message":"Something went wrong on our side.","correlation_id":"ID"}` + "\n", log: "599"},
		{name: "EE14 mux 404", handler: mux, path: "/nothing", status: 404, body: notFound, log: "404 page not found"},
		{name: "EE14 mux 405", handler: mux, path: "/only-post", status: 405, body: notAllowed, log: "Method Not Allowed"},
		{name: "EE14 gorilla's 404 and chi's", handler: http.HandlerFunc(http.NotFound), path: "/", status: 404, body: notFound, log: "404 page not found"},
		{name: "EE14 gorilla's 405: no body, no Allow", handler: status(405), path: "/", status: 405, body: notAllowed, log: `"code":"method_not_allowed"`},
		{
			name:    "EE14 chi's 405: an Allow for each method, and Write(nil)",
			handler: http.HandlerFunc(chiMethodNotAllowed),
			path:    "/",
			status:  405,
			body:    notAllowed,
			log:     `"code":"method_not_allowed"`,
		},
		{name: "EE14 a bare 404", handler: status(404), path: "/", status: 404, body: notFound, log: `"code":"not_found"`},
		{name: "EE14 a bare 404 with another's headers", handler: own(404, "", ""), path: "/", status: 404, body: notFound, log: `"code":"not_found"`},
		{name: "own JSON 404 stays", handler: own(404, "application/json", `{"mine":1}`), path: "/", status: 404, body: `{"mine":1}`, log: `"kept_body":true`},
		{name: "own 409 stays", handler: own(409, "text/html", "<p>"), path: "/", status: 409, body: "<p>", log: `"kept_body":true`},
		{name: "bare 403 stays", handler: own(403, "", ""), path: "/", status: 403, log: `"kept_body":true`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, j := serve(t, errors.Options{}, tt.handler)
			res, body := do(t, s, "GET", tt.path, nil)
			require.Equal(t, tt.status, res.StatusCode)
			require.Equal(t, tt.body, body)
			require.Contains(t, j.String(), tt.log)
			require.NotContains(t, j.String(), "hunter2")
			require.Equal(t, 1, j.records())
			switch {
			case strings.Contains(tt.name, "chi's 405"):
				require.Equal(t, []string{"POST", "PUT"}, res.Header["Allow"])
			case tt.name == "EE14 mux 405":
				require.Equal(t, []string{"POST"}, res.Header["Allow"])
			}
			require.Equal(t, strings.HasSuffix(tt.name, "stays"), res.Header.Get("Content-Disposition") != "")
		})
	}
}

func chiMethodNotAllowed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Add("Allow", "POST")
	w.Header().Add("Allow", "PUT")
	w.WriteHeader(405)
	_, _ = w.Write(nil)
}

// status returns a handler that writes a bare status, as routers do.
func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

func TestInsecureKeepBodyKeepsForeignBodies(t *testing.T) {
	s, _ := serve(t, errors.Options{InsecureKeepBody: func(r *http.Request) bool { return r.URL.Path == "/proxy" }},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "upstream", http.StatusBadGateway) }))
	_, kept := do(t, s, "GET", "/proxy", nil)
	require.Equal(t, "upstream\n", kept)
	_, replaced := do(t, s, "GET", "/", nil)
	require.NotContains(t, replaced, "upstream")
}

// EE11 and EE12.
func TestInboundIDNeedsTrust(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, tt := range []struct {
		name, key string
		lines     []string
		want      string
	}{
		{name: "EE11 64 KB", key: "X-Correlation-Id", lines: []string{strings.Repeat("a", 1<<16)}},
		{name: "EE11 CRLF", key: "X-Correlation-Id", lines: []string{"a\r\nSet-Cookie: b=c"}},
		{name: "EE11 65 bytes", key: "X-Correlation-Id", lines: []string{strings.Repeat("a", 65)}},
		{name: "EE11 empty", key: "X-Correlation-Id", lines: []string{""}},
		{name: "EE11 another header's ID", key: "X-Request-Id", lines: []string{"somebody"}},
		{name: "EE11 ESC", key: "X-Correlation-Id", lines: []string{"a\x1b[31m"}},
		{name: "EE11 two lines", key: "X-Correlation-Id", lines: []string{"a", "b"}},
		{name: "EE11 spaces", key: "X-Correlation-Id", lines: []string{"a b"}},
		{name: "EE11 somebody's ID", key: "X-Correlation-Id", lines: []string{"some.body-1_2"}, want: `"client_correlation_id":"some.body-1_2"`},
		{name: "EE12 zero trace", key: "Traceparent", lines: []string{"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}},
		{name: "EE12 zero parent", key: "Traceparent", lines: []string{"00-" + trace + "-0000000000000000-01"}},
		{name: "EE12 upper case", key: "Traceparent", lines: []string{"00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01"}},
		{name: "EE12 version ff", key: "Traceparent", lines: []string{"ff-" + trace + "-00f067aa0ba902b7-01"}},
		{name: "EE12 too long for version 00", key: "Traceparent", lines: []string{"00-" + trace + "-00f067aa0ba902b7-01-x"}},
		{name: "EE12 too short", key: "Traceparent", lines: []string{"00-" + trace + "-00f067aa0ba902b7"}},
		{name: "EE12 two headers", key: "Traceparent", lines: []string{"00-" + trace + "-00f067aa0ba902b7-01", "00-" + trace + "-00f067aa0ba902b7-01"}},
		{name: "EE12 valid", key: "Traceparent", lines: []string{"00-" + trace + "-00f067aa0ba902b7-01"}, want: `"trace_id":"` + trace + `"`},
		{name: "EE12 later version", key: "Traceparent", lines: []string{"01-" + trace + "-00f067aa0ba902b7-01-x"}, want: `"trace_id":"` + trace + `"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			h := errors.Must(errors.NewResponder(errors.Options{Logger: j.logger()})).Handler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errNoOrder }))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header[tt.key] = tt.lines
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Regexp(t, "^[0-9a-f]{32}$", w.Header().Get("X-Correlation-Id"))
			require.Contains(t, j.String(), tt.want)
			if tt.want == "" {
				require.NotContains(t, j.String(), "client_correlation_id")
				require.NotContains(t, j.String(), "trace_id")
			}
		})
	}
	trusting := errors.Must(errors.NewResponder(errors.Options{TrustCorrelation: func(*http.Request) bool { return true }}))
	var inside string
	h := trusting.Handler(trusting.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = errors.CorrelationID(r.Context()) })))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Correlation-Id", "gateway-7")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, "gateway-7", inside)
	require.Equal(t, "gateway-7", w.Header().Get("X-Correlation-Id"))
}

func TestStatusReturnsTheSentStatus(t *testing.T) {
	_, ok := errors.Status(httptest.NewRecorder())
	require.False(t, ok)
	for _, tt := range []struct {
		name string
		do   func(http.ResponseWriter)
		want int
	}{
		{name: "nothing", do: func(http.ResponseWriter) {}, want: 200},
		{name: "held", do: func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(200) }, want: 404},
		{name: "captured", do: func(w http.ResponseWriter) { w.WriteHeader(503) }, want: 503},
		{name: "sent", do: func(w http.ResponseWriter) { w.WriteHeader(201) }, want: 201},
		{name: "written", do: func(w http.ResponseWriter) { _, _ = w.Write(nil) }, want: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := errors.Must(errors.NewResponder(errors.Options{})).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				tt.do(w)
				status, ok := errors.Status(w)
				require.True(t, ok)
				require.Equal(t, tt.want, status)
			}))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		})
	}
}

func TestNewResponderRefuses(t *testing.T) {
	_, err := errors.NewResponder(errors.Options{CorrelationHeader: "X ID", Redact: []string{"pin", "-"}})
	require.EqualError(t, err, `errors: CorrelationHeader "X ID": is not a header name (RFC 9110, section 5.1); did you mean "X-Correlation-ID"?`+"\n"+
		`errors: Redact[1] "-": matches every key; did you mean the name of a key?`)
	for _, header := range []string{"content-type", "Cache-Control", "Vary", "Set-Cookie", "Content-Length"} {
		_, err = errors.NewResponder(errors.Options{CorrelationHeader: header})
		require.EqualError(t, err, fmt.Sprintf(`errors: CorrelationHeader %q: has another meaning in HTTP; did you mean "X-Correlation-ID"?`, header))
	}
}

// The trace that the program's tracer has started wins over the client's, if its ID is one.
func TestTraceIDIsTheTracers_EE23(t *testing.T) {
	const own, sent = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
	for _, row := range []struct{ name, id, want string }{
		{name: "a trace", id: own, want: own},
		{name: "no trace", want: sent},
		{name: "zeros", id: strings.Repeat("0", 32), want: sent},
		{name: "upper case", id: strings.ToUpper(own), want: sent},
		{name: "too short", id: own[1:], want: sent},
		{name: "another text", id: "a line\nand another of thirty-two..", want: sent},
	} {
		t.Run("EE23 "+row.name, func(t *testing.T) {
			var log bytes.Buffer
			type key struct{}
			e := errors.Must(errors.NewResponder(errors.Options{
				Logger:  slog.New(slog.NewJSONHandler(&log, nil)),
				TraceID: func(ctx context.Context) string { id, _ := ctx.Value(key{}).(string); return id },
			}))
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Traceparent", "00-"+sent+"-00f067aa0ba902b7-01")
			e.Handler(errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errors.ErrNotFound })).
				ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithValue(r.Context(), key{}, row.id)))
			require.Contains(t, log.String(), `"trace_id":"`+row.want+`"`)
		})
	}
}
