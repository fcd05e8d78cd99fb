package validate_test

import (
	"bytes"
	stdjson "encoding/json"
	"io"
	"log/slog"
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

// sample has a member of every kind that the cases need.
type sample struct {
	Qty   int                `json:"qty" validate:"omitempty,min=1,max=10"`
	Small int8               `json:"small"`
	Large int64              `json:"large"`
	Count uint               `json:"count"`
	Float float64            `json:"float"`
	Note  string             `json:"note" validate:"max=20"`
	Mail  string             `json:"mail" validate:"omitempty,email"`
	Word  string             `json:"word" validate:"omitempty,max=64,pattern=word"`
	On    bool               `json:"on"`
	In    point              `json:"in"`
	List  []point            `json:"list" validate:"max=2000"`
	Fixed [2]int             `json:"fixed"`
	Raw   []byte             `json:"raw" validate:"max=8"`
	When  time.Time          `json:"when"`
	Map   map[string]string  `json:"map" validate:"max=9,dive,keys,max=200,endkeys,max=5"`
	Any   any                `json:"any"`
	Text  stdjson.RawMessage `json:"text" validate:"max=100"`
	Ptr   *int               `json:"ptr"`
	Opt   validate.Opt[int]  `json:"opt"`
	Own   string             `json:"-"`
}

type point struct {
	X int `json:"x" validate:"max=10"`
}

func sampleServer(t testing.TB, limits validate.Limits) string {
	return serve[sample](t, validate.Options{Limits: limits, Patterns: map[string]string{"word": "(a+)+"}}).URL
}

type bodyRow struct {
	name, body string
	status     int
	code       string
}

func sendRows(t *testing.T, url string, rows []bodyRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for _, body := range []io.Reader{strings.NewReader(row.body), io.MultiReader(strings.NewReader(row.body))} { // with a length, and chunked
				status, code, message := send(t, "POST", url, jsonType(), body)
				require.Equal(t, []any{row.status, row.code}, []any{status, code}, message)
			}
		})
	}
}

const (
	malformed = "malformed_input"
	invalid   = "invalid_input"
	tooLarge  = "input_too_large"
	mediaType = "unsupported_media_type"
	doubled   = "duplicate_parameter"
)

// TestAmbiguousBodiesAreRefused holds VJ1 to VJ5 and VJ7.
func TestAmbiguousBodiesAreRefused(t *testing.T) {
	var rows []bodyRow
	for name, bodies := range map[string][]string{
		"VJ1": {
			"", " \n\t", "{", "[1", `{"a":1,}`, "'a'", `{'note':"a"}`, "{/**/}", "{}//", `{"any":NaN}`, `{"any":Infinity}`, `{"any":-Infinity}`, "\xef\xbb\xbf{}",
			`{"qty":01}`, `{"float":.5}`, `{"qty":+1}`, `{"note":"\x41"}`, "{\"note\":\"\x01\"}", "{\"note\":\"a\nb\"}", `{"float":1.}`, `{"float":1e}`, `{note:"a"}`,
			`{"note" "a"}`, `{"note"}`, `{,}`, `[,]`, `{"note":tru}`, `{"on":True}`, `{"any":[1 2]}`, `{"any":[1]]}`, `{"any":[1}`, "\x00{}", `{"note":"a`, `{"any":--1}`, `{"any":0x10}`, `{"any":1_000}`,
		},
		"VJ2": {"{}{}", "{}x", "{},", "{} null", "{}\n{}", "{}]", "{}\x00"},
		"VJ3": {
			`{"qty":1,"qty":-1}`, `{"qty":1,"q\u0074y":-1}`, `{"in":{"x":1,"x":2}}`, `{"any":{"a":1,"a":2}}`, `{"any":[{"a":{"b":1,"b":1}}]}`, `{"map":{"a":"b","a":"c"}}`,
			`{"list":[{"x":1,"\u0078":2}]}`, `{"text":{"a":1,"a":2}}`, `{"text":[{"a":{"b":1,"\u0062":2}}]}`,
		},
		"VJ5": {
			`{"note":"qty\ud800"}`, `{"note":"\udc00\ud800"}`, "{\"note\":\"\xff\"}", "{\"note\":\"\xc0\xaf\"}", "{\"note\":\"\xed\xa0\x80\"}", "{\"note\xff\":1}", `{"qty\ud800":1}`,
			"\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}", "{\"note\":\"\xf4\x90\x80\x80\"}",
		},
		"VJ7": {
			`{"qty":1, "extra":1/*, "qty":-1, "e":2*/}`, `{"qty":1}/*, "qty":2}*/`, `{"qty":1//,"qty":2` + "\n}", `{"qty":1#,"qty":2` + "\n}", `{"qty":1, "/*":1, "qty":2, "*/":1}`,
		},
	} {
		for _, body := range bodies {
			rows = append(rows, bodyRow{name + " " + body, body, 400, malformed})
		}
	}
	sendRows(t, sampleServer(t, validate.Limits{}), rows)
}

