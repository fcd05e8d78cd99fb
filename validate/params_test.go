package validate_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type list struct {
	Shop    string   `path:"shop" validate:"alphanum,max=8"`
	Limit   int      `query:"limit" validate:"min=1,max=100" default:"20"`
	Q       string   `query:"q" validate:"max=10"`
	Tags    []string `query:"tag" validate:"max=30,dive,max=4"`
	Flag    *bool    `query:"flag"`
	Ratio   float64  `query:"ratio"`
	Match   string   `header:"If-Match" validate:"max=10"`
	Session string   `cookie:"sid" validate:"max=10"`
}

// TestParametersAreChecked holds VQ1 to VQ9, VH1 to VH3 and VC1 to VC3.
func TestParametersAreChecked(t *testing.T) {
	srv := serve[list](t, validate.Options{IgnoreQuery: []string{"utm_*"}})
	match := func(v ...string) http.Header { return http.Header{"If-Match": v} }
	cookie := func(v ...string) http.Header { return http.Header{"Cookie": v} }
	for _, row := range []struct {
		name, query string
		header      http.Header
		status      int
		code        string
		message     string
	}{
		{"VQ1 semicolon", "limit=10;role=admin", nil, 400, malformed, "the query must not have a semicolon"}, {"VQ1 semicolon alone", ";", nil, 400, malformed, ""},
		{"VQ1 bad escape", "q=%zz", nil, 400, malformed, "the query has an invalid escape"}, {"VQ1 percent alone", "%", nil, 400, malformed, ""}, {"VQ1 cut escape", "q=%4", nil, 400, malformed, ""},
		{"VQ2 twice", "limit=1&limit=2", nil, 400, doubled, "query parameter limit appears more than once"}, {"VQ2 twice alike", "limit=1&limit=1", nil, 400, doubled, ""}, {"VQ2 twice, one escaped", "q=a&%71=b", nil, 400, doubled, ""},
		{"VQ3 unknown", "unknown=1", nil, 422, invalid, "query parameter unknown is unknown"}, {"VQ3 a name of the struct", "isAdmin=true", nil, 422, invalid, "query parameter isAdmin is unknown"},
		{"VQ3 another case", "LIMIT=1", nil, 422, invalid, ""}, {"VQ3 markup", "%3Cb%3E=1", nil, 422, invalid, "the query has an unknown parameter"}, {"VQ3 no name", "=1", nil, 422, invalid, ""},
		{"VQ3 of another source", "shop=a", nil, 422, invalid, ""}, {"VQ3 a cookie's name", "sid=a", nil, 422, invalid, ""},
		{"VQ4 empty", "limit=", nil, 400, malformed, "query parameter limit must be a whole number"}, {"VQ4 no value", "limit", nil, 400, malformed, ""}, {"VQ4 abc", "limit=abc", nil, 400, malformed, ""},
		{"VQ4 1e3", "limit=1e3", nil, 400, malformed, ""}, {"VQ4 hexadecimal", "limit=0x10", nil, 400, malformed, ""}, {"VQ4 plus", "limit=%2B5", nil, 400, malformed, ""}, {"VQ4 space", "limit=+5", nil, 400, malformed, ""}, {"VQ4 space behind", "limit=5%20", nil, 400, malformed, ""},
		{"VQ4 Arabic digit", "limit=%D9%A3", nil, 400, malformed, ""}, {"VQ4 leading zero", "limit=05", nil, 400, malformed, ""}, {"VQ4 minus zero", "limit=-0", nil, 400, malformed, ""}, {"VQ4 underscore", "limit=1_0", nil, 400, malformed, ""},
		{"VQ4 beyond int64", "limit=99999999999999999999", nil, 400, malformed, ""}, {"VQ4 a fraction", "limit=1.0", nil, 400, malformed, ""}, {"VQ4 NaN", "ratio=NaN", nil, 400, malformed, ""}, {"VQ4 Inf", "ratio=Inf", nil, 400, malformed, ""}, {"VQ4 exponent", "ratio=1e3", nil, 400, malformed, ""},
		{"VQ4 yes", "flag=yes", nil, 400, malformed, "query parameter flag must be true or false"}, {"VQ4 one for true", "flag=1", nil, 400, malformed, ""}, {"VQ4 TRUE", "flag=TRUE", nil, 400, malformed, ""},
		{"VQ5 too large", "limit=1000", nil, 422, invalid, "query parameter limit must be at most 100"}, {"VQ5 too small", "limit=0", nil, 422, invalid, ""}, {"VQ5 an element", "tag=a&tag=abcde", nil, 422, invalid, "query parameter tag/1 must have at most 4 characters"},
		{"VQ6 invalid UTF-8", "q=%ff", nil, 400, malformed, ""}, {"VQ6 overlong", "q=%c0%af", nil, 400, malformed, ""}, {"VQ6 NUL", "q=%00", nil, 400, malformed, ""}, {"VQ6 line break", "q=%0d%0a", nil, 400, malformed, ""}, {"VQ6 DEL", "q=%7f", nil, 400, malformed, ""}, {"VQ6 in a name", "a%00=1", nil, 400, malformed, ""},
		{"VQ6 C1", "q=%c2%85", nil, 400, malformed, ""},
		{"VQ7 101 parameters", strings.Repeat("utm_x=1&", 101), nil, 400, malformed, "the query must have at most 100 parameters"}, {"VQ7 10 001 parameters", strings.Repeat("a&", 10_001), nil, 414, "query_too_long", ""}, {"VQ7 9 KiB", "q=" + strings.Repeat("a", 9<<10), nil, 414, "query_too_long", ""},
		{"VQ8 21 values", strings.Repeat("tag=a&", 21), nil, 413, tooLarge, ""}, {"VQ8 20 values", strings.Repeat("tag=a&", 20), nil, 200, "", ""},
		{"VQ9 index syntax", "items[999999999].x=1", nil, 422, invalid, "the query has an unknown parameter"}, {"VQ9 index of a list", "tag[9999]=1", nil, 422, invalid, ""}, {"VQ9 empty index", "tag[]=1", nil, 422, invalid, ""},
		{"VH1 two lines", "", match("a", "b"), 400, doubled, "header If-Match appears more than once"}, {"VH1 a list", "", match("a, b"), 400, doubled, "header If-Match appears more than once"},
		{"VH2 not UTF-8", "", match("\xff"), 400, malformed, ""}, {"VH2 C1", "", match("\xc2\x85"), 400, malformed, ""}, {"VH2 9 KB", "", match(strings.Repeat("a", 9<<10)), 431, "header_too_large", ""}, {"VH2 above its rule", "", match(strings.Repeat("a", 11)), 422, invalid, "header If-Match must have at most 10 characters"},
		{"VH3 undeclared", "", http.Header{"X-Odd": {"\xff", "b"}, "X-Admin": {"true"}}, 200, "", ""}, {"VH3 a tab inside", "", match("a\tb"), 400, malformed, ""},
		{"VC1 twice", "", cookie("sid=a; sid=b"), 400, doubled, "cookie sid appears more than once"}, {"VC1 on two lines", "", cookie("sid=a", "sid=b"), 400, doubled, ""}, {"VC1 twice alike", "", cookie("sid=a; sid=a"), 400, doubled, ""},
		{"VC2 51 cookies", "", cookie("sid=1" + strings.Repeat("; a=1", 50)), 431, "too_many_cookies", ""}, {"VC2 3001 cookies", "", cookie(strings.Repeat("a=1; ", 3000) + "sid=1"), 431, "too_many_cookies", ""}, {"VC2 50 cookies", "", cookie("sid=1" + strings.Repeat("; a=1", 49)), 200, "", ""},
		{"VC3 quoted", "", cookie(`sid="quoted"`), 400, malformed, "cookie sid is not a plain value"}, {"VC3 a quotation mark", "", cookie(`sid=a"b`), 400, malformed, ""}, {"VC3 beyond ASCII", "", cookie("sid=\xc3\xa4"), 400, malformed, ""}, {"VC3 a space", "", cookie("sid=a b"), 400, malformed, ""}, {"VC3 a comma", "", cookie("sid=a,b"), 400, malformed, ""}, {"VC3 a backslash", "", cookie(`sid=a\b`), 400, malformed, ""},
		{"VC3 above its rule", "", cookie("sid=abcdefghijk"), 422, invalid, "cookie sid must have at most 10 characters"}, {"VC3 odd ones of others", "", cookie(`a=1; a=2; bad cookie; b="q"; c=\xff`), 200, "", ""}, {"VC3 the name is a part", "", cookie("xsid=a; sidx=b; sid=c"), 200, "", ""},
		{"ignored", "utm_source=x&utm_source=y", nil, 200, "", ""}, {"all", "limit=5&q=a+b&tag=a&tag=b&flag=false&ratio=-0.5", http.Header{"If-Match": {"x"}, "Cookie": {"sid=1"}}, 200, "", ""}, {"empty pairs", "&&limit=5&", nil, 200, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, code, message := send(t, "GET", srv.URL+"/shops/a1?"+row.query, row.header, nil)
			require.Equal(t, []any{row.status, row.code}, []any{status, code}, message)
			if row.message != "" {
				require.Equal(t, row.message, message)
			}
		})
	}
}

