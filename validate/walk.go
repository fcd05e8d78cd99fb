package validate

import (
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
)

// walker asks the rules of a value, node by node. It knows where it is, which
// the validator's own namespaces do not tell faithfully, and stops when it has
// found enough: a hostile body does not buy work without end.
type walker struct {
	c        *config
	schema   schema
	problems []problem
}

func (w *walker) full() bool { return len(w.problems) >= w.c.limits.Errors }

// structure asks the rules of a struct's members.
func (w *walker) structure(v reflect.Value, at *place) {
	fields := w.schema[v.Type()]
	for i := range fields {
		if w.full() {
			return
		}
		f, here := &fields[i], at
		if f.name != "" {
			here = &place{parent: at, name: f.name}
		}
		w.value(v.FieldByIndex(f.index), f, 0, here)
	}
}

// value asks the rules of one level of a field, and goes down.
func (w *walker) value(v reflect.Value, f *field, level int, at *place) {
	rules, whole, pointed := f.level(level), v, false
	for v.Kind() == reflect.Pointer || held(v.Type()) != v.Type() {
		there := v
		if v.Kind() != reflect.Pointer {
			there = pointer(v)
		}
		if there.IsNil() {
			if has(rules, "required") {
				w.problems = append(w.problems, at.problem("required", "is required"))
			}
			return
		}
		whole, v, pointed = there, there.Elem(), true
	}
	if v.Kind() == reflect.Struct && v.Type() != timeType {
		if !pointed && v.IsZero() && has(rules, "required") {
			w.problems = append(w.problems, at.problem("required", "is required"))
			return
		}
		w.structure(v, at)
		return
	}
	// A pointer is asked as such: what it points to may be zero, and is there.
	if rules != "" && !w.ask(whole, rules, at) {
		return
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if scalar(v.Type().Elem()) && f.level(level+1) == "" {
			return
		}
		for i := range v.Len() {
			if w.full() {
				return
			}
			w.value(v.Index(i), f, level+1, &place{parent: at, index: i})
		}
	case reflect.Map:
		// The names of a map are the client's: the place ends at the map.
		for entries := v.MapRange(); entries.Next() && !w.full(); {
			if level > 0 || f.keys == "" || w.ask(entries.Key(), f.keys, at) {
				w.value(entries.Value(), f, level+1, at)
			}
		}
	}
}

// pointer returns what an Opt holds as a pointer: nil when it is absent or
// null.
func pointer(opt reflect.Value) reflect.Value {
	value := opt.FieldByName("Value")
	if set, null := opt.Interface().(optional).state(); !set || null {
		return reflect.Zero(reflect.PointerTo(value.Type()))
	}
	if value.CanAddr() {
		return value.Addr()
	}
	there := reflect.New(value.Type()) // of an element of a map
	there.Elem().Set(value)
	return there
}

// scalar reports whether values of a type have nothing below them.
func scalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Interface:
		return false
	}
	return true
}

// ask asks the rules of one value, and reports whether they hold.
func (w *walker) ask(v reflect.Value, rules string, at *place) bool {
	err := w.c.rules.Var(v.Interface(), rules)
	if err == nil {
		return true
	}
	if list, ok := errors.AsType[validator.ValidationErrors](err); ok && len(list) > 0 {
		rule := list[0].Tag()
		w.problems = append(w.problems, at.problem(strings.ReplaceAll(rule, "|", "_or_"), messageOf(rule, list[0].Param(), reflect.Indirect(v).Kind())))
		return false
	}
	w.problems = append(w.problems, at.problem("invalid", "is not valid"))
	return false
}

// has reports whether a list of rules has one by its name.
func has(rules, name string) bool {
	for rule := range strings.SplitSeq(rules, ",") {
		if rule == name {
			return true
		}
	}
	return false
}