// TestBodiesOutsideTheSchemaAreRefused holds VJ4, VJ6 and VJ8 to VJ14.
func TestBodiesOutsideTheSchemaAreRefused(t *testing.T) {
	var rows []bodyRow
	for name, bodies := range map[string][]string{
		"VJ4":  {`{"qty":1,"QTY":-1}`, `{"Qty":1}`, `{"liſt":[]}`, "{\"\u212any\":1}", `{"NOTE":"a"}`},
		"VJ6":  {`{"note":"a\u0000b"}`, `{"note":"\u001b[31m"}`, `{"note":"\b"}`, `{"note":"\f"}`, `{"map":{"a\u0001":"b"}}`, `{"any":["\u000b"]}`, `{"any":{"\u0000":1}}`, `{"note":"\u001F"}`, `{"text":"\u0000"}`},
		"VJ8":  {`{"qty":1.0}`, `{"qty":1e1}`, `{"qty":"1"}`, `{"small":128}`, `{"small":-129}`, `{"large":9223372036854775808}`, `{"count":-1}`, `{"qty":true}`, `{"on":1}`, `{"on":"true"}`, `{"note":1}`, `{"float":"1"}`, `{"qty":-0.0}`},
		"VJ9":  {`{"float":1e400}`, `{"float":-1e400}`, `{"any":1e999}`},
		"VJ10": {`{"float":9007199254740993}`, `{"any":9007199254740993}`, `{"any":[{"a":-9007199254740993}]}`},
		"VJ11": {`null`, `{"note":null}`, `{"qty":null}`, `{"on":null}`, `{"in":null}`, `{"list":null}`, `{"map":null}`, `{"list":[null]}`, `{"map":{"a":null}}`, `{"fixed":[1,null]}`, `{"raw":null}`, `{"when":null}`, `{"in":{"x":null}}`, ` null `},
		"VJ13": {
			`[]`, `"a"`, `1`, `true`, `{"in":[]}`, `{"list":{}}`, `{"map":[]}`, `{"fixed":[1]}`, `{"fixed":[1,2,3]}`, `{"raw":"YQ"}`, `{"raw":"YQ==\n"}`, `{"raw":"Y Q="}`, `{"raw":[1]}`, `{"when":"2024-02-30T00:00:00Z"}`,
			`{"when":"2024-01-01T24:00:00Z"}`, `{"when":"2024-01-01T00:00:00,5Z"}`, `{"when":"2024-01-01"}`, `{"when":"2024-01-01T00:00:00+24:00"}`, `{"when":1}`, `{"opt":"1"}`,
		},
		"VJ14": {`{"unknown":1}`, `{"__proto__":{}}`, `{"constructor":1}`, `{"":1}`, `{"-":1}`, `{"Own":"x"}`, `{"own":"x"}`, `{"in":{"y":1}}`, `{"list":[{"price":1}]}`},
		"VJ20": {"{\"caf\u00e9\":1}", "{\"cafe\u0301\":1}"},
		"VJ21": {`{"word":"` + strings.Repeat("a", 63) + `!"}`, `{"word":"` + strings.Repeat("a", 65) + `"}`},
		"VR9":  {`{"mail":"` + strings.Repeat("a", 60<<10) + `@example.com"}`, `{"mail":"` + strings.Repeat("<", 60<<10) + `"}`, `{"mail":"a@b"}`},
		"VR11": {`{"map":{"x].admin[y":"toolong"}}`, `{"map":{"a\nb":"toolong"}}`, `{"map":{"` + strings.Repeat("k", 100) + `":"toolong"}}`},
	} {
		for _, body := range bodies {
			rows = append(rows, bodyRow{name + " " + body[:min(len(body), 40)], body, 422, invalid})
		}
	}
	for name, body := range map[string]string{
		"VJ6 tab, newline, return": `{"note":"\t\n\r\\u0000"}`, "VJ8 no fraction": `{"qty":1,"small":-128,"large":9223372036854775807,"count":0,"float":1e2}`,
		"VJ10 2^53": `{"float":9007199254740992,"any":9007199254740992,"large":9007199254740993}`, "VJ12 null for a pointer": `{"ptr":null,"any":null}`, "VJ12 null for an Opt": `{"opt":null}`,
		"VJ13 as they are": `{"raw":"YQ==","when":"2024-02-29T23:59:59.5+01:00","fixed":[1,2]}`, "VJ21 in linear time": `{"word":"` + strings.Repeat("a", 64) + `"}`,
	} {
		rows = append(rows, bodyRow{name, body, 200, ""})
	}
	sendRows(t, sampleServer(t, validate.Limits{}), rows)
}

