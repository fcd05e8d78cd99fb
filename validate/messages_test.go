package validate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// shout decodes itself.
type shout struct{ text string }

func (s *shout) UnmarshalJSON(data []byte) error {
	if len(data) > 3 {
		return errors.New("too long")
	}
	s.text = string(data)
	return nil
}

type inner struct {
	Qty int `json:"qty" validate:"min=1"`
}

type messages struct {
	Map   map[string]inner          `json:"map" validate:"max=9,dive,keys,max=5,endkeys"`
	Sizes map[int8]int              `json:"sizes" validate:"max=9,dive,keys,min=1,endkeys,max=9"`
	Addrs map[netip.Addr]string     `json:"addrs" validate:"max=9,dive,max=3"`
	Deep  map[string]map[string]int `json:"deep" validate:"max=9,dive,max=2,dive,max=9"`
	Lists map[string][]inner        `json:"lists" validate:"max=9,dive,max=2"`
	Any   any                       `json:"any"`

	Text  string                `json:"text" validate:"max=9"`
	Int   int8                  `json:"int"`
	Long  int64                 `json:"long"`
	Uint  uint16                `json:"uint"`
	Float float32               `json:"float"`
	Bool  bool                  `json:"bool"`
	Bytes []byte                `json:"bytes" validate:"max=9"`
	Pair  [2]int                `json:"pair"`
	Nums  []int                 `json:"nums" validate:"max=1"`
	Time  time.Time             `json:"time"`
	Addr  netip.Addr            `json:"addr"`
	Shout shout                 `json:"shout"`
	Quote int                   `json:"quote,string"`
	Opt   validate.Opt[int8]    `json:"opt"`
	Ptr   *bool                 `json:"ptr"`
	Roots map[string]*inner     `json:"roots" validate:"max=9"`
	Opts  validate.Opt[[]inner] `json:"opts" validate:"omitempty,max=3"`
}

