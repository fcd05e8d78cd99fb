package schema_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// The types of the mutation test. Those that read themselves stand for every
// text, or for every value.
type anyText string

func (a *anyText) UnmarshalText(text []byte) error { *a = anyText(text); return nil }

type anyNumber int

func (a *anyNumber) UnmarshalText(text []byte) error { *a = anyNumber(len(text)); return nil }

type anyValue struct{ raw string }

func (a *anyValue) UnmarshalJSON(data []byte) error { a.raw = string(data); return nil }

type octet uint8

type Base struct {
	ID   string `json:"id" validate:"required,max=4"`
	Note string `json:"note" validate:"max=4"`
}

type Second struct {
	Kind string `json:"kind" validate:"required,oneof=a b"`
	Size int    `json:"size" validate:"max=9"`
}

type DeepBase struct {
	*Second
	Deep int `json:"deep" validate:"min=1"`
}

type Shadowed struct {
	Name  *int   `json:"name"`
	Other string `json:"other" validate:"max=3"`
}

type node struct {
	Value int     `json:"value" validate:"min=1,max=3"`
	Left  *node   `json:"left"`
	Rest  []*node `json:"rest" validate:"max=2"`
}

// mutation is one type with documents that hold its rules.
type mutation struct {
	name string
	run  func(t *testing.T) (patterns []string)
}

// How the documents are changed: of formats and of types that read themselves,
// only the type of a value is changed, since JSON Schema expresses no more.
const (
	everything = false
	typesOnly  = true
)

func mutated[T any](name string, types bool, o validate.Options, documents ...string) mutation {
	return mutation{name, func(t *testing.T) []string { return requireSameVerdicts[T](t, types, o, documents) }}
}

var patterns = validate.Options{Patterns: map[string]string{
	"sku": "[A-Z][0-9]|x", "fold": `(?i)ks`, "named": `(?P<a>a|b)+?c`, "class": `[[:alpha:]\d\-/]{1,3}`, "unicode": `\pL+`, "any": `a.b`, "all": `(?s)a.b`, "quoted": `\Qa.b\E`, "word": `\bfoo\b`, "not": `[^a-c]*`,
	"alternatives": "a|b|", "anchored": `\Aab\z`, "none": `[^\x00-\x{10FFFF}]|a`,
}}

