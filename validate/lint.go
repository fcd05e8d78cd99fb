package validate

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// linter compiles the fields of a T, and finds at start-up what would fail, or
// do nothing, at a request.
type linter struct {
	c        *config
	schema   schema
	strict   bool
	logger   *slog.Logger
	problems []error
	warnings []string
}

func (l *linter) problem(where, text string) {
	l.problems = append(l.problems, errors.New("validate: "+where+": "+text))
}

// unbounded is a warning, or in strict mode a problem.
func (l *linter) unbounded(where, text string) {
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
		logger.LogAttrs(context.Background(), slog.LevelWarn, "validate: a schema is looser than it could be", slog.Any("warnings", l.warnings))
	}
	return l.problems
}

// structure compiles a struct of a body, and those in it.
func (l *linter) structure(t reflect.Type) {
	if _, done := l.schema[t]; done {
		return
	}
	l.schema[t] = nil // for a type that contains itself
	var fields []field
	for sf := range t.Fields() {
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		embedded := sf.Anonymous && name == ""
		if !sf.IsExported() && !embedded || sf.Tag.Get("json") == "-" {
			continue
		}
		if name == "" && !embedded {
			name = sf.Name
		}
		fields = append(fields, l.field(sf, t.String()+"."+sf.Name, name))
	}
	l.schema[t] = fields
}

// param compiles a field that comes from outside of a body.
func (l *linter) param(sf reflect.StructField, where, source, name string) param {
	p := param{source: source, name: name, index: sf.Index, rules: l.field(sf, where, name)}
	t := sf.Type
	if multiple(t) {
		if source != "query" && source != "form" {
			l.problem(where, "only a query parameter or a form field may come several times")
		}
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !reflect.PointerTo(t).Implements(textUnmarshaler) && (!scalar(t) || t.Kind() == reflect.Func || t.Kind() == reflect.Chan || t.Kind() == reflect.Complex128 || t.Kind() == reflect.Complex64 || t.Kind() == reflect.Uintptr) {
		l.problem(where, "a "+t.String()+" cannot be read from text")
		return p
	}
	if p.value, p.preset = sf.Tag.Lookup("default"); p.preset {
		if err := l.c.set(reflect.New(sf.Type).Elem(), &p, []string{p.value}); err != nil {
			l.problem(where, "the default does not fit the type")
		}
	}
	return p
}

// field compiles the rules of a field, level by level.
func (l *linter) field(sf reflect.StructField, where, name string) field {
	f := field{index: sf.Index, name: name}
	tag := sf.Tag.Get("validate")
	for i, part := range strings.Split(","+tag+",", ",dive,") {
		part = strings.Trim(part, ",")
		if keys, rest, ok := strings.Cut(part, "endkeys"); ok && strings.HasPrefix(part, "keys,") {
			if i > 1 {
				l.problem(where, "rules of keys below the first level are not supported")
			}
			f.keys, part = strings.Trim(strings.TrimPrefix(keys, "keys,"), ","), strings.Trim(rest, ",")
		}
		f.levels = append(f.levels, part)
	}
	l.value(&f, sf.Type, where, 0)
	return f
}

// value checks the rules of one level against its type, and goes down.
func (l *linter) value(f *field, t reflect.Type, where string, level int) {
	spared := t != bare(t) // a zero is told from what is not there
	t = bare(t)
	rules := f.level(level)
	for rule := range strings.SplitSeq(rules, ",") {
		if rule != "" {
			l.rule(t, where, rule)
		}
	}
	l.bounds(t, where, rules, spared)
	switch t.Kind() {
	case reflect.Struct:
		if t != timeType {
			l.structure(t)
		}
		return
	case reflect.Map:
		for rule := range strings.SplitSeq(f.keys, ",") {
			if rule != "" && level == 0 {
				l.rule(t.Key(), where, rule)
			}
		}
		fallthrough
	case reflect.Slice, reflect.Array:
		l.value(f, t.Elem(), where, level+1)
		return
	}
	if level+1 < len(f.levels) {
		l.problem(where, "has dive, and nothing to dive into")
	}
}

// always are rules that say when the others count.
var always = []string{"omitempty", "omitnil", "omitzero", "required"}

// rule refuses rules that do not exist, do not fit, look at other fields, or
// at this machine.
func (l *linter) rule(t reflect.Type, where, rule string) {
	name, _, _ := strings.Cut(rule, "=")
	switch {
	case slices.Contains(always, rule):
		return
	case t.Kind() == reflect.Interface:
		l.problem(where, "an "+t.String()+" takes no rule but required")
		return
	case t.Kind() == reflect.Struct && t != timeType:
		l.problem(where, "a struct takes no rule but required; its fields have rules")
		return
	case slices.Contains([]string{"file", "filepath", "dir", "dirpath", "image", "uds_exists"}, name) || strings.HasSuffix(name, "_addr"):
		l.problem(where, "the rule "+name+" asks this machine's files or network, for whoever sends the input")
		return
	case strings.HasSuffix(name, "field") || strings.HasPrefix(name, "required_") || strings.HasPrefix(name, "excluded_") || name == "skip_unless" || name == "structonly" || name == "nostructlevel" || name == "validateFn":
		l.problem(where, "the rule "+name+" looks at other fields; check those in the handler")
		return
	}
	defer func() {
		if v := recover(); v != nil {
			l.problem(where, "the rule "+rule+" does not exist or does not fit a "+t.String()+": "+fmt.Sprint(v))
		}
	}()
	_ = l.c.rules.Var(reflect.New(t).Elem().Interface(), rule)
}

// bounded are rules that bound the length of a value.
var bounded = []string{"max", "len", "lte", "lt", "eq", "oneof", "email", "ip", "ipv4", "ipv6", "hostname", "hostname_rfc1123", "fqdn", "uuid", "uuid4", "datetime"}

// bounds warns of lengths without a bound (OWASP API4:2023), and of required
// values that can never be sent.
func (l *linter) bounds(t reflect.Type, where, rules string, spared bool) {
	limited := false
	for rule := range strings.SplitSeq(rules, ",") {
		name, _, _ := strings.Cut(rule, "=")
		limited = limited || slices.Contains(bounded, name)
	}
	switch t.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		if !limited && !reflect.PointerTo(t).Implements(textUnmarshaler) {
			l.unbounded(where, "has no bound; add max")
		}
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		if has(rules, "required") && !spared {
			l.warnings = append(l.warnings, where+": required makes false and 0 impossible to send; use a pointer")
		}
	}
}
