package validate

import (
	"reflect"

	"github.com/go-playground/validator/v10"
)

// An extraction finds the type of the value that the validator checks instead of
// another: the result of a custom type function of Setup or of a method
// ValidatorValue.
type extraction struct {
	from reflect.Value
	to   reflect.Type // nil if the validator has nothing to check
}

// extractRule is a rule that only the constructor runs. Only rules have access to the
// validator's method that extracts a value.
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

// checkedType returns the type of the value that the validator checks for a value of
// type t, usually t itself. If it is unknown, checkedType returns an interface type,
// which accepts only the rule required.
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
	case to.Kind() == reflect.Struct: // the validator would check its fields instead of the rules
		return t
	default:
		return to
	}
}

// fillStruct sets a value to nonzero, so that a nullable type has a value.
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
