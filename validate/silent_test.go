package validate_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

type squashed struct {
	Plain string `json:"plain" validate:"max=9"`
}

// readsOwnTags is a type of another package whose method reads its tags.
type readsOwnTags struct {
	N int    `default:"5" yaml:"n"`
	M string `form:"m" binding:"required"`
}

func (r *readsOwnTags) UnmarshalJSON([]byte) error { return nil }

// readsNumbers reads its number with encoding/json, which checks it.
type readsNumbers struct{ N json.Number }

func (r *readsNumbers) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &r.N) }

type shared struct {
	N json.Number `json:"n"`
}

type readsShared struct{ S shared }

func (r *readsShared) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &r.S) }

// The constructors report declarations without effect and suggest the likely meaning.
func TestSilentDeclarationsAreReported_FV11(t *testing.T) {
	type options struct {
		A string   `query:"q,omitempty" validate:"max=9"`
		B []string `query:"ids,comma" validate:"max=9,dive,max=9"`
		C string   `path:"id,required" validate:"max=9"`
		D string   `path:"{id}" validate:"max=9"`
		E string   `path:":id" validate:"max=9"`
		F string   `path:"rest..." validate:"max=9"`
		G string   `query:" q" validate:"max=9"`
		H string   `path:"*" validate:"max=9"`
	}
	type formOptions struct {
		A string `form:"a,default=5" validate:"max=9"`
	}
	type jsonOptions struct {
		C string `json:"'c'" validate:"max=9"`
		D int    `json:"d,omitempty" default:"5"`
	}
	type types struct {
		A string `query:"a" types:"image/png" validate:"max=9"`
		B string `query:"b" json:"b" validate:"max=9"`
		C string `header:"C" json:"-" validate:"max=9"`
		D struct {
			E string `json:"e" types:"image/png" validate:"max=9"`
		} `body:"json" default:"{}" json:"body"`
	}
	type values struct {
		A []byte            `query:"a" validate:"max=9"`
		B time.Duration     `query:"b"`
		C [4]int            `query:"c"`
		D *time.Duration    `header:"D"`
		E []time.Duration   `query:"e" validate:"max=9"`
		F [][]byte          `query:"f" validate:"max=9"`
		G net.IP            `query:"g" validate:"max=16"`
		H *[]byte           `query:"h" validate:"max=9"`
		I []string          `query:"i" validate:"max=9,dive,max=9"`
		J map[string]string `query:"filter" validate:"max=9"`
	}
	type bounds struct {
		A string         `json:"a" validate:"min=5,max=3"`
		B int            `json:"b" validate:"gt=4,lt=5"`
		C []int          `json:"c" validate:"len=3,max=2"`
		D float64        `json:"d" validate:"gte=1.5,lt=1.5"`
		E string         `json:"e" validate:"required,max=0"`
		F int8           `json:"f" validate:"min=200"`
		G uint           `json:"g" validate:"lt=0"`
		H string         `json:"h" validate:"oneof=abc abcd,max=2"`
		I int            `json:"i" validate:"oneof=1 2,min=3"`
		J [][]string     `json:"j" validate:"max=2,dive,min=3,max=2"`
		K map[string]int `json:"k" validate:"max=2,dive,keys,min=3,max=2,endkeys,min=1"`
		L [2]int         `json:"l" validate:"max=1"`
		M string         `json:"m" validate:"max=-1"`
		N string         `json:"n" validate:"eq=abc,len=2"`
		O *int           `json:"o" validate:"omitempty,eq=3,ne=4,lt=3"`
		P int            `json:"p" validate:"required,eq=0"`
		Q string         `json:"q" validate:"uuid,max=35"`
		R []string       `json:"r" validate:"-"`
	}
	type fine struct {
		A        string  `json:"a" validate:"min=3,max=3"`
		B        float64 `json:"b" validate:"gt=1,lt=1.5"`
		C        string  `json:"c" validate:"oneof=abc a,max=2"`
		D        string  `json:"d" validate:"max=2|min=5,max=9"`
		E        uint64  `json:"e" validate:"max=18446744073709551615"`
		F        string  `json:"f" validate:"required,oneof='a b' c,max=3"`
		G        int     `json:"g" validate:"min=0x10,max=16"`
		H        string  `json:"h" yaml:"h" xml:"h" gorm:"size:9" db:"h" protobuf:"bytes,1" validate:"max=3"`
		I        string  `json:"i" form:"i" binding:"required" valid:"-" validate:"required,max=3"`
		K        *int    `json:"k" validate:"required,eq=0"`
		squashed `yaml:",inline" mapstructure:",squash"`
		J        readsOwnTags `json:"j"`
	}
	type foreign struct {
		A string    `json:"a" binding:"required,max=9"`
		B string    `json:"b" param:"b" validate:"max=9"`
		C string    `json:"c" uri:"c" validate:"max=9"`
		D string    `json:"d" reqHeader:"D" validate:"max=9"`
		E string    `json:"e" in:"query=e" validate:"max=9"`
		F string    `json:"f" valid:"required"`
		G string    `json:"g" vd:"len($)>1"`
		H string    `xml:"h" validate:"max=9"`
		I string    `mapstructure:"i,omitempty" validate:"max=9"`
		J string    `json:"j" headers:"X" validate:"max=9"`
		K string    `JSON:"k" validate:"max=9"`
		L string    `json:"l" validates:"max=9"`
		M string    `json:"m" params:"m" validate:"max=9"`
		N string    `json:"n" formData:"n" validate:"max=9"`
		O string    `schema:"o" validate:"max=9"`
		P time.Time `json:"p" time_format:"2006-01-02"`
	}
	type foreignParams struct {
		A string `param:"id" validate:"max=9"`
		B string `uri:"id" validate:"max=9"`
		C string `reqHeader:"X-C" validate:"max=9"`
		D string `in:"query=d;required" validate:"max=9"`
		E string `query:"e" binding:"required,max=9"`
		F string `query:"f" param:"f" validate:"max=9"`
	}
	type unread struct {
		A string `json:"-" validate:"required,max=9"`
		b string `validate:"required"`
		C string `json:"c" form:"c" validate:"max=9"`
		d string `json:"-"`
	}
	_, _ = unread{}.b, unread{}.d
	type file struct {
		A validate.File `form:"a" types:"image/png" default:"x"`
	}
	type pair = reflect.StructField
	asStruct := func(fields ...pair) func() error {
		return func() error {
			_, err := validate.Compile(reflect.StructOf(fields), validate.Options{Logger: quiet})
			return err
		}
	}
	text := reflect.TypeFor[string]()
	requireReports(t, []group{
		{"FV11", asInput[options](), []string{
			`options.A: has options in the name query:"q,omitempty"; did you mean query:"q"?`,
			`options.C: has options in the name path:"id,required"; did you mean path:"id"?`, `options.D: has the name path:"{id}", which is the pattern of a router; did you mean path:"id"?`,
			`options.E: has the name path:":id", which is the pattern of a router; did you mean path:"id"?`, `options.F: has the name path:"rest...", which is the pattern of a router; did you mean path:"rest"?`,
			`options.G: has the name query:" q", which has a space around it; did you mean query:"q"?`,
		}},
		{"FV11", asForm[formOptions](), []string{`formOptions.A: has options in the name form:"a,default=5"; did you mean form:"a"?`}},
		{"FV11", asJSON[jsonOptions](), []string{
			`jsonOptions.C: has quotes in the tag json:"'c'"; did you mean json:"c"?`, `jsonOptions.D: has the tag default:"5", which is not applied inside a body; did you mean a pointer or an Opt, and the default in the handler?`,
		}},
		{"FV11", asInput[types](), []string{
			`types.A: has the tag types:"image/png", which applies only to a File; did you mean a validate.File?`, `types.B: has the tag json:"b", and is read from the query; did you mean json:"-"?`,
			`types.D: has the tag json:"body", and is read from the body as a whole; did you mean json:"-"?`, `types.D: has the tag default:"{}", which is not applied to a body`,
			`.E: has the tag types:"image/png", which applies only to a File; did you mean a validate.File?`,
		}},
		{"FV11", asInput[values](), []string{
			"values.A: a []uint8 cannot be read from text; did you mean a string with the rule base64?",
			"values.C: a [4]int cannot be read from text; did you mean a slice with the rule len=4?",
			"values.F: a []uint8 cannot be read from text; did you mean a string with the rule base64?", "values.H: a []uint8 cannot be read from text", "values.J: a map[string]string cannot be read from text; did you mean a field for each name",
		}},
		{"FV11", asJSON[bounds](), []string{
			"bounds.A: the rules min=5 and max=3 exclude every value", "bounds.B: the rules gt=4 and lt=5 exclude every value", "bounds.C: the rules len=3 and max=2 exclude every value", "bounds.D: the rules gte=1.5 and lt=1.5 exclude every value",
			"bounds.E: the rules required and max=0 exclude every value", "bounds.F: the rule min=200 excludes every int8", "bounds.G: the rule lt=0 excludes every uint", "bounds.H: the rules oneof=abc abcd and max=2 exclude every value",
			"bounds.I: the rules oneof=1 2 and min=3 exclude every value", "bounds.J[]: the rules min=3 and max=2 exclude every value", "bounds.K: the rules min=3 and max=2 exclude every value", "bounds.L: the rule max=1 excludes every [2]int",
			"bounds.M: the rule max=-1 excludes every string", "bounds.N: the rules eq=abc and len=2 exclude every value", "bounds.O: the rules eq=3 and lt=3 exclude every value", "bounds.P: the rules required and eq=0 exclude every value",
			"bounds.Q: the rules uuid and max=35 exclude every value", `bounds.R: has the rule "-", which does not disable rules; did you mean no validate tag?`,
		}},
		{"FV11", asJSON[foreign](), []string{
			`foreign.A: has the tag binding:"required,max=9" but no validate tag; did you mean validate:"required,max=9"?`, `foreign.B: has the tag param:"b", which is not applied inside a body`, `foreign.C: has the tag uri:"c", which is not applied inside a body`,
			`foreign.D: has the tag reqHeader:"D", which is not applied inside a body`, `foreign.E: has the tag in:"query=e", which is not applied inside a body`, `foreign.F: has the tag valid:"required" but no validate tag; did you mean validate:"required"?`,
			`foreign.G: has the tag vd:"len($)>1" but no validate tag`, `foreign.H: has the tag xml:"h" but no name in JSON; did you mean json:"h"?`, `foreign.I: has the tag mapstructure:"i,omitempty" but no name in JSON; did you mean json:"i"?`,
			`foreign.J: has the tag headers:"X", which is not read; did you mean header:"X"?`, `foreign.K: has the tag JSON:"k", which is not read; did you mean json:"k"?`, `foreign.L: has the tag validates:"max=9", which is not read; did you mean validate:"max=9"?`,
			`foreign.M: has the tag params:"m", which is not applied inside a body`, `foreign.N: has the tag formData:"n", which is not applied inside a body`, `foreign.O: has the tag schema:"o" but no name in JSON; did you mean json:"o"?`,
			`foreign.P: has the tag time_format:"2006-01-02", which is not applied; did you mean a string with the rule datetime=2006-01-02?`,
		}},
		{"FV11", asInput[foreignParams](), []string{
			`foreignParams.A: must have exactly one source; did you mean path:"id" instead of param:"id"?`, `foreignParams.B: must have exactly one source; did you mean path:"id" instead of uri:"id"?`,
			`foreignParams.C: must have exactly one source; did you mean header:"X-C" instead of reqHeader:"X-C"?`, `foreignParams.D: must have exactly one source; did you mean query:"d" instead of in:"query=d;required"?`,
			`foreignParams.E: has the tag binding:"required,max=9" but no validate tag; did you mean validate:"required,max=9"?`,
		}},
		{"FV11", asJSON[unread](), []string{`unread.A: is not read from JSON, so its tag validate:"required,max=9" is not applied; did you mean a name in the json tag?`, `unread.b: is not exported, so its tag validate:"required" is not applied; did you mean B?`}},
		{"FV11", asForm[file](validate.Options{Limits: validate.Limits{File: 1}}), []string{`file.A: has the tag default:"x", which is not applied to a File`}},
		{"FV11", asStruct(pair{Name: "A", Type: text, Tag: `json:"a,default=5" validate:"max=9"`}), []string{`.A: has the option default=5 in the json tag, which is not applied; did you mean json:"a"?`}},
		{"FV11", asStruct(pair{Name: "A", Type: text, Tag: `json:"a,optional" validate:"max=9"`}), []string{`.A: has the option optional in the json tag, which is not applied; did you mean json:"a"?`}},
		{"FV11 a tag without quotes", asStruct(pair{Name: "A", Type: text, Tag: `json:"a" validate:required`}), []string{"A: has the tag `json:\"a\" validate:required`, part of which is ignored; did you mean pairs of key:\"value\", with one space between and each key once?"}},
		{"FV11 a blank behind the colon", asStruct(pair{Name: "A", Type: text, Tag: `json:"a" validate: "required"`}), []string{"part of which is ignored"}},
		{"FV11 no blank between", asStruct(pair{Name: "A", Type: text, Tag: `json:"a"validate:"required"`}), []string{"part of which is ignored"}},
		{"FV11 a comma between", asStruct(pair{Name: "A", Type: text, Tag: `json:"a",validate:"required"`}), []string{"part of which is ignored"}},
		{"FV11 a key twice", asStruct(pair{Name: "A", Type: text, Tag: `json:"a" validate:"max=9" validate:"required"`}), []string{"part of which is ignored"}},
	})
	require.NoError(t, asJSON[fine](validate.Options{Logger: quiet})())
}

