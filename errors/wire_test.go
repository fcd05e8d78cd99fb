package errors_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
)

// failing is a service that fails in several ways.
func failing() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /error", errors.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }))
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		errors.Respond(w, r, errNoOrder)
	})
	mux.HandleFunc("GET /legacy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"x"`)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "pq: password of user root")
	})
	return mux
}

// EE1, EE4, EE8, EE9, EE13, EE14 and EE17 over both versions of HTTP, with whole
// headers and exact bodies.
func TestResponsesAreExactOverTheWire(t *testing.T) {
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://app.example.com")
		w.Header().Set("Strict-Transport-Security", "max-age=63072000")
		failures.Handler(failing()).ServeHTTP(w, r)
	})
	body := func(code, message string) string {
		return `{"code":"` + code + `","message":"` + message + `","correlation_id":"ID"}` + "\n"
	}
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(outer)
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for _, row := range []struct {
			name, method, path string
			status             int
			body, allow        string
		}{
			{name: "EE1 an error", method: "GET", path: "/error", status: 500, body: body("internal_error", "Something went wrong on our side.")},
			{name: "EE4 a panic", method: "GET", path: "/panic", status: 500, body: body("internal_error", "Something went wrong on our side.")},
			{name: "EE8 an error after 103", method: "GET", path: "/hints", status: 404, body: body("order_not_found", "No such order.")},
			{name: "EE9 HEAD", method: "HEAD", path: "/error", status: 500},
			{name: "EE13 a handler's own 500", method: "GET", path: "/legacy", status: 500, body: body("internal_error", "Something went wrong on our side.")},
			{name: "EE14 404", method: "GET", path: "/nothing", status: 404, body: body("not_found", "Nothing was found at this URL.")},
			{
				name:   "EE14 405",
				method: "POST",
				path:   "/error",
				status: 405,
				body:   body("method_not_allowed", "This URL does not support the request method."),
				allow:  "GET, HEAD",
			},
		} {
			t.Run(row.name, func(t *testing.T) {
				r, err := http.NewRequest(row.method, srv.URL+row.path, nil)
				require.NoError(t, err)
				res, err := srv.Client().Do(r)
				require.NoError(t, err)
				got, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http2, res.ProtoMajor == 2)
				require.Equal(t, row.status, res.StatusCode)
				id := res.Header.Get("X-Correlation-Id")
				require.Regexp(t, `^[0-9a-f]{32}$`, id)
				require.Equal(t, row.body, strings.ReplaceAll(string(got), id, "ID"))
				want := http.Header{ // EE17: headers of outer handlers stay
					"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "X-Correlation-Id": {id},
					"Access-Control-Allow-Origin": {"https://app.example.com"}, "Strict-Transport-Security": {"max-age=63072000"},
				}
				if row.allow != "" {
					want["Allow"] = []string{row.allow}
				}
				res.Header.Del("Date")
				res.Header.Del("Content-Length")
				require.Equal(t, want, res.Header)
			})
		}
	}
}

func TestResponsesDoNotShareHeaderValues(t *testing.T) {
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.DiscardHandler)}))
	h := failures.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errors.Respond(w, r, errShared)
	}))
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if got := w.Header(); got.Get("Content-Type") != "application/json" || got.Get("Cache-Control") != "no-store" || got.Get("Retry-After") != "5" {
					t.Errorf("another response changed: %v", got)
				}
				for key, lines := range w.Header() {
					for i := range lines {
						lines[i] = "spoiled"
					}
					w.Header()[key] = append(lines, "more")
				}
			}
		})
	}
	all.Wait()
}

func TestLogHandlerPassesSlogtest(t *testing.T) {
	var log bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		log.Reset()
		return errors.LogHandler(slog.NewJSONHandler(&log, nil))
	}, func(t *testing.T) map[string]any {
		record := map[string]any{}
		require.NoError(t, json.Unmarshal(log.Bytes(), &record))
		return record
	})
}

type panicking struct{ Password string }

func (panicking) MarshalJSON() ([]byte, error) { panic("a mistake") }

func TestLogHandlerMasksSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, row := range []struct {
		name string
		log  func(*slog.Logger)
	}{
		{name: "a key in another case, with other separators", log: func(l *slog.Logger) { l.Info("x", "API-Key", secret) }},
		{name: "a group", log: func(l *slog.Logger) { l.Info("x", slog.Group("user", "Pass.Word", secret)) }},
		{name: "a secret group", log: func(l *slog.Logger) { l.Info("x", slog.Group("credentials", "name", secret)) }},
		{name: "a secret group that was opened before", log: func(l *slog.Logger) { l.WithGroup("credentials").Info("x", "name", secret) }},
		{name: "a group inside of it", log: func(l *slog.Logger) { l.WithGroup("credentials").WithGroup("a").With("name", secret).Info("x") }},
		{name: "a header", log: func(l *slog.Logger) { l.Info("x", "header", http.Header{"Authorization": {secret}}) }},
		{name: "bytes", log: func(l *slog.Logger) { l.Info("x", "body", []byte("password="+secret)) }},
		{name: "bytes of a secret key", log: func(l *slog.Logger) { l.Info("x", "token", []byte(secret)) }},
		{name: "a map", log: func(l *slog.Logger) { l.Info("x", "form", map[string]string{"password": secret}) }},
		{name: "a struct", log: func(l *slog.Logger) { l.Info("x", "form", struct{ Password string }{secret}) }},
		{name: "a struct whose password has spaces", log: func(l *slog.Logger) { l.Info("x", "form", struct{ Name, Password string }{"a", "two words " + secret}) }},
		{name: "a list of pointers", log: func(l *slog.Logger) { l.Info("x", "forms", []*struct{ Password string }{{"two words " + secret}}) }},
		{name: "a value whose JSON panics", log: func(l *slog.Logger) { l.Info("redacted", "form", panicking{secret}) }},
		{name: "the message", log: func(l *slog.Logger) { l.Info("password=" + secret) }},
		{name: "an error", log: func(l *slog.Logger) { l.Info("x", "error", errors.New(`{"password":"`+secret+`"}`)) }},
		{name: "a query", log: func(l *slog.Logger) { l.Info("GET /x?y=" + secret) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log bytes.Buffer
			row.log(slog.New(errors.LogHandler(slog.NewJSONHandler(&log, nil))))
			require.Contains(t, log.String(), "redacted")
			require.NotContains(t, log.String(), secret)
			require.NotContains(t, log.String(), "104 117 110", "nor as numbers")
		})
	}
}