func TestMessagesNamePlaceAndProblem_FV13(t *testing.T) {
	h := handler[messages](t)
	const aTime = "must be a time such as 2006-01-02T15:04:05Z"
	for _, row := range []struct{ name, body, want string }{
		{"a bad value below a key", `{"map":{"k":{"qty":0}}}`, "/map/k/qty must be at least 1"},
		{"a bad value below markup", `{"map":{"<b>":{"qty":0}}}`, "a value in /map must be at least 1"},
		{"a bad name", `{"map":{"toolong":{"qty":1}}}`, "a name in /map must have at most 5 characters"},
		{"a bad name of markup", `{"map":{"<script>":{"qty":1}}}`, "a name in /map must have at most 5 characters"},
		{"a bad number as a name", `{"sizes":{"0":1}}`, "a name in /sizes must be at least 1"},
		{"a bad value below a number", `{"sizes":{"7":10}}`, "/sizes/7 must be at most 9"},
		{"a bad value below an address", `{"addrs":{"::1":"long"}}`, "a value in /addrs must have at most 3 characters"},
		{"two maps", `{"deep":{"a":{"b":10}}}`, "/deep/a/b must be at most 9"},
		{"two maps, the inner name unfit", `{"deep":{"a":{"b c":10}}}`, "a value in /deep/a must be at most 9"},
		{"two maps, the outer name unfit", `{"deep":{"a b":{"c":10}}}`, "a value in /deep must be at most 9"},
		{"a list in a map", `{"lists":{"k":[{"qty":1},{"qty":0}]}}`, "/lists/k/1/qty must be at least 1"},
		{"too many values in one", `{"lists":{"k":[{"qty":1},{"qty":1},{"qty":1}]}}`, "/lists/k must have at most 2 items"},
		{"a pointer in a map", `{"roots":{"k":{"qty":0}}}`, "/roots/k/qty must be at least 1"},
		{"a list in an Opt", `{"opts":[{"qty":0}]}`, "/opts/0/qty must be at least 1"},
		{"one item", `{"nums":[1,2]}`, "/nums must have at most 1 item"},

		{"a name that is no number", `{"sizes":{"x":1}}`, "a name in /sizes must be a whole number"},
		{"a name that is too large", `{"sizes":{"128":1}}`, "a name in /sizes must be a whole number"},
		{"a name that is no address", `{"addrs":{"x":"a"}}`, "a name in /addrs must be a text in the expected form"},
		{"a value of another type", `{"sizes":{"1":"x"}}`, "/sizes/1 must be a whole number"},
		{"a value of another type below markup", `{"map":{"<b>":5}}`, "a value in /map must be an object"},
		{"a map's own type", `{"map":[]}`, "/map must be an object"},
		{"null in a map", `{"sizes":{"1":null}}`, "/sizes/1 must not be null"},
		{"null below markup", `{"deep":{"<b>":null}}`, "a value in /deep must not be null"},
		{"an unknown member in a map", `{"map":{"k":{"x":1}}}`, "/map/k/x is unknown"},
		{"an unknown member below markup", `{"map":{"<b>":{"x":1}}}`, "a value in /map has an unknown member"},
		{"an unknown member of markup", `{"map":{"k":{"<b>":1}}}`, "/map/k has an unknown member"},
		{"a control character in a name", `{"map":{"a\u0001":{"qty":1}}}`, "a name in /map contains control characters"},
		{"a control character in a value", `{"addrs":{"::1":"\u0001"}}`, "a value in /addrs contains control characters"},
		{"a control character below any", `{"any":{"a\u0001":1}}`, "a name in /any contains control characters"},

		{"a string", `{"text":1}`, "/text must be a string"},
		{"a whole number", `{"int":"1"}`, "/int must be a whole number"},
		{"a whole number that is larger", `{"int":128}`, "/int must be a whole number from -128 to 127"},
		{"a fraction", `{"int":1.5}`, "/int must be a whole number from -128 to 127"},
		{"64 bits", `{"long":9223372036854775808}`, "/long must be a whole number from -9223372036854775808 to 9223372036854775807"},
		{"less than nothing", `{"uint":-1}`, "/uint must be a whole number from 0 to 65535"},
		{"an unsigned number", `{"uint":"1"}`, "/uint must be a whole number of 0 or more"},
		{"a number", `{"float":"1"}`, "/float must be a number"},
		{"a number that is larger", `{"float":1e60}`, "/float is out of range"},
		{"true or false", `{"bool":"true"}`, "/bool must be true or false"},
		{"bytes", `{"bytes":[1]}`, "/bytes must be a base64 string"},
		{"bytes that are not", `{"bytes":"*"}`, "/bytes must be a base64 string"},
		{"an array of another length", `{"pair":[1]}`, "/pair must have exactly 2 items"},
		{"no array", `{"pair":1}`, "/pair must be a list"},
		{"no list", `{"nums":{}}`, "/nums must be a list"},
		{"an item", `{"nums":["x"]}`, "/nums/0 must be a whole number"},
		{"a time", `{"time":"yesterday"}`, "/time " + aTime},
		{"a time that is a number", `{"time":1}`, "/time " + aTime},
		{"a type that reads itself", `{"addr":"x"}`, "/addr must be a text in the expected form"},
		{"a type that decodes itself", `{"shout":1234}`, "/shout does not have the expected form"},
		{"a number in a string", `{"quote":1}`, "/quote must be a number in a string"},
		{"an Opt", `{"opt":"x"}`, "/opt must be a whole number"},
		{"a pointer", `{"ptr":"x"}`, "/ptr must be true or false"},
		{"the root", `[]`, "the body must be an object"},

		{"nothing", ``, "the body is empty"}, {"blanks", " \n\t", "the body is empty"}, {"cut", `{"text":"a`, "the body ends too early"}, {"cut in a name", `{"te`, "the body ends too early"},
		{"no JSON", `{"text":nope}`, "the body is not JSON at byte 9"}, {"data behind it", `{"text":"a"}x`, "the body is not JSON at byte 12"}, {"a second value", `{}{}`, "the body is not JSON at byte 2"},
		{"a member twice", `{"text":"a","text":"b"}`, "the body contains a member twice at byte 12"}, {"a type, and then no JSON", `{"text":1,x`, "the body is not JSON at byte 10"}, {"a BOM", "\xef\xbb\xbf{}", "the body is not JSON at byte 0"},
		{"invalid UTF-8", "{\"text\":\"\xff\"}", "the body is not JSON at byte 9"},
	} {
		t.Run("FV13 "+row.name, func(t *testing.T) {
			w := in(t, h, "POST", "/", jsonType(), strings.NewReader(row.body))
			_, text := refusalOf(t, w.Body.Bytes())
			require.Equal(t, row.want, text)
		})
	}
}

