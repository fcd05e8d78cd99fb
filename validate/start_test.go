package validate_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type tree []tree

type refusedRow struct {
	name  string
	build func() error
	want  string
}

func asJSON[T any](o ...validate.Options) func() error {
	return func() error {
		_, err := validate.JSON[T](o...)
		return err
	}
}

func asInput[T any](o ...validate.Options) func() error {
	return func() error {
		_, err := validate.Input[T](o...)
		return err
	}
}

// TestConstructorsReportProblems holds VR1 to VR4 and VR8: the error names the type and
// the field.
func TestConstructorsReportProblems(t *testing.T) {
	type inList struct {
		A []struct {
			B string `json:"b" validate:"nonsense"`
		} `json:"a" validate:"max=1"`
	}
	type unknown struct {
		A string            `json:"a" validate:"nonsense"`
		B []string          `json:"b" validate:"max=1,dive,nonsense"`
		C map[string]string `json:"c" validate:"max=1,dive,keys,nonsense,endkeys,max=1"`
		D string            `json:"d" validate:"alpha|nonsense"`
		E *string           `json:"e" validate:"omitempty,nonsense"`
	}
	type misfit struct {
		A bool           `json:"a" validate:"min=1"`
		B int            `json:"b" validate:"min=abc"`
		C int            `json:"c" validate:"alphanum"`
		D string         `json:"d" validate:"max=1.5"`
		E *bool          `json:"e" validate:"omitempty,min=3"`
		F string         `json:"f" validate:"pattern=none"`
		G string         `json:"g" validate:"dive,max=3"`
		H []any          `json:"h" validate:"max=3,unique"`
		I string         `json:"i" validate:"eq=a|max=x"`
		J int            `json:"j" validate:"email"`
		K [][]string     `json:"k" validate:"max=3,unique"`
		L string         `json:"l" validate:"keys,max=1,endkeys"`
		M []string       `json:"m" validate:"max=1,dive,keys,max=1,endkeys"`
		N map[string]int `json:"n" validate:"max=1,dive,keys,max=1"`
		O []string       `json:"o" validate:"max=1,alpha"`
		P bool           `json:"p" validate:"uuid"`
		Q time.Time      `json:"q" validate:"startswith=a"`
	}
	type interfaces struct {
		A any            `json:"a" validate:"max=3"`
		B []any          `json:"b" validate:"max=3,dive,url"`
		C map[string]any `json:"c" validate:"max=3,dive,min=3"`
		D any            `json:"d" validate:"required"`
		E any            `json:"e" validate:"dive,max=1"`
	}
	type machine struct {
		A string   `json:"a" validate:"file"`
		B string   `json:"b" validate:"dir"`
		C string   `json:"c" validate:"filepath"`
		D string   `json:"d" validate:"dirpath"`
		E string   `json:"e" validate:"image"`
		F string   `json:"f" validate:"unix_addr"`
		G string   `json:"g" validate:"tcp_addr"`
		H string   `json:"h" validate:"ip6_addr"`
		I string   `json:"i" validate:"uds_exists"`
		J string   `json:"j" validate:"alpha|file"`
		K []string `json:"k" validate:"max=1,dive,udp_addr"`
	}
	type others struct {
		A string `json:"a" validate:"eqfield=B"`
		B string `json:"b" validate:"required_with=A"`
		C string `json:"c" validate:"excluded_if=A x"`
		D string `json:"d" validate:"gtecsfield=A.B"`
		E string `json:"e" validate:"fieldcontains=A"`
		F point  `json:"f" validate:"structonly"`
		G point  `json:"g" validate:"min=1"`
	}
	type sourceless struct {
		A string `query:"a" validate:"max=1"`
		B string
		C string         `query:"a" validate:"max=1"`
		D string         `query:"d" path:"d" validate:"max=1"`
		E int            `query:"e" default:"x"`
		F chan int       `query:"f"`
		G []string       `header:"G" validate:"max=1"`
		H point          `query:"h"`
		I string         `query:"" validate:"max=1"`
		J map[string]int `query:"j" validate:"max=1"`
		K point          `body:"xml"`
		L any            `query:"l"`
		M []string       `cookie:"m" validate:"max=1"`
	}
	type loose struct {
		A chan int                        `json:"a"`
		B io.Reader                       `json:"b"`
		C string                          `json:"c,case:ignore" validate:"max=1"`
		D map[string]string               `json:",unknown" validate:"max=1"`
		E struct{ X, Y string }           `json:"e"`
		F func()                          `json:"f"`
		G complex128                      `json:"g"`
		H []chan int                      `json:"h" validate:"max=1"`
		I map[string]interface{ M() int } `json:"i" validate:"max=1"`
		*point
	}
	type forest struct {
		A tree            `json:"a" validate:"max=9"`
		B map[string]tree `json:"b" validate:"max=9"`
	}
	type slow struct {
		A time.Duration               `json:"a"`
		B []*time.Duration            `json:"b" validate:"max=1"`
		C validate.Opt[time.Duration] `json:"c"`
	}
	type unreachable struct {
		A string `header:"Host" validate:"max=9"`
		B string `header:"a b" validate:"max=9"`
		C string `cookie:"a;b" validate:"max=9"`
		D string `query:"utm_source" validate:"max=9"`
		E string `header:"transfer-encoding" validate:"max=9"`
	}
	type badDefault struct {
		A int `query:"a" validate:"max=9" default:"10"`
	}
	doubled := func() error {
		_, err := validate.Compile(reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"a"`}, {Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"a"`},
		}), validate.Options{Logger: quiet})
		return err
	}
	var rows []refusedRow
	for _, group := range []struct {
		name  string
		build func() error
		wants []string
	}{
		{"VR1", asJSON[inList](), []string{"the rule nonsense does not exist"}},
		{"VR1", asJSON[unknown](), []string{"unknown.A: the rule nonsense", "unknown.B[]: the rule nonsense", "unknown.C: the rule nonsense", "unknown.D: the rule nonsense", "unknown.E: the rule nonsense"}},
		{"VR2", asJSON[misfit](), []string{
			"misfit.A: the rule min=1", "misfit.B: the rule min=abc", "misfit.C: the rule alphanum", "misfit.D: the rule max=1.5", "misfit.E: the rule min=3", "misfit.F: the rule pattern=none",
			"misfit.G: has dive but no elements", "misfit.H: the rule unique", "misfit.I: the rule max=x", "misfit.J: the rule email", "misfit.K: the rule unique", "misfit.L: has keys without a dive",
			"misfit.M: has rules for keys but is not a map", "misfit.N: has keys without a dive before it", "misfit.O: the rule alpha does not", "misfit.P: the rule uuid does not", "misfit.Q: the rule startswith=a does not",
		}},
		{"VR3", asJSON[interfaces](), []string{"interfaces.A: an interface {} accepts only the rule required", "interfaces.B[]: an interface {} accepts", "interfaces.C[]: an interface {} accepts", "interfaces.E: has dive but no elements"}},
		{"VR4", asJSON[machine](), []string{
			"machine.A: the rule file reads this machine's files", "machine.B: the rule dir", "machine.C: the rule filepath", "machine.D: the rule dirpath", "machine.E: the rule image", "machine.F: the rule unix_addr",
			"machine.G: the rule tcp_addr", "machine.H: the rule ip6_addr", "machine.I: the rule uds_exists", "machine.J: the rule file", "machine.K[]: the rule udp_addr",
		}},
		{"others", asJSON[others](), []string{
			"others.A: the rule eqfield depends on other fields", "others.B: the rule required_with", "others.C: the rule excluded_if", "others.D: the rule gtecsfield", "others.E: the rule fieldcontains", "others.F: a struct accepts only the rule required",
			"others.G: a struct accepts only the rule required",
		}},
		{"VR8", asInput[sourceless](), []string{
			"sourceless.B: must have exactly one source", `sourceless.C: has the source query:"a", which is also read by validate_test.sourceless.A`, `sourceless.D: must have exactly one source; did you mean only path:"d"?`, "sourceless.E: the default does not fit the type",
			"sourceless.F: a chan int cannot be read from", "sourceless.M: only a query parameter, a form field or a header may be a list", "sourceless.H: a validate_test.point cannot be read from text", "sourceless.I: has no name",
			"sourceless.J: a map[string]int cannot be read from text", `sourceless.K: has the unknown source body:"xml"; did you mean body:"json"?`, "sourceless.L: a interface {} cannot be read from text",
		}},
		{"VR8", asJSON[loose](), []string{
			"loose.A: a chan int cannot be read from JSON", "loose.B: a io.Reader cannot", "loose.C: the json option case:ignore", "loose.D: the json option unknown", "loose.F: a func() cannot", "loose.G: a complex128 cannot",
			"loose.H[]: a chan int cannot", "loose.I[]: a interface { M() int } cannot", "loose.point: is an embedded pointer to an unexported type",
		}},
		{"VR8", asJSON[forest](), []string{"forest.A: a validate_test.tree contains itself", "forest.B: a map[string]validate_test.tree contains itself"}},
		{"VR8", asJSON[slow](), []string{"slow.A: a time.Duration cannot be read from JSON", "slow.B: a time.Duration cannot", "slow.C: a time.Duration cannot"}},
		{"VR8", asInput[unreachable](validate.Options{IgnoreQuery: []string{"utm_*"}}), []string{
			"unreachable.A: is never set because net/http removes the header Host", "unreachable.B: the name of a header", "unreachable.C: the name of a cookie", "unreachable.D: is never set because IgnoreQuery drops",
			"unreachable.E: is never set because net/http removes the header Transfer-Encoding",
		}},
		{"default", asInput[badDefault](), []string{"badDefault.A: the default breaks the rules"}},
		{"VR8 twice", doubled, []string{"cannot be decoded"}},
		{"options", asJSON[point](validate.Options{}, validate.Options{}), []string{"must be called with at most one Options"}},
		{"options", asJSON[point](validate.Options{
			Patterns: map[string]string{"x": "(", "y": "a)|(?:b"}, Limits: validate.Limits{Items: -1, Depth: 300}, Types: []string{"json", "Application/JSON", "*/*"},
			Setup: func(*validator.Validate) error { return errors.New("no") },
		}), []string{`validate: Patterns["x"] "(": `, `validate: Patterns["y"] "a)|(?:b": `, "Limits.Items -1: is negative", "Limits.Depth 300: must be at most 256", "validate: Types[0]", "validate: Types[1]", "validate: Types[2]", "validate: Setup: no"}},
	} {
		for _, want := range group.wants {
			rows = append(rows, refusedRow{group.name + " " + want, group.build, want})
		}
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { require.ErrorContains(t, row.build(), row.want) })
	}
}

