package validate

import (
	"cmp"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// newRules fills in a private instance of the validator, with formats that
// validator gets wrong replaced, and the application's own rules.
func (c *config) newRules(o Options) []error {
	c.rules = validator.New(validator.WithRequiredStructEnabled())
	c.patterns = make(map[string]*regexp.Regexp, len(o.Patterns))
	c.foreign = o.Setup != nil
	var problems []error
	for name, text := range o.Patterns {
		_, err := regexp.Compile(text) // by itself: "a)|(?:b" would undo the anchors
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

// textOf returns the value that a rule of texts is about. The constructor's
// probe finds rules that stand at other kinds.
func textOf(f validator.FieldLevel) string {
	if f.Field().Kind() != reflect.String {
		panic("the value is no string")
	}
	return f.Field().String()
}

// messageOf says in words what a rule wants of a value of this kind. The
// parameters are the schema's.
func messageOf(rule, param string, kind reflect.Kind) string {
	unit := ""
	switch kind {
	case reflect.String:
		unit = " characters"
	case reflect.Slice, reflect.Array, reflect.Map:
		unit = " items"
	}
	verb := "be"
	if unit != "" {
		verb = "have"
	}
	switch rule {
	case "required":
		return "is required"
	case "min", "gte":
		return "must " + verb + " at least " + param + unit
	case "max", "lte":
		return "must " + verb + " at most " + param + unit
	case "gt":
		return "must " + verb + " more than " + param + unit
	case "lt":
		return "must " + verb + " less than " + param + unit
	case "eq":
		if kind == reflect.String {
			return "must be " + param
		}
		return "must " + verb + " exactly " + param + unit
	case "len":
		return "must " + verb + " exactly " + param + unit
	case "oneof":
		return "must be one of: " + strings.Join(strings.Fields(param), ", ")
	case "email":
		return "must be an e-mail address"
	case "url", "http_url", "https_url":
		return "must be a web address"
	case "alphanum":
		return "must have letters and digits only"
	case "unique":
		return "must not have an item twice"
	case "pattern":
		return "does not have the form of a " + param
	}
	return "breaks the rule " + rule
}
