package validate

import (
	"context"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// A walker applies the rules of a value, node by node. It tracks the position itself,
// because the validator's namespaces are not reliable, and stops after Limits.Errors
// problems, which bounds the work.
type walker struct {
	rules    *validator.Validate
	ctx      context.Context // of the request
	foreign  bool            // Setup may have changed the validator
	levels   bool            // functions for structs are run
	checks   bool            // Checkers are called
	budget   int             // maximum number of problems
	at       place
	problems []problem
}

// newRuleWalker returns a walker for the constructor. It runs no functions for structs and
// calls no Checkers, because those expect a value of a request.
func (c *config) newRuleWalker() *walker {
	w := c.newScratch().walker
	w.levels, w.checks = false, false
	return &w
}

func (w *walker) full() bool { return len(w.problems) >= w.budget }

func (w *walker) problem(code, text string) {
	w.problems = append(w.problems, problem{place: w.at.String(), pointer: w.at.pointer(), code: code, text: text})
}

// checkValue applies the rules of a value and of its contents.
func (w *walker) checkValue(v reflect.Value, c *check) {
	whole, pointed := v, false
	for _, hop := range c.hops {
		switch hop {
		case pointerHop:
			if v.IsNil() {
				if c.needed && !(w.foreign && w.acceptsNil(whole, c)) {
					w.problem("required", "is required")
				}
				return
			}
			v = v.Elem()
		case optHop:
			if !v.Field(optSet).Bool() || v.Field(optNull).Bool() {
				if c.required {
					w.problem("required", "is required")
				}
				return
			}
			v = v.Field(optValue)
			whole = v
		}
		pointed = true
	}
	if c.tag != "" && !w.checkOwnRules(whole, v, c, pointed) {
		return
	}
	w.below(v, c)
}

// below applies the rules of the contents of a value.
func (w *walker) below(v reflect.Value, c *check) {
	switch c.shape {
	case structure:
		before := len(w.problems)
		for i := range c.fields.asked {
			if w.full() {
				return
			}
			m := &c.fields.asked[i]
			if m.name == "" {
				w.checkValue(v.Field(m.index), m.check)
				continue
			}
			w.at.steps = append(w.at.steps, step{name: m.name})
			w.checkValue(v.Field(m.index), m.check)
			w.at.steps = w.at.steps[:len(w.at.steps)-1]
		}
		if c.fields.levels && w.levels && len(w.problems) == before && !w.full() {
			w.runStructLevel(v, func(path string) place { return w.fieldPlace(c, path) })
		}
		if c.fields.checks && w.checks && len(w.problems) == before && !w.full() {
			w.runCheck(v, false)
		}
	case list:
		if c.elem.idle {
			return
		}
		w.at.steps = append(w.at.steps, step{})
		for i := range v.Len() {
			if w.full() {
				break
			}
			w.at.steps[len(w.at.steps)-1].index = i
			w.checkValue(v.Index(i), c.elem)
		}
		w.at.steps = w.at.steps[:len(w.at.steps)-1]
	case mapping:
		if c.elem.idle && c.key.idle {
			return
		}
		entries, last := v.MapRange(), len(w.at.steps)
		w.at.steps = append(w.at.steps, step{entry: entries})
		for entries.Next() && !w.full() {
			before := len(w.problems)
			if !c.key.idle {
				w.at.steps[last].ofName = true
				w.checkValue(entries.Key(), c.key)
				w.at.steps[last].ofName = false
			}
			if !c.elem.idle && len(w.problems) == before {
				w.checkValue(entries.Value(), c.elem)
			}
		}
		w.at.steps[last] = step{} // the walker is reused and must not retain the input
		w.at.steps = w.at.steps[:last]
	}
}

// checkOwnRules applies the rules of the value itself and reports whether its contents
// must be checked.
func (w *walker) checkOwnRules(whole, v reflect.Value, c *check, pointed bool) bool {
	verdict := c.evaluateRules(v, pointed)
	switch {
	case verdict == holds || verdict == omitted:
		return verdict == holds
	case c.shape == structure && !c.custom || c.t == fileType:
		w.problem("required", "is required") // the only rule that these have
		return false
	case verdict == partly && v.CanAddr(): // an interface holds a pointer without an allocation
		return w.runValidator(v.Addr(), v, c.rest)
	case pointed && whole.Kind() != reflect.Pointer: // the value of an Opt is present even if it is zero
		if !v.CanAddr() {
			copied := reflect.New(v.Type())
			copied.Elem().Set(v)
			v = copied.Elem()
		}
		whole = v.Addr()
	}
	return w.runValidator(whole, v, c.tag) && c.accepted(v, pointed) == holds
}

// runValidator applies rules by the validator and reports whether they hold.
func (w *walker) runValidator(whole, v reflect.Value, tag string) bool {
	err := w.rules.VarCtx(w.ctx, whole.Interface(), tag)
	if err == nil {
		return true
	}
	if list, ok := errors.AsType[validator.ValidationErrors](err); ok && len(list) > 0 {
		rule := list[0].Tag()
		w.problem(problemCode(rule), messageOf(rule, list[0].Param(), v.Kind()))
		if !strings.Contains(rule, "|") {
			w.problems[len(w.problems)-1].param = list[0].Param()
		}
		return false
	}
	w.problem("invalid", "is not valid")
	return false
}

// acceptsNil reports whether the validator accepts a nil pointer. The validator calls
// only rules with nil that are registered so, and panics if a later rule is not, so each
// rule is applied alone.
func (w *walker) acceptsNil(pointer reflect.Value, c *check) bool {
	if c.tag == "" { // a dive
		return false
	}
	for rule := range strings.SplitSeq(c.tag, ",") {
		if _, ok := conditions[rule]; ok && rule != "required" || rule == "isdefault" {
			return true
		}
		if w.rules.VarCtx(w.ctx, pointer.Interface(), rule) != nil {
			return false
		}
	}
	return true
}

// problemCode returns the code of a broken rule: its name, or the joined names of its
// alternatives.
func problemCode(rule string) string {
	names := strings.Split(rule, "|")
	for i, name := range names {
		names[i], _, _ = strings.Cut(name, "=")
	}
	return strings.Join(names, "_or_")
}

// checkRules applies all rules, up to Limits.Errors problems.
func (p *plan) checkRules(v reflect.Value, w *walker) error {
	for i := range p.params {
		param := &p.params[i]
		if w.full() {
			break
		}
		if !param.check.idle {
			w.at.source, w.at.name = param.source, param.name
			w.checkValue(v.FieldByIndex(param.index), param.check)
		}
	}
	w.at.source, w.at.name = "", ""
	if p.root != nil && !p.root.idle && !w.full() {
		body := v
		if p.body != nil {
			body = v.FieldByIndex(p.body)
		}
		w.checkValue(body, p.root)
	}
	if len(w.problems) == 0 {
		p.runInputLevel(v, w)
	}
	if len(w.problems) == 0 {
		for _, index := range p.checkers {
			w.runCheck(v.FieldByIndex(index), true)
		}
	}
	if len(w.problems) == 0 {
		return nil
	}
	return &refusal{kind: ErrInvalid, problems: w.problems, more: w.full()}
}