// TestPathParametersAreChecked holds VP1 and VP2.
func TestPathParametersAreChecked(t *testing.T) {
	type byNumber struct {
		ID int `path:"id" validate:"min=1"`
	}
	type byName struct {
		Name string `path:"name" validate:"alphanum,max=8"`
	}
	h := http.NewServeMux()
	h.Handle("/n/{id}", errors.Must(validate.Handle(func(http.ResponseWriter, *http.Request, *byNumber) error { return nil }, validate.Options{Logger: quiet})))
	h.Handle("/s/{name...}", errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *byName) error {
		_, err := io.WriteString(w, in.Name)
		return err
	}, validate.Options{Logger: quiet})))
	srv := httptest.NewServer(quietly(h))
	t.Cleanup(srv.Close)
	for _, row := range []struct {
		name, path string
		status     int
		code       string
	}{
		{"VP1 no number", "/n/abc", 400, malformed}, {"VP1 a leading zero", "/n/01", 400, malformed}, {"VP1 escaped dots", "/n/%2e%2e%2f", 400, malformed}, {"VP1 NUL", "/n/%00", 400, malformed},
		{"VP1 overlong", "/n/%c0%ae", 400, malformed}, {"VP1 long", "/n/" + strings.Repeat("9", 4000), 400, malformed}, {"VP1 breaks its rule", "/n/0", 422, invalid}, {"VP1 empty", "/s/", 400, malformed},
		{"VP1 up, escaped", "/s/%2e%2e%2f", 400, malformed}, {"VP1 up, with a backslash", "/s/a%5c..%5cb", 400, malformed}, {"VP1 NUL in a name", "/s/a%00b", 400, malformed}, {"VP1 a line break in a name", "/s/a%0ab", 400, malformed}, {"VP1 markup", "/s/%3Cscript%3E", 422, invalid},
		{"VP2 a slash, escaped", "/s/a%2Fb", 422, invalid}, {"VP2 escaped twice", "/s/a%252Fb", 422, invalid}, {"VP2 an escaped letter", "/s/%61b", 200, ""}, {"VP1 a number", "/n/7", 200, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, code, message := send(t, "GET", srv.URL+row.path, nil, nil)
			require.Equal(t, []any{row.status, row.code}, []any{status, code}, message)
			require.NotContains(t, message, "abc")
		})
	}
}

