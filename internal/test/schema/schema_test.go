package schema_test

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type texts struct {
	Required string  `json:"required" validate:"required,max=3"`
	Optional string  `json:"optional" validate:"omitempty,min=2,max=3"`
	Bare     string  `json:"bare"`
	Least    string  `json:"least" validate:"min=2"`
	Exact    string  `json:"exact" validate:"len=2"`
	More     string  `json:"more" validate:"gt=1,lt=4"`
	Choice   string  `json:"choice" validate:"oneof=a ab"`
	Maybe    string  `json:"maybe" validate:"omitempty,oneof=a ab"`
	Letters  string  `json:"letters" validate:"omitempty,alpha"`
	Word     string  `json:"word" validate:"required,alphanum,ne=ab"`
	Same     string  `json:"same" validate:"omitempty,eq=ab"`
	Either   string  `json:"either" validate:"omitempty,number|alpha"`
	Pattern  string  `json:"pattern" validate:"omitempty,max=9,pattern=sku"`
	ID       string  `json:"id" validate:"omitempty,uuid"`
	Pointer  *string `json:"pointer" validate:"omitempty,min=2"`
	Needed   *string `json:"needed" validate:"required,max=2"`
	Ruled    *string `json:"ruled" validate:"max=2"`
}

type numbers struct {
	Int      int      `json:"int" validate:"min=1,max=3"`
	Small    int8     `json:"small"`
	Optional int      `json:"optional" validate:"omitempty,gt=1,lte=3"`
	Required int64    `json:"required" validate:"required"`
	Choice   int      `json:"choice" validate:"oneof=0 1 2"`
	Not      int      `json:"not" validate:"ne=0"`
	Unsigned uint8    `json:"unsigned" validate:"lt=3"`
	Float    float64  `json:"float" validate:"gte=0.1,lt=1.5"`
	Zero     float64  `json:"zero" validate:"omitzero,gt=0.1"`
	Bool     bool     `json:"bool" validate:"required"`
	Equal    bool     `json:"equal" validate:"eq=false"`
	Pointer  *int     `json:"pointer" validate:"omitempty,min=1"`
	Omitted  *int     `json:"omitted" validate:"omitzero,min=1"`
	Double   **int    `json:"double"`
	Flag     *bool    `json:"flag" validate:"required"`
	Hex      uint     `json:"hex" validate:"min=0x2"`
	Ratio    *float64 `json:"ratio"`
}

type lists struct {
	Texts    []string          `json:"texts" validate:"max=2,dive,required,max=3"`
	Required []int             `json:"required" validate:"required,dive,min=1"`
	Least    []int             `json:"least" validate:"min=1,unique"`
	Omitted  []string          `json:"omitted" validate:"omitempty,min=1"`
	Zero     []string          `json:"zero" validate:"omitzero,min=2"`
	Deep     [][]string        `json:"deep" validate:"max=2,dive,max=2,dive,alpha"`
	Fixed    [2]int            `json:"fixed" validate:"dive,max=3"`
	Map      map[string]string `json:"map" validate:"max=2,dive,keys,alpha,max=2,endkeys,min=1"`
	Pointers []*int            `json:"pointers" validate:"dive,omitempty,min=1"`
	Any      any               `json:"any"`
	Some     any               `json:"some" validate:"required"`
	Objects  map[string]point  `json:"objects" validate:"dive"`
	Bytes    []byte            `json:"bytes"`
}

type point struct {
	X int `json:"x" validate:"min=1"`
	Y int `json:"y" validate:"max=3"`
}

type structs struct {
	Point    point    `json:"point"`
	Required point    `json:"required" validate:"required"`
	Omitted  point    `json:"omitted" validate:"omitempty"`
	Pointer  *point   `json:"pointer"`
	Needed   *point   `json:"needed" validate:"required"`
	List     []point  `json:"list" validate:"max=2"`
	Next     *structs `json:"next"`
	Array    [2]point `json:"array" validate:"omitempty"`
	embedded
}

type embedded struct {
	Inner string `json:"inner" validate:"required,max=2"`
}

type patch struct {
	Note  validate.Opt[string]   `json:"note" validate:"max=3"`
	Count validate.Opt[int]      `json:"count" validate:"required,min=1"`
	Tags  validate.Opt[[]string] `json:"tags" validate:"max=2,dive,alpha"`
	Point validate.Opt[point]    `json:"point"`
}

func TestSchemaAcceptsTheSameValues(t *testing.T) {
	agrees[texts](t)
	agrees[numbers](t)
	agrees[lists](t)
	agrees[structs](t)
	agrees[patch](t)
}