// TestStructureIsLimited holds VJ9, VJ15 to VJ19 and VT10 to VT13.
func TestStructureIsLimited(t *testing.T) {
	sendRows(t, sampleServer(t, validate.Limits{}), []bodyRow{
		{"VJ9 300 digits", `{"any":` + strings.Repeat("9", 300) + `}`, 413, tooLarge},
		{"VJ9 300 digits of a fraction", `{"float":0.` + strings.Repeat("1", 300) + `}`, 413, tooLarge},
		{"VJ15 a name of 100 000 bytes", `{"` + strings.Repeat("a", 100_000) + `":1}`, 413, tooLarge},
		{"VJ15 1000 unknown names", "{" + strings.Repeat(`"a":1,`, 1000) + `"b":1}`, 413, tooLarge},
		{"VJ16 33 deep", `{"any":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", 413, tooLarge},
		{"VJ16 9999 deep", strings.Repeat("[", 9999) + strings.Repeat("]", 9999), 413, tooLarge},
		{"VJ16 10 001 deep", strings.Repeat(`{"a":`, 10_001), 413, tooLarge},
		{"VJ17 1001 items", `{"any":[` + strings.Repeat("0,", 1000) + "0]}", 413, tooLarge},
		{"VJ17 1001 objects", `{"list":[` + strings.Repeat("{},", 1000) + "{}]}", 413, tooLarge},
		{"VJ17 20 001 values", `{"any":[` + strings.Repeat("["+strings.Repeat("0,", 900)+"0],", 23) + "[0]]}", 413, tooLarge},
		{"VJ19 257 keys", `{"map":{` + manyKeys(257) + "}}", 413, tooLarge},
		{"a string of 64 KiB and one", `{"note":"` + strings.Repeat("a", 64<<10+1) + `"}`, 413, tooLarge},
		{"VJ16 32 deep", `{"any":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + "}", 200, ""},
		{"VJ17 1000 items", `{"any":[` + strings.Repeat("0,", 999) + "0]}", 200, ""},
		{"VJ18 999 invalid items", `{"list":[` + strings.Repeat(`{"x":11},`, 998) + `{"x":11}]}`, 422, invalid},
		{"VJ19 256 keys", `{"any":{` + manyKeys(256) + "}}", 200, ""},
	})
	sendRows(t, sampleServer(t, validate.Limits{Body: 1000}), []bodyRow{
		{"VT10 more than the limit", `{"note":"a"}` + strings.Repeat(" ", 1000-11), 413, tooLarge},
		{"VT11 the limit and one", "{}" + strings.Repeat(" ", 999), 413, tooLarge},
		{"VT12 exactly the limit", "{}" + strings.Repeat(" ", 998), 200, ""},
		{"VT13 spaces without end", "{}" + strings.Repeat(" ", 100_000), 413, tooLarge},
	})
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `":"v"`)
	}
	return b.String()
}

// TestMediaTypesAreChecked holds VT1 to VT8.
func TestMediaTypesAreChecked(t *testing.T) {
	url := sampleServer(t, validate.Limits{})
	one := func(v string) http.Header { return http.Header{"Content-Type": {v}} }
	encoded := func(v ...string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "Content-Encoding": v}
	}
	for _, row := range []struct {
		name   string
		header http.Header
		status int
		code   string
	}{
		{"VT1 none", http.Header{"Content-Type": nil}, 415, mediaType}, {"VT1 empty", one(""), 415, mediaType},
		{"VT2 text/plain", one("text/plain"), 415, mediaType}, {"VT2 text/json", one("text/json"), 415, mediaType}, {"VT2 jsonfoo", one("application/jsonfoo"), 415, mediaType},
		{"VT2 any", one("*/*"), 415, mediaType}, {"VT2 a form", one("application/x-www-form-urlencoded"), 415, mediaType}, {"VT2 application/*", one("application/*"), 415, mediaType},
		{"VT3 UTF-16", one("application/json; charset=utf-16"), 415, mediaType}, {"VT3 latin1", one("application/json; charset=latin1"), 415, mediaType}, {"VT3 empty", one("application/json; charset="), 415, mediaType},
		{"VT4 two lines", http.Header{"Content-Type": {"application/json", "application/json"}}, 415, mediaType}, {"VT4 two lines that differ", http.Header{"Content-Type": {"application/json", "text/plain"}}, 415, mediaType},
		{"VT4 two in a line", one("application/json, text/plain"), 415, mediaType}, {"VT4 two charsets", one("application/json; charset=utf-8; charset=utf-8"), 415, mediaType}, {"VT4 two charsets that differ", one("application/json; charset=utf-8; charset=utf-16"), 415, mediaType},
		{"VT5 a parameter without a value", one("application/json; boundary"), 415, mediaType}, {"VT5 another parameter", one("application/json; profile=x"), 415, mediaType}, {"VT5 DEL", one("application/json; charset=\"utf-8\x80\""), 415, mediaType},
		{"VT6 another case", one("Application/JSON; charset=UTF-8"), 200, ""}, {"VT6 quoted", one(`application/json;charset="utf-8"`), 200, ""}, {"VT6 plain", one("application/json"), 200, ""},
		{"VT7 merge-patch", one("application/merge-patch+json"), 415, mediaType},
		{"VT8 gzip", encoded("gzip"), 415, mediaType}, {"VT8 gzip twice", encoded("gzip, gzip"), 415, mediaType}, {"VT8 br", encoded("br"), 415, mediaType}, {"VT8 identity and gzip", encoded("identity, gzip"), 415, mediaType}, {"VT8 gzip in quotation marks", encoded(`"gzip"`), 415, mediaType},
		{"FV9 a semicolon at the end", one("application/json;"), 200, ""}, {"FV9 and a blank", one("application/json; "), 200, ""}, {"FV9 two semicolons", one("application/json;;charset=utf-8"), 200, ""}, {"FV9 empty parameters around one", one("application/json ; ; charset=utf-8 ;\t;"), 200, ""},
		{"FV9 utf8", one("application/json;charset=utf8"), 200, ""}, {"FV9 an unnecessary escape", one(`application/json;charset="utf\-8"`), 415, mediaType}, {"FV9 a semicolon in quotation marks", one(`application/json;charset="utf-8;"`), 415, mediaType}, {"FV9 an open quotation mark", one(`application/json;charset="utf-8`), 415, mediaType},
		{"FV9 data behind the quotation mark", one(`application/json;charset="utf-8"x`), 415, mediaType}, {"FV9 a blank before =", one("application/json;charset =utf-8"), 415, mediaType}, {"FV9 a blank behind =", one("application/json;charset= utf-8"), 415, mediaType}, {"FV9 only a semicolon", one(";"), 415, mediaType},
		{"FV9 two charsets of one meaning", one("application/json;charset=utf8;;charset=utf-8"), 415, mediaType}, {"FV9 no name", one("application/json;=utf-8"), 415, mediaType}, {"FV9 a charset that goes on", one("application/json;charset*0=utf-8"), 415, mediaType}, {"FV9 an encoded charset", one("application/json;charset*=utf-8''utf-8"), 415, mediaType},
		{"FV9 identity", encoded("identity"), 200, ""}, {"FV9 Identity", encoded("Identity"), 200, ""}, {"FV9 an empty list", encoded(""), 200, ""}, {"FV9 empty elements", encoded(" ,identity, "), 200, ""}, {"FV9 identity on two lines", encoded("identity", "identity"), 200, ""},
		{"FV9 x-gzip where gzip is not accepted", encoded("x-gzip"), 415, mediaType},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, code, _ := send(t, "POST", url, row.header, strings.NewReader("{}"))
			require.Equal(t, []any{row.status, row.code}, []any{status, code})
		})
	}
	t.Run("VT7 merge-patch where it is listed", func(t *testing.T) {
		srv := serve[sample](t, validate.Options{Types: []string{"application/merge-patch+json"}, Patterns: map[string]string{"word": "a"}})
		status, _, _ := send(t, "PATCH", srv.URL, one("application/merge-patch+json"), strings.NewReader("{}"))
		require.Equal(t, 200, status)
		status, _, _ = send(t, "PATCH", srv.URL, jsonType(), strings.NewReader("{}"))
		require.Equal(t, 415, status)
	})
	t.Run("VT1 no body and no type", func(t *testing.T) {
		status, code, _ := send(t, "POST", url, http.Header{}, http.NoBody)
		require.Equal(t, []any{400, malformed}, []any{status, code})
	})
	t.Run("VT8 says what is taken", func(t *testing.T) {
		r, err := http.NewRequest("POST", url, strings.NewReader("{}"))
		require.NoError(t, err)
		r.Header = encoded("gzip")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "identity", res.Header.Get("Accept-Encoding"))
	})
	t.Run("RFC 9110, 15.5.16: says which types are taken", func(t *testing.T) {
		for _, h := range []http.Header{{}, {"Content-Type": {"text/plain"}}, {"Content-Type": {"application/json; charset=latin1"}}, {"Content-Type": {"application/json", "application/json"}}} {
			r, err := http.NewRequest("POST", url, strings.NewReader("{}"))
			require.NoError(t, err)
			r.Header = h
			res, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, 415, res.StatusCode)
			require.Equal(t, "application/json", res.Header.Get("Accept"))
		}
	})
}

// The log has more details than the response, and quotes nothing of a body.
func TestLogQuotesNothingOfABody(t *testing.T) {
	type note struct {
		Note string `json:"note" validate:"max=20"`
	}
	long := "text/plain; " + strings.Repeat("a b ", 100)
	for _, row := range []struct{ name, media, body, want string }{
		{"no media type", "", "{}", "content_type=[]"},
		{"another media type", long, "{}", `content_type="[\"` + long[:128] + `\"]"`},
		{"cut off", "application/json", `{"note":"secret`, `error="the body ends too early"`},
		{"a member twice", "application/json", `{"note":"secret","note":"b"}`, `error="the body contains a member twice at byte 17"`},
		{"a character too many", "application/json", `{"note":"secret"}}`, `error="the body is not JSON at byte 17"`},
		{"too deep", "application/json", strings.Repeat("[", 40) + strings.Repeat("]", 40), `error="the body must be nested`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var log bytes.Buffer
			responder := errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
			h := responder.Handler(errors.Must(validate.Handle(func(http.ResponseWriter, *http.Request, *note) error { return nil })))
			r := httptest.NewRequest("POST", "/", strings.NewReader(row.body))
			if row.media != "" {
				r.Header.Set("Content-Type", row.media)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			require.Contains(t, log.String(), row.want)
			require.NotContains(t, log.String(), "secret")
		})
	}
}

// raw sends bytes and returns the response, up to the end of the connection.
func raw(t testing.TB, url, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	return string(answer)
}

// TestTruncatedAndOversizedRequestsAreRefused holds VT5 with a NUL, VT10 and VT15, which need a raw
// connection.
func TestTruncatedAndOversizedRequestsAreRefused(t *testing.T) {
	url := sampleServer(t, validate.Limits{Body: 100})
	for _, row := range []struct{ name, head, body, want, code string }{
		{"VT10 by its own word", "Content-Length: 101", "", "HTTP/1.1 413 ", tooLarge},
		{"VT10 and the client asks first", "Content-Length: 101\r\nExpect: 100-continue", "", "HTTP/1.1 413 ", tooLarge},
		{"VT15 cut short", "Content-Length: 50", `{"note":"a"`, "HTTP/1.1 400 ", malformed},
		{"VT15 nothing", "Content-Length: 50", "", "HTTP/1.1 400 ", malformed},
		{"VT15 chunked, and cut short", "Transfer-Encoding: chunked", "5\r\n{\"not", "HTTP/1.1 400 ", malformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer := raw(t, url, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+row.head+"\r\n\r\n"+row.body)
			require.True(t, strings.HasPrefix(answer, row.want), "%s", answer) // not 100 Continue
			require.Contains(t, answer, `"code":"`+row.code+`"`)
			require.Contains(t, answer, "Connection: close")
		})
	}
	t.Run("VT5 NUL in the value", func(t *testing.T) {
		answer := raw(t, url, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=\"utf-8\x00\"\r\nContent-Length: 2\r\n\r\n{}")
		require.Contains(t, answer, "HTTP/1.1 400 ") // by net/http, before any handler
	})
}
