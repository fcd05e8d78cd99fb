package validate_test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// secret returns a text that no schema and no message contains. Some have characters
// that are dangerous for parsers and terminals.
func (m maker) secret() string {
	return pick(m, "<b>", "~", "\x1b[31m", "ä", "'--", "${x}", "%2e%2e/", `"`, " ", "\u2028") + strconv.FormatUint(m.Uint64()|1<<63, 36) + pick(m, "~", "~.go", "\n") // a plain word, as a name that is not known, is repeated
}

// leaks are other texts that a response must not contain: names of types and files, and
// texts of the decoder.
var leaks = []string{"validate_test", "struct", "map[", ".go:", "int8", "float64", "interface", "reflect", "jsontext", "json:", "/work", "goroutine", "strconv", "unmarshal"}

func silent(t *testing.T, w *httptest.ResponseRecorder, secret, input string) {
	t.Helper()
	require.GreaterOrEqual(t, w.Code, 400)
	require.Less(t, w.Code, 500, "%q", input)
	var header strings.Builder
	require.NoError(t, w.Header().Write(&header))
	answer := w.Body.String() + header.String()
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(strconv.Quote(secret), `"`)} {
		require.NotContains(t, answer, form, "%q", input)
	}
	for core := range strings.FieldsFuncSeq(secret, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if len(core) > 9 { // the random part, in any quotation
			require.NotContains(t, answer, core, "%q", input)
		}
	}
	for _, leak := range leaks {
		require.NotContains(t, answer, leak, "%q", input)
	}
}

// plant puts a secret somewhere into a JSON value.
func (m maker) plant(v any, secret string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			switch m.IntN(4) {
			case 0:
				v[secret] = member
				return v
			case 1:
				v[name] = secret
				return v
			case 2:
				v[name] = map[string]any{secret: []any{secret, nil}}
				return v
			}
			v[name] = m.plant(member, secret)
			return v
		}
	case []any:
		if len(v) > 0 && m.IntN(2) == 0 {
			v[0] = m.plant(v[0], secret)
			return v
		}
		return append(v, secret)
	}
	return secret
}

// EE16: no input value, no Go type and no file path is in a response, also with
// Details, for any schema and any place of the value.
func TestResponsesRepeatNoInput(t *testing.T) {
	responder := errors.Must(errors.NewResponder(errors.Options{Logger: quiet, Details: true}))
	refused := 0
	for seed := range uint64(250) {
		m := maker{rand.New(rand.NewPCG(seed, 5))}
		typ := m.structure(3)
		plan, err := validate.Compile(typ, validate.Options{Logger: quiet})
		require.NoError(t, err)
		h := responder.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := plan.Read(w, r, reflect.New(typ)); err != nil {
				errors.Respond(w, r, err)
			}
		}))
		for range 20 {
			made := reflect.New(typ)
			m.fill(made.Elem())
			data, err := json.Marshal(made.Interface())
			require.NoError(t, err)
			var tree any
			require.NoError(t, json.Unmarshal(data, &tree))
			secret := m.secret()
			data, err = json.Marshal(m.plant(tree, secret))
			require.NoError(t, err)
			text := string(data)
			if m.IntN(4) == 0 { // no JSON any more, or not of one meaning
				text = text[:m.IntN(len(text))] + pick(m, "", secret, "\xff", "\x00", `"`, ",,")
			}
			r := httptest.NewRequest("POST", "/", strings.NewReader(text))
			r.Header = jsonType()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 {
				refused++
				silent(t, w, secret, text)
			}
		}
	}
	require.Greater(t, refused, 1000)
}

