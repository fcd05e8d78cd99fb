package validate

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

// A rule is one rule in compiled form.
type rule struct {
	op      op
	n       int64
	u       uint64
	f       float64
	numbers []int64           // of opOneOf
	text    func(string) bool // of opText
}

type op uint8

const (
	opRequired op = iota
	opOmitEmpty
	opOmitNil
	opOmitZero
	opMin // at least
	opMax // at most
	opMore
	opLess
	opEqual
	opOther
	opText
	opOneOf
)

var comparisons = map[string]op{
	"min": opMin, "gte": opMin, "max": opMax, "lte": opMax, "gt": opMore, "lt": opLess, "len": opEqual, "eq": opEqual, "ne": opOther,
}

var conditions = map[string]op{"required": opRequired, "omitempty": opOmitEmpty, "omitnil": opOmitNil, "omitzero": opOmitZero}

func compare[N cmp.Ordered](o op, a, b N) bool {
	switch o {
	case opMin:
		return a >= b
	case opMax:
		return a <= b
	case opMore:
		return a > b
	case opLess:
		return a < b
	case opEqual:
		return a == b
	case opOther:
		return a != b
	}
	return false
}

// fits compares the length of a text in characters. A text has at least as many bytes,
// so that most texts below a maximum need no count.
func (r *rule) fits(o *operand) bool {
	if r.op == opMax && int64(len(o.text)) <= r.n {
		return true
	}
	if o.n < 0 {
		o.n = int64(utf8.RuneCountInString(o.text))
	}
	return compare(r.op, o.n, r.n)
}

var (
	valuerType   = reflect.TypeFor[validator.Valuer]()
	durationType = reflect.TypeFor[time.Duration]()
)

// compileRules compiles the rules of a tag, up to the first without a compiled form.
func (c *config) compileRules(k *check) {
	if k.custom || shapeOf(k.t) != structure && (c.foreign || strings.Contains(k.tag, "|") || strings.Contains(k.tag, "0x") || strings.Contains(k.tag, "'") || k.t == durationType) ||
		k.t.Implements(valuerType) || reflect.PointerTo(k.t).Implements(valuerType) {
		return
	}
	k.rules = make([]rule, 0, strings.Count(k.tag, ",")+1)
	for rest := k.tag; rest != ""; {
		name, param, after := cutRule(rest)
		r, ok := c.compileRule(k.t, name, param)
		if !ok {
			if k.rest = rest; conditional(rest) {
				k.rules, k.rest = nil, ""
			}
			return
		}
		k.rules, rest = append(k.rules, r), after
	}
}

// conditional reports whether a tag has a rule about the presence of a value. Such a
// rule must not be applied to the pointer that the validator gets for the rest.
func conditional(tag string) bool {
	for rule := range strings.SplitSeq(tag, ",") {
		if _, ok := conditions[rule]; ok || rule == "isdefault" {
			return true
		}
	}
	return false
}

// cutRule returns the first rule of a tag and the rest.
func cutRule(tag string) (name, param, rest string) {
	first, rest, _ := strings.Cut(tag, ",")
	name, param, _ = strings.Cut(first, "=")
	return name, param, rest
}

func (c *config) compileRule(t reflect.Type, name, param string) (rule, bool) {
	s := shapeOf(t)
	if o, ok := conditions[name]; ok {
		return rule{op: o}, true
	}
	if s == text {
		if ok := c.textRule(name, param); ok != nil {
			return rule{op: opText, text: ok}, true
		}
	}
	if name == "oneof" && s == signed {
		numbers, ok := canonical(param)
		return rule{op: opOneOf, numbers: numbers}, ok
	}
	o, ok := comparisons[name]
	if !ok {
		return rule{}, false
	}
	r, err := rule{op: o}, error(nil)
	switch s {
	case text, signed, list, mapping:
		r.n, err = strconv.ParseInt(param, 0, 64)
	case unsigned:
		r.u, err = strconv.ParseUint(param, 0, 64)
	case float:
		r.f, err = strconv.ParseFloat(param, t.Bits())
	default:
		return rule{}, false
	}
	return r, err == nil
}

// textRule returns a rule about the contents of a text, or nil.
func (c *config) textRule(name, param string) func(string) bool {
	switch name {
	case "eq":
		return func(s string) bool { return s == param }
	case "ne":
		return func(s string) bool { return s != param }
	case "oneof":
		words := strings.Fields(param)
		return func(s string) bool { return slices.Contains(words, s) }
	case "startswith":
		return func(s string) bool { return strings.HasPrefix(s, param) }
	case "endswith":
		return func(s string) bool { return strings.HasSuffix(s, param) }
	case "contains":
		return func(s string) bool { return strings.Contains(s, param) }
	case "excludes":
		return func(s string) bool { return !strings.Contains(s, param) }
	case "datetime":
		return func(s string) bool { return isDateTime(param, s) }
	case "pattern":
		if pattern := c.patterns[param]; pattern != nil {
			return pattern.MatchString
		}
		return nil
	}
	if param != "" {
		return nil
	}
	if ok := formats[name]; ok != nil {
		return ok
	}
	return plain[name]
}

// canonical returns the numbers of a oneof. It reports false if one has another
// spelling than strconv, because the validator compares the texts.
func canonical(param string) ([]int64, bool) {
	var numbers []int64
	for word := range strings.FieldsSeq(param) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != word {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}

// allBytes returns a rule for texts of at least one byte, of which all are ok.
func allBytes(ok func(byte) bool) func(string) bool {
	return func(s string) bool {
		for i := range len(s) {
			if !ok(s[i]) {
				return false
			}
		}
		return s != ""
	}
}

func letter(b byte) bool { return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' }
func digit(b byte) bool  { return '0' <= b && b <= '9' }

// An operand is a value or its length, in the form that rules compare.
type operand struct {
	text string
	n    int64
	u    uint64
	f    float64
}

func (o *operand) load(s shape, v reflect.Value) {
	switch s {
	case text:
		o.text, o.n = v.String(), -1 // counted when a rule needs it
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

// hasRule reports whether a list of rules contains one without a parameter.
func hasRule(rules, name string) bool {
	for rule := range strings.SplitSeq(rules, ",") {
		if rule == name {
			return true
		}
	}
	return false
}
