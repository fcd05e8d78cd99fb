package validate_test

import (
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

// T14: a client that sends nothing more is answered, and does not keep the
// connection.
func TestSlowBodies(t *testing.T) {
	srv := serve[order](t, validate.Options{Limits: validate.Limits{BodyTimeout: 50 * time.Millisecond}})
	for _, row := range []struct{ name, head, body string }{
		{"T14 with a length", "Content-Length: 50", `{"note":`},
		{"T14 chunked", "Transfer-Encoding: chunked", "8\r\n{\"note\":\r\n"},
		{"T14 nothing at all", "Content-Length: 50", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			require.NoError(t, err)
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+row.head+"\r\n\r\n"+row.body)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			raw, err := io.ReadAll(conn) // ends, since the server closes
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.Contains(t, string(raw), "HTTP/1.1 408 ")
			require.Contains(t, string(raw), "body_timeout")
		})
	}
}

func TestPatternsFormatsAndRecursion(t *testing.T) {
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

// A pointer tells what was not sent from what is zero.
func TestRequiredPointers(t *testing.T) {
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

// Members of embedded structs are the outer one's, with their rules.
func TestEmbeddedStructs(t *testing.T) {
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
		`{"name":"a","map":{"<k>":{"name":"abcd"}}}`: "/map/name must have at most 3 characters",
		`{"name":"a","map":{"<k>":{"x":1}}}`:         "/map has a member that is not known",
	} {
		w := in(t, h, "POST", "/", jsonType(), strings.NewReader(body))
		require.Equal(t, 422, w.Code)
		require.Contains(t, w.Body.String(), want)
	}
}

func TestFromWithoutMiddlewareNamesTheType(t *testing.T) {
	require.PanicsWithValue(t, "validate: From: no middleware for validate_test.order ran", func() { validate.From[order](httptest.NewRequest("GET", "/", nil)) })
}

func TestStackedMiddlewares(t *testing.T) {
	type page struct {
		Limit int `query:"limit" validate:"max=9"`
	}
	body, query := errors.Must(validate.JSON[order](validate.Options{Logger: quiet})), errors.Must(validate.Query[page]())
	h := query(body(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, validate.From[page](r).Limit, validate.From[order](r).Note)
	})))
	require.Equal(t, "3x", in(t, h, "POST", "/?limit=3", jsonType(), strings.NewReader(`{"note":"x"}`)).Body.String())
	require.Equal(t, 422, in(t, h, "POST", "/?limit=10", jsonType(), strings.NewReader(`{}`)).Code)
}

// Any body is accepted, or refused with one of our statuses.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"items":[{"sku":"a","qty":1}],"note":"x","tags":{"k":"v"},"any":[null]}`, `{"note":null}`, `[[[`, `{"a":"\u0000"}`, `{"tags":{"x":null}}`} {
		f.Add(seed)
	}
	h := handler[order](f)
	f.Fuzz(func(t *testing.T, body string) {
		require.Contains(t, []int{200, 400, 413, 422}, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code)
	})
}

// Whatever query we accept, the standard library reads alike.
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
