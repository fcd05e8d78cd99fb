package validate

import (
	"reflect"

	"github.com/go-playground/validator/v10"
)

// extraction gets the value that the validator checks in the place of another:
// the result of a custom type function of Setup, or of a method ValidatorValue.
type extraction struct {
	from reflect.Value
	to   reflect.Type // nil: the validator has nothing to check
}

// extractRule is a rule that only the constructor runs. The validator gives a
// rule, and nothing else, the method that extracts a value.
const extractRule = "value of another type"

func (c *config) registerExtraction() error {
	return c.rules.RegisterValidation(extractRule, func(f validator.FieldLevel) bool {
		if e := c.extraction; e != nil {
			if v, kind, _ := f.ExtractType(e.from); kind != reflect.Invalid {
				e.to = v.Type()
			}
		}
		return true
	})
}

var anyType = reflect.TypeFor[any]()

// checkedType returns the type of the value that the validator checks for a
// value of a type, which mostly is the type itself. It returns that of an
// interface, which accepts only the rule required, if the type is unknown.
func (c *config) checkedType(t reflect.Type, pointed bool) (checked reflect.Type) {
	if t.Kind() == reflect.Interface {
		return t
	}
	defer func() {
		if recover() != nil { // the function expects another value
			checked = anyType
		}
		c.extraction = nil
	}()
	v := reflect.New(t)
	fillStruct(v.Elem())
	c.extraction = &extraction{from: v}
	if !pointed {
		c.extraction.from = v.Elem()
	}
	_ = c.rules.Var(1, extractRule)
	switch to := c.extraction.to; {
	case to == nil:
		return anyType
	case to.Kind() == reflect.Struct: // it would be checked by its fields, and not by the rules
		return t
	default:
		return to
	}
}

// fillStruct fills a value, so that types that may be null have one.
func fillStruct(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		setNonZero(v)
		return
	}
	for _, f := range v.Fields() {
		if f.CanSet() && (f.Kind() != reflect.Struct || f.Type() != v.Type()) {
			fillStruct(f)
		}
	}
}
