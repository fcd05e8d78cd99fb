package validate_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// A list in a header may be in one line or several (RFC 9110, section 5.6.1).
func TestHeaderLists_VL1(t *testing.T) {
	type input struct {
		Languages []string `header:"Accept-Language" validate:"max=20,dive,max=20"`
		Tags      []string `header:"If-None-Match" validate:"max=20,dive,max=20"`
		Sizes     []int    `header:"X-Sizes" validate:"max=3,dive,max=9"`
		Prefer    string   `header:"Prefer" validate:"max=20"`
	}
	srv := serve[input](t, validate.Options{Limits: validate.Limits{Values: 20}})
	for _, row := range []struct {
		name   string
		header http.Header
		want   string // of the response, or of the message of a refusal
		status int
	}{
		{"one line", http.Header{"Accept-Language": {"de, en;q=0.8 ,fr"}}, `"Languages":["de","en;q=0.8","fr"]`, 200},
		{"several lines", http.Header{"Accept-Language": {"de", "en, fr"}}, `"Languages":["de","en","fr"]`, 200},
		{"empty elements", http.Header{"Accept-Language": {",de,, ,en,"}}, `"Languages":["de","en"]`, 200},
		{"nothing but commas", http.Header{"Accept-Language": {" , ,"}}, `"Languages":null`, 200},
		{"a comma in quotation marks", http.Header{"If-None-Match": {`W/"a", "b,c"`}}, `"Tags":["W/\"a\"","\"b,c\""]`, 200},
		{"an escaped quotation mark", http.Header{"If-None-Match": {`"a\",b", c`}}, `"Tags":["\"a\\\",b\"","c"]`, 200},
		{"numbers", http.Header{"X-Sizes": {"1,2", "3"}}, `"Sizes":[1,2,3]`, 200},
		{"a bad number", http.Header{"X-Sizes": {"1,x"}}, "header X-Sizes must be a whole number", 400},
		{"a rule", http.Header{"X-Sizes": {"1,10"}}, "header X-Sizes/1 must be at most 9", 422},
		{"20 elements", http.Header{"Accept-Language": {strings.Repeat("a,", 20)}}, `"Languages":["a",`, 200},
		{"21 elements", http.Header{"Accept-Language": {strings.Repeat("a,", 21)}}, "header Accept-Language must have at most 20 values", 413},
		{"a list for one value", http.Header{"Prefer": {"a, b"}}, "header Prefer appears more than once", 400},
		{"more than 8 KiB", http.Header{"Accept-Language": {strings.Repeat("a", 9<<10)}}, "A request header is too long.", 431},
	} {
		t.Run("VL1 "+row.name, func(t *testing.T) {
			r, err := http.NewRequest("GET", srv.URL, nil)
			require.NoError(t, err)
			r.Header = row.header
			require.Contains(t, answer(t, r, row.status), row.want)
		})
	}
}

// answer sends a request, and returns the body of a 200, or the message of a refusal.
func answer(t *testing.T, r *http.Request, status int) string {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	var text strings.Builder
	_, err = io.Copy(&text, res.Body)
	require.NoError(t, err)
	require.Equal(t, status, res.StatusCode, text.String())
	if status == 200 {
		return text.String()
	}
	_, message := refusalOf(t, []byte(text.String()))
	return message
}

// A list with the option comma is one value.
func TestCommaLists_VL2(t *testing.T) {
	type input struct {
		IDs   []int    `query:"ids,comma" validate:"max=5,dive,max=9" default:"1,2"`
		Names []string `query:"names,comma" validate:"max=5,dive,max=9"`
	}
	srv := serve[input](t, validate.Options{Limits: validate.Limits{Values: 5}})
	for _, row := range []struct {
		query, want string
		status      int
	}{
		{"ids=3,4", `"IDs":[3,4]`, 200},
		{"ids=3%2C4", `"IDs":[3,4]`, 200},
		{"", `"IDs":[1,2]`, 200},
		{"names=a,b", `"Names":["a","b"]`, 200},
		{"names=a%20,b", `"Names":["a ","b"]`, 200},
		{"ids=3", `"IDs":[3]`, 200},
		{"ids=", "query parameter ids must not have empty items", 400},
		{"ids=1,,2", "query parameter ids must not have empty items", 400},
		{"ids=1,", "query parameter ids must not have empty items", 400},
		{"ids=1&ids=2", "query parameter ids appears more than once", 400},
		{"ids=1,x", "query parameter ids must be a whole number", 400},
		{"ids=1,10", "query parameter ids/1 must be at most 9", 422},
		{"ids=1,2,3,4,5", `"IDs":[1,2,3,4,5]`, 200},
		{"ids=1,2,3,4,5,6", "query parameter ids must have at most 5 values", 413},
		{"ids%2Ccomma=1", "the query has an unknown parameter", 422},
	} {
		t.Run("VL2 "+row.query, func(t *testing.T) {
			r, err := http.NewRequest("GET", srv.URL+"?"+row.query, nil)
			require.NoError(t, err)
			require.Contains(t, answer(t, r, row.status), row.want)
		})
	}
	type single struct {
		ID   int    `query:"id,comma"`
		Path string `path:"p,comma" validate:"max=9"`
		Q    string `query:"q,omitempty" validate:"max=9"`
	}
	err := asInput[single]()()
	require.ErrorContains(t, err, "single.ID: has the option comma and is not a list; did you mean a slice?")
	require.ErrorContains(t, err, `single.Path: has options in the name path:"p,comma"; did you mean path:"p"?`)
	require.ErrorContains(t, err, `single.Q: has options in the name query:"q,omitempty"; did you mean query:"q"?`)
}

