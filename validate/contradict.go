package validate

import (
	"math/big"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// A sample is a value for trying rules: a number, a length or a word.
type sample struct {
	n    *big.Rat // the number or the length
	word string
	text bool // the sample is the word, not only a length
}

// A predicate is a rule that can be tried with samples.
type predicate struct {
	rule  string
	holds func(sample) bool
}

// contradictions reports rules that no value satisfies together, such as
// min=5,max=3. If two bounds allow any number, they allow one that is next to a bound
// or between the two, so only those are tried. Alternatives and rules of the
// application are ignored. A required value behind a pointer may be zero.
func (l *linter) contradictions(t reflect.Type, where, tag string, pointed bool) {
	if _, measured := bounds[shapeOf(t)]; !measured || t == durationType {
		return
	}
	var rules []predicate
	samples := samplesOf(t, tag)
	holdAll := func(some ...predicate) bool {
		return slices.ContainsFunc(samples, func(s sample) bool {
			return !slices.ContainsFunc(some, func(p predicate) bool { return !p.holds(s) })
		})
	}
	for rule := range strings.SplitSeq(tag, ",") {
		p, ok := predicateOf(shapeOf(t), rule)
		if !ok || pointed && rule == "required" {
			continue
		}
		if !holdAll(p) {
			l.problem(where, "the rule "+rule+" excludes every "+t.String())
			return
		}
		for _, other := range rules {
			if !holdAll(other, p) {
				l.problem(where, "the rules "+other.rule+" and "+rule+" exclude every value")
				return
			}
		}
		rules = append(rules, p)
	}
	if !holdAll(rules...) {
		l.problem(where, "the rules "+tag+" together exclude every value")
	}
}

// predicateOf returns the predicate of a rule and reports whether it has one.
func predicateOf(s shape, rule string) (predicate, bool) {
	name, param, _ := strings.Cut(rule, "=")
	number := s == signed || s == unsigned || s == float
	n, isNumber := new(big.Rat).SetString(param)
	o, compares := comparisons[name]
	var holds func(sample) bool
	switch {
	case strings.Contains(rule, "|"):
	case name == "required" && (number || s == text):
		holds = func(v sample) bool { return v.n.Sign() != 0 }
	case name == "uuid", name == "uuid4":
		holds = func(v sample) bool { return v.n.Cmp(big.NewRat(36, 1)) == 0 }
	case name == "oneof" && !strings.Contains(param, "'") && (number || s == text):
		words := strings.Fields(param)
		holds = func(v sample) bool { return v.text && slices.Contains(words, v.word) }
	case s == text && name == "eq":
		holds = func(v sample) bool { return v.text && v.word == param }
	case s == text && name == "ne":
		holds = func(v sample) bool { return !v.text || v.word != param }
	case compares && isNumber:
		holds = func(v sample) bool { return compare(o, v.n.Cmp(n), 0) }
	}
	return predicate{rule, holds}, holds != nil
}

// samplesOf returns the values of a type that are next to a bound of its rules or
// between two bounds.
func samplesOf(t reflect.Type, tag string) (samples []sample) {
	s := shapeOf(t)
	least, most := rangeOf(t)
	numbers := []*big.Rat{new(big.Rat), big.NewRat(1, 1), big.NewRat(36, 1)}
	for _, end := range []*big.Rat{least, most} {
		if end != nil {
			numbers = append(numbers, end)
		}
	}
	var words []string
	for rule := range strings.SplitSeq(tag, ",") {
		name, param, _ := strings.Cut(rule, "=")
		if name == "oneof" || name == "eq" && s == text {
			words = append(words, param)
			words = append(words, strings.Fields(param)...)
		}
		if n, ok := new(big.Rat).SetString(param); ok {
			numbers = append(numbers, n, new(big.Rat).Add(n, big.NewRat(1, 1)), new(big.Rat).Sub(n, big.NewRat(1, 1)))
		}
	}
	if s == float {
		for i, a := range slices.Clone(numbers) {
			for _, b := range numbers[:i] {
				numbers = append(numbers, new(big.Rat).Mul(big.NewRat(1, 2), new(big.Rat).Add(a, b)))
			}
		}
	}
	for _, n := range numbers {
		if (s == float || n.IsInt()) && (least == nil || n.Cmp(least) >= 0) && (most == nil || n.Cmp(most) <= 0) {
			samples = append(samples, sample{n: n})
		}
	}
	for _, word := range words {
		n := new(big.Rat).SetInt64(int64(utf8.RuneCountInString(word)))
		if s != text {
			var ok bool
			if n, ok = new(big.Rat).SetString(word); !ok {
				continue
			}
		}
		samples = append(samples, sample{n, word, true})
	}
	return samples
}

// rangeOf returns the minimum and the maximum of a type or of its length. nil means
// that there is none.
func rangeOf(t reflect.Type) (least, most *big.Rat) {
	one := big.NewInt(1)
	switch shapeOf(t) {
	case signed:
		end := new(big.Int).Lsh(one, uint(t.Bits()-1))
		return new(big.Rat).SetInt(new(big.Int).Neg(end)), new(big.Rat).SetInt(new(big.Int).Sub(end, one))
	case unsigned:
		end := new(big.Int).Lsh(one, uint(t.Bits()))
		return new(big.Rat), new(big.Rat).SetInt(new(big.Int).Sub(end, one))
	case float:
		return nil, nil
	}
	if t.Kind() == reflect.Array {
		n := new(big.Rat).SetInt64(int64(t.Len()))
		return n, n
	}
	return new(big.Rat), nil
}