// The same for input other than JSON.
func TestResponsesRepeatNoParameters(t *testing.T) {
	responder := errors.Must(errors.NewResponder(errors.Options{Logger: quiet, Details: true}))
	mux := http.NewServeMux()
	o := validate.Options{Logger: quiet, Limits: validate.Limits{File: 100}}
	mux.Handle("/shops/{shop}", errors.Must(validate.Handle(func(http.ResponseWriter, *http.Request, *list) error { return nil }, o)))
	mux.Handle("/form", errors.Must(validate.Form[contactForm](o))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.Handle("/upload", errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) error {
		_, err := io.Copy(io.Discard, &in.File)
		return err
	}, o)))
	h := responder.Handler(mux)
	for seed := range uint64(300) {
		m := maker{rand.New(rand.NewPCG(seed, 6))}
		secret := m.secret() + m.secret() // beyond every bound
		q, field := url.QueryEscape(secret), strings.NewReplacer("\n", "", `"`, "%22").Replace(secret)
		for _, row := range []struct{ target, name, value, body, media string }{
			{"/shops/" + url.PathEscape(secret), "", "", "", ""}, {"/shops/a?" + q, "", "", "", ""}, {"/shops/a?" + q + "=1", "", "", "", ""}, {"/shops/a?limit=" + q, "", "", "", ""}, {"/shops/a?q=" + q + q, "", "", "", ""},
			{"/shops/a?tag=" + q, "", "", "", ""}, {"/shops/a?flag=" + q, "", "", "", ""}, {"/shops/a?q=%zz" + q, "", "", "", ""}, {"/shops/a?limit=1&limit=" + q, "", "", "", ""}, {"/shops/a?q=;" + q, "", "", "", ""},
			{"/shops/a", "If-Match", secret, "", ""}, {"/shops/a", "Cookie", "sid=" + secret, "", ""}, {"/shops/a", "Cookie", "sid=a; sid=" + q, "", ""},
			{"/form", "", "", q + "=1", formType}, {"/form", "", "", "name=" + q, formType}, {"/form", "", "", "name=a&name=" + q, formType}, {"/form", "", "", "name=%zz" + q, formType}, {"/form", "", "", "a", secret},
			{"/upload", "", "", textPart(field, "x") + "--b--", multipartB}, {"/upload", "", "", textPart("alt", secret) + "--b--", multipartB}, {"/upload", "", "", filePart("picture", field, "image/png", png) + "--b--x", multipartB + "x"},
			{"/upload", "", "", filePart("picture", "../"+field, "image/png", png) + "--b--", multipartB}, {"/upload", "", "", filePart("picture", "a.png", field, png) + "--b--", multipartB}, {"/upload", "", "", filePart("picture", "a.png", "image/png", secret) + "--b--", multipartB},
			{"/upload", "", "", filePart("picture", "a.png", "image/png", png) + textPart(field, "x") + "--b--", multipartB}, {"/upload", "", "", part(field+": x", secret) + "--b--", multipartB}, {"/upload", "", "", "a", multipartB + secret},
		} {
			r := httptest.NewRequest("POST", row.target, strings.NewReader(row.body))
			if row.body == "" {
				r.Body, r.ContentLength = http.NoBody, 0
			}
			r.Header.Set("Content-Type", row.media)
			if row.name != "" {
				r.Header[row.name] = []string{row.value}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			silent(t, w, secret, row.target+" "+row.value+" "+row.body)
		}
	}
}

const (
	formType   = "application/x-www-form-urlencoded"
	multipartB = "multipart/form-data; boundary=b"
)

// FuzzPipeline sends anything as anything: no panic, no 5xx, and no more memory
// than the limits allow.
func FuzzPipeline(f *testing.F) {
	f.Add("/shops/a?limit=5", "application/json", "sid=1", `{"note":"a"}`)
	f.Add("/upload", multipartB, "", textPart("alt", "x")+filePart("picture", "a.png", "image/png", png)+"--b--")
	f.Add("/form", formType, "", "name=a")
	f.Add("/json", "application/json; charset=utf-8", "", `{"list":[{"x":1}],"any":[null,1e400],"opt":null}`)
	mux := http.NewServeMux()
	o := validate.Options{Logger: quiet, Gzip: true, Limits: validate.Limits{File: 1 << 10, Body: 32 << 10}}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/shops/{shop}", errors.Must(validate.Input[list](o))(nothing))
	mux.Handle("/form", errors.Must(validate.Form[contactForm](o))(nothing))
	withPattern := o
	withPattern.Patterns = map[string]string{"word": "(a+)+"}
	mux.Handle("/json", errors.Must(validate.JSON[sample](withPattern))(nothing))
	o.Gzip = false
	mux.Handle("/upload", errors.Must(validate.Handle(func(_ http.ResponseWriter, _ *http.Request, in *picture) error {
		_, err := io.Copy(io.Discard, &in.File)
		return err
	}, o)))
	h := quietly(mux)
	f.Fuzz(func(t *testing.T, target, media, cookie, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL, r.Header = u, http.Header{"Content-Type": {media}, "Cookie": {cookie}}
		if strings.HasPrefix(body, "\x1f\x8b") {
			r.Header.Set("Content-Encoding", "gzip")
		}
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		require.Less(t, w.Code, 500)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20)) // a value of any takes some 40 bytes for each
	})
}
