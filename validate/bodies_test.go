package validate_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type entry struct {
	SKU string `json:"sku" validate:"required,max=9"`
	Qty int    `json:"qty" validate:"min=1,max=10"`
}

// chunked hides the length of a body.
func chunked(body string) io.Reader { return io.MultiReader(strings.NewReader(body)) }

// A T of any kind is the body.
func TestBodiesOfAnyType_VB1(t *testing.T) {
	lines := serve[[]entry](t, validate.Options{Limits: validate.Limits{Items: 1000}})
	prices := serve[map[string]int](t, validate.Options{})
	text, number := serve[string](t, validate.Options{}), serve[float64](t, validate.Options{})
	flags := serve[[2]bool](t, validate.Options{})
	for _, row := range []struct {
		name    string
		srv     *httptest.Server
		body    string
		status  int
		message string
	}{
		{name: "a list", srv: lines, body: `[{"sku":"a","qty":1},{"sku":"b","qty":2}]`, status: 200},
		{name: "an empty list", srv: lines, body: `[]`, status: 200},
		{name: "a list with a bad item", srv: lines, body: `[{"sku":"a","qty":1},{"sku":"b","qty":0}]`, status: 422, message: "/1/qty must be at least 1"},
		{name: "a list with an unknown member", srv: lines, body: `[{"sku":"a","qty":1,"x":1}]`, status: 422, message: "/0/x is unknown"},
		{name: "a list with null", srv: lines, body: `[null]`, status: 422, message: "/0 must not be null"},
		{name: "a list with a control character", srv: lines, body: `[{"sku":"\u0007","qty":1}]`, status: 422, message: "/0/sku contains control characters"},
		{name: "a list that is too long", srv: lines, body: `[` + strings.Repeat(`0,`, 1000) + `0]`, status: 413, message: "an array must have at most 1000 items"},
		{name: "null for a list", srv: lines, body: `null`, status: 422, message: "the body must not be null"},
		{name: "an object for a list", srv: lines, body: `{}`, status: 422, message: "the body must be a list"},
		{name: "no body for a list", srv: lines, body: ``, status: 400, message: "the body is empty"},
		{name: "two lists", srv: lines, body: `[][]`, status: 400, message: "the body is not JSON at byte 2"},
		{name: "a map", srv: prices, body: `{"a":1,"b":2}`, status: 200},
		{name: "a map with a bad value", srv: prices, body: `{"a":"x"}`, status: 422, message: "/a must be a whole number"},
		{name: "a map with a name twice", srv: prices, body: `{"a":1,"a":2}`, status: 400, message: "the body contains a member twice at byte 7"},
		{name: "a string", srv: text, body: `"a"`, status: 200},
		{name: "a string with a control character", srv: text, body: `"\u0007"`, status: 422, message: "the body contains control characters"},
		{name: "a number for a string", srv: text, body: `1`, status: 422, message: "the body must be a string"},
		{name: "a number", srv: number, body: `1.5`, status: 200},
		{name: "a number that a float64 rounds", srv: number, body: `9007199254740993`, status: 422, message: "the body has too many digits"},
		{name: "an array", srv: flags, body: `[true,false]`, status: 200},
		{name: "an array of another length", srv: flags, body: `[true]`, status: 422, message: "the body must have exactly 2 items"},
	} {
		t.Run("VB1 "+row.name, func(t *testing.T) {
			status, _, text := send(t, "POST", row.srv.URL, jsonType(), strings.NewReader(row.body))
			require.Equal(t, row.status, status, text)
			require.Contains(t, text, row.message)
		})
	}
	_, err := validate.JSON[[]entry](validate.Options{Logger: quiet})
	require.NoError(t, err)
}

