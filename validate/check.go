package validate

import (
	"reflect"
	"slices"
	"strings"
)

// check is the compiled rules of one value in a T, and of what is below it.
type check struct {
	t      reflect.Type // behind pointers and Opts
	hops   []hop        // the pointers and Opts in front of it
	tag    string       // the rules of this value, as the validator reads them
	rules  []rule       // the same, compiled; nil: only the validator knows them
	rest   string       // those behind the compiled ones, that have no such form
	shape  shape
	quoted bool    // a number in a JSON string
	custom bool    // the validator checks a value of another type instead
	fields *fields // of a structure
	elem   *check  // of a list or a mapping
	key    *check  // of a mapping
	idle   bool    // there is nothing to ask, here or below
	// What the validator says of a nil pointer: refused by any rule in front of
	// which no omitempty stands. An Opt that is absent or null is only refused
	// by required.
	needed   bool
	required bool
}

// hop is what stands between a field and its value.
type hop bool

const (
	pointerHop hop = false
	optHop     hop = true
)

// fields are the members of a struct type, wherever it stands.
type fields struct {
	all   []member
	asked []member // those that are not idle

	levels  bool // functions may be registered for the type
	settled bool
}

// member is a field of a structure.
type member struct {
	index int
	name  string // "" for an embedded struct, whose members are its parent's
	check *check
}

// shape is how a value is read.
type shape uint8

const (
	opaque shape = iota // of bools, interfaces and times: zero or not
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

// newCheck returns the check of a type with rules of its own, without what is
// below.
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

// markIdle finds out what is idle, once everything is compiled. A type that
// contains itself is not.
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
		return len(f.asked) == 0 && !f.levels
	}
	seen[f] = true
	defer delete(seen, f)
	for _, m := range f.all {
		if !m.check.markIdle(seen) {
			f.asked = append(f.asked, m)
		}
	}
	f.settled = true
	return len(f.asked) == 0 && !f.levels
}

// verdict is what compiled rules say of a value.
type verdict uint8

const (
	unsure  verdict = iota // the validator is asked
	partly                 // it is asked of the rest
	holds                  // and what is below is looked at
	omitted                // nothing more is asked, here or below
)

// evaluateRules asks the compiled rules. They only ever spare the validator what it
// would accept: a value that they do not accept is shown to it.
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

// omits reports whether a condition ends the questions about a value, and what
// is below it.
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

// accepted is the verdict of a value whose rules the validator has asked.
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

// present is the validator's hasValue: a pointer makes a zero a value.
func present(v reflect.Value, pointed bool) bool {
	if nilable(v.Kind()) {
		return !v.IsNil()
	}
	return pointed || !v.IsZero()
}

// operand is a value, or its length, in the form that rules compare.
type operand struct {
	text string
	n    int64
	u    uint64
	f    float64
}

func (o *operand) load(s shape, v reflect.Value) {
	switch s {
	case text:
		o.text, o.n = v.String(), -1 // counted when a rule wants it
	case signed:
		o.n = v.Int()
	case unsigned:
		o.u = v.Uint()
	case float:
		o.f = v.Float()
	case list, mapping:
		o.n = int64(v.Len())
	}
}

func (r *rule) acceptsOperand(s shape, o *operand) bool {
	switch {
	case r.op == opText:
		return r.text(o.text)
	case r.op == opOneOf:
		return slices.Contains(r.numbers, o.n)
	case s == text:
		return r.fits(o)
	case s == unsigned:
		return compare(r.op, o.u, r.u)
	case s == float:
		return compare(r.op, o.f, r.f)
	}
	return compare(r.op, o.n, r.n)
}