// VP2: an escaped parameter of a router is unescaped exactly once.
func TestPathValuesAreUnescapedOnce(t *testing.T) {
	type input struct {
		Name string `path:"name" validate:"max=20"`
	}
	for _, row := range []struct {
		name, path string
		value      func(*http.Request, string) string
		status     int
		want       string
	}{
		{"VP2 the router has unescaped it", "/a%2Fb", func(r *http.Request, _ string) string { return r.URL.Path[1:] }, 200, "a/b"},
		{"VP2 the router has not", "/a%2Fb", func(r *http.Request, _ string) string { return r.URL.EscapedPath()[1:] }, 200, "a/b"},
		{"VP2 an escape that was escaped", "/a%252Fb", func(r *http.Request, _ string) string { return r.URL.EscapedPath()[1:] }, 200, "a%2Fb"},
		{"VP2 an escape that was escaped, unescaped", "/a%252Fb", func(r *http.Request, _ string) string { return r.URL.Path[1:] }, 200, "a%2Fb"},
		{"VP2 a NUL", "/a%00", func(r *http.Request, _ string) string { return r.URL.EscapedPath()[1:] }, 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *input) error {
				_, err := io.WriteString(w, in.Name)
				return err
			}, validate.Options{Logger: quiet, PathValue: row.value}))
			w := in(t, h, "GET", row.path, http.Header{}, nil)
			require.Equal(t, row.status, w.Code, w.Body)
			if row.status == 200 {
				require.Equal(t, row.want, w.Body.String())
			}
		})
	}
}