// The validator accepts no value for rules that are reported as contradictory.
func TestContradictoryRulesAcceptNoValue_FV11(t *testing.T) {
	rules := validator.New(validator.WithRequiredStructEnabled())
	found := 0
	for seed := range uint64(30000) {
		m := maker{rand.New(rand.NewPCG(seed, 13))}
		typ := pick(m, reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint](), reflect.TypeFor[float64](), reflect.TypeFor[[]string](), reflect.TypeFor[[2]int](), reflect.TypeFor[map[string]int]())
		tag := m.anyRules(typ)
		if strings.Contains(tag, "omit") || !validate.Excludes(typ, tag) {
			continue
		}
		found++
		for range 20 {
			v := reflect.New(typ).Elem()
			m.fill(v)
			require.Error(t, rules.Var(v.Interface(), tag), "%s of %s accepts %v", tag, typ, v)
		}
	}
	require.Greater(t, found, 500)
}

type owner struct {
	Name  string `json:"name" validate:"required,max=9"`
	Owner string `json:"owner" validate:"max=9"`
}

// A shadowed member is never set, and neither is a map whose keys cannot be decoded.
func TestMembersThatAreNeverSetAreReported_FV11(t *testing.T) {
	type shadow struct {
		owner
		Name string `json:"name" validate:"max=9"`
	}
	type twin struct {
		owner
		squashed
		Other struct {
			Owner string `json:"owner" validate:"max=9"`
		} `json:"other"`
	}
	type level struct{ *Inner }
	type deep struct {
		owner
		level
	}
	type keys struct {
		A map[bool]int       `json:"a" validate:"max=9"`
		B map[[2]int]int     `json:"b" validate:"max=9"`
		C map[*string]int    `json:"c" validate:"max=9"`
		D map[any]int        `json:"d" validate:"max=9"`
		E map[netip.Addr]int `json:"e" validate:"max=9"`
		F map[struct{}]int   `json:"f" validate:"max=9"`
	}
	hint := " cannot be read from JSON; did you mean a string or a number?"
	requireReports(t, []group{
		{"FV11", asJSON[shadow](), []string{`validate_test.owner.Name: is never read: the member "name" of validate_test.shadow is Name; did you mean another name?`}},
		{"FV11", asJSON[deep](), []string{`validate_test.Inner.Owner: is never read: the member "owner" of validate_test.deep is owner.Owner; did you mean another name?`}},
		{"FV11", asJSON[keys](), []string{"keys.A: a map with keys of bool" + hint, "keys.B: a map with keys of [2]int" + hint, "keys.C: a map with keys of *string" + hint, "keys.F: a map with keys of struct {}" + hint}},
	})
	err := asJSON[keys]()()
	require.NotContains(t, err.Error(), "keys.D")
	require.NotContains(t, err.Error(), "keys.E")
	require.NoError(t, asJSON[twin](validate.Options{Logger: quiet})())
}