// A field of any type is the body, with rules of its own.
func TestBodyFieldsOfAnyType_VB2(t *testing.T) {
	type bulk struct {
		Shop  string  `query:"shop" validate:"max=9"`
		Lines []entry `body:"json" validate:"min=1,max=3"`
	}
	srv := serve[bulk](t, validate.Options{})
	for _, row := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"a list", `[{"sku":"a","qty":1}]`, 200, ""},
		{"too short a list", `[]`, 422, "the body must have at least 1 item"},
		{"too long a list", `[{"sku":"a","qty":1},{"sku":"a","qty":1},{"sku":"a","qty":1},{"sku":"a","qty":1}]`, 422, "the body must have at most 3 items"},
		{"a bad item", `[{"sku":"a","qty":11}]`, 422, "/0/qty must be at most 10"},
	} {
		t.Run("VB2 "+row.name, func(t *testing.T) {
			status, _, text := send(t, "POST", srv.URL+"?shop=x", jsonType(), strings.NewReader(row.body))
			require.Equal(t, row.status, status, text)
			require.Contains(t, text, row.message)
		})
	}
}

// The body of a pointer may be missing.
func TestOptionalBodies_VB3(t *testing.T) {
	type optional struct {
		Line *entry `body:"json"`
	}
	type needed struct {
		Line *entry `body:"json" validate:"required"`
	}
	free, strict := serve[optional](t, validate.Options{}), serve[needed](t, validate.Options{})
	for _, row := range []struct {
		name           string
		header         http.Header
		body           io.Reader
		free, strict   int
		message        string // of both, if they refuse
		strictMessages string
	}{
		{name: "no body", free: 200, strict: 422, strictMessages: "the body is required"},
		{name: "no body with a Content-Type", header: jsonType(), free: 200, strict: 422, strictMessages: "the body is required"},
		{name: "no body with another Content-Type", header: http.Header{"Content-Type": {"text/plain"}}, free: 200, strict: 422, strictMessages: "the body is required"},
		{name: "an empty chunked body", header: jsonType(), body: chunked(""), free: 200, strict: 422, strictMessages: "the body is required"},
		{name: "null", header: jsonType(), body: strings.NewReader("null"), free: 200, strict: 422, strictMessages: "the body is required"},
		{name: "a body", header: jsonType(), body: strings.NewReader(`{"sku":"a","qty":1}`), free: 200, strict: 200},
		{name: "a chunked body", header: jsonType(), body: chunked(`{"sku":"a","qty":1}`), free: 200, strict: 200},
		{name: "a bad body", header: jsonType(), body: chunked(`{"sku":"a","qty":0}`), free: 422, strict: 422, message: "/qty must be at least 1"},
		{name: "a blank", header: jsonType(), body: strings.NewReader(" "), free: 400, strict: 400, message: "the body is empty"},
		{name: "a body without a Content-Type", body: strings.NewReader(`{"sku":"a","qty":1}`), free: 415, strict: 415},
		{name: "a chunked body with another Content-Type", header: http.Header{"Content-Type": {"text/plain"}}, body: chunked(`{}`), free: 415, strict: 415},
	} {
		t.Run("VB3 "+row.name, func(t *testing.T) {
			read := func() []byte {
				if row.body == nil {
					return nil
				}
				all, err := io.ReadAll(row.body)
				require.NoError(t, err)
				return all
			}
			content, isChunked := read(), row.body != nil && fmt.Sprintf("%T", row.body) != "*strings.Reader"
			for srv, want := range map[*httptest.Server]int{free: row.free, strict: row.strict} {
				var body io.Reader
				if isChunked {
					body = chunked(string(content))
				} else if row.body != nil {
					body = bytes.NewReader(content)
				}
				status, _, text := send(t, "POST", srv.URL, row.header.Clone(), body)
				require.Equal(t, want, status, text)
				require.Contains(t, text, row.message)
				if srv == strict {
					require.Contains(t, text, row.strictMessages)
				}
			}
		})
	}
}

