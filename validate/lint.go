package validate

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/hook"
)

// A linter compiles the fields of a T. It reports rules and tags that would fail or
// have no effect during a request.
type linter struct {
	c          *config
	structures map[structureKey]*fields
	strict     bool
	logger     *slog.Logger
	validator  *validator.Validate // without rules of the application
	own        bool                // inside a type that decodes itself
	problems   []error
	warnings   []string
}

// A structureKey identifies a compiled struct. Inside a type that decodes itself, other
// checks apply.
type structureKey struct {
	t   reflect.Type
	own bool
}

func (l *linter) problem(where, text string) {
	l.problems = append(l.problems, errors.New("validate: "+where+": "+text))
}

// warn adds a warning, or in strict mode a problem.
func (l *linter) warn(where, text string) {
	if l.strict {
		l.problem(where, text)
		return
	}
	l.warnings = append(l.warnings, where+": "+text)
}

// finish logs the warnings if there are no problems, and returns the problems.
func (l *linter) finish() []error {
	if len(l.problems) == 0 && len(l.warnings) > 0 {
		hook.LoggerOrDefault(l.logger).LogAttrs(context.Background(), slog.LevelWarn, "schema has unbounded fields", slog.Any("warnings", l.warnings))
	}
	return l.problems
}

// tag checks the rules of one value against its type. pointed means that the value is
// behind a pointer or an Opt, so that required distinguishes zero from absent.
func (l *linter) tag(t reflect.Type, where, tag string, pointed bool) {
	for rule := range strings.SplitSeq(tag, ",") {
		if rule == "" {
			continue
		}
		for alternative := range strings.SplitSeq(rule, "|") {
			l.rule(t, where, alternative)
		}
	}
	l.warnUnbounded(t, where, tag)
	l.warnRequiredZero(t, where, tag, pointed)
	l.contradictions(t, where, tag, pointed)
}

// rule reports a rule that does not exist, does not fit the type, or depends on other
// fields or on this machine.
func (l *linter) rule(t reflect.Type, where, rule string) {
	name, param, _ := strings.Cut(rule, "=")
	switch {
	case conditions[rule] != 0 || rule == "required":
		return
	case misspelling(rule) != "":
		l.problem(where, misspelling(rule))
		return
	case name == "pattern" && l.c.patterns[param] == nil:
		l.problem(where, "the rule "+rule+" does not name an entry of Options.Patterns"+l.knownPatterns())
		return
	case name == "postcode_iso3166_alpha2" && !l.isCountry(param):
		l.problem(where, "the rule "+rule+" refuses every value because "+param+" is not an ISO 3166-1 code"+l.likelyCountry(param))
		return
	case rule == "-":
		l.problem(where, `has the rule "-", which does not disable rules; did you mean no validate tag?`)
		return
	case t.Kind() == reflect.Interface:
		l.problem(where, "an "+t.String()+" accepts only the rule required")
		return
	case shapeOf(t) == structure:
		hint := "a struct accepts only the rule required; its fields can have other rules"
		if decodesItself(t) {
			hint += "; did you mean RegisterCustomTypeFunc in Setup?"
		}
		l.problem(where, hint)
		return
	case name == "unique" && !hashable(t):
		l.problem(where, "the rule unique does not fit a "+t.String()+", whose elements cannot be compared")
		return
	case ofMachine(name):
		l.problem(where, "the rule "+name+" reads this machine's files or network for the client")
		return
	case ofOthers(name):
		l.problem(where, "the rule "+name+" depends on other fields; check those in the handler")
		return
	case !fitting(t, name) && l.standard(name):
		l.problem(where, "the rule "+rule+" does not fit a "+t.String())
		return
	}
	defer func() {
		if v := recover(); v != nil {
			l.problem(where, "the rule "+rule+" does not exist or does not fit a "+t.String()+": "+fmt.Sprint(v))
		}
	}()
	probe := reflect.New(t).Elem()
	_ = l.c.rules.Var(probe.Interface(), rule)
	setNonZero(probe)
	_ = l.c.rules.Var(probe.Interface(), rule)
}

// misspelling describes a rule with a space in its name, or with the name of pattern in
// other packages. It returns "" for other rules.
func misspelling(rule string) string {
	name, _, _ := strings.Cut(rule, "=")
	switch {
	case strings.TrimSpace(name) != name:
		return "the rule " + strconv.Quote(rule) + " has a space in its name; did you mean " + strings.TrimSpace(rule) + "?"
	case name == "regexp", name == "regex":
		return "the rule " + rule + " does not exist; did you mean pattern, with a name of Options.Patterns?"
	}
	return ""
}