type Inner struct {
	Owner string `json:"owner" validate:"max=9"`
}

// Tags of other packages that look like rules cause warnings, or errors with Strict.
func TestTagsThatLookLikeRulesCauseWarnings_FV11(t *testing.T) {
	type documented struct {
		A string `json:"a" maxLength:"9" required:"true"`
		B string `json:"b" maxLength:"9" validate:"max=9"`
		C string `json:"c" mod:"trim" validate:"max=9"`
	}
	var log bytes.Buffer
	require.NoError(t, asJSON[documented](validate.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})())
	strict := asJSON[documented](validate.Options{Strict: true, Logger: quiet})()
	for _, want := range []string{`documented.A: has the tag maxLength:`, `documented.A: has the tag required:`, `documented.C: has the tag mod:`} {
		require.Contains(t, log.String(), want[:len(want)-1])
		require.ErrorContains(t, strict, want)
	}
	require.NotContains(t, log.String(), "documented.B")
}

// The rules of the field of a body apply to the body.
func TestRulesOfTheBodyAreApplied_FV11(t *testing.T) {
	type input struct {
		Body struct {
			Name string `json:"name" validate:"max=9"`
		} `body:"json" validate:"required"`
	}
	srv := detailed[input](t, validate.Options{})
	status, problems, text := problemsOf(t, srv.URL, "", `{}`)
	require.Equal(t, 422, status)
	require.Equal(t, []string{" required"}, problems)
	require.Contains(t, text, "the body is required")
	status, _, text = problemsOf(t, srv.URL, "", `{"name":"a"}`)
	require.Equal(t, 200, status, text)
	type wrong struct {
		Body struct {
			Name string `json:"name" validate:"max=9"`
		} `body:"json" validate:"max=3"`
	}
	require.ErrorContains(t, asInput[wrong]()(), "wrong.Body: a struct accepts only the rule required")
}

