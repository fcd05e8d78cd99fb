package validate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// A text outside of a request is decoded as strictly as a body.
func TestDecoderIsAsStrictAsABody_VB9(t *testing.T) {
	d := errors.Must(validate.NewDecoder[order](validate.Options{Logger: quiet, Limits: validate.Limits{Body: 200, Depth: 5}}))
	for _, row := range []struct {
		name, text string
		kind       *errors.Kind
		problems   []validate.Problem
	}{
		{name: "valid", text: `{"items":[{"sku":"a","qty":1}],"note":"x"}`},
		{name: "blanks around", text: " \n{}\n "},
		{name: "empty", text: "", kind: validate.ErrMalformed, problems: []validate.Problem{{Code: "empty"}}},
		{name: "cut", text: `{"note":`, kind: validate.ErrMalformed, problems: []validate.Problem{{Code: "truncated"}}},
		{name: "two values", text: `{}{}`, kind: validate.ErrMalformed, problems: []validate.Problem{{Code: "syntax"}}},
		{name: "a member twice", text: `{"note":"a","note":"b"}`, kind: validate.ErrMalformed, problems: []validate.Problem{{Code: "duplicate_member"}}},
		{name: "an unknown member", text: `{"admin":true}`, kind: validate.ErrInvalid, problems: []validate.Problem{{Pointer: "/admin", Code: "unknown_member"}}},
		{name: "null", text: `null`, kind: validate.ErrInvalid, problems: []validate.Problem{{Code: "null"}}},
		{name: "rules", text: `{"items":[{"sku":"a","qty":11},{"sku":"","qty":0}],"note":"` + strings.Repeat("a", 21) + `"}`, kind: validate.ErrInvalid, problems: []validate.Problem{
			{Pointer: "/items/0/qty", Code: "max", Param: "10"}, {Pointer: "/items/1/sku", Code: "required"}, {Pointer: "/items/1/qty", Code: "min", Param: "1"}, {Pointer: "/note", Code: "max", Param: "20"},
		}},
		{name: "as long as Body", text: `{}` + strings.Repeat(" ", 198)},
		{name: "longer than Body", text: `{}` + strings.Repeat(" ", 199), kind: validate.ErrInputTooLarge},
		{name: "too deep", text: `{"any":[[[[[]]]]]}`, kind: validate.ErrInputTooLarge, problems: []validate.Problem{{Code: "input_too_large"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			data := []byte(row.text)
			in, err := d.Decode(t.Context(), data)
			if row.kind == nil {
				require.NoError(t, err)
				clear(data)
				if row.name == "valid" {
					require.Equal(t, "x", in.Note, "the value must not refer to the text")
					require.Equal(t, "a", in.Items[0].SKU)
				}
				return
			}
			require.Nil(t, in)
			require.ErrorIs(t, err, row.kind)
			require.Equal(t, row.problems, validate.ProblemsOf(err))
		})
	}
	require.Nil(t, validate.ProblemsOf(nil))
	require.Nil(t, validate.ProblemsOf(errors.New("another")))
}

func TestDecoderChecksValues_VB10(t *testing.T) {
	d := errors.Must(validate.NewDecoder[[]item](validate.Options{Logger: quiet}))
	require.NoError(t, d.Check(t.Context(), &[]item{{SKU: "a", Qty: 1}}))
	err := d.Check(t.Context(), &[]item{{SKU: "a", Qty: 1}, {SKU: "b c", Qty: 1}})
	require.Equal(t, []validate.Problem{{Pointer: "/1/sku", Code: "alphanum"}}, validate.ProblemsOf(err))
	require.ErrorIs(t, d.Check(t.Context(), nil), validate.ErrInvalid)

	list, err := d.Decode(t.Context(), []byte(`[{"sku":"a","qty":1}]`))
	require.NoError(t, err)
	require.Len(t, *list, 1)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 50 {
				if _, err := d.Decode(t.Context(), []byte(`[{"sku":"a","qty":1},{"sku":"?","qty":1}]`)); len(validate.ProblemsOf(err)) != 1 {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestDecoderReportsWhatItDoesNotUse_VB11(t *testing.T) {
	type header struct {
		A string `header:"A" validate:"max=9"`
	}
	_, err := validate.NewDecoder[header](validate.Options{
		Logger: quiet, Types: []string{"application/json"}, IgnoreQuery: []string{"a"}, Gzip: true,
		PathValue: func(*http.Request, string) string { return "" }, ErrorHandler: func(http.ResponseWriter, *http.Request, error) {},
	})
	for _, want := range []string{
		`header.A: has the tag header:"A", which is not applied inside a body`, "Types: is not used by a Decoder", "PathValue: is not used by a Decoder", "IgnoreQuery: is not used by a Decoder",
		"Gzip: is not used by a Decoder", "ErrorHandler: is not used by a Decoder",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = validate.NewDecoder[*order]()
	require.ErrorContains(t, err, "is a pointer")
}

// A test of a handler passes the input without a request for it.
func TestInsecureWithIsForTestsOfHandlers_VB12(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(validate.From[order](r.Context()).Note))
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
	handler(w, r.WithContext(validate.InsecureWith(context.Background(), &order{Note: "from a test"})))
	require.Equal(t, "from a test", w.Body.String())
}
