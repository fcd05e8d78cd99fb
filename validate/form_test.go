package validate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type contact struct {
	Page   int      `query:"page" validate:"max=9"`
	Name   string   `form:"name" validate:"required,max=10"`
	Age    int      `form:"age" validate:"min=0,max=150"`
	Topics []string `form:"topic" validate:"max=3,dive,max=4"`
}

func formHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}

// TestFormsAreDecoded holds VF1 to VF3.
func TestFormsAreDecoded(t *testing.T) {
	srv := serve[contact](t, validate.Options{})
	for _, row := range []struct {
		name, query, body string
		header            http.Header
		status            int
		code, message     string
	}{
		{"VF1 the query does not feed the form", "name=ada", "", formHeader(), 422, "invalid_input", "query parameter name is unknown"},
		{"VF1 the form does not feed the query", "", "name=ada&page=1", formHeader(), 422, "invalid_input", "form field page is unknown"},
		{"VF2 20 000 fields", "", strings.Repeat("a=1&", 20_000), formHeader(), 413, "input_too_large", "the form must have at most 100 fields"},
		{"VF2 21 values", "", strings.Repeat("topic=a&", 21) + "name=a", formHeader(), 413, "input_too_large", ""},
		{"VF2 more than a body", "", "name=" + strings.Repeat("a", 2<<20), formHeader(), 413, "input_too_large", ""},
		{"VF3 JSON on a route of a form", "", `{"name":"ada"}`, jsonType(), 415, "unsupported_media_type", ""},
		{"VF3 multipart on a route of a form", "", "x", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 415, "unsupported_media_type", ""},
		{"no type", "", "name=ada", http.Header{"Content-Type": nil}, 415, "unsupported_media_type", ""},
		{"another charset", "", "name=ada", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=latin1"}}, 415, "unsupported_media_type", ""},
		{"compressed", "", "name=ada", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Content-Encoding": {"gzip"}}, 415, "unsupported_media_type", ""},
		{"twice", "", "name=ada&name=eve", formHeader(), 400, "duplicate_parameter", "form field name appears more than once"},
		{"semicolon", "", "name=ada;role=admin", formHeader(), 400, "malformed_input", "the form must not have a semicolon"},
		{"bad escape", "", "name=%zz", formHeader(), 400, "malformed_input", ""},
		{"NUL", "", "name=%00", formHeader(), 400, "malformed_input", ""},
		{"escape", "", "name=%1b", formHeader(), 400, "malformed_input", ""},
		{"DEL", "", "name=%7f", formHeader(), 400, "malformed_input", ""},
		{"a C1 control character", "", "name=%c2%85", formHeader(), 400, "malformed_input", ""},
		{"a line break in a name", "", "name=ada&%0D%0A=1", formHeader(), 400, "malformed_input", ""},
		{"a line break in a number", "", "name=ada&age=36%0D%0A", formHeader(), 400, "malformed_input", ""},
		{"the lines of a textarea", "", "name=a%0D%0Ab%09c%0A", formHeader(), 200, "", ""},
		{"invalid UTF-8", "", "name=%ff", formHeader(), 400, "malformed_input", ""},
		{"no number", "", "name=ada&age=1e1", formHeader(), 400, "malformed_input", "form field age must be a whole number"},
		{"unknown", "", "name=ada&admin=true", formHeader(), 422, "invalid_input", "form field admin is unknown"},
		{"unknown markup", "", "name=ada&%3Cb%3E=1", formHeader(), 422, "invalid_input", "the form has an unknown field"},
		{"missing", "", "age=3", formHeader(), 422, "invalid_input", "form field name is required"},
		{"breaks a rule", "", "name=ada&topic=a&topic=abcde", formHeader(), 422, "invalid_input", "form field topic/1 must have at most 4 characters"},
		{"all", "page=2", "name=ada+l&age=36&topic=a&topic=b", formHeader(), 200, "", ""},
		{"with a charset", "", "name=ada", http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=UTF-8"}}, 200, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, code, message := send(t, "POST", srv.URL+"/?"+row.query, row.header, strings.NewReader(row.body))
			require.Equal(t, row.status, status, message)
			require.Equal(t, row.code, code)
			if row.message != "" {
				require.Equal(t, row.message, message)
			}
		})
	}
	t.Run("VF3 a form on a route of JSON", func(t *testing.T) {
		status, _, _ := send(t, "POST", serve[order](t, validate.Options{}).URL, formHeader(), strings.NewReader("a=1"))
		require.Equal(t, 415, status)
	})
}

// TestTooManyCookiesAreRefused holds VC2: net/http drops all cookies above 3000.
func TestTooManyCookiesAreRefused(t *testing.T) {
	srv := serve[list](t, validate.Options{})
	for n, want := range map[int]int{49: 200, 50: 431, 3001: 431} {
		status, _, _ := send(t, "GET", srv.URL+"/shops/a1", http.Header{"Cookie": {"sid=1" + strings.Repeat("; a=1", n)}}, nil)
		require.Equal(t, want, status, n)
	}
}

func TestConstructorsReportBadForms(t *testing.T) {
	type both struct {
		Name string `form:"name" validate:"max=1"`
		Body order  `body:"json"`
	}
	_, err := validate.Input[both](validate.Options{Logger: quiet})
	require.ErrorContains(t, err, "has form fields and a JSON body; a request cannot have both")
	_, err = validate.Form[contact](validate.Options{Logger: quiet})
	require.ErrorContains(t, err, `contact.Page: has the source query:"page", but Form reads only the form; did you mean Input?`)
	_, err = validate.Input[contact](validate.Options{Logger: quiet, Types: []string{"text/plain"}})
	require.ErrorContains(t, err, "a form has one media type")
}

// FuzzForm compares an accepted form with the result of the standard library.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"name=ada", "name=a+b&topic=a&topic=%41", "name=a;b", "name=%zz", "&&name=a&", "name=a&=x"} {
		f.Add(seed)
	}
	type form struct {
		Name   string   `form:"name"`
		Topics []string `form:"topic"`
	}
	middleware := errors.Must(validate.Form[form](validate.Options{Logger: quiet}))
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/?name=query", strings.NewReader(body))
		r.Header = formHeader()
		w := httptest.NewRecorder()
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			in := validate.From[form](r.Context())
			want, err := url.ParseQuery(body)
			require.NoError(t, err)
			require.Equal(t, want.Get("name"), in.Name)
			require.True(t, slices.Equal(want["topic"], in.Topics))
			delete(want, "name")
			delete(want, "topic")
			require.Empty(t, want, "every field is known")
		})).ServeHTTP(w, r)
		require.Less(t, w.Code, 500)
	})
}

func ExampleForm() {
	type Login struct {
		Email string `form:"email" validate:"required,email,max=254"`
	}
	form := errors.Must(validate.Form[Login]())
	h := form(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(validate.From[Login](r.Context()).Email)
	}))
	for _, body := range []string{"email=ada%40example.com", "email=ada%40example.com&admin=true"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// ada@example.com
	// 200
	// 422
}
