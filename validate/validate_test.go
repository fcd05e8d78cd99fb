package validate_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type item struct {
	SKU string `json:"sku" validate:"required,alphanum,max=8"`
	Qty int8   `json:"qty" validate:"min=1,max=10"`
}

type order struct {
	Items []item            `json:"items" validate:"max=5"`
	Note  string            `json:"note" validate:"max=20"`
	Gift  *bool             `json:"gift"`
	Tags  map[string]string `json:"tags" validate:"max=3,dive,keys,max=5,endkeys,max=4"`
	Any   any               `json:"any"`
	Own   string            `json:"-"`
}

var quiet = slog.New(slog.DiscardHandler)

// serve answers requests with what a T was read as, behind a Responder, over a
// real socket.
func serve[T any](t testing.TB, o validate.Options) *httptest.Server {
	t.Helper()
	o.Logger = quiet
	h, err := validate.Handle(func(w http.ResponseWriter, r *http.Request, in *T) error { return json.NewEncoder(w).Encode(in) }, o)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("/shops/{shop}", h)
	srv := httptest.NewServer(errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(mux))
	t.Cleanup(srv.Close)
	return srv
}

func send(t testing.TB, method, url string, header http.Header, body io.Reader) (status int, code, text string) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	require.NoError(t, err)
	if header != nil {
		r.Header = header
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	if res.StatusCode != 200 {
		code, text = refusalOf(t, raw)
	}
	return res.StatusCode, code, text
}

func refusalOf(t testing.TB, raw []byte) (code, text string) {
	t.Helper()
	var answer struct{ Code, Message string }
	require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
	return answer.Code, answer.Message
}

func jsonType() http.Header { return http.Header{"Content-Type": {"application/json"}} }

func TestMediaTypes(t *testing.T) {
	srv := serve[order](t, validate.Options{})
	for _, row := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"none", http.Header{}, 415},
		{"text/plain", http.Header{"Content-Type": {"text/plain"}}, 415},
		{"jsonfoo", http.Header{"Content-Type": {"application/jsonfoo"}}, 415},
		{"any", http.Header{"Content-Type": {"*/*"}}, 415},
		{"UTF-16", http.Header{"Content-Type": {"application/json; charset=utf-16"}}, 415},
		{"two lines", http.Header{"Content-Type": {"application/json", "application/json"}}, 415},
		{"two in a line", http.Header{"Content-Type": {"application/json, text/plain"}}, 415},
		{"two charsets", http.Header{"Content-Type": {"application/json; charset=utf-8; charset=utf-8"}}, 415},
		{"a parameter without a value", http.Header{"Content-Type": {"application/json; boundary"}}, 415},
		{"another parameter", http.Header{"Content-Type": {"application/json; profile=x"}}, 415},
		{"merge-patch", http.Header{"Content-Type": {"application/merge-patch+json"}}, 415},
		{"gzip", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, 415},
		{"another case", http.Header{"Content-Type": {"Application/JSON; charset=UTF-8"}}, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, _, _ := send(t, "POST", srv.URL, row.header, strings.NewReader("{}"))
			require.Equal(t, row.status, status)
		})
	}
}