// The schema accepts a document if and only if a request with it is accepted.
func TestSchemaAcceptsTheSameInputs_FV12(t *testing.T) {
	var none validate.Options
	rows := []mutation{
		mutated[struct {
			A int8    `json:"a,string"`
			B uint16  `json:"b,string" validate:"omitempty"`
			C float64 `json:"c,string"`
			D *int    `json:"d,string"`
			E int     `json:"e,string" validate:"required"`
		}]("numbers in strings", everything, none, `{"a":"1","b":"2","c":"1.5","d":"3","e":"4"}`, `{"d":null,"e":"1"}`),
		mutated[struct {
			A string `json:"a" validate:"omitempty,uuid"`
			B string `json:"b" validate:"omitempty,uuid4"`
		}]("UUIDs", everything, none, `{"a":"550e8400-e29b-41d4-a716-446655440000","b":"550e8400-e29b-41d4-a716-446655440000"}`, `{"a":"550E8400-E29B-41D4-A716-446655440000","b":""}`),
		mutated[struct {
			A anyText   `json:"a" validate:"oneof=a ab"`
			B anyNumber `json:"b" validate:"min=1,max=3"`
			C *anyText  `json:"c" validate:"omitempty,max=3"`
			D []anyText `json:"d" validate:"max=2,dive,min=1"`
		}]("rules of texts that read themselves", typesOnly, none, `{"a":"a","b":"ab","c":"x","d":["a"]}`, `{"a":"ab","b":"a","c":null,"d":[]}`),
		mutated[struct {
			A anyText               `json:"a" validate:"required"`
			B *anyNumber            `json:"b" validate:"required"`
			C validate.Opt[anyText] `json:"c"`
			D map[anyText]int       `json:"d" validate:"max=2"`
		}]("required texts that read themselves", typesOnly, none, `{"a":"a","b":"x","c":"y","d":{"k":1}}`, `{"a":"a","b":"","c":null}`),
		mutated[struct {
			A json.RawMessage            `json:"a"`
			B *json.RawMessage           `json:"b"`
			C []json.RawMessage          `json:"c" validate:"max=2"`
			D map[string]json.RawMessage `json:"d" validate:"max=2"`
			E anyValue                   `json:"e"`
		}]("raw values", everything, none, `{"a":1,"b":{},"c":[true],"d":{"k":"v"},"e":[]}`),
		mutated[struct {
			*Base
			Name string `json:"name" validate:"max=3"`
		}]("an embedded pointer", everything, none, `{"id":"a","note":"b","name":"c"}`, `{"name":"c"}`),
		mutated[struct {
			*DeepBase
			Name string `json:"name" validate:"max=3"`
		}]("an embedded pointer in an embedded pointer", everything, none, `{"deep":1,"kind":"a","size":1,"name":"c"}`, `{"deep":1}`, `{}`),
		mutated[struct {
			*Base `validate:"required"`
			Name  string `json:"name" validate:"max=3"`
		}]("an embedded pointer that is required", everything, none, `{"id":"a","note":"b","name":"c"}`),
		mutated[struct {
			Second `validate:"required"`
		}]("an embedded struct that is required", everything, none, `{"kind":"a","size":1}`),
		mutated[struct {
			Second `validate:"omitempty"`
			Name   string `json:"name" validate:"max=3"`
		}]("an embedded struct that may be empty", everything, none, `{"kind":"a","size":1,"name":"x"}`, `{"size":0,"kind":"","name":"x"}`, `{}`),
		mutated[struct {
			Base
			Second
		}]("embedded structs", everything, none, `{"kind":"a","size":1,"id":"x"}`),
		mutated[struct {
			Shadowed
			Name string `json:"name" validate:"required,max=3"`
		}]("a member that shadows another", everything, none, `{"name":"a","other":"b"}`),
		mutated[struct {
			A map[int]string  `json:"a" validate:"max=2,dive,max=3"`
			B map[uint8]int   `json:"b" validate:"max=2"`
			C map[int64]*int  `json:"c" validate:"max=2"`
			D map[float64]int `json:"d" validate:"max=2"`
		}]("names that are numbers", everything, none, `{"a":{"1":"x"},"b":{"2":1},"c":{"-3":null},"d":{"1.5":1}}`),
		mutated[struct {
			A string `json:"a" validate:"pattern=sku"`
			B string `json:"b" validate:"omitempty,pattern=fold"`
			C string `json:"c" validate:"omitempty,pattern=named"`
			D string `json:"d" validate:"omitempty,pattern=class"`
			E string `json:"e" validate:"omitempty,pattern=unicode"`
			F string `json:"f" validate:"omitempty,pattern=any"`
			G string `json:"g" validate:"omitempty,pattern=all"`
		}]("patterns", everything, patterns, `{"a":"A1","b":"ks","c":"abc","d":"a/1","e":"ä","f":"axb","g":"a\nb"}`, `{"a":"x","b":"K\u017f","c":"bbc","d":"--1","e":"a","f":"a\rb","g":"aéb"}`),
		mutated[struct {
			A string `json:"a" validate:"omitempty,pattern=quoted"`
			B string `json:"b" validate:"omitempty,pattern=word"`
			C string `json:"c" validate:"pattern=not"`
			D string `json:"d" validate:"pattern=alternatives"`
			E string `json:"e" validate:"omitempty,pattern=anchored"`
			F string `json:"f" validate:"omitempty,pattern=none"`
		}]("more patterns", everything, patterns, `{"a":"a.b","b":"foo","c":"x-","d":"a","e":"ab","f":"a"}`, `{"c":"ä"}`),
		mutated[struct {
			A string `json:"a" validate:"omitempty,startswith=a.b"`
			B string `json:"b" validate:"omitempty,endswith=)"`
			C string `json:"c" validate:"omitempty,contains=[x"`
			D string `json:"d" validate:"excludes=-"`
			E string `json:"e" validate:"startsnotwith=x,endsnotwith=y"`
			F string `json:"f" validate:"omitempty,startswith=0x2C"`
		}]("parts of texts", everything, none, `{"a":"a.bc","b":"x)","c":"a[xb","d":"a","e":"a","f":",a"}`, `{"a":"axb"}`, `{"d":"a-b"}`, `{"e":"xa"}`, `{"e":"ay"}`),
		mutated[struct {
			A string `json:"a" validate:"omitempty,hexadecimal"`
			B string `json:"b" validate:"omitempty,hexcolor"`
			C string `json:"c" validate:"omitempty,e164"`
			D string `json:"d" validate:"omitempty,boolean"`
			E string `json:"e" validate:"omitempty,base64"`
			F string `json:"f" validate:"omitempty,numeric"`
			G string `json:"g" validate:"omitempty,printascii"`
			H string `json:"h" validate:"ascii"`
		}]("classes of texts", everything, none, `{"a":"0xff","b":"#00ff00","c":"+491701234567","d":"true","e":"YWI=","f":"-1.5","g":"a b","h":"~"}`),
		mutated[struct {
			A string `json:"a" validate:"oneof='a b' c"`
			B string `json:"b" validate:"omitempty,oneof=a|oneof=b"`
			C int    `json:"c" validate:"oneof=1 2 -3"`
			D string `json:"d" validate:"noneof=a b"`
			E uint   `json:"e" validate:"omitempty,oneof=1 2"`
		}]("lists of words", everything, none, `{"a":"a b","b":"a","c":1,"d":"x","e":2}`, `{"a":"c","b":"b","c":-3}`),
		mutated[struct {
			A string   `json:"a" validate:"isdefault"`
			B int      `json:"b" validate:"isdefault"`
			C *int     `json:"c" validate:"isdefault"`
			D []string `json:"d" validate:"isdefault"`
			E bool     `json:"e" validate:"isdefault"`
		}]("values that must be zero", everything, none, `{"a":"","b":0,"c":null,"e":false}`, `{}`),
		mutated[struct {
			A []byte   `json:"a" validate:"min=1,max=3"`
			B [4]byte  `json:"b"`
			C []byte   `json:"c" validate:"omitempty,len=5"`
			D *[2]byte `json:"d"`
			E []octet  `json:"e" validate:"max=2"`
			F []byte   `json:"f" validate:"gt=1,lt=6,ne=4"`
		}]("bytes", everything, none, `{"a":"YWI=","b":"YWJjZA==","c":"YWJjZGU=","d":"YWI=","e":[1,2],"f":"YWI="}`, `{"a":"YWJj","b":"AAAAAA==","d":null,"e":[],"f":"YWJj"}`),
		mutated[struct {
			A [3]byte `json:"a" validate:"required"`
			B []byte  `json:"b" validate:"omitzero,min=2"`
			C [1]byte `json:"c" validate:"omitempty"`
		}]("bytes that must not be zero", everything, none, `{"a":"YWJj","b":"YWI=","c":"AA=="}`, `{"a":"AAAB","b":""}`),
		mutated[struct {
			A float32   `json:"a"`
			B *float32  `json:"b" validate:"omitempty,gt=0"`
			C []float32 `json:"c" validate:"max=2,dive,lt=2"`
		}]("float32", everything, none, `{"a":1.5,"b":2.5,"c":[1]}`, `{"a":340282350000000000000000000000000000000.5,"b":1}`, `{"a":3.5e38,"b":1}`, `{"a":-3.5e38,"b":1}`),
		mutated[struct {
			A int8   `json:"a" validate:"min=-3,max=3"`
			B uint8  `json:"b" validate:"gt=1"`
			C int16  `json:"c" validate:"ne=0"`
			D uint32 `json:"d" validate:"required"`
			E int64  `json:"e"`
		}]("whole numbers", everything, none, `{"a":1,"b":2,"c":3,"d":4,"e":9223372036854775807}`),
		mutated[struct {
			A validate.Opt[string]   `json:"a" validate:"min=1,max=3"`
			B validate.Opt[*int]     `json:"b" validate:"omitempty,min=1"`
			C validate.Opt[[]string] `json:"c" validate:"required,max=1"`
			D validate.Opt[Base]     `json:"d"`
			E *validate.Opt[int]     `json:"e"`
		}]("members that may be absent", everything, none, `{"a":"x","b":1,"c":["a"],"d":{"id":"a"},"e":1}`, `{"a":null,"b":null,"c":[],"d":null,"e":null}`),
		mutated[node]("a tree", everything, none, `{"value":1,"left":{"value":2,"rest":[{"value":3},null]}}`),
		mutated[struct {
			A []string  `json:"a" validate:"required,unique,dive,required,max=2"`
			B []*int    `json:"b" validate:"max=2,dive,required"`
			C [][]int   `json:"c" validate:"max=2,dive,min=1,dive,max=3"`
			D [2]string `json:"d" validate:"dive,max=1"`
			E []float64 `json:"e" validate:"unique"`
			F []bool    `json:"f" validate:"omitzero,min=2"`
		}]("lists", everything, none, `{"a":["x","y"],"b":[1],"c":[[1,2]],"d":["a","b"],"e":[1,1.5],"f":[true,false]}`),
		mutated[struct {
			A map[string]int            `json:"a" validate:"min=1,max=2,dive,keys,alpha,max=2,endkeys,min=1"`
			B map[string]map[string]int `json:"b" validate:"omitempty,max=1,dive,max=1"`
			C map[string]*Base          `json:"c" validate:"max=2,dive,required"`
			D map[string]any            `json:"d" validate:"max=2"`
		}]("maps", everything, none, `{"a":{"x":1},"b":{"k":{"l":1}},"c":{"k":{"id":"a"}},"d":{"n":null}}`),
		mutated[struct {
			A any   `json:"a" validate:"required"`
			B any   `json:"b"`
			C []any `json:"c" validate:"max=2"`
			D *any  `json:"d"`
		}]("interfaces", everything, none, `{"a":1,"b":"x","c":[null,{}],"d":[]}`),
		mutated[struct {
			A Base    `json:"a"`
			B *Base   `json:"b" validate:"required"`
			C Base    `json:"c" validate:"omitempty"`
			D Second  `json:"d" validate:"required"`
			E []Base  `json:"e" validate:"max=2"`
			F [1]Base `json:"f" validate:"omitempty"`
		}]("structs", everything, none, `{"a":{"id":"a"},"b":{"id":"b"},"c":{"id":"","note":""},"d":{"kind":"a","size":1},"e":[{"id":"e"}],"f":[{"id":"f"}]}`),
		mutated[struct {
			A string `json:"a" validate:"min=2"`
			B int    `json:"b" validate:"max=3"`
			C Base   `json:"c" validate:"omitempty"`
			D struct {
				E []string `json:"e" validate:"max=1"`
			} `json:"d" validate:"required"`
		}]("unknown members are allowed", everything, validate.Options{InsecureAllowUnknown: true}, `{"a":"ab","b":1,"c":{"id":"a"},"d":{"e":["x"]}}`),
		mutated[struct {
			A string         `json:"a" validate:"min=2"`
			B int            `json:"b" validate:"max=3"`
			C []string       `json:"c" validate:"max=2,dive,max=3"`
			D map[string]int `json:"d" validate:"max=2,dive,min=1"`
			E Base           `json:"e" validate:"omitempty"`
			F *string        `json:"f" validate:"required"`
			G bool           `json:"g"`
			H [2]int         `json:"h"`
			I []int          `json:"i" validate:"required"`
		}]("null is allowed", everything, validate.Options{InsecureAllowNull: true}, `{"a":"ab","b":1,"c":["x",null],"d":{"k":1},"e":null,"f":"x","g":null,"h":[1,null],"i":[1]}`),
		mutated[struct {
			A string  `json:"a" validate:"max=3|startswith=abc"`
			B int     `json:"b" validate:"eq=1|gt=5"`
			C *bool   `json:"c" validate:"required"`
			D bool    `json:"d" validate:"ne=true"`
			E float64 `json:"e" validate:"gte=0.5,lt=2.5,ne=1"`
		}]("alternatives", everything, none, `{"a":"ab","b":1,"c":false,"d":false,"e":1.5}`, `{"a":"abcdef","b":6,"c":true,"e":0.5}`),
		mutated[struct {
			C string `json:"c" validate:"required,len=2"`
			D string `json:"d" validate:"gt=1,lt=4"`
			E string `json:"e" validate:"omitempty,eq=ab"`
			F string `json:"f" validate:"ne=ab"`
		}]("lengths", everything, none, `{"c":"äö","d":"abc","e":"ab","f":"x"}`),
		mutated[struct {
			A string  `json:"a" validate:"required,lowercase"`
			B *string `json:"b" validate:"omitempty,uppercase"`
		}]("case", typesOnly, none, `{"a":"ab","b":"AB"}`, `{"a":"aB"}`, `{"a":"x","b":"Ab"}`),
		mutated[struct {
			A time.Time   `json:"a"`
			B *time.Time  `json:"b" validate:"omitempty"`
			C netip.Addr  `json:"c"`
			D *netip.Addr `json:"d" validate:"required"`
		}]("times and addresses", typesOnly, none, `{"a":"2024-02-29T12:00:00Z","b":"2024-02-29T12:00:00+01:00","c":"127.0.0.1","d":"::1"}`, `{"a":"2024-02-29T12:00:00.5Z","b":null,"c":"1.2.3.4","d":"1.2.3.4"}`),
		mutated[struct {
			A string   `json:"a" validate:"required,email"`
			B string   `json:"b" validate:"omitempty,https_url"`
			C *string  `json:"c" validate:"omitempty,ipv4"`
			D string   `json:"d" validate:"omitempty,fqdn"`
			E string   `json:"e" validate:"omitempty,rfc3339"`
			F []string `json:"f" validate:"max=2,dive,ipv6"`
		}]("formats", typesOnly, none, `{"a":"a@example.com","b":"https://example.com/","c":"1.2.3.4","d":"example.com","e":"2024-02-29T12:00:00Z","f":["::1"]}`),
	}
	require.GreaterOrEqual(t, len(rows), 30)
	var printed []string
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { printed = append(printed, row.run(t)...) })
	}
	t.Run("JavaScript reads the patterns alike", func(t *testing.T) { requireJavaScriptReads(t, printed) })
}