func agrees[T any](t *testing.T) {
	t.Run(reflect.TypeFor[T]().Name(), func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		o := validate.Options{Logger: quiet, Patterns: map[string]string{"sku": "[A-Z][0-9]|x"}}
		text, err := validate.Schema[T](o)
		require.NoError(t, err)
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		require.NoError(t, compiler.AddResource("schema.json", doc))
		schema, err := compiler.Compile("schema.json")
		require.NoError(t, err, "%s", text)
		h := errors.Must(errors.NewResponder(errors.Options{Logger: quiet})).Handler(errors.Must(validate.JSON[T](o))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		verdicts := map[bool]int{}
		for seed := range uint64(2500) {
			m := maker{Rand: rand.New(rand.NewPCG(seed, 3)), faults: 1 + int(seed%40)}
			body, err := json.Marshal(m.object(reflect.TypeFor[T](), 3))
			require.NoError(t, err)
			r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Contains(t, []int{200, 422}, w.Code, "%s", body)
			instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
			require.NoError(t, err)
			verdict := schema.Validate(instance)
			require.Equal(t, verdict == nil, w.Code == 200, "%s\nschema: %v\nours: %s\n%s", body, verdict, w.Body, text)
			verdicts[verdict == nil]++
		}
		t.Log(verdicts)
		require.Greater(t, verdicts[true], 50)
		require.Greater(t, verdicts[false], 50)
	})
}

// maker makes inputs for a type, most of them with few faults.
type maker struct {
	*rand.Rand
	faults int // one in so many
}

func (m maker) fault() bool { return m.IntN(20*m.faults) < 10 }

func pick(m maker, of ...any) any { return of[m.IntN(len(of))] }

func (m maker) object(t reflect.Type, depth int) any {
	o := map[string]any{}
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("json")
		if name == "" || m.fault() {
			continue
		}
		o[name] = m.value(f.Type, f.Tag.Get("validate"), depth)
	}
	if m.IntN(4*m.faults) == 0 {
		o["unknown"] = 1
	}
	return o
}

// fitting are values that hold most rules of a kind; others are the rest.
func (m maker) value(t reflect.Type, tag string, depth int) any {
	if m.fault() {
		return pick(m, nil, "", "a", "ab", "abc", "abcd", "A1", "x", "12", "ä", "äöü", 0, 1, 2, 3, 4, -1, 127, 128, 255, 256, 0.1, 0.5, 1.5, true, false, []any{}, []any{1}, []any{"a", "a"}, map[string]any{}, map[string]any{"x": 1}, map[string]any{"ab": "c"})
	}
	if t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Opt[") {
		t = t.Field(2).Type
	}
	if t.Kind() == reflect.Pointer && (strings.Contains(tag, "omit") || tag == "") && (m.IntN(3) == 0 || depth == 0) {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		for _, known := range []struct{ rule, value string }{{rule: "oneof", value: "ab"},
			{rule: "eq=ab", value: "ab"},
			{rule: "sku", value: "A1"},
			{rule: "uuid", value: "550e8400-e29b-41d4-a716-446655440000"},
			{rule: "alphanum", value: "A1"},
			{rule: "len=2", value: "äö"}} {
			if strings.Contains(tag, known.rule) {
				return known.value
			}
		}
		return pick(m, "ab", "ab", "cd")
	case reflect.Float64:
		return pick(m, 0.5, 1, 0.25)
	case reflect.Bool:
		return !strings.Contains(tag, "eq=false")
	case reflect.Interface:
		return pick(m, "", 0, []any{}, map[string]any{"a": nil}, false)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return pick(m, "", "YQ==", "YWI=")
		}
		list := []any{}
		n := 1 + m.IntN(2)
		if t.Kind() == reflect.Array || strings.Contains(tag, "omitzero") {
			n = 2
		}
		for i := range n {
			elem := m.value(t.Elem(), tag, depth-1)
			if _, isInt := elem.(int); isInt && strings.Contains(tag, "unique") {
				elem = i
			}
			list = append(list, elem)
		}
		return list
	case reflect.Map:
		return map[string]any{pick(m, "a", "ab").(string): m.value(t.Elem(), "", depth-1)}
	case reflect.Struct:
		return m.object(t, depth-1)
	}
	return pick(m, 1, 2, 2)
}

// A type is exported alike each time.
func TestSchemaIsStable(t *testing.T) {
	first, err := validate.Schema[structs]()
	require.NoError(t, err)
	for range 20 {
		again, err := validate.Schema[structs]()
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}
	require.True(t, json.Valid(first), string(first))
}
