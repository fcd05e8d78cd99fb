package validate

import (
	"reflect"
	"strings"
)

// A check is the compiled rules of one value in a T and of its contents.
type check struct {
	t      reflect.Type // behind pointers and Opts
	hops   []hop        // the pointers and Opts in front of it
	tag    string       // the rules of this value, as the validator reads them
	rules  []rule       // the same rules, compiled; nil if only the validator applies them
	rest   string       // the rules after the compiled ones, which have no compiled form
	shape  shape
	quoted bool    // the value is a number in a JSON string
	custom bool    // the validator checks a value of another type instead
	fields *fields // of a structure
	elem   *check  // of a list or a mapping
	key    *check  // of a mapping
	idle   bool    // neither the value nor its contents have a rule
	// needed and required say what refuses an absent value. A nil pointer is refused
	// by any rule without an omitempty before it, as in the validator. An Opt that
	// is absent or null is refused only by required.
	needed   bool
	required bool
}

// A hop is a pointer or an Opt between a field and its value.
type hop bool

const (
	pointerHop hop = false
	optHop     hop = true
)

// fields are the members of a struct type. All checks of the type share them.
type fields struct {
	all   []member
	asked []member // those that are not idle

	levels  bool // Setup may have registered functions for the type
	checks  bool // the type is a Checker
	settled bool // the result is final
}

// A member is a field of a structure.
type member struct {
	index int
	name  string // "" for an embedded struct, whose members are members of the parent
	check *check
}

// A shape is the class of a type that decides how its values are compared.
type shape uint8

const (
	opaque shape = iota // bools, interfaces, times and files: only zero or not zero
	structure
	text
	signed
	unsigned
	float
	list
	mapping
)

func shapeOf(t reflect.Type) shape {
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return signed
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return unsigned
	case reflect.Float32, reflect.Float64:
		return float
	case reflect.Slice, reflect.Array:
		return list
	case reflect.Map:
		return mapping
	case reflect.Struct:
		if t != timeType && t != fileType {
			return structure
		}
	}
	return opaque
}

// newCheck returns a check for a type and its own rules, without fields or elements.
func newCheck(t reflect.Type, tag string) *check {
	c := &check{tag: tag, required: hasRule(tag, "required")}
	for {
		if t.Kind() == reflect.Pointer {
			c.hops, t = append(c.hops, pointerHop), t.Elem()
			continue
		}
		inner := optType(t)
		if inner == t {
			break
		}
		c.hops, t = append(c.hops, optHop), inner
	}
	c.t, c.shape = t, shapeOf(t)
	first, _, _ := cutRule(tag)
	c.needed = len(c.hops) > 0 && tag != "" && first != "omitempty" && first != "omitnil" && first != "omitzero" && first != "isdefault"
	return c
}

// markIdle marks checks without any rule in their tree. It runs after compilation.
// Recursive types are never idle.
func (c *check) markIdle(seen map[*fields]bool) bool {
	if c == nil {
		return true
	}
	c.idle = c.elem.markIdle(seen)
	c.idle = c.key.markIdle(seen) && c.idle
	if c.fields != nil {
		c.idle = c.fields.markIdle(seen)
	}
	c.idle = c.idle && c.tag == "" && !c.needed
	return c.idle
}

func (f *fields) markIdle(seen map[*fields]bool) bool {
	if seen[f] {
		return false
	}
	if f.settled {
		return f.isIdle()
	}
	seen[f] = true
	defer delete(seen, f)
	for _, m := range f.all {
		if !m.check.markIdle(seen) {
			f.asked = append(f.asked, m)
		}
	}
	f.settled = true
	return f.isIdle()
}

// isIdle reports whether nothing of a struct needs to be checked.
func (f *fields) isIdle() bool { return len(f.asked) == 0 && !f.levels && !f.checks }

// A verdict is the result of compiled rules for a value.
type verdict uint8

const (
	unsure  verdict = iota // the validator must apply all rules
	partly                 // the validator must apply the rest
	holds                  // the value is accepted; its contents are checked next
	omitted                // a condition skips the other rules and the contents
)

// evaluateRules applies the compiled rules. They can only accept a value; a value that
// they do not accept goes to the validator, which decides.
func (c *check) evaluateRules(v reflect.Value, pointed bool) verdict {
	if c.rules == nil {
		return unsure
	}
	var of operand
	of.load(c.shape, v)
	for i := range c.rules {
		r := &c.rules[i]
		switch {
		case r.op == opRequired:
			if !present(v, pointed) {
				return unsure
			}
		case r.op <= opOmitZero:
			if omits(r.op, v, pointed) {
				return omitted
			}
		default:
			if !r.acceptsOperand(c.shape, &of) {
				return unsure
			}
		}
	}
	if c.rest != "" {
		return partly
	}
	return holds
}

// omits reports whether a condition such as omitempty skips the remaining rules of a
// value and its contents.
func omits(o op, v reflect.Value, pointed bool) bool {
	switch o {
	case opOmitEmpty:
		return !present(v, pointed)
	case opOmitNil:
		return nilable(v.Kind()) && v.IsNil()
	case opOmitZero:
		return v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
	}
	return false
}

// accepted returns the verdict for a value that the validator has accepted.
func (c *check) accepted(v reflect.Value, pointed bool) verdict {
	for rule := range strings.SplitSeq(c.tag, ",") {
		if o, ok := conditions[rule]; ok && omits(o, v, pointed) {
			return omitted
		}
	}
	return holds
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Slice || k == reflect.Map || k == reflect.Interface
}

// present is hasValue of the validator: a zero behind a pointer is a value.
func present(v reflect.Value, pointed bool) bool {
	if nilable(v.Kind()) {
		return !v.IsNil()
	}
	return pointed || !v.IsZero()
}