// A duration has a unit, in parameters and in its rules.
func TestDurations_VL3(t *testing.T) {
	type input struct {
		Timeout time.Duration   `query:"timeout" validate:"min=1s,max=1m" default:"5s"`
		Retry   *time.Duration  `query:"retry" validate:"omitempty,max=1h"`
		Steps   []time.Duration `query:"step" validate:"max=3"`
		Header  time.Duration   `header:"X-Wait" validate:"max=1m"`
	}
	srv := serve[input](t, validate.Options{})
	for _, row := range []struct {
		query, want string
		status      int
	}{
		{"", `"Timeout":5000000000`, 200},
		{"timeout=59s", `"Timeout":59000000000`, 200},
		{"timeout=0.5m", `"Timeout":30000000000`, 200},
		{"retry=1h", `"Retry":3600000000000`, 200},
		{"step=1s&step=2ms", `"Steps":[1000000000,2000000]`, 200},
		{"timeout=90s", "query parameter timeout must be at most 1m", 422},
		{"timeout=-5s", "query parameter timeout must be at least 1s", 422},
		{"timeout=5", "query parameter timeout must be a duration, such as 90s", 400},
		{"timeout=0", "query parameter timeout must be a duration, such as 90s", 400},
		{"timeout=", "query parameter timeout must be a duration, such as 90s", 400},
		{"timeout=%2B5s", "query parameter timeout must be a duration, such as 90s", 400},
		{"timeout=5%20s", "query parameter timeout must be a duration, such as 90s", 400},
		{"timeout=9999999999h", "query parameter timeout must be a duration, such as 90s", 400},
		{"retry=2h", "query parameter retry must be at most 1h", 422},
	} {
		t.Run("VL3 "+row.query, func(t *testing.T) {
			r, err := http.NewRequest("GET", srv.URL+"?"+row.query, nil)
			require.NoError(t, err)
			require.Contains(t, answer(t, r, row.status), row.want)
		})
	}
	text, err := validate.Schema[input]()
	require.NoError(t, err)
	require.Contains(t, string(text), `"default":"5s"`)
	require.NotContains(t, string(text), `"type":"integer"`)
	type late struct {
		A time.Duration `query:"a" validate:"max=1m" default:"2m"`
		B time.Duration `query:"b" default:"2"`
	}
	require.ErrorContains(t, asInput[late]()(), "late.B: the default does not fit the type")
}

// A form of a browser has an empty field for each input without a value, and "on" for a
// checkbox. A query has neither.
func TestFormsOfBrowsers_VL4(t *testing.T) {
	type plain struct {
		N     int           `form:"n" validate:"max=9"`
		P     *int          `form:"p" validate:"omitempty,max=9"`
		D     int           `form:"d" validate:"max=9" default:"7"`
		S     string        `form:"s" validate:"max=9"`
		T     *string       `form:"t" validate:"omitempty,max=9"`
		W     time.Duration `form:"w" validate:"max=1m"`
		Agree bool          `form:"agree"`
		When  *time.Time    `form:"when"`
	}
	type needed struct {
		N *int `form:"n" validate:"required,max=9"`
	}
	type inQuery struct {
		N     int  `query:"n" validate:"max=9"`
		Agree bool `query:"agree"`
	}
	form := func(srv string, values url.Values, status int) string {
		r, err := http.NewRequest("POST", srv, strings.NewReader(values.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return answer(t, r, status)
	}
	srv := serve[plain](t, validate.Options{})
	empty := url.Values{"n": {""}, "p": {""}, "d": {""}, "s": {""}, "t": {""}, "w": {""}, "when": {""}, "agree": {"on"}}
	require.JSONEq(t, `{"N":0,"P":null,"D":7,"S":"","T":"","W":0,"Agree":true,"When":null}`, form(srv.URL, empty, 200))
	require.Contains(t, form(srv.URL, url.Values{"agree": {"yes"}}, 400), "form field agree must be true or false")
	require.Contains(t, form(srv.URL, url.Values{"n": {" "}}, 400), "form field n must be a whole number")
	require.Contains(t, form(srv.URL, url.Values{"agree": {"false", "on"}}, 400), "form field agree appears more than once")
	require.Contains(t, form(serve[needed](t, validate.Options{}).URL, url.Values{"n": {""}}, 422), "form field n is required")

	queries := serve[inQuery](t, validate.Options{})
	for query, want := range map[string]string{"n=": "query parameter n must be a whole number", "agree=on": "query parameter agree must be true or false", "agree=": "query parameter agree must be true or false"} {
		r, err := http.NewRequest("GET", queries.URL+"?"+query, nil)
		require.NoError(t, err)
		require.Contains(t, answer(t, r, 400), want)
	}
}