// Raw bytes are those that were sent, for a signature.
func TestRawBodies_VB4(t *testing.T) {
	type webhook struct {
		Signature string `header:"X-Signature" validate:"max=64"`
		Event     entry  `body:"json"`
		Raw       []byte `body:"raw"`
	}
	secret := []byte("a secret of the sender")
	sign := func(body string) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(body))
		return fmt.Sprintf("%x", mac.Sum(nil))
	}
	bad := errors.Define(401, "bad_signature", "The signature is not valid.")
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *webhook) error {
		if !hmac.Equal([]byte(sign(string(in.Raw))), []byte(in.Signature)) {
			return bad
		}
		return json.NewEncoder(w).Encode(in.Event)
	}, validate.Options{Logger: quiet, Limits: validate.Limits{Body: 100}}))
	srv := httptest.NewServer(errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(h))
	t.Cleanup(srv.Close)
	var group sync.WaitGroup
	for i := range 64 { // buffers are used again, and no request sees the bytes of another
		group.Go(func() {
			body := fmt.Sprintf("{ \"qty\" : %d,\n\"sku\":\"n%d\" }", 1+i%10, i)
			header := jsonType()
			header.Set("X-Signature", sign(body))
			if status, code, _ := send(t, "POST", srv.URL, header, strings.NewReader(body)); status != 200 {
				t.Error(status, code)
			}
			header = jsonType()
			header.Set("X-Signature", sign(body))
			if status, code, _ := send(t, "POST", srv.URL, header, strings.NewReader(body+" ")); status != 401 {
				t.Error(status, code)
			}
		})
	}
	group.Wait()
	status, _, text := send(t, "POST", srv.URL, jsonType(), strings.NewReader(`{"sku":"`+strings.Repeat("a", 100)+`"}`))
	require.Equal(t, 413, status, text)
}

// A body that is not decoded has the media types of the options.
func TestRawBodiesAlone_VB5(t *testing.T) {
	type upload struct {
		Name string `query:"name" validate:"max=9"`
		Data []byte `body:"raw"`
	}
	srv := serve[upload](t, validate.Options{Types: []string{"application/xml", "application/octet-stream"}, Limits: validate.Limits{Body: 10}})
	for _, row := range []struct {
		name, media, body string
		status            int
	}{
		{"a listed type", "application/xml", "<a/>", 200},
		{"a listed type with a charset", "application/xml; charset=iso-8859-1", "<a/>", 200},
		{"bytes", "application/octet-stream", "\x00\xff", 200},
		{"as many bytes as Body", "application/octet-stream", "0123456789", 200},
		{"more bytes", "application/octet-stream", "0123456789a", 413},
		{"another type", "application/json", "{}", 415},
		{"no type", "", "x", 415},
		{"no body", "", "", 200},
	} {
		t.Run("VB5 "+row.name, func(t *testing.T) {
			for _, body := range []io.Reader{strings.NewReader(row.body), chunked(row.body)} {
				header := http.Header{}
				if row.media != "" {
					header.Set("Content-Type", row.media)
				}
				if _, isChunked := body.(*strings.Reader); !isChunked && row.body == "" {
					continue // an empty chunked body needs a type, because it may be one
				}
				status, _, text := send(t, "POST", srv.URL+"?name=x", header, body)
				require.Equal(t, row.status, status, text)
			}
		})
	}
	type form struct {
		A   string `form:"a" validate:"max=9"`
		Raw []byte `body:"raw"`
	}
	forms := errors.Must(validate.Handle(func(w http.ResponseWriter, r *http.Request, in *form) error {
		_, err := fmt.Fprintf(w, "%s %s", in.A, in.Raw)
		return err
	}, validate.Options{Logger: quiet}))
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("a=%62"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	forms.ServeHTTP(w, r)
	require.Equal(t, "b a=%62", w.Body.String())
}

func TestBodiesThatNewRefuses_VB6(t *testing.T) {
	type pointer = *entry
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"a pointer":          {asJSON[pointer]()(), `is a pointer or an Opt; did you mean a struct with a field of that type and body:"json"?`},
		"an Opt":             {asJSON[validate.Opt[entry]]()(), "is a pointer or an Opt"},
		"a File":             {asJSON[validate.File]()(), "cannot be read from JSON"},
		"a channel":          {asJSON[chan int]()(), "a chan int cannot be read from JSON"},
		"a list of channels": {asJSON[[]chan int]()(), "a chan int cannot be read from JSON"},
		"a list in Query":    {asQuery[[]entry]()(), "is not a struct"},
		"two bodies": {asInput[struct {
			A, B entry `body:"json"`
		}]()(), `is a second body:"json"; a request has one body`},
		"two raw bodies": {asInput[struct {
			A, B []byte `body:"raw"`
		}](validate.Options{Types: []string{"text/csv"}})(), `is a second body:"raw"`},
		"a raw string": {asInput[struct {
			A string `body:"raw"`
		}](validate.Options{Types: []string{"text/csv"}})(), `is a string; a body:"raw" must be a []byte`},
		"a raw body without Types": {asInput[struct {
			A []byte `body:"raw"`
		}]()(), `has body:"raw" alone, for which Options.Types must list the media types; did you mean Types: []string{"application/octet-stream"}?`},
		"a raw body with Gzip": {asInput[struct {
			A []byte `body:"raw"`
		}](validate.Options{Gzip: true, Types: []string{"text/csv"}})(), `has body:"raw", which are the bytes that were sent, and Gzip, which changes them; did you mean Options without Gzip?`},
		"a raw body with rules": {asInput[struct {
			A []byte `body:"raw" validate:"max=3"`
		}](validate.Options{Types: []string{"text/csv"}})(), `has rules, which are not applied to body:"raw"; did you mean Limits.Body?`},
		"a raw body with a file": {asInput[struct {
			A []byte        `body:"raw"`
			F validate.File `form:"f" types:"image/png"`
		}]()(), `has body:"raw" and a File, which is not kept in memory; did you mean to leave one out?`},
		"an unknown source of body": {asInput[struct {
			A entry `body:"xml"`
		}]()(), `has the unknown source body:"xml"; did you mean body:"json"?`},
	} {
		t.Run("VB6 "+name, func(t *testing.T) { require.ErrorContains(t, row.err, row.want) })
	}
}