func TestBodies(t *testing.T) {
	srv := serve[order](t, validate.Options{Limits: validate.Limits{Body: 64 << 10, String: 100, Name: 20, Items: 50, Keys: 10, Tokens: 60}})
	long := strings.Repeat("a", 1<<12)
	for _, row := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"empty", "", 400, "The input cannot be read."},
		{"cut", "{", 400, ""}, {"comma", `{"note":"a",}`, 400, ""}, {"quotes", `{'note':1}`, 400, ""}, {"comment", `{/**/}`, 400, ""},
		{"NaN", `{"any":NaN}`, 400, ""}, {"BOM", "\xef\xbb\xbf{}", 400, ""}, {"01", `{"any":01}`, 400, ""}, {"raw control", "{\"note\":\"\x01\"}", 400, ""},
		{"two values", `{}{}`, 400, ""}, {"trailing", `{}x`, 400, ""}, {"trailing comma", `{},`, 400, ""},
		{"doubled", `{"note":"a","note":"b"}`, 400, ""}, {"doubled by an escape", `{"note":"a","n\u006fte":"b"}`, 400, ""},
		{"doubled in any", `{"any":{"a":1,"a":2}}`, 400, ""}, {"invalid UTF-8", "{\"note\":\"\xff\"}", 400, ""}, {"lone surrogate", `{"note":"\ud800"}`, 400, ""},
		{"another case", `{"NOTE":"a"}`, 422, "/NOTE is not known"}, {"long s", `{"itemſ":[]}`, 422, "the body has a member that is not known"},
		{"unknown", `{"admin":true}`, 422, "/admin is not known"}, {"unknown, inside", `{"items":[{"sku":"a","price":1}]}`, 422, "/items/0/price is not known"},
		{"the Go name", `{"Own":"x"}`, 422, "/Own is not known"}, {"markup as a name", `{"<b>":1}`, 422, "the body has a member that is not known"},
		{"NUL", `{"note":"a\u0000b"}`, 422, "/note has control characters"}, {"backspace in a map", `{"tags":{"a":"\b"}}`, 422, "/tags has control characters"},
		{"a fraction", `{"items":[{"sku":"a","qty":1.0}]}`, 422, "/items/0/qty has the wrong type or form"}, {"a string for a number", `{"items":[{"sku":"a","qty":"1"}]}`, 422, "/items/0/qty has the wrong type or form"},
		{"128 in int8", `{"items":[{"sku":"a","qty":128}]}`, 422, "/items/0/qty has the wrong type or form"}, {"300 digits", `{"any":` + strings.Repeat("9", 300) + `}`, 413, "a number must have at most 64 digits"},
		{"null body", `null`, 422, "the body must not be null"}, {"null string", `{"note":null}`, 422, "/note must not be null"}, {"null item", `{"items":[null]}`, 422, "/items/0 must not be null"},
		{"null list", `{"items":null}`, 422, "/items must not be null"}, {"null in a map", `{"tags":{"x":null}}`, 422, "/tags must not be null"},
		{"an array", `[]`, 422, "the body has the wrong type or form"},
		{"33 deep", `{"any":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, 413, "the body must be nested at most 32 deep"},
		{"30 000 deep", strings.Repeat("[", 30000), 413, "the body must be nested at most 32 deep"},
		{"51 items", `{"any":[` + strings.Repeat("0,", 50) + `0]}`, 413, "an array must have at most 50 items"},
		{"61 values", `{"any":[[` + strings.Repeat("0,", 29) + `0],[` + strings.Repeat("0,", 29) + `0]]}`, 413, "the body must have at most 60 values"},
		{"11 members", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1}`, 413, "an object must have at most 10 members"},
		{"a long name", `{"` + long + `":1}`, 413, "a member name must have at most 20 bytes"}, {"a long string", `{"note":"` + long + `"}`, 413, "a string must have at most 100 bytes"},
		{"a byte too many", `{}` + strings.Repeat(" ", 64<<10), 413, "The input is larger than is accepted here."},
		{"too many items by the rule", `{"items":[` + strings.Repeat(`{"sku":"a","qty":1},`, 5) + `{"sku":"a","qty":1}]}`, 422, "/items must have at most 5 items"},
		{"too large", `{"items":[{"sku":"a","qty":1},{"sku":"a b","qty":11}]}`, 422, "/items/1/sku must have letters and digits only (and 1 more problem)"},
		{"missing", `{"items":[{"qty":1}]}`, 422, "/items/0/sku is required"}, {"a map's value", `{"tags":{"k":"12345"}}`, 422, "/tags must have at most 4 characters"},
		{"a map's key", `{"tags":{"<script>":"1"}}`, 422, "/tags must have at most 5 characters"},
		{"null where it fits", `{"gift":null,"any":null}`, 200, ""}, {"null in any", `{"any":[null]}`, 200, ""}, {"nothing", `{}`, 200, ""},
		{"all", `{"items":[{"sku":"a","qty":10}],"note":"tab\t, \u00e4","gift":false,"tags":{"k":"v"},"any":[1,{"x":null}]}`, 200, ""},
		{"exactly the limit", `{}` + strings.Repeat(" ", 64<<10-2), 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, chunked := range []bool{false, true} {
				var body io.Reader = strings.NewReader(row.body)
				if chunked {
					body = io.MultiReader(body)
				}
				status, _, message := send(t, "POST", srv.URL, jsonType(), body)
				require.Equal(t, row.status, status, message)
				if row.message != "" {
					require.Equal(t, row.message, message)
				}
			}
		})
	}
}

// What is refused by its length alone is not read, and the connection ends.
func TestLengths(t *testing.T) {
	srv := serve[order](t, validate.Options{Limits: validate.Limits{Body: 100}})
	address := strings.TrimPrefix(srv.URL, "http://")
	for _, row := range []struct{ name, head, body, want string }{
		{"too long by its own word", "Content-Length: 101", "", "HTTP/1.1 413 "},
		{"too long, and the client asks first", "Content-Length: 101\r\nExpect: 100-continue", "", "HTTP/1.1 413 "},
		{"cut short", "Content-Length: 50", `{"note":"a"`, "HTTP/1.1 400 "},
		{"chunked, and cut short", "Transfer-Encoding: chunked", "5\r\n{\"not", "HTTP/1.1 400 "},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+row.head+"\r\n\r\n"+row.body)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			raw, err := io.ReadAll(conn) // ends, since the server closes
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.True(t, strings.HasPrefix(string(raw), row.want), "%s", raw)
		})
	}
}