// Only encoding/json checks a json.Number. The decoder of this package reads any string
// into it, and reads a url.URL by its fields.
func TestUncheckedNumberTypesAreReported_FV6(t *testing.T) {
	type input struct {
		A json.Number                 `json:"a" validate:"max=9"`
		B *json.Number                `json:"b" validate:"omitempty,max=9"`
		C []json.Number               `json:"c" validate:"max=9,dive,max=9"`
		D map[string]json.Number      `json:"d" validate:"max=9,dive,max=9"`
		E map[json.Number]int         `json:"e" validate:"max=9"`
		F validate.Opt[json.Number]   `json:"f" validate:"max=9"`
		G [][]map[string]*json.Number `json:"g" validate:"max=9"`
		H struct{ N json.Number }     `json:"h"`
		I url.URL                     `json:"i"`
	}
	type params struct {
		A json.Number   `query:"a" validate:"max=9"`
		B []json.Number `query:"b" validate:"max=9,dive,max=9"`
	}
	type body struct {
		Body shared `body:"json"`
	}
	hint := "a json.Number is not checked by the decoder; did you mean an int64, a float64, or a string with a pattern?"
	requireReports(t, []group{
		{"FV6", asJSON[input](), []string{
			"input.A: " + hint, "input.B: " + hint, "input.C[]: " + hint, "input.D[]: " + hint, "input.E: " + hint, "input.F: " + hint, "input.G[][][]: " + hint, ".N: " + hint, "input.I: a url.URL is read by its fields; did you mean a string with the rule url?",
		}},
		{"FV6", asInput[params](), []string{"params.A: " + hint, "params.B[]: " + hint}},
		{"FV6", asInput[body](), []string{"shared.N: " + hint}},
		{"FV6", asJSON[shared](), []string{"shared.N: " + hint}},
	})
	require.NoError(t, asJSON[struct {
		A readsNumbers `json:"a"`
	}](validate.Options{Logger: quiet})())
	require.ErrorContains(t, asJSON[struct {
		A readsShared `json:"a"`
		B shared      `json:"b"`
	}]()(), "shared.N: "+hint)
}
