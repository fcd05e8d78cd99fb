package validate_test

import (
	"encoding/json"
	"io"
	"log/slog"
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

// serve responds with the decoded T, behind a Responder, over a real socket.
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

// Messages name the place and the rule, and repeat nothing.
func TestBodiesAreChecked(t *testing.T) {
	srv := serve[order](t, validate.Options{Limits: validate.Limits{Body: 64 << 10, String: 100, Name: 20, Items: 50, Keys: 10, Tokens: 60}})
	long := strings.Repeat("a", 1<<12)
	for _, row := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"empty", "", 400, "the body is empty"},
		{"cut", "{", 400, ""}, {"comma", `{"note":"a",}`, 400, ""}, {"quotes", `{'note':1}`, 400, ""}, {"comment", `{/**/}`, 400, ""},
		{"NaN", `{"any":NaN}`, 400, ""}, {"BOM", "\xef\xbb\xbf{}", 400, ""}, {"01", `{"any":01}`, 400, ""}, {"raw control", "{\"note\":\"\x01\"}", 400, ""},
		{"two values", `{}{}`, 400, ""}, {"trailing", `{}x`, 400, ""}, {"trailing comma", `{},`, 400, ""},
		{"doubled", `{"note":"a","note":"b"}`, 400, ""}, {"doubled by an escape", `{"note":"a","n\u006fte":"b"}`, 400, ""},
		{"doubled in any", `{"any":{"a":1,"a":2}}`, 400, ""}, {"invalid UTF-8", "{\"note\":\"\xff\"}", 400, ""}, {"lone surrogate", `{"note":"\ud800"}`, 400, ""},
		{"another case", `{"NOTE":"a"}`, 422, "/NOTE is unknown"}, {"long s", `{"itemſ":[]}`, 422, "the body has an unknown member"},
		{"unknown", `{"admin":true}`, 422, "/admin is unknown"}, {"unknown, inside", `{"items":[{"sku":"a","price":1}]}`, 422, "/items/0/price is unknown"},
		{"the Go name", `{"Own":"x"}`, 422, "/Own is unknown"}, {"markup as a name", `{"<b>":1}`, 422, "the body has an unknown member"},
		{"NUL", `{"note":"a\u0000b"}`, 422, "/note contains control characters"}, {"backspace in a map", `{"tags":{"a":"\b"}}`, 422, "/tags/a contains control characters"},
		{"a fraction", `{"items":[{"sku":"a","qty":1.0}]}`, 422, "/items/0/qty must be a whole number from -128 to 127"}, {"a string for a number", `{"items":[{"sku":"a","qty":"1"}]}`, 422, "/items/0/qty must be a whole number"},
		{"128 in int8", `{"items":[{"sku":"a","qty":128}]}`, 422, "/items/0/qty must be a whole number from -128 to 127"}, {"300 digits", `{"any":` + strings.Repeat("9", 300) + `}`, 413, "a number must have at most 64 digits"},
		{"null body", `null`, 422, "the body must not be null"}, {"null string", `{"note":null}`, 422, "/note must not be null"}, {"null item", `{"items":[null]}`, 422, "/items/0 must not be null"},
		{"null list", `{"items":null}`, 422, "/items must not be null"}, {"null in a map", `{"tags":{"x":null}}`, 422, "/tags/x must not be null"},
		{"an array", `[]`, 422, "the body must be an object"},
		{"33 deep", `{"any":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, 413, "the body must be nested at most 32 deep"},
		{"30 000 deep", strings.Repeat("[", 30000), 413, "the body must be nested at most 32 deep"},
		{"51 items", `{"any":[` + strings.Repeat("0,", 50) + `0]}`, 413, "an array must have at most 50 items"},
		{"61 values", `{"any":[[` + strings.Repeat("0,", 29) + `0],[` + strings.Repeat("0,", 29) + `0]]}`, 413, "the body must have at most 60 values"},
		{"11 members", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1}`, 413, "an object must have at most 10 members"},
		{"a long name", `{"` + long + `":1}`, 413, "a member name must have at most 20 bytes"}, {"a long string", `{"note":"` + long + `"}`, 413, "a string must have at most 100 bytes"},
		{"a byte too many", `{}` + strings.Repeat(" ", 64<<10), 413, "The input is too large."},
		{"too many items by the rule", `{"items":[` + strings.Repeat(`{"sku":"a","qty":1},`, 5) + `{"sku":"a","qty":1}]}`, 422, "/items must have at most 5 items"},
		{"too large", `{"items":[{"sku":"a","qty":1},{"sku":"a b","qty":11}]}`, 422, "/items/1/sku must contain only letters and digits (and 1 more problem)"},
		{"missing", `{"items":[{"qty":1}]}`, 422, "/items/0/sku is required"}, {"a map's value", `{"tags":{"k":"12345"}}`, 422, "/tags/k must have at most 4 characters"},
		{"a map's key", `{"tags":{"<script>":"1"}}`, 422, "a name in /tags must have at most 5 characters"},
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
