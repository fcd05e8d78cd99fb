package validate

import (
	"cmp"
	"reflect"
	"regexp"
	"strconv"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// newRules creates a validator with the formats and patterns of this package and the
// rules of Setup.
func (c *config) newRules(o Options) []error {
	c.rules = validator.New(validator.WithRequiredStructEnabled())
	c.patterns = make(map[string]*regexp.Regexp, len(o.Patterns))
	c.foreign = o.Setup != nil
	var problems []error
	for name, text := range o.Patterns {
		_, err := regexp.Compile(text) // without anchors: "a)|(?:b" would escape them
		pattern, anchored := regexp.Compile(`\A(?:` + text + `)\z`)
		if err = cmp.Or(err, anchored); err != nil {
			problems = append(problems, errors.New("validate: Patterns["+strconv.Quote(name)+"] "+strconv.Quote(text)+": "+err.Error()))
			continue
		}
		c.patterns[name] = pattern
	}
	failed := []error{c.registerExtraction()}
	for name, ok := range formats {
		failed = append(failed, c.rules.RegisterValidation(name, func(f validator.FieldLevel) bool { return ok(textOf(f)) }))
	}
	failed = append(failed, c.rules.RegisterValidation("datetime", func(f validator.FieldLevel) bool {
		return isDateTime(f.Param(), textOf(f))
	}), c.rules.RegisterValidation("pattern", func(f validator.FieldLevel) bool {
		pattern := c.patterns[f.Param()]
		if pattern == nil {
			panic("no pattern of this name")
		}
		return pattern.MatchString(textOf(f))
	}))
	if o.Setup != nil {
		failed = append(failed, o.Setup(c.rules))
	}
	problems = append(problems, checkSetup(c.rules)...)
	if err := errors.Join(failed...); err != nil {
		problems = append(problems, errors.New("validate: Setup: "+err.Error()))
	}
	return problems
}

// textOf returns the value of a rule of texts. It panics for other kinds, which the
// constructor reports.
func textOf(f validator.FieldLevel) string {
	if f.Field().Kind() != reflect.String {
		panic("the value is not a string")
	}
	return f.Field().String()
}
