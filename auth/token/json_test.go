package token_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/auth/token"
)

// naiveMembers is the model of [token.Members]: jsontext, which refuses invalid
// UTF-8 and repeated names at every depth, and a check for names that differ in
// case.
func naiveMembers(data []byte, most int) (list [][2]string, ok bool) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, false
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil || len(list) == most {
			return nil, false
		}
		m := [2]string{name.String()}
		for _, other := range list {
			if strings.EqualFold(m[0], other[0]) {
				return nil, false
			}
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		m[1] = string(value)
		list = append(list, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	_, err := d.ReadToken()
	return list, err == io.EOF
}

// RFC 8259; the strict reading of RFC 7515, section 4, and RFC 7519, section 4.
var jsonSeeds = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{"a" : [ 1 , 2 ] , "b":{"c":[{}]}}`, `{"a":1}x`, `{"a":1}{}`, ``, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`,
	`{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"\u0062":2}]}`, `{"k":1,"K":2}`, `{"s":1,"ſ":2}`,
	`{"a":"\ud800"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ude00\ud83d"}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\n\"}", `{"a":"\n\"\\\/\b\f\r\t"}`,
	`{"a":-0}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":1E-9}`, `{"a":-}`, `{"a":+1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":truex}`, `{"a":nulll}`, `{"a":true}`,
	`{"a":["x","y"]}`, `{"a":["x" "y"]}`, `{"a":["x",]}`, `{"a":[,]}`, `{"a":["]","}"]}`, `{"a":["\"]"]}`, `{"a":[}`, `{"a":]}`, `{"a":[}]}`, `{"a":{]}`, `{"a":["x"]]}`, "\ufeff{}", "{\"a\":1\x00}", "{\"a\":\u00a01}",
	`{"a":1/**/}`, `{a:1}`, `{'a':1}`, `{"a":"b"`, `{"":1}`, `{"":1,"":2}`, `{"a":["\ud800"]}`, "{\"a\":[\"\xff\"]}",
}

func FuzzMembers(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := token.Members(text, 16)
		want, wanted := naiveMembers([]byte(text), 16)
		require.Equal(t, wanted, ok, "%q", text)
		if ok {
			require.Equal(t, want, got, "%q", text)
		}
	})
}
