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
		{"EE7 secret", func(http.ResponseWriter) { panic("Bearer 0123456789abcdef") }, "panic: Bearer [redacted]"},
		{"EE7 nil", func(http.ResponseWriter) { panic(nil) }, "panic called with nil"},
		{"EE7 Goexit", func(http.ResponseWriter) { runtime.Goexit() }, "runtime.Goexit"},
		{"EE6 wrapped ErrAbortHandler", func(http.ResponseWriter) { panic(fmt.Errorf("x: %w", http.ErrAbortHandler)) }, "abort Handler"},
		{"EE4 a status that is none", func(w http.ResponseWriter) { w.WriteHeader(0) }, "invalid WriteHeader code 0"},
		{"EE4 a status that is too high", func(w http.ResponseWriter) { w.WriteHeader(1000) }, "invalid WriteHeader code 1000"},
		{"EE4 error", func(http.ResponseWriter) { panic(errNoOrder) }, "order_not_found"},
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
		{"EE5 panic after write", func(w http.ResponseWriter, _ *http.Request) error { write(w); panic("late") }, 1},
		{"EE5 error after write", func(w http.ResponseWriter, _ *http.Request) error { write(w); return io.EOF }, 1},
		{"EE5 Respond twice", func(w http.ResponseWriter, r *http.Request) error {
			errors.Respond(w, r, errNoOrder)
			w.(http.Flusher).Flush()
			return io.EOF
		}, 2},
		{"EE7 Goexit after write", func(w http.ResponseWriter, _ *http.Request) error { write(w); runtime.Goexit(); return nil }, 1},
		{"EE18 encoder fails after write", func(w http.ResponseWriter, _ *http.Request) error {
			write(w)
			return json.NewEncoder(w).Encode(math.Inf(1))
		}, 1},
		{"EE6 ErrAbortHandler", func(w http.ResponseWriter, _ *http.Request) error { write(w); panic(http.ErrAbortHandler) }, 0},
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
		{"EE13 http.Error with a driver's text", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "pq: password=hunter2 refused"+strings.Repeat("x ", 4096), 500)
		}), "/", 500, internal, "pq: password=[redacted] refused"},
		{"EE13 own 5xx", own(502, "application/json", `{"secret":1}`), "/", 502,
			`{"code":"bad_gateway","message":"Bad Gateway.","correlation_id":"ID"}` + "\n", `[redacted]`},
		{"5xx without a name", own(599, "", ""), "/", 599,
			`{"code":"server_error","message":"Something went wrong on our side.","correlation_id":"ID"}` + "\n", "599"},
		{"EE14 mux 404", mux, "/nothing", 404, notFound, "404 page not found"},
		{"EE14 mux 405", mux, "/only-post", 405, notAllowed, "Method Not Allowed"},
		{"EE14 gorilla's 404 and chi's", http.HandlerFunc(http.NotFound), "/", 404, notFound, "404 page not found"},
		{"EE14 gorilla's 405: no body, no Allow", status(405), "/", 405, notAllowed, `"code":"method_not_allowed"`},
		{"EE14 chi's 405: an Allow for each method, and Write(nil)", http.HandlerFunc(chiMethodNotAllowed), "/", 405, notAllowed, `"code":"method_not_allowed"`},
		{"EE14 a bare 404", status(404), "/", 404, notFound, `"code":"not_found"`},
		{"EE14 a bare 404 with another's headers", own(404, "", ""), "/", 404, notFound, `"code":"not_found"`},
		{"own JSON 404 stays", own(404, "application/json", `{"mine":1}`), "/", 404, `{"mine":1}`, `"kept_body":true`},
		{"own 409 stays", own(409, "text/html", "<p>"), "/", 409, "<p>", `"kept_body":true`},
		{"bare 403 stays", own(403, "", ""), "/", 403, "", `"kept_body":true`},
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
		{"EE11 64 KB", "X-Correlation-Id", []string{strings.Repeat("a", 1<<16)}, ""},
		{"EE11 CRLF", "X-Correlation-Id", []string{"a\r\nSet-Cookie: b=c"}, ""},
		{"EE11 65 bytes", "X-Correlation-Id", []string{strings.Repeat("a", 65)}, ""},
		{"EE11 empty", "X-Correlation-Id", []string{""}, ""},
		{"EE11 another header's ID", "X-Request-Id", []string{"somebody"}, ""},
		{"EE11 ESC", "X-Correlation-Id", []string{"a\x1b[31m"}, ""},
		{"EE11 two lines", "X-Correlation-Id", []string{"a", "b"}, ""},
		{"EE11 spaces", "X-Correlation-Id", []string{"a b"}, ""},
		{"EE11 somebody's ID", "X-Correlation-Id", []string{"some.body-1_2"}, `"client_correlation_id":"some.body-1_2"`},
		{"EE12 zero trace", "Traceparent", []string{"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01"}, ""},
		{"EE12 zero parent", "Traceparent", []string{"00-" + trace + "-0000000000000000-01"}, ""},
		{"EE12 upper case", "Traceparent", []string{"00-" + strings.ToUpper(trace) + "-00f067aa0ba902b7-01"}, ""},
		{"EE12 version ff", "Traceparent", []string{"ff-" + trace + "-00f067aa0ba902b7-01"}, ""},
		{"EE12 too long for version 00", "Traceparent", []string{"00-" + trace + "-00f067aa0ba902b7-01-x"}, ""},
		{"EE12 too short", "Traceparent", []string{"00-" + trace + "-00f067aa0ba902b7"}, ""},
		{"EE12 two headers", "Traceparent", []string{"00-" + trace + "-00f067aa0ba902b7-01", "00-" + trace + "-00f067aa0ba902b7-01"}, ""},
		{"EE12 valid", "Traceparent", []string{"00-" + trace + "-00f067aa0ba902b7-01"}, `"trace_id":"` + trace + `"`},
		{"EE12 later version", "Traceparent", []string{"01-" + trace + "-00f067aa0ba902b7-01-x"}, `"trace_id":"` + trace + `"`},
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
		{"nothing", func(http.ResponseWriter) {}, 200},
		{"held", func(w http.ResponseWriter) { w.WriteHeader(404); w.WriteHeader(200) }, 404},
		{"captured", func(w http.ResponseWriter) { w.WriteHeader(503) }, 503},
		{"sent", func(w http.ResponseWriter) { w.WriteHeader(201) }, 201},
		{"written", func(w http.ResponseWriter) { _, _ = w.Write(nil) }, 200},
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
		{"a trace", own, own},
		{"no trace", "", sent},
		{"zeros", strings.Repeat("0", 32), sent},
		{"upper case", strings.ToUpper(own), sent},
		{"too short", own[1:], sent},
		{"another text", "a line\nand another of thirty-two..", sent},
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
