package validate_test

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// isControl is the rule for all sources: the categories C0, DEL and C1 of
// Unicode. Texts of several lines have tab, newline and return.
func isControl(r rune) bool { return r < 0x20 || 0x7f <= r && r <= 0x9f }

func isLine(r rune) bool { return r == '\t' || r == '\n' || r == '\r' }

// sourcesOf are the sources of a text, each with a request that contains the text and
// the expected status for a character.
var sourcesOf = []struct {
	name    string
	request func(text string) *http.Request
	want    func(r rune) int // the status
}{
	{"a JSON string", jsonText(false), lineStatus(422)},
	{"a JSON string, escaped", jsonText(true), lineStatus(422)},
	{"a JSON name", jsonName(false), lineStatus(422)},
	{"a JSON name, escaped", jsonName(true), lineStatus(422)},
	{"a string below any", func(s string) *http.Request { return postBody(`{"any":[{"k":"a` + jsonRune(s, false) + `b"}]}`) }, lineStatus(422)},
	{"a query", func(s string) *http.Request { return getTarget("/x?q=" + url.QueryEscape("a"+s+"b")) }, plainStatus},
	{"a query's name", func(s string) *http.Request { return getTarget("/x?" + url.QueryEscape("q"+s) + "=1") }, func(r rune) int {
		if isControl(r) {
			return 400
		}
		return 422
	}},
	{"a path", func(s string) *http.Request { return getTarget("/" + url.PathEscape("a"+s+"b")) }, plainStatus},
	{"a header", func(s string) *http.Request {
		r := getTarget("/x")
		r.Header["X-Text"] = []string{"a" + s + "b"}
		return r
	}, plainStatus},
	{"a cookie", func(s string) *http.Request {
		r := getTarget("/x")
		r.Header["Cookie"] = []string{"c=a" + s + "b"}
		return r
	}, func(r rune) int {
		if isControl(r) || r > 0x7f { // RFC 6265, section 4.1.1: ASCII
			return 400
		}
		return 200
	}},
	{"a form", func(s string) *http.Request {
		r := postBody("f=" + url.QueryEscape("a"+s+"b"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}, lineStatus(400)},
	{"a multipart field", multi(func(w *multipart.Writer, s string) { _ = w.WriteField("f", "a"+s+"b") }), lineStatus(400)},
	{"a text file", multi(func(w *multipart.Writer, s string) {
		part, _ := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="file"; filename="a.txt"`}, "Content-Type": {"text/plain"}})
		_, _ = io.WriteString(part, "a"+s+"b")
	}), lineStatus(422)},
}

func postBody(body string) *http.Request {
	r := errors.Must(http.NewRequest("POST", "/x", strings.NewReader(body)))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func getTarget(target string) *http.Request { return errors.Must(http.NewRequest("GET", target, nil)) }

func jsonText(escape bool) func(string) *http.Request {
	return func(s string) *http.Request { return postBody(`{"text":"a` + jsonRune(s, escape) + `b"}`) }
}

func jsonName(escape bool) func(string) *http.Request {
	return func(s string) *http.Request { return postBody(`{"map":{"a` + jsonRune(s, escape) + `b":1}}`) }
}

// jsonRune writes a character, escaped if JSON or the test requires it.
func jsonRune(s string, escape bool) string {
	r := []rune(s)[0]
	switch {
	case escape || r < 0x20 || r == '"' || r == '\\':
		return fmt.Sprintf(`\u%04X`, r)
	}
	return s
}

func multi(write func(*multipart.Writer, string)) func(string) *http.Request {
	return func(s string) *http.Request {
		var b strings.Builder
		w := multipart.NewWriter(&b)
		write(w, s)
		_ = w.Close()
		r := postBody(b.String())
		r.Header.Set("Content-Type", w.FormDataContentType())
		return r
	}
}

func lineStatus(refused int) func(rune) int {
	return func(r rune) int {
		if isControl(r) && !isLine(r) {
			return refused
		}
		return 200
	}
}

func plainStatus(r rune) int {
	if isControl(r) {
		return 400
	}
	return 200
}

// TestSourcesAgreeOnControlCharacters_FV4 sends every character up to
// U+00FF, and some others, through every source.
func TestSourcesAgreeOnControlCharacters_FV4(t *testing.T) {
	type body struct {
		Text string         `json:"text" validate:"max=9"`
		Map  map[string]int `json:"map" validate:"max=9"`
		Any  any            `json:"any"`
	}
	type whole struct {
		Path   string `path:"p" validate:"max=9"`
		Query  string `query:"q" validate:"max=9"`
		Header string `header:"X-Text" validate:"max=9"`
		Cookie string `cookie:"c" validate:"max=9"`
	}
	type form struct {
		Text string `form:"f" validate:"max=9"`
	}
	type upload struct {
		Text string        `form:"f" validate:"max=9"`
		File validate.File `form:"file" types:"text/plain"`
	}
	o := validate.Options{Logger: quiet, Limits: validate.Limits{File: 100}}
	jsonBody, params, urlencoded := handler[body](t), handler[whole](t), handler[form](t)
	files := errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *upload) error {
		_, err := io.Copy(io.Discard, &in.File)
		return err
	}, o))
	mux := http.NewServeMux()
	mux.Handle("GET /{p}", params)
	mux.HandleFunc("POST /x", func(w http.ResponseWriter, r *http.Request) {
		switch media := r.Header.Get("Content-Type"); {
		case media == "application/json":
			jsonBody.ServeHTTP(w, r)
		case strings.HasPrefix(media, "multipart/"):
			files.ServeHTTP(w, r)
		default:
			urlencoded.ServeHTTP(w, r)
		}
	})
	runes := []rune{0xe9, 0x100, 0x200b, 0x2028, 0x202e, 0x10ffff, '中'}
	for r := range rune(0x100) {
		runes = append(runes, r)
	}
	for _, source := range sourcesOf {
		t.Run("FV4 "+source.name, func(t *testing.T) {
			for _, r := range runes {
				if strings.HasPrefix(source.name, "a path") && (r == '/' || r == '\\') || source.name == "a header" && (r == ',' || r == '"') ||
					source.name == "a cookie" && strings.ContainsRune(` ",;\`, r) || source.name == "a multipart field" && r == 0 {
					continue // the character has another meaning there
				}
				request := source.request(string(r))
				w := in(t, mux, request.Method, request.URL.String(), request.Header, request.Body)
				require.Equal(t, source.want(r), w.Code, "%s %s", strconv.QuoteRuneToASCII(r), w.Body)
			}
		})
	}
}

