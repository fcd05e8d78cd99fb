package validate_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// in calls a handler without a socket.
func in(t testing.TB, h http.Handler, method, target string, header http.Header, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	r.Header = header
	w := httptest.NewRecorder()
	errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(h).ServeHTTP(w, r)
	return w
}

func handler[T any](t testing.TB) http.Handler {
	t.Helper()
	h, err := validate.Handle(func(http.ResponseWriter, *http.Request, *T) error { return nil }, validate.Options{Logger: quiet})
	require.NoError(t, err)
	return h
}

// VT14: a client that stops sending gets a response, and the connection is closed.
func TestSlowBodiesTimeOut(t *testing.T) {
	if testing.Short() {
		t.Skip("slow: waits for timeouts")
	}
	srv := serve[order](t, validate.Options{Limits: validate.Limits{BodyTimeout: 50 * time.Millisecond}})
	for _, row := range []struct{ name, target, head, body, status string }{
		{"VT14 with a length", "/", "Content-Length: 50", `{"note":`, "408"},
		{"VT14 chunked", "/", "Transfer-Encoding: chunked", "8\r\n{\"note\":\r\n", "408"},
		{"VT14 nothing at all", "/", "Content-Length: 50", "", "408"},
		{"VT14 refused before it is read", "/?admin=1", "Content-Length: 50", "{", "422"},
		{"VT14 refused while it is read", "/", "Content-Length: 5000", strings.Repeat("[", 40), "413"},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			require.NoError(t, err)
			_, err = io.WriteString(conn, "POST "+row.target+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+row.head+"\r\n\r\n"+row.body)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			raw, err := io.ReadAll(conn) // ends, since the server closes
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.Contains(t, string(raw), "HTTP/1.1 "+row.status+" ")
			require.Equal(t, row.status == "408", strings.Contains(string(raw), "body_timeout"))
		})
	}
}

func TestPatternsFormatsAndRecursionAreApplied(t *testing.T) {
	type node struct {
		SKU   string `json:"sku" validate:"omitempty,max=9,pattern=sku"`
		Mail  string `json:"mail" validate:"omitempty,email"`
		Site  string `json:"site" validate:"omitempty,url,max=99"`
		Child *node  `json:"child"`
	}
	h, err := validate.Handle(func(http.ResponseWriter, *http.Request, *node) error { return nil }, validate.Options{Patterns: map[string]string{"sku": "[A-Z]{2}|x"}})
	require.NoError(t, err)
	for body, want := range map[string]int{
		`{"sku":"AB"}`: 200, `{"sku":"ABC"}`: 422, `{"sku":"x\n"}`: 422, `{"child":{"child":{"sku":"ab"}}}`: 422,
		`{"mail":"ada@example.com"}`: 200, `{"mail":"Ada <ada@example.com>"}`: 422, `{"mail":"` + strings.Repeat("<", 1<<10) + `"}`: 422, `{"mail":"ada@localhost"}`: 422,
		`{"site":"javascript:alert(1)"}`: 422, `{"site":"https://u@example.com"}`: 422, `{"site":"https://example.com/x"}`: 200,
	} {
		require.Equal(t, want, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code, body)
	}
}

// A pointer distinguishes an absent member from a zero.
func TestPointersDistinguishZeroFromAbsent(t *testing.T) {
	type inner struct {
		N int `json:"n"`
	}
	type patch struct {
		Flag  *bool  `json:"flag" validate:"required"`
		Count *int   `json:"count" validate:"omitempty,min=1"`
		In    *inner `json:"in" validate:"required"`
		Own   inner  `json:"own"`
	}
	h := handler[patch](t)
	for body, want := range map[string]int{
		`{"flag":false,"in":{}}`: 200, `{"flag":false,"in":{"n":0},"count":1}`: 200, `{"flag":false,"in":{},"count":null}`: 200,
		`{"in":{}}`: 422, `{"flag":null,"in":{}}`: 422, `{"flag":true}`: 422, `{"flag":true,"in":{},"count":0}`: 422,
	} {
		require.Equal(t, want, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code, body)
	}
}