// TestUndeclaredInputAndLostClientsAreReported holds VT16 and VT17.
func TestUndeclaredInputAndLostClientsAreReported(t *testing.T) {
	t.Run("VT16 a body on a route without one", func(t *testing.T) {
		srv := serve[list](t, validate.Options{})
		for _, body := range []io.Reader{strings.NewReader("{}"), io.MultiReader(strings.NewReader("{}"))} {
			status, code, _ := send(t, "GET", srv.URL+"/shops/a1", jsonType(), body)
			require.Equal(t, []any{400, "unexpected_body"}, []any{status, code})
		}
	})
	t.Run("a query on a route of a body", func(t *testing.T) {
		status, code, _ := send(t, "POST", serve[order](t, validate.Options{}).URL+"/?a=1", jsonType(), strings.NewReader("{}"))
		require.Equal(t, []any{422, invalid}, []any{status, code})
	})
	t.Run("VT17 the client is gone", func(t *testing.T) {
		answered := make(chan error, 1)
		h := errors.Must(validate.JSON[order](validate.Options{Logger: quiet, ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { answered <- err }}))
		srv := httptest.NewServer(h(http.NotFoundHandler()))
		t.Cleanup(srv.Close)
		conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
		require.NoError(t, err)
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).SetLinger(0)) // a reset, as of a client that is killed
		require.NoError(t, conn.Close())
		require.ErrorIs(t, <-answered, errors.ErrCanceled)
	})
}

// FuzzPairs compares the parser with a naive one.
func FuzzPairs(f *testing.F) {
	for _, seed := range []string{"limit=5&q=a+b", "tag=a&tag=b", "q=%zz", "limit=1;x", "flag=true&limit=07", "%71=%41", "&&=&a==b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := validate.Pairs(query)
		want, ok := naivePairs(query)
		require.Equal(t, ok, err == nil, "%q: %v", query, err)
		if ok {
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
		}
	})
}

// naivePairs parses a query with url.ParseQuery, and refuses input that ParseQuery drops
// or accepts without a check.
func naivePairs(query string) (url.Values, bool) {
	values, err := url.ParseQuery(query)
	n := 0
	for name, list := range values {
		for _, text := range append([]string{name}, list...) {
			for _, r := range text {
				if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
					return nil, false // U+FFFD is what invalid UTF-8 becomes
				}
			}
		}
		if n += len(list); len(list) > 20 {
			return nil, false
		}
	}
	return values, err == nil && n <= 100
}