// The schema of a body of any type says what the decoder accepts.
func TestSchemaOfBodies_VB7(t *testing.T) {
	for want, schema := range map[string]func(...validate.Options) ([]byte, error){
		`{"type":"array","items":{"type":"string"}}`: validate.Schema[[]string],
		`{"type":"object","required":["body"],"additionalProperties":false,"properties":{"body":{"type":"array","items":{"type":"boolean"},"minItems":1}}}`: validate.Schema[struct {
			A []bool `body:"json" validate:"min=1"`
		}],
		`{"type":"object","required":[],"additionalProperties":false,"properties":{"body":{"anyOf":[{"type":"null"},{"type":"boolean"}]}}}`: validate.Schema[struct {
			A *bool `body:"json"`
		}],
	} {
		text, err := schema()
		require.NoError(t, err)
		var got, expected map[string]any
		require.NoError(t, json.Unmarshal(text, &got))
		require.NoError(t, json.Unmarshal([]byte(want), &expected))
		delete(got, "$schema")
		require.Equal(t, expected, got)
	}
}

// A compressed optional body may be missing, too.
func TestOptionalBodyWithGzip_VB8(t *testing.T) {
	type optional struct {
		Line *entry `body:"json"`
	}
	srv := serve[optional](t, validate.Options{Gzip: true})
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(`{"sku":"a","qty":1}`))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	header := func() http.Header {
		h := jsonType()
		h.Set("Content-Encoding", "gzip")
		return h
	}
	for _, body := range []io.Reader{nil, chunked(""), bytes.NewReader(zipped.Bytes()), chunked(zipped.String())} {
		status, _, text := send(t, "POST", srv.URL, header(), body)
		require.Equal(t, 200, status, text)
	}
}
