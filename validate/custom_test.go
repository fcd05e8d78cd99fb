package validate_test

import (
	"database/sql"
	"reflect"
	"strconv"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/validate"
)

// amount is a decimal that decodes itself, like the types of many packages.
type amount struct{ cents int64 }

func (a *amount) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	a.cents = n
	return err
}

// weight is read as a number by the validator without a registration.
type weight struct{ Grams int }

func (w weight) ValidatorValue() any { return w.Grams }

type goods struct {
	Price  amount         `json:"price" validate:"min=1,max=30"`
	Rebate *amount        `json:"rebate" validate:"omitempty,lt=5"`
	Prices []amount       `json:"prices" validate:"max=2,dive,min=1"`
	Note   sql.NullString `json:"note" validate:"omitempty,max=3"`
	Must   sql.NullString `json:"must" validate:"required"`
	Weight weight         `json:"weight" validate:"required,max=9"`
}

// A type whose values the validator replaces, by Setup or a method ValidatorValue,
// accepts the rules of the replacement.
func TestCustomTypesTakeRules_FV2(t *testing.T) {
	setup := func(v *validator.Validate) error {
		v.RegisterCustomTypeFunc(func(v reflect.Value) any { return v.Interface().(amount).cents }, amount{})
		v.RegisterCustomTypeFunc(func(v reflect.Value) any {
			if n := v.Interface().(sql.NullString); n.Valid {
				return n.String
			}
			return nil
		}, sql.NullString{})
		return nil
	}
	srv := detailed[goods](t, validate.Options{Setup: setup})
	const good = `"price":"5","must":{"String":"x","Valid":true},"weight":{"Grams":5}`
	for _, row := range []struct {
		name, body string
		problems   []string
	}{
		{"all hold", `{` + good + `,"rebate":"4","prices":["1","2"],"note":{"String":"abc","Valid":true}}`, nil},
		{"a decimal above its maximum", `{"price":"31","must":{"String":"x","Valid":true},"weight":{"Grams":5}}`, []string{"/price max"}},
		{"behind a pointer", `{` + good + `,"rebate":"5"}`, []string{"/rebate lt"}},
		{"in a list", `{` + good + `,"prices":["1","0"]}`, []string{"/prices/1 min"}},
		{"a text that is too long", `{` + good + `,"note":{"String":"abcd","Valid":true}}`, []string{"/note max"}},
		{"a text that is null", `{` + good + `,"note":{"String":"abcd","Valid":false}}`, nil},
		{"a required one that is null", `{"price":"5","must":{"String":"x","Valid":false},"weight":{"Grams":5}}`, []string{"/must required"}},
		{"a method, zero", `{"price":"5","must":{"String":"x","Valid":true},"weight":{"Grams":0}}`, []string{"/weight required"}},
		{"a method, too large", `{"price":"5","must":{"String":"x","Valid":true},"weight":{"Grams":10}}`, []string{"/weight max"}},
	} {
		t.Run("FV2 "+row.name, func(t *testing.T) {
			_, problems, text := problemsOf(t, srv.URL, "", row.body)
			require.Equal(t, row.problems, problems, text)
		})
	}
	type misfit struct {
		Price  amount         `json:"price" validate:"email"`
		Note   sql.NullString `json:"note" validate:"nonsense"`
		Weight weight         `json:"weight" validate:"alpha"`
		Plain  span           `json:"plain" validate:"max=3"`
	}
	requireReports(t, []group{
		{"FV2", asJSON[misfit](validate.Options{Setup: setup}), []string{"misfit.Price: the rule email does not fit a int64", "misfit.Note: the rule nonsense does not exist", "misfit.Weight: the rule alpha does not fit a int", "misfit.Plain: a struct accepts only the rule required"}},
		{"FV2 without Setup", asJSON[goods](), []string{"goods.Price: a struct accepts only the rule required; its fields can have other rules; did you mean RegisterCustomTypeFunc in Setup?", "goods.Note: a struct accepts only the rule required"}},
	})
}