// knownPatterns suggests the names in Options.Patterns.
func (l *linter) knownPatterns() string {
	if len(l.c.patterns) == 0 {
		return "; did you mean an expression in Patterns, and its name here?"
	}
	return "; did you mean pattern=" + strings.Join(slices.Sorted(maps.Keys(l.c.patterns)), " or pattern=") + "?"
}

// isCountry reports whether a text is a country code of ISO 3166-1 with two letters.
func (l *linter) isCountry(code string) bool { return l.c.rules.Var(code, "iso3166_1_alpha2") == nil }

// likelyCountry suggests a country code for an unknown one.
func (l *linter) likelyCountry(code string) string {
	code = strings.ToUpper(code)
	if code == "UK" {
		code = "GB"
	}
	if l.isCountry(code) {
		return "; did you mean " + code + "?"
	}
	return "; did you mean one of two letters, such as GB?"
}

// setNonZero sets a value to nonzero, because some rules skip zero.
func setNonZero(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("1")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	}
}

// Rules of the validator for values that are not texts. Most of the other rules see
// such a value as the text "<int Value>" and always refuse it.
var (
	ofNumbers = []string{"oneof", "noneof", "isdefault", "port", "latitude", "longitude", "iso3166_1_alpha_numeric", "iso4217_numeric"}
	ofLists   = []string{"unique", "isdefault"}
	ofTimes   = []string{"gt", "gte", "lt", "lte", "isdefault"}
	ofBools   = []string{"eq", "ne", "isdefault"}
)

// fitting reports whether a rule of the validator supports values of a type.
func fitting(t reflect.Type, name string) bool {
	_, compares := comparisons[name]
	switch shapeOf(t) {
	case text:
		return true
	case signed, unsigned, float:
		return compares || slices.Contains(ofNumbers, name)
	case list, mapping:
		return compares || slices.Contains(ofLists, name)
	}
	if t == timeType {
		return slices.Contains(ofTimes, name)
	}
	return t.Kind() == reflect.Bool && slices.Contains(ofBools, name)
}

// standard reports whether the validator has a rule of a name. Other rules are of this
// package or of the application.
func (l *linter) standard(name string) (yes bool) {
	if l.validator == nil {
		l.validator = validator.New()
	}
	defer func() { yes = recover() == nil }()
	_ = l.validator.Var((*int)(nil), "omitempty,"+name) // for nil, the validator only looks up the name
	return yes
}

// ofMachine reports whether a rule reads the file system or calls the resolver.
func ofMachine(name string) bool {
	switch name {
	case "file", "filepath", "dir", "dirpath", "image", "uds_exists":
		return true
	case "btc_addr", "eth_addr":
		return false
	}
	return strings.HasSuffix(name, "_addr")
}

// ofOthers reports whether a rule depends on more than its own value.
func ofOthers(name string) bool {
	switch name {
	case "skip_unless", "structonly", "nostructlevel", "validateFn":
		return true
	}
	return strings.HasSuffix(name, "field") || strings.HasPrefix(name, "field") || strings.HasPrefix(name, "required_") || strings.HasPrefix(name, "excluded_")
}

// hashable reports whether all values of the elements of a list can be compared.
func hashable(t reflect.Type) bool {
	if t.Kind() != reflect.Slice && t.Kind() != reflect.Array && t.Kind() != reflect.Map {
		return false
	}
	var plain func(reflect.Type) bool
	plain = func(t reflect.Type) bool {
		switch t.Kind() {
		case reflect.Interface, reflect.Slice, reflect.Map, reflect.Func:
			return false
		case reflect.Array:
			return plain(t.Elem())
		case reflect.Struct:
			for f := range t.Fields() {
				if !plain(f.Type) {
					return false
				}
			}
		}
		return true
	}
	elem := t.Elem()
	if elem.Kind() == reflect.Pointer { // the rule dereferences it
		elem = elem.Elem()
	}
	return plain(elem)
}

// warnUnbounded warns of texts, lists and maps without a maximum length (OWASP
// API4:2023).
func (l *linter) warnUnbounded(t reflect.Type, where, tag string) {
	switch shapeOf(t) {
	case text, list, mapping:
	default:
		return
	}
	if isBounded(tag) || t.Kind() == reflect.Array || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return
	}
	hint := "is unbounded; add max"
	if strings.HasSuffix(where, elements) {
		hint += " after dive"
	}
	l.warn(where, hint)
}

// warnRequiredZero warns of required numbers and bools, whose zero is refused.
func (l *linter) warnRequiredZero(t reflect.Type, where, tag string, pointed bool) {
	switch s := shapeOf(t); {
	case s != signed && s != unsigned && s != float && t.Kind() != reflect.Bool:
	case hasRule(tag, "required") && !pointed:
		l.warnings = append(l.warnings, where+": required refuses false and 0; use a pointer to accept them")
	}
}