// Members of embedded structs are members of the outer struct, with their rules.
func TestEmbeddedMembersAreDecoded(t *testing.T) {
	type base struct {
		Name string `json:"name" validate:"required,max=3"`
	}
	type whole struct {
		base
		List []base          `json:"list" validate:"max=2"`
		Map  map[string]base `json:"map" validate:"max=2"`
	}
	h := handler[whole](t)
	for body, want := range map[string]string{
		`{"name":"abcd"}`:                            "/name must have at most 3 characters",
		`{"name":"a","list":[{"name":"abcd"}]}`:      "/list/0/name must have at most 3 characters",
		`{"name":"a","map":{"<k>":{"name":"abcd"}}}`: "a value in /map must have at most 3 characters",
		`{"name":"a","map":{"<k>":{"x":1}}}`:         "a value in /map has an unknown member",
	} {
		w := in(t, h, "POST", "/", jsonType(), strings.NewReader(body))
		require.Equal(t, 422, w.Code)
		require.Contains(t, w.Body.String(), want)
	}
}

func TestFromWithoutMiddlewareNamesTheType(t *testing.T) {
	require.PanicsWithValue(t, "validate: From: the route has no middleware for validate_test.order", func() { validate.From[order](t.Context()) })
}

func TestStackedMiddlewaresKeepTheirValues(t *testing.T) {
	type page struct {
		Limit int `query:"limit" validate:"max=9"`
	}
	body, query := errors.Must(validate.JSON[order](validate.Options{Logger: quiet})), errors.Must(validate.Query[page]())
	h := query(body(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, validate.From[page](r.Context()).Limit, validate.From[order](r.Context()).Note)
	})))
	require.Equal(t, "3x", in(t, h, "POST", "/?limit=3", jsonType(), strings.NewReader(`{"note":"x"}`)).Body.String())
	require.Equal(t, 422, in(t, h, "POST", "/?limit=10", jsonType(), strings.NewReader(`{}`)).Code)
}

// Any body is accepted or refused with a status of this package.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"items":[{"sku":"a","qty":1}],"note":"x","tags":{"k":"v"},"any":[null]}`, `{"note":null}`, `[[[`, `{"a":"\u0000"}`, `{"tags":{"x":null}}`} {
		f.Add(seed)
	}
	h := handler[order](f)
	f.Fuzz(func(t *testing.T, body string) {
		require.Contains(t, []int{200, 400, 413, 422}, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code)
	})
}

// The standard library decodes an accepted query to the same values.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=5&q=a+b", "tag=a&tag=b", "q=%zz", "limit=1;x", "flag=true&limit=07"} {
		f.Add(seed)
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *list) error {
		q := r.URL.Query()
		if in.Q != q.Get("q") || len(in.Tags) != len(q["tag"]) || q.Has("limit") && fmt.Sprint(in.Limit) != q.Get("limit") {
			return errors.New("two readings")
		}
		return nil
	}, validate.Options{Logger: quiet}))
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetPathValue("shop", "a1")
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		quietly(h).ServeHTTP(w, r)
		require.Contains(t, []int{200, 400, 413, 414, 422}, w.Code, "%q", query)
	})
}

// Over HTTP/2 the deadline applies to one stream, and the others continue.
func TestSlowBodiesTimeOutOverHTTP2(t *testing.T) {
	h := errors.Must(validate.Handle(func(http.ResponseWriter, *http.Request, *order) error { return nil },
		validate.Options{Logger: quiet, Limits: validate.Limits{BodyTimeout: 50 * time.Millisecond}}))
	srv := httptest.NewUnstartedServer(quietly(h))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	for _, row := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"VT14 nothing comes", reader, 408},
		{"VT13 spaces", strings.NewReader("{}" + strings.Repeat(" ", 2<<20)), 413},
		{"VT12 a body", strings.NewReader("{}"), 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", srv.URL, row.body)
			require.NoError(t, err)
			r.Header = jsonType()
			res, err := srv.Client().Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, 2, res.ProtoMajor)
			require.Equal(t, row.status, res.StatusCode)
		})
	}
}

// A deadline ends with its request: the next one on the connection has its own.
func TestDeadlinesEndWithTheirRequest(t *testing.T) {
	srv := serve[order](t, validate.Options{Limits: validate.Limits{BodyTimeout: 50 * time.Millisecond}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	answers := bufio.NewReader(conn)
	for _, row := range []struct {
		target string
		status int
	}{{"/", 200}, {"/?admin=1", 422}, {"/", 200}} {
		_, err := io.WriteString(conn, "POST "+row.target+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		require.NoError(t, err)
		res, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.Equal(t, row.status, res.StatusCode)
		answered := time.Now()
		require.Eventually(t, func() bool { return time.Since(answered) > 80*time.Millisecond }, 10*time.Second, 10*time.Millisecond)
	}
	require.NoError(t, conn.Close())
}
