package validate

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// runStructLevel runs the functions that Setup has registered for the type of a struct.
// The validator skips each field, because the walker has checked it. at returns the
// place of a field by its path in Go.
func (w *walker) runStructLevel(v reflect.Value, at func(path string) place) {
	if !v.CanAddr() || !v.CanInterface() { // the value of a map, or an embedded struct of an unexported type
		copied := reflect.New(v.Type()).Elem()
		copyFields(copied, v)
		v = copied
	}
	err := w.rules.StructFilteredCtx(w.ctx, v.Addr().Interface(), skipField)
	list, _ := errors.AsType[validator.ValidationErrors](err)
	for _, e := range list {
		if w.full() {
			return
		}
		field := at(strings.TrimPrefix(e.StructNamespace(), v.Type().Name()+"."))
		code, text := e.Tag(), "breaks the rule "+e.Tag()
		switch {
		case code == "required":
			text = "is required"
		case !isCode(code): // perhaps built from the input
			code, text = "invalid", "is not valid"
		}
		w.problems = append(w.problems, problem{place: field.String(), pointer: field.pointer(), code: code, text: text})
	}
}

// copyFields copies the fields that the decoder can set.
func copyFields(to, from reflect.Value) {
	if from.CanInterface() {
		to.Set(from)
		return
	}
	for i := range from.NumField() {
		if sf := from.Type().Field(i); sf.IsExported() {
			to.Field(i).Set(from.Field(i))
		} else if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			copyFields(to.Field(i), from.Field(i))
		}
	}
}

func skipField([]byte) bool { return true }

// isCode reports whether a text has the form of an error code.
func isCode(s string) bool {
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (i == 0 || !digit(s[i]) && s[i] != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// fieldPlace returns the place of a field of a struct, or of the struct itself
// if the path names no member.
func (w *walker) fieldPlace(c *check, path string) place {
	at := place{source: w.at.source, name: w.at.name}
	if steps, ok := c.stepsTo(path); ok {
		at.steps = append(slices.Clone(w.at.steps), steps...)
		return at
	}
	at.steps = slices.Clone(w.at.steps)
	return at
}

// stepsTo returns the steps from a struct to a field by its path in Go, such as
// Items[3].Qty. They end at a map, because the client chose its names.
func (c *check) stepsTo(path string) (steps []step, ok bool) {
	for path != "" {
		if c.shape != structure {
			return nil, false
		}
		var name, indexes string
		name, path, _ = strings.Cut(path, ".")
		if i := strings.IndexByte(name, '['); i >= 0 {
			name, indexes = name[:i], name[i:]
		}
		sf, found := c.t.FieldByName(name)
		if !found {
			return nil, false
		}
		for _, i := range sf.Index {
			m := c.fields.find(i)
			if m == nil {
				return nil, false
			}
			if c = m.check; m.name != "" {
				steps = append(steps, step{name: m.name})
			}
		}
		for indexes != "" && c.shape == list {
			var index string
			index, indexes, _ = strings.Cut(indexes[1:], "]")
			n, err := strconv.ParseUint(index, 10, 31)
			if err != nil {
				return nil, false
			}
			steps, c = append(steps, step{index: int(n)}), c.elem
		}
		if indexes != "" {
			return steps, c.shape == mapping
		}
	}
	return steps, true
}

// find returns the member with an index.
func (f *fields) find(index int) *member {
	for i := range f.all {
		if f.all[i].index == index {
			return &f.all[i]
		}
	}
	return nil
}

// inputPlace returns the place of a field of T, whose fields have sources.
func (p *plan) inputPlace(t reflect.Type, above []int, path string) place {
	index := slices.Clone(above)
	for rest := path; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, ".")
		sf, found := t.FieldByName(name)
		if !found {
			break
		}
		index, t = append(index, sf.Index...), sf.Type
		if p.body != nil && slices.Equal(index, p.body) {
			steps, ok := p.root.stepsTo(rest)
			if !ok {
				break
			}
			return place{steps: steps}
		}
		for i := range p.params {
			if slices.Equal(index, p.params[i].index) {
				return place{source: p.params[i].source, name: p.params[i].name}
			}
		}
		if t.Kind() != reflect.Struct {
			break
		}
	}
	return place{name: "the input"}
}

// runInputLevel runs the functions for the structs embedded in T, then those for T.
func (p *plan) runInputLevel(v reflect.Value, w *walker) {
	for _, index := range p.levels {
		if w.full() {
			return
		}
		level := v
		if len(index) > 0 {
			level = v.FieldByIndex(index)
		}
		w.runStructLevel(level, func(path string) place { return p.inputPlace(level.Type(), index, path) })
	}
}

// checkSetup reports changes of the validator by Setup that have no effect in this
// package. It reads fields of the validator, which has no method for them.
// TestSetupWithoutEffectIsReported_FV2 fails if they are renamed.
func checkSetup(v *validator.Validate) (problems []error) {
	fields := reflect.ValueOf(v).Elem()
	if rules := fields.FieldByName("rules"); rules.Kind() == reflect.Map && rules.Len() > 0 {
		problems = append(problems, errors.New("validate: Setup: RegisterStructValidationMapRules has no effect; did you mean rules in the tags, or RegisterStructValidation?"))
	}
	if name := fields.FieldByName("tagName"); name.Kind() == reflect.String && name.String() != "validate" {
		problems = append(problems, errors.New("validate: Setup: SetTagName "+strconv.Quote(name.String())+" has no effect; did you mean the validate tag?"))
	}
	return problems
}
