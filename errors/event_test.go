package errors_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth"
	"github.com/ringwall/ringwall/cors"
	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/validate"
)

// events collects the events of a Responder.
type events struct {
	mu   sync.Mutex
	list []errors.Event
}

func (e *events) add(_ context.Context, event errors.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// only returns the single event.
func (e *events) only(t *testing.T) errors.Event {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	require.Len(t, e.list, 1)
	return e.list[0]
}

func TestEachErrorResponseIsAnEvent_EE19(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		want    errors.Event
		cause   string
	}{
		{name: "a ring refuses", handler: func(w http.ResponseWriter, r *http.Request) {
			errors.Respond(w, r, cors.ErrOriginDenied.With("origin", "x"))
		},
			want: errors.Event{Kind: cors.ErrOriginDenied, Ring: "cors"}, cause: "origin_denied"},
		{name: "an error of the application", handler: func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, errNoOrder) },
			want: errors.Event{Kind: errNoOrder}, cause: "order_not_found"},
		{name: "an error without a kind", handler: func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, io.ErrUnexpectedEOF) },
			want: errors.Event{Kind: errors.ErrInternal}, cause: "unexpected EOF"},
		{name: "a panic", handler: func(http.ResponseWriter, *http.Request) { panic("boom") },
			want: errors.Event{Kind: errors.ErrInternal}, cause: "panic: boom"},
		{name: "a foreign body that is replaced", handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "pq: users", 500) },
			want: errors.Event{Kind: errors.ErrInternal, Foreign: true}, cause: "internal_error"},
		{name: "a foreign body that is kept", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{}`)
		}, want: errors.Event{Kind: errors.ErrNotFound, Foreign: true}, cause: "not_found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen events
			mux := http.NewServeMux()
			mux.HandleFunc("GET /orders/{id}", row.handler)
			s, _ := serve(t, errors.Options{OnEvent: seen.add}, mux)
			do(t, s, "GET", "/orders/1", nil)
			got := seen.only(t)
			require.ErrorContains(t, got.Err, row.cause)
			got.Err = nil
			row.want.Route = "GET /orders/{id}"
			require.Equal(t, row.want, got)
		})
	}
	t.Run("a success is none", func(t *testing.T) {
		var seen events
		s, _ := serve(t, errors.Options{OnEvent: seen.add}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		do(t, s, "GET", "/", nil)
		require.Empty(t, seen.list)
	})
	t.Run("a panic of the hook has no effect", func(t *testing.T) {
		s, j := serve(t, errors.Options{OnEvent: func(context.Context, errors.Event) { panic("a mistake") }}, http.HandlerFunc(http.NotFound))
		res, body := do(t, s, "GET", "/", nil)
		require.Equal(t, 404, res.StatusCode)
		require.Contains(t, body, `"code":"not_found"`)
		require.Contains(t, j.String(), `"hook":"errors: OnEvent"`)
	})
	t.Run("each ring is known by the kinds that it defines", func(t *testing.T) {
		for ring, kinds := range map[string][]*errors.Kind{
			"auth": {auth.ErrMissing, auth.ErrRevoked}, "cors": {cors.ErrOriginDenied}, "headers": {headers.ErrHTTPSRequired, headers.ErrMisdirected},
			"ratelimit": {ratelimit.ErrLimited, ratelimit.ErrUnavailable}, "validate": {validate.ErrInputTooLarge}, "": {errors.ErrTimeout, errNoOrder},
		} {
			for _, kind := range kinds {
				var seen events
				s, _ := serve(t, errors.Options{OnEvent: seen.add}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { errors.Respond(w, r, kind) }))
				do(t, s, "GET", "/", nil)
				require.Equal(t, ring, seen.only(t).Ring, kind.Code())
			}
		}
	})
}

// Clients cannot create labels.
func TestHostileRequestsCreateFewLabels_EE20(t *testing.T) {
	labels := make(map[[3]string]int)
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: new(journal).logger(), OnEvent: func(_ context.Context, e errors.Event) {
		labels[[3]string{e.Kind.Code(), e.Ring, e.Route}]++
	}}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		errors.Respond(w, r, errors.New(r.PathValue("id")))
	})
	handler := failures.Handler(mux)
	for i := range 10_000 {
		id := strings.Repeat("x", i%100) + string(rune('a'+i%26))
		method := []string{"GET", "POST", "X" + strings.ToUpper(id)}[i%3]
		r := httptest.NewRequest(method, "/orders/"+id+strings.Repeat("/y", i%5), nil)
		r.Header.Set("Origin", "https://"+id+".example")
		r.Host = id + ".example"
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Len(t, labels, 3, "%v", labels) // internal_error at the route, not_found and method_not_allowed
}

func TestReportOnlyChangesOnlyTheCorrelationID_EE21(t *testing.T) {
	own := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, row := range []struct {
		name     string
		handler  http.HandlerFunc
		code     string // "" for no event
		reported bool
	}{
		{name: "http.Error with a driver's text", handler: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "pq: slug is taken", http.StatusConflict) }, code: "conflict", reported: true},
		{name: "a 500 of its own", handler: own(500, "application/json", `{"error":"x"}`), code: "internal_error", reported: true},
		{name: "a bare 404", handler: own(404, "", ""), code: "not_found", reported: true},
		{name: "a 404 with a body", handler: own(404, "application/json", `{"error":"x"}`), code: "not_found"},
		{name: "a 422 of its own", handler: own(422, "application/json", `{"error":"x"}`), code: "unprocessable_content"},
		{name: "a success", handler: own(201, "application/json", `{}`)},
		{name: "a streamed 500", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			w.(http.Flusher).Flush()
			_, _ = io.Copy(w, strings.NewReader("upstream"))
		}, code: "bad_gateway", reported: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			plain := httptest.NewServer(row.handler)
			t.Cleanup(plain.Close)
			want, wantBody := fetch(t, plain)
			var seen events
			s, j := serve(t, errors.Options{InsecureReportOnly: true, OnEvent: seen.add}, row.handler)
			got, body := fetch(t, s)
			require.Equal(t, wantBody, body)
			require.Equal(t, want.StatusCode, got.StatusCode)
			require.NotEmpty(t, got.Header.Get("X-Correlation-Id"))
			got.Header.Del("X-Correlation-Id")
			got.Header.Set("Date", want.Header.Get("Date"))
			require.Equal(t, want.Header, got.Header)
			if row.code == "" {
				require.Empty(t, seen.list)
				return
			}
			event := seen.only(t)
			require.Equal(t, row.code, event.Kind.Code())
			require.True(t, event.Foreign)
			require.Equal(t, row.reported, event.Reported)
			require.Equal(t, row.reported, strings.Contains(j.String(), `"reported_only":true`))
		})
	}
	for name, handler := range map[string]http.HandlerFunc{
		"a panic":            func(http.ResponseWriter, *http.Request) { panic("boom") },
		"a goroutine's exit": func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
	} {
		t.Run(name+" reaches net/http, which closes the connection", func(t *testing.T) {
			var seen events
			s, j := serve(t, errors.Options{InsecureReportOnly: true, OnEvent: seen.add}, handler)
			_, err := s.Client().Get(s.URL)
			require.ErrorIs(t, err, io.EOF)
			event := seen.only(t)
			require.Equal(t, errors.ErrInternal, event.Kind)
			require.True(t, event.Reported)
			require.Contains(t, j.String(), `"stack":`)
		})
	}
}

// fetch returns the response to a GET, byte for byte.
func fetch(t *testing.T, s *httptest.Server) (*http.Response, string) {
	t.Helper()
	res, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func TestReportRecordsARefusalWithoutAResponse_EE22(t *testing.T) {
	var seen events
	s, j := serve(t, errors.Options{OnEvent: seen.add}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errors.Report(r, headers.ErrHTTPSRequired.With("reason", "no TLS"))
		_, _ = io.WriteString(w, "served")
	}))
	for range 50 {
		res, body := do(t, s, "GET", "/", nil)
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "served", body)
	}
	require.Len(t, seen.list, 50)
	require.Equal(t, "headers", seen.list[0].Ring)
	require.True(t, seen.list[0].Reported)
	require.False(t, seen.list[0].Foreign)
	record := j.record(t) // one, because the other 49 are suppressed
	require.Equal(t, "request would have been refused", record["msg"])
	require.Equal(t, "https_required", record["code"])
	require.Equal(t, "no TLS", record["reason"])
	require.Equal(t, true, record["reported_only"])
}