// TestConstructorsWarnOnce holds VR6 and VR7: warnings are logged once, and are errors
// with Strict.
func TestConstructorsWarnOnce(t *testing.T) {
	type loose struct {
		A string            `json:"a"`
		B int               `json:"b" validate:"required"`
		C []int             `json:"c"`
		D map[string]string `json:"d" validate:"dive,max=1"`
		E []string          `json:"e" validate:"max=1"`
		F bool              `json:"f" validate:"required"`
		G *bool             `json:"g" validate:"required"`
		H string            `json:"h" validate:"email"`
		I validate.Opt[int] `json:"i" validate:"required"`
	}
	var log bytes.Buffer
	require.NoError(t, asJSON[loose](validate.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})())
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
	strict := asJSON[loose](validate.Options{Strict: true, Logger: quiet})()
	for _, row := range []struct {
		name, text     string
		warned, strict bool
	}{
		{"VR6 a string", "loose.A: is unbounded; add max", true, true}, {"VR6 a list", "loose.C: is unbounded; add max", true, true}, {"VR6 a map", "loose.D: is unbounded; add max", true, true},
		{"VR6 an element", "loose.E[]: is unbounded; add max after dive", true, true}, {"VR6 and not its list", "loose.E: ", false, false}, {"VR6 a format with a size", "loose.H", false, false},
		{"VR7 a number", "loose.B: required refuses false and 0; use a pointer to accept them", true, false}, {"VR7 a bool", "loose.F: required refuses false", true, false},
		{"VR7 a pointer", "loose.G", false, false}, {"VR7 an Opt", "loose.I", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.warned, strings.Contains(log.String(), row.text), "%s", log.String())
			require.Equal(t, row.strict, strings.Contains(strict.Error(), row.text))
		})
	}
}

