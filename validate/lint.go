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
)

// linter compiles the fields of a T, and finds at start-up what would fail, or
// do nothing, at a request.
type linter struct {
	c          *config
	structures map[structureKey]*fields
	strict     bool
	logger     *slog.Logger
	validator  *validator.Validate // without rules of the application
	own        bool                // below a type that decodes itself
	problems   []error
	warnings   []string
}

// structureKey is a struct, and whether it is below a type that decodes itself,
// whose methods may read it otherwise.
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

// finish logs the warnings, when there is no error to fix first.
func (l *linter) finish() []error {
	if len(l.problems) == 0 && len(l.warnings) > 0 {
		logger := l.logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.LogAttrs(context.Background(), slog.LevelWarn, "schema has unbounded fields", slog.Any("warnings", l.warnings))
	}
	return l.problems
}

// tag checks the rules of one value against its type. A required value behind
// a pointer or an Opt is told from what is not there.
func (l *linter) tag(t reflect.Type, where, tag string, spared bool) {
	for rule := range strings.SplitSeq(tag, ",") {
		if rule == "" {
			continue
		}
		for alternative := range strings.SplitSeq(rule, "|") {
			l.rule(t, where, alternative)
		}
	}
	l.bounds(t, where, tag, spared)
	l.contradictions(t, where, tag, spared)
}

// rule refuses rules that do not exist, do not fit, look at other fields, or
// at this machine.
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

// misspelling describes a rule that has a blank in its name, or a name that
// other packages have for pattern.
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

// knownPatterns suggests the patterns that the options have.
func (l *linter) knownPatterns() string {
	if len(l.c.patterns) == 0 {
		return "; did you mean an expression in Patterns, and its name here?"
	}
	return "; did you mean pattern=" + strings.Join(slices.Sorted(maps.Keys(l.c.patterns)), " or pattern=") + "?"
}

// isCountry reports whether a text is a country code of two letters.
func (l *linter) isCountry(code string) bool { return l.c.rules.Var(code, "iso3166_1_alpha2") == nil }

// likelyCountry suggests the code for one that does not exist.
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

// setNonZero makes a value that is not zero, since some rules only look at those.
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

// Rules of validator that ask a value that is no text. Most of the others take
// such a one for the text "<int Value>", and refuse it always.
var (
	ofNumbers = []string{"oneof", "noneof", "isdefault", "port", "latitude", "longitude", "iso3166_1_alpha_numeric", "iso4217_numeric"}
	ofLists   = []string{"unique", "isdefault"}
	ofTimes   = []string{"gt", "gte", "lt", "lte", "isdefault"}
	ofBools   = []string{"eq", "ne", "isdefault"}
)

// fitting reports whether a rule of validator asks a value of this type.
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

// standard reports whether validator, or we, have a rule of this name; others
// are the application's, which knows what they ask.
func (l *linter) standard(name string) (yes bool) {
	if l.validator == nil {
		l.validator = validator.New()
	}
	defer func() { yes = recover() == nil }()
	_ = l.validator.Var((*int)(nil), "omitempty,"+name) // only its name is looked up where nothing is there
	return yes
}

// ofMachine reports whether a rule asks the file system or the resolver.
func ofMachine(name string) bool {
	switch name {
	case "file", "filepath", "dir", "dirpath", "image", "uds_exists":
		return true
	case "btc_addr", "eth_addr":
		return false
	}
	return strings.HasSuffix(name, "_addr")
}

// ofOthers reports whether a rule looks at more than its own value.
func ofOthers(name string) bool {
	switch name {
	case "skip_unless", "structonly", "nostructlevel", "validateFn":
		return true
	}
	return strings.HasSuffix(name, "field") || strings.HasPrefix(name, "field") || strings.HasPrefix(name, "required_") || strings.HasPrefix(name, "excluded_")
}

// hashable reports whether the elements of a list can be compared, whatever
// they are at a request.
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
	if elem.Kind() == reflect.Pointer { // the rule looks behind one
		elem = elem.Elem()
	}
	return plain(elem)
}

// bounds warns of lengths without a bound (OWASP API4:2023), and of required
// values that can never be sent.
func (l *linter) bounds(t reflect.Type, where, tag string, spared bool) {
	switch shapeOf(t) {
	case text, list, mapping:
		if !isBounded(tag) && t.Kind() != reflect.Array && !reflect.PointerTo(t).Implements(textUnmarshaler) {
			hint := "is unbounded; add max"
			if strings.HasSuffix(where, elements) {
				hint += " after dive"
			}
			l.warn(where, hint)
		}
	case signed, unsigned, float:
		l.zero(where, tag, spared)
	case opaque:
		if t.Kind() == reflect.Bool {
			l.zero(where, tag, spared)
		}
	}
}

func (l *linter) zero(where, tag string, spared bool) {
	if hasRule(tag, "required") && !spared {
		l.warnings = append(l.warnings, where+": required refuses false and 0; use a pointer to accept them")
	}
}