// A control character is found raw, escaped in any case, after escaped backslashes,
// split between chunks, and among characters with the same first byte (U+00A0 to
// U+00BF).
func TestControlCharactersAreFoundAnywhere_FV4(t *testing.T) {
	type text struct {
		A string `json:"a" validate:"max=100000"`
	}
	h := handler[text](t)
	for body, want := range map[string]int{
		"\x7f": 422, "\u009b": 422, `\u007f`: 422, `\u007F`: 422, `\u0080`: 422, `\u009f`: 422, `\u009F`: 422, `\\\u0085`: 422, `\\u0085`: 200, `\\\\u0085`: 200, `\u00a0`: 200, "\u00a0": 200, `\u0070`: 200,
		strings.Repeat("\u00a0", 5000) + "\u0080": 422, strings.Repeat("\u00a0", 5000): 200, strings.Repeat("a", 4095-6) + "\u0085": 422, strings.Repeat("é", 3000) + "\x7f": 422, `\ud83d\ude00`: 200,
	} {
		for _, reader := range []io.Reader{strings.NewReader(`{"a":"` + body + `"}`), io.MultiReader(strings.NewReader(`{"a":"`), strings.NewReader(body), strings.NewReader(`"}`))} {
			w := in(t, h, "POST", "/", jsonType(), reader)
			require.Equal(t, want, w.Code, "%q", body[:min(len(body), 20)])
			if want == 422 {
				require.Contains(t, w.Body.String(), "/a contains control characters")
			}
		}
	}
}

// Characters that make two addresses look alike (RFC 5321, section 4.1.2: the
// local part is ASCII; the cases without ASCII of JSON Schema's test suite).
func TestEmailLocalPartsAreASCII_FV4(t *testing.T) {
	ok := validate.Formats()["email"]
	for _, s := range []string{
		"a\u200b@example.com", "a\u200d@example.com", "a\u202e@example.com", "a\u2066b@example.com", "a\u00a0@example.com", "\uff41@example.com", "\u00e9@example.com", "e\u0301@example.com", "a\ufeff@example.com", "\u0430@example.com",
		"a\u00ad@example.com", "a\x7f@example.com", "a\u0085@example.com", "a@ex\u200bample.com", "a@\uff45xample.com", "a\uff20example.com", "a\uff0eb@example.com",
		`"joe bloggs"@example.com`, `"joe@bloggs"@example.com`, `""@iana.org`, `"\a"@iana.org`, "joe@[127.0.0.1]", "joe@[IPv6:::1]", "joe@", "joe bloggs@example.com", "a;b@iana.org", "a:b@iana.org", `test\@test@iana.org`, "[1.2.3.4]@iana.org",
		"test@iana..com", "test@iana.org.", "test@.iana.org", "test@iana-.com", "a@b(c).org", "a\tb@iana.org", "a@iana.org ", " a@iana.org", "test@255.255.255.255", "joe.bloggs@invalid=domain.com",
	} {
		require.False(t, ok(s), "%q", s)
	}
	for _, s := range []string{"te~st@example.com", "te.s.t@example.com", "test@c--n.com", "test@123.com", "!#$%&'*+-/=?^_`{|}~@example.com", strings.Repeat("a", 64) + "@example.com"} {
		require.True(t, ok(s), "%q", s)
	}
}
