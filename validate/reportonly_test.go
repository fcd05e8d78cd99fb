package validate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// A watched service has a handler that reads the request itself, behind a middleware that
// only reports.
type watched struct {
	*httptest.Server
	mu       sync.Mutex
	reported []string // codes
}

func watch(t *testing.T, middleware func(http.Handler) http.Handler, err error) *watched {
	t.Helper()
	require.NoError(t, err)
	s := &watched{}
	failures := errors.Must(errors.NewResponder(errors.Options{Logger: quiet, OnEvent: func(_ context.Context, e errors.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		require.True(t, e.Reported)
		s.reported = append(s.reported, e.Kind.Code())
	}}))
	s.Server = httptest.NewServer(failures.Handler(middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v %v %v\n%s", r.URL.RawQuery, r.ContentLength, r.Trailer.Get("T"), err, body)
	}))))
	t.Cleanup(s.Close)
	return s
}

func (s *watched) codes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.reported = nil }()
	return s.reported
}

// Report-only serves every request with the bytes that were sent, and reports what would be
// refused.
func TestReportOnlyServesTheBytesThatWereSent_VW1(t *testing.T) {
	type input struct {
		Limit int   `query:"limit" validate:"max=9"`
		Body  entry `body:"json"`
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	_, _ = zip.Write([]byte(`{"sku":"a","qty":0}`))
	require.NoError(t, zip.Close())
	o := validate.Options{Logger: quiet, Gzip: true, InsecureReportOnly: true, Limits: validate.Limits{Body: 1000}}
	middleware, err := validate.Input[input](o)
	s := watch(t, middleware, err)
	for _, row := range []struct {
		name, query, media, coding, body string
		codes                            []string
	}{
		{"valid", "limit=1", "application/json", "", `{"sku":"a","qty":1}`, nil},
		{"a bad parameter", "limit=x", "application/json", "", `{"sku":"a","qty":1}`, []string{"malformed_input"}},
		{"an unknown parameter", "x=1", "application/json", "", `{"sku":"a","qty":1}`, []string{"invalid_input"}},
		{"a bad body", "limit=1", "application/json", "", `{"sku":"a","qty":0}`, []string{"invalid_input"}},
		{"no JSON", "limit=1", "application/json", "", `<a/>`, []string{"malformed_input"}},
		{"another type", "limit=1", "text/plain", "", `x`, []string{"unsupported_media_type"}},
		{"too large", "limit=1", "application/json", "", `{"sku":"` + strings.Repeat("a", 100_000) + `"}`, []string{"input_too_large"}},
		{"no body", "limit=1", "", "", ``, []string{"malformed_input"}},
		{"gzip", "limit=1", "application/json", "gzip", zipped.String(), []string{"invalid_input"}},
	} {
		for _, isChunked := range []bool{false, true} {
			t.Run(fmt.Sprint("VW1 ", row.name, ", chunked ", isChunked), func(t *testing.T) {
				var body io.Reader = strings.NewReader(row.body)
				length := len(row.body)
				if isChunked && row.body != "" {
					body, length = chunked(row.body), -1
				}
				r, err := http.NewRequest("POST", s.URL+"?"+row.query, body)
				require.NoError(t, err)
				if row.media != "" {
					r.Header.Set("Content-Type", row.media)
				}
				if row.coding != "" {
					r.Header.Set("Content-Encoding", row.coding)
				}
				trailer := ""
				if length < 0 {
					r.Trailer, trailer = http.Header{"T": {"end"}}, "end"
				}
				require.Equal(t, fmt.Sprintf("%s %d %s <nil>\n%s", row.query, length, trailer, row.body), answer(t, r, 200))
				require.Equal(t, row.codes, s.codes())
			})
		}
	}
}

// A form with a file is served, too. What comes before the file is checked.
func TestReportOnlyServesForms_VW2(t *testing.T) {
	type form struct {
		Alt  string        `form:"alt" validate:"max=3"`
		File validate.File `form:"file" types:"image/png"`
	}
	middleware, err := validate.Form[form](validate.Options{Logger: quiet, InsecureReportOnly: true, Limits: validate.Limits{File: 1 << 20}})
	s := watch(t, middleware, err)
	for alt, codes := range map[string][]string{"abc": nil, "abcd": {"invalid_input"}} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		require.NoError(t, w.WriteField("alt", alt))
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="file"; filename="a.png"`}, "Content-Type": {"image/png"}})
		require.NoError(t, err)
		_, _ = part.Write([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100_000)))
		require.NoError(t, w.Close())
		r, err := http.NewRequest("POST", s.URL, bytes.NewReader(body.Bytes()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", w.FormDataContentType())
		require.Equal(t, fmt.Sprintf(" %d  <nil>\n%s", body.Len(), body.String()), answer(t, r, 200))
		require.Equal(t, codes, s.codes())
	}
}

func TestReportOnlyHasAValueOnlyIfItIsValid_VW3(t *testing.T) {
	middleware := errors.Must(validate.JSON[entry](validate.Options{Logger: quiet, InsecureReportOnly: true}))
	has := func(body string) (found bool) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header = jsonType()
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			defer func() { found = recover() == nil }()
			require.Equal(t, "a", validate.From[entry](r.Context()).SKU)
		})).ServeHTTP(httptest.NewRecorder(), r)
		return found
	}
	require.True(t, has(`{"sku":"a","qty":1}`))
	require.False(t, has(`{"sku":"a","qty":0}`))
	_, err := validate.Handle(func(http.ResponseWriter, *http.Request, *entry) error { return nil }, validate.Options{Logger: quiet, InsecureReportOnly: true})
	require.ErrorContains(t, err, "validate: InsecureReportOnly: is for a handler that reads the request itself; did you mean Input?")
	_, err = validate.NewDecoder[entry](validate.Options{Logger: quiet, InsecureReportOnly: true})
	require.ErrorContains(t, err, "validate: InsecureReportOnly: is not used by a Decoder")
}