// The list of problems has the same pointers, and the codes of JSON problems.
func TestProblemsHavePointersBelowMaps_FV13(t *testing.T) {
	responder := errors.Must(errors.NewResponder(errors.Options{Logger: quiet, Details: true}))
	h := responder.Handler(handler[messages](t))
	for body, want := range map[string]string{
		`{"map":{"k":{"qty":0}}}`:   `[{"pointer":"/map/k/qty","code":"min","param":"1"}]`,
		`{"map":{"<b>":{"qty":0}}}`: `[{"pointer":"/map","code":"min","param":"1"}]`,
		`{"map":{"toolong":{}}}`:    `[{"pointer":"/map","code":"max","param":"5"}]`,
		`{"sizes":{"1":"x"}}`:       `[{"pointer":"/sizes/1","code":"type"}]`,
		`{"sizes":{"x":1}}`:         `[{"pointer":"/sizes","code":"type"}]`,
		``:                          `[{"pointer":"","code":"empty"}]`,
		`{`:                         `[{"pointer":"","code":"truncated"}]`,
		`{x`:                        `[{"pointer":"","code":"syntax"}]`,
		`{"int":1,"int":2}`:         `[{"pointer":"","code":"duplicate_member"}]`,
	} {
		r, w := httptest.NewRequest("POST", "/", strings.NewReader(body)), httptest.NewRecorder()
		r.Header = jsonType()
		h.ServeHTTP(w, r)
		require.Contains(t, w.Body.String(), `"errors":`+want, body)
	}
}