type list struct {
	Shop    string   `path:"shop" validate:"alphanum,max=8"`
	Limit   int      `query:"limit" validate:"min=1,max=100" default:"20"`
	Q       string   `query:"q" validate:"max=10"`
	Tags    []string `query:"tag" validate:"max=3,dive,max=4"`
	Flag    *bool    `query:"flag"`
	Match   string   `header:"If-Match" validate:"max=10"`
	Session string   `cookie:"sid" validate:"max=10"`
}

func TestParameters(t *testing.T) {
	srv := serve[list](t, validate.Options{IgnoreQuery: []string{"utm_*"}})
	for _, row := range []struct {
		name, query string
		header      http.Header
		status      int
		code        string
		message     string
	}{
		{"semicolon", "limit=10;role=admin", nil, 400, "malformed_input", "the query must not have a semicolon"},
		{"bad escape", "q=%zz", nil, 400, "malformed_input", ""}, {"percent alone", "%", nil, 400, "malformed_input", ""},
		{"twice", "limit=1&limit=2", nil, 400, "duplicate_parameter", "query parameter limit is there more than once"},
		{"unknown", "isAdmin=true", nil, 422, "invalid_input", "query parameter isAdmin is not known"},
		{"unknown markup", "%3Cb%3E=1", nil, 422, "invalid_input", "the query has a parameter that is not known"},
		{"index syntax", "tag[9999]=1", nil, 422, "invalid_input", "the query has a parameter that is not known"},
		{"empty number", "limit=", nil, 400, "malformed_input", "query parameter limit must be a whole number"}, {"no number", "limit", nil, 400, "malformed_input", ""},
		{"1e3", "limit=1e3", nil, 400, "malformed_input", ""}, {"hex", "limit=0x10", nil, 400, "malformed_input", ""}, {"plus", "limit=%2B5", nil, 400, "malformed_input", ""},
		{"leading zero", "limit=05", nil, 400, "malformed_input", ""}, {"arabic digit", "limit=%D9%A3", nil, 400, "malformed_input", ""},
		{"too large", "limit=1000", nil, 422, "invalid_input", "query parameter limit must be at most 100"},
		{"invalid UTF-8", "q=%ff", nil, 400, "malformed_input", ""}, {"overlong", "q=%c0%af", nil, 400, "malformed_input", ""}, {"NUL", "q=%00", nil, 400, "malformed_input", ""}, {"line break", "q=%0d%0a", nil, 400, "malformed_input", ""},
		{"101 parameters", strings.Repeat("utm_x=1&", 101), nil, 400, "malformed_input", "the query must have at most 100 parameters"},
		{"9 KiB", "q=" + strings.Repeat("a", 9<<10), nil, 414, "query_too_long", ""}, {"21 values", strings.Repeat("tag=a&", 21), nil, 413, "input_too_large", ""},
		{"a value in a list", "tag=a&tag=abcde", nil, 422, "invalid_input", "query parameter tag/1 must have at most 4 characters"},
		{"yes", "flag=yes", nil, 400, "malformed_input", "query parameter flag must be true or false"},
		{"two headers", "", http.Header{"If-Match": {"a", "b"}}, 400, "duplicate_parameter", "header If-Match is there more than once"},
		{"two cookies", "", http.Header{"Cookie": {"sid=a; sid=b"}}, 400, "duplicate_parameter", "cookie sid is there more than once"},
		{"a long cookie", "", http.Header{"Cookie": {"sid=abcdefghijk"}}, 422, "invalid_input", "cookie sid must have at most 10 characters"},
		{"odd cookies of others", "", http.Header{"Cookie": {"a=1; a=2; bad cookie"}}, 200, "", ""},
		{"ignored", "utm_source=x&utm_source=y", nil, 200, "", ""}, {"all", "limit=5&q=a+b&tag=a&tag=b&flag=false", http.Header{"If-Match": {"x"}, "Cookie": {"sid=1"}}, 200, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, code, message := send(t, "GET", srv.URL+"/shops/a1?"+row.query, row.header, nil)
			require.Equal(t, row.status, status, message)
			require.Equal(t, row.code, code)
			if row.message != "" {
				require.Equal(t, row.message, message)
			}
		})
	}
	t.Run("a body on a route without one", func(t *testing.T) {
		status, code, _ := send(t, "GET", srv.URL+"/shops/a1", jsonType(), strings.NewReader("{}"))
		require.Equal(t, []any{400, "unexpected_body"}, []any{status, code})
	})
	t.Run("a path that breaks its rule", func(t *testing.T) {
		status, _, message := send(t, "GET", srv.URL+"/shops/a%2Fb", nil, nil)
		require.Equal(t, 422, status)
		require.Equal(t, "path parameter shop must have letters and digits only", message)
	})
	t.Run("a query on a route of a body", func(t *testing.T) {
		status, _, _ := send(t, "POST", serve[order](t, validate.Options{}).URL+"/?a=1", jsonType(), strings.NewReader("{}"))
		require.Equal(t, 422, status)
	})
}
