package validate_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// maker generates random types and values.
type maker struct{ *rand.Rand }

func pick[T any](m maker, of ...T) T { return of[m.IntN(len(of))] }

var words = []string{"", "a", "b", "ab", "abc", "abcd", "A1", "1", "12", "-1", "1.5", "ä", "äöü", "a b", "\t", "日本語", "550e8400-e29b-41d4-a716-446655440000", "550E8400-e29b-41d4-a716-446655440000", "550e8400-e29b-11d4-a716-446655440000", "550e8400-e29b-41d4-a716-4466554400000", "true", "AB", "ÄB"}

// rules returns rules for a kind of value that some value satisfies.
func (m maker) rules(t reflect.Type) string {
	for {
		if tag := m.anyRules(t); !validate.Excludes(t, tag) {
			return tag
		}
	}
}

// anyRules returns rules for a kind of value.
func (m maker) anyRules(t reflect.Type) string {
	var of []string
	switch t.Kind() {
	case reflect.String:
		of = []string{"min=1", "max=3", "min=2", "len=2", "gt=1", "lt=4", "gte=1", "lte=3", "eq=a", "ne=a", "oneof=a ab A1", "alphanum", "alpha", "number", "numeric", "ascii", "printascii", "lowercase", "uppercase", "uuid", "uuid4", "endswith=b", "boolean", "hexadecimal", "contains=a", "startswith=a", "alpha|number", "oneof='a b' 'ab'", "excludes=b"}
	case reflect.Int, reflect.Int8, reflect.Int64:
		of = []string{"min=1", "max=3", "eq=2", "ne=2", "gt=-1", "lt=2", "gte=0", "lte=1", "len=1", "oneof=1 2 3", "oneof=01 2", "min=0x2", "eq=1|eq=3"}
	case reflect.Uint, reflect.Uint16:
		of = []string{"min=1", "max=3", "eq=2", "ne=0", "gt=1", "lt=2", "oneof=1 2"}
	case reflect.Float64, reflect.Float32:
		of = []string{"min=0.1", "max=1.5", "eq=1.5", "gt=0", "lt=0.1", "gte=-1"}
	case reflect.Bool:
		of = []string{"eq=true", "ne=true", "required"}
	case reflect.Slice, reflect.Array, reflect.Map:
		of = []string{"min=1", "max=2", "len=2", "gt=0", "lt=2", "eq=1", "ne=1", "unique"}
		if t.Elem().Kind() == reflect.Interface || t.Elem().Kind() == reflect.Slice || t.Elem().Kind() == reflect.Array || t.Elem().Kind() == reflect.Map || t.Elem().Kind() == reflect.Struct || t.Elem().Kind() == reflect.Pointer {
			of = of[:7]
		}
	}
	var list []string
	if m.IntN(2) == 0 {
		list = append(list, pick(m, "required", "omitempty", "omitnil", "omitzero"))
	}
	for range m.IntN(3) {
		if len(of) > 0 {
			list = append(list, pick(m, of...))
		}
	}
	return strings.Join(list, ",")
}

// typ returns a type and its rules. Structs in lists have dive, which this package does
// not need.
func (m maker) typ(depth int) (reflect.Type, string) {
	kinds := 9
	if depth > 0 {
		kinds = 14
	}
	switch m.IntN(kinds) {
	case 0, 1, 2:
		t := reflect.TypeFor[string]()
		return t, m.rules(t)
	case 3, 4:
		t := pick(m, reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64]())
		return t, m.rules(t)
	case 5:
		t := pick(m, reflect.TypeFor[uint](), reflect.TypeFor[uint16]())
		return t, m.rules(t)
	case 6:
		t := pick(m, reflect.TypeFor[float64](), reflect.TypeFor[float32]())
		return t, m.rules(t)
	case 7:
		t := reflect.TypeFor[bool]()
		return t, m.rules(t)
	case 8:
		return reflect.TypeFor[any](), pick(m, "", "required", "omitempty")
	case 9:
		return m.structure(depth - 1), pick(m, "", "", "required", "omitempty", "omitzero")
	case 10:
		t, tag := m.typ(depth - 1)
		return reflect.PointerTo(t), tag
	}
	elem, tag := m.typ(depth - 1)
	t := pick(m, reflect.SliceOf(elem), reflect.ArrayOf(2, elem), reflect.MapOf(reflect.TypeFor[string](), elem))
	own := m.rules(t)
	inner := "dive"
	if t.Kind() == reflect.Map && m.IntN(3) == 0 {
		inner += ",keys," + pick(m, "max=2", "alpha", "required,min=2") + ",endkeys"
	}
	return t, strings.Trim(own+","+inner+","+tag, ",")
}

func (m maker) structure(depth int) reflect.Type {
	var list []reflect.StructField
	for i := range 1 + m.IntN(4) {
		t, tag := m.typ(depth)
		list = append(list, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: t, Tag: reflect.StructTag(fmt.Sprintf(`json:"f%d" validate:%q`, i, tag))})
	}
	return reflect.StructOf(list)
}

func (m maker) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(pick(m, words...))
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(int64(m.IntN(6) - 1))
	case reflect.Uint, reflect.Uint16:
		v.SetUint(uint64(m.IntN(4)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(pick(m, 0, 0.1, 0.25, 1.5, -1, 3))
	case reflect.Bool:
		v.SetBool(m.IntN(2) == 0)
	case reflect.Interface:
		v.Set(reflect.ValueOf(pick[any](m, "a", 0.0, "", true, []any{}, map[string]any{})))
		if m.IntN(3) == 0 {
			v.SetZero()
		}
	case reflect.Pointer:
		if m.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			m.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if m.IntN(5) > 0 {
				m.fill(v.Field(i))
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i))
		}
	case reflect.Slice:
		n := m.IntN(4) - 1
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			m.fill(v.Index(i))
		}
	case reflect.Map:
		if m.IntN(4) == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range m.IntN(3) {
			elem := reflect.New(v.Type().Elem()).Elem()
			m.fill(elem)
			v.SetMapIndex(reflect.ValueOf(pick(m, words...)), elem)
		}
	}
}

// For random types and values, the middleware and the validator refuse the same values.
func TestResultsEqualTheValidators(t *testing.T) {
	both := map[bool]int{}
	for seed := range uint64(800) {
		m := maker{rand.New(rand.NewPCG(seed, 7))}
		typ := m.structure(3)
		plan, err := validate.Compile(typ, validate.Options{Logger: quiet})
		require.NoError(t, err, "seed %d: %s", seed, typ)
		rules := validator.New(validator.WithRequiredStructEnabled())
		for range 40 {
			v := reflect.New(typ)
			m.fill(v.Elem())
			want, got := rules.Struct(v.Interface()), plan.Refuses(v)
			require.Equal(t, want == nil, got == nil, "seed %d: %s\n%+v\nvalidator: %v\nours: %v", seed, typ, v.Elem(), want, got)
			both[want == nil]++
		}
	}
	require.Greater(t, both[true], 1000)
	require.Greater(t, both[false], 1000)
}