// TestRuleMessagesAreSentences_FV13 sends a value that breaks each rule. A message
// names the expected value and does not lack its parameter.
func TestRuleMessagesAreSentences_FV13(t *testing.T) {
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	future := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, row := range []struct{ kind, tag, value, want string }{
		{"time", "gt", past, "must be in the future"}, {"time", "gte", past, "must not be in the past"}, {"time", "lt", future, "must be in the past"}, {"time", "lte", future, "must not be in the future"}, {"time", "required", "0001-01-01T00:00:00Z", "is required"},
		{"text", "min=1", "", "must have at least 1 character"}, {"text", "gt=1", "a", "must have more than 1 character"}, {"text", "max=2", "abc", "must have at most 2 characters"}, {"text", "len=2", "a", "must have exactly 2 characters"},
		{"text", "eq=x", "a", "must be x"}, {"text", "ne=a", "a", "must not be a"}, {"text", "oneof=x y", "a", "must be one of: x, y"}, {"text", "isdefault", "a", "must not be set"},
		{"text", "uuid", "a", "must be a UUID"}, {"text", "uuid4", "a", "must be a UUID of version 4"}, {"text", "ip", "a", "must be an IP address"}, {"text", "ipv4", "a", "must be an IPv4 address"}, {"text", "cidr", "a", "must be a network in CIDR notation"},
		{"text", "hostname", "-", "must be a host name"}, {"text", "fqdn", "a", "must be a full host name"}, {"text", "hostname_port", "a", "must be a host and a port"}, {"text", "origin", "a", "must be the origin of a web page"},
		{"text", "email", "a", "must be an e-mail address"}, {"text", "url", "a", "must be a web address"}, {"text", "https_url", "http://a.example", "must be a web address with https"}, {"text", "uri", "a", "must be a URI"},
		{"text", "datetime=15:04", "3:04", "must be a time in the form 15:04"}, {"text", "rfc3339", "a", "must be a time such as 2006-01-02T15:04:05Z"}, {"text", "startswith=x", "a", "must start with x"}, {"text", "endswith=x", "a", "must end with x"},
		{"text", "contains=x", "a", "must contain x"}, {"text", "excludes=a", "a", "must not contain a"}, {"text", "base64", "*", "must be base64"}, {"text", "e164", "a", "must be a telephone number such as +4930123456"}, {"text", "pattern=sku", "a", "must match the pattern sku"},
		{"text", "alphanum", "*", "must contain only letters and digits"}, {"text", "lowercase", "A", "must be in lower case"}, {"text", "number", "a", "must contain only digits"}, {"text", "printascii", "\u00e9", "must contain only printable ASCII characters"},
		{"text", "max=2|email", "abc", "must have at most 2 characters, or must be an e-mail address"}, {"text", "ip|hostname", "-", "must be an IP address, or must be a host name"}, {"text", "max=2|max=2", "abc", "must have at most 2 characters"},
		{"text", "isbn", "a", "breaks the rule isbn"}, {"int", "min=5", "1", "must be at least 5"}, {"int", "gt=5", "1", "must be more than 5"}, {"int", "eq=5", "1", "must be exactly 5"}, {"int", "ne=1", "1", "must not be 1"}, {"int", "oneof=5 6", "1", "must be one of: 5, 6"},
		{"bool", "eq=true", "false", "must be true"}, {"list", "min=2", `[1]`, "must have at least 2 items"}, {"list", "len=1", `[1,2]`, "must have exactly 1 item"}, {"list", "unique", `[1,1]`, "must not contain duplicates"},
	} {
		t.Run("FV13 "+row.kind+" "+row.tag, func(t *testing.T) {
			kinds := map[string]reflect.Type{"text": reflect.TypeFor[string](), "int": reflect.TypeFor[int](), "bool": reflect.TypeFor[bool](), "time": reflect.TypeFor[time.Time](), "list": reflect.TypeFor[[]int]()}
			input := reflect.StructOf([]reflect.StructField{{Name: "A", Type: kinds[row.kind], Tag: reflect.StructTag(`json:"a" validate:"` + row.tag + `"`)}})
			plan, err := validate.Compile(input, validate.Options{Logger: quiet, Patterns: map[string]string{"sku": "[0-9]+"}})
			require.NoError(t, err)
			body := `{"a":"` + row.value + `"}`
			if row.kind != "text" && row.kind != "time" {
				body = `{"a":` + row.value + `}`
			}
			w := in(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				errors.Respond(w, r, plan.Read(w, r, reflect.New(input)))
			}), "POST", "/", jsonType(), strings.NewReader(body))
			_, text := refusalOf(t, w.Body.Bytes())
			require.Equal(t, "/a "+row.want, text)
			require.NotRegexp(t, regexp.MustCompile(`[ :]$`), text)
		})
	}
}

// The messages of parameters name their type.
func TestParameterMessagesNameTheType_FV13(t *testing.T) {
	type params struct {
		Small int8       `query:"small"`
		Uint  uint8      `query:"uint"`
		Float float32    `query:"float"`
		Time  time.Time  `query:"time"`
		Addr  netip.Addr `query:"addr"`
		Bool  bool       `query:"bool"`
	}
	h := handler[params](t)
	for query, want := range map[string]string{
		"small=x": "must be a whole number", "small=128": "must be a whole number from -128 to 127", "small=1.0": "must be a whole number", "uint=-": "must be a whole number of 0 or more", "uint=256": "must be a whole number from 0 to 255",
		"float=x": "must be a number", "float=" + strings.Repeat("9", 60): "is out of range", "time=now": "must be a time such as 2006-01-02T15:04:05Z", "addr=x": "must be a text in the expected form", "bool=1": "must be true or false",
	} {
		w := in(t, h, "GET", "/?"+query, http.Header{}, nil)
		name, _, _ := strings.Cut(query, "=")
		_, text := refusalOf(t, w.Body.Bytes())
		require.Equal(t, fmt.Sprintf("query parameter %s %s", name, want), text)
	}
}