// TestRulesApplyInsideContainers holds VR5 and VR10.
func TestRulesApplyInsideContainers(t *testing.T) {
	type box struct {
		List  []point          `json:"list" validate:"max=9"`
		Map   map[string]point `json:"map" validate:"max=9"`
		Deep  [][]point        `json:"deep" validate:"max=9"`
		Ptrs  []*point         `json:"ptrs" validate:"max=9"`
		Array [1]point         `json:"array"`
		Ptr   *point           `json:"ptr"`
		In    point            `json:"in"`
	}
	h := handler[box](t)
	for name, body := range map[string]string{
		"VR5 list": `{"list":[{"x":11}]}`, "VR5 map": `{"map":{"a":{"x":11}}}`, "VR5 deep": `{"deep":[[{"x":11}]]}`, "VR5 pointers": `{"ptrs":[null,{"x":11}]}`, "VR5 array": `{"array":[{"x":11}]}`,
		"VR5 pointer": `{"ptr":{"x":11}}`, "VR5 struct": `{"in":{"x":11}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := in(t, h, "POST", "/", jsonType(), strings.NewReader(body))
			require.Equal(t, 422, w.Code)
			require.Contains(t, w.Body.String(), "/x must be at most 10")
		})
	}
	t.Run("VR10 a rule that panics", func(t *testing.T) {
		type bad struct {
			A string `json:"a" validate:"max=9,touchy"`
		}
		var log bytes.Buffer
		h := errors.Must(validate.JSON[bad](validate.Options{Logger: quiet, Setup: func(v *validator.Validate) error {
			return v.RegisterValidation("touchy", func(f validator.FieldLevel) bool {
				if f.Field().String() == "secret" {
					panic("a secret of the rule")
				}
				return true
			})
		}}))
		srv := httptest.NewServer(errors.Must(errors.NewResponder(errors.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})).Handler(h(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
		t.Cleanup(srv.Close)
		for body, want := range map[string]int{`{"a":"secret"}`: 500, `{"a":"b"}`: 200} {
			status, code, message := send(t, "POST", srv.URL, jsonType(), strings.NewReader(body))
			require.Equal(t, want, status)
			if want == 500 {
				require.Equal(t, "internal_error", code)
				require.NotContains(t, message, "secret")
			}
		}
		require.Contains(t, log.String(), "a secret of the rule")
	})
}
