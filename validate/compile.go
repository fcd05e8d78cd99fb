package validate

import (
	jsonv1 "encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// root compiles a T that is a body.
func (l *linter) root(t reflect.Type) *check {
	switch {
	case t.Kind() == reflect.Struct && optType(t) == t && t != fileType:
		c := newCheck(t, "")
		l.structure(c, t.String())
		return c
	case t.Kind() == reflect.Pointer, optType(t) != t:
		l.problem(t.String(), `is a pointer or an Opt; did you mean a struct with a field of that type and body:"json"?`)
		return &check{t: t}
	case elementType(t) == nil:
		l.problem(t.String(), "contains itself; put a struct between")
		return &check{t: t}
	}
	return l.compileValue(t, t.String(), nil)
}

// structure compiles the members of a struct once for each type, because a type may
// contain itself.
func (l *linter) structure(c *check, where string) {
	defer func(own bool) { l.own = own }(l.own)
	l.own = l.own || decodesItself(c.t)
	key := structureKey{c.t, l.own}
	if c.fields = l.structures[key]; c.fields != nil {
		return
	}
	c.fields = &fields{levels: l.c.foreign, checks: l.checks(c.t, c.t.String())}
	l.structures[key] = c.fields
	l.decodes(c.t, where)
	l.checkShadowed(c.t)
	for sf := range c.t.Fields() {
		name := bareName(sf.Tag.Get("json"))
		embedded := sf.Anonymous && name == ""
		here := c.t.String() + "." + sf.Name
		if !sf.IsExported() && !embedded {
			l.checkHiddenTags(sf, here)
			continue
		}
		l.checkBodyTags(c.t, sf, here)
		if sf.Tag.Get("json") == "-" {
			continue
		}
		if embedded && !sf.IsExported() && sf.Type.Kind() == reflect.Pointer {
			l.problem(here, "is an embedded pointer to an unexported type, which the decoder cannot set")
		}
		if name == "" && !embedded {
			name = sf.Name
		}
		c.fields.all = append(c.fields.all, member{index: sf.Index[0], name: name, check: l.compileField(sf, here)})
	}
}

// isLoose reports whether an option of a json tag accepts more than one name.
func isLoose(option string) bool {
	return strings.HasPrefix(option, "case:") || slices.Contains([]string{"inline", "embed", "unknown", "strictcase", "nocase"}, option)
}

// decodes reports a struct that the decoder refuses at its first use, such as one
// with two members of one name.
func (l *linter) decodes(t reflect.Type, where string) {
	if decodesItself(t) {
		return
	}
	if err := json.Unmarshal([]byte("{}"), reflect.New(t).Interface()); err != nil {
		l.problem(where, "cannot be decoded: "+err.Error())
	}
	for f := range t.Fields() {
		if f.IsExported() && f.Tag.Get("json") != "-" && elementType(f.Type) == durationType && !decodesItself(f.Type) {
			l.problem(t.String()+"."+f.Name, "a time.Duration cannot be read from JSON; did you mean a number of seconds?")
		}
	}
}

// decodesItself reports whether a type has a method that the decoder calls. It
// reports false for an Opt, whose value is checked.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return optType(t) == t && (p.Implements(fromType) || p.Implements(unmarshalerType) || p.Implements(textUnmarshaler))
}

// elementType returns the type inside all lists, maps, pointers and Opts, or nil for a
// type that contains only itself.
func elementType(t reflect.Type) reflect.Type {
	for seen := map[reflect.Type]bool{}; !seen[t]; {
		seen[t] = true
		switch k := t.Kind(); {
		case k == reflect.Pointer, k == reflect.Slice, k == reflect.Array, k == reflect.Map:
			t = t.Elem()
		case optType(t) != t:
			t = optType(t)
		default:
			return t
		}
	}
	return nil
}

var (
	numberType      = reflect.TypeFor[jsonv1.Number]()
	urlType         = reflect.TypeFor[url.URL]()
	fromType        = reflect.TypeFor[json.UnmarshalerFrom]()
	unmarshalerType = reflect.TypeFor[interface{ UnmarshalJSON([]byte) error }]()
)

// tags are the rules at one depth of a field: of the value and of its key in a map.
type tags struct{ value, key string }

// compileField compiles the rules of a field.
func (l *linter) compileField(sf reflect.StructField, where string) *check {
	if elementType(sf.Type) == nil { // the check of a list contains the check of its elements
		l.problem(where, "a "+sf.Type.String()+" contains itself; put a struct between")
		return &check{t: sf.Type}
	}
	levels, ok := cutLevels(sf.Tag.Get("validate"))
	if !ok {
		l.problem(where, "has keys without a dive before it or without an endkeys after it")
	}
	c := l.compileValue(sf.Type, where, levels)
	_, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
	c.quoted = slices.Contains(strings.Split(options, ","), "string") && numberForms[c.shape] != "" && !c.readsItself()
	return c
}

// cutLevels cuts a tag into the rules of the value itself and, after each
// dive, the rules of its elements. The rules of map keys are between keys and endkeys,
// directly after the dive.
func cutLevels(tag string) (levels []tags, ok bool) {
	var rules, keys []string
	inKeys, ok := false, true
	level := func() {
		levels = append(levels, tags{strings.Join(rules, ","), strings.Join(keys, ",")})
		rules, keys = nil, nil
	}
	for rule := range strings.SplitSeq(tag, ",") {
		switch {
		case rule == "":
		case rule == "keys":
			ok, inKeys = ok && len(levels) > 0 && len(rules) == 0 && keys == nil && !inKeys, true
		case rule == "endkeys":
			ok, inKeys = ok && inKeys, false
		case inKeys:
			keys = append(keys, rule)
		case rule == "dive":
			level()
		default:
			rules = append(rules, rule)
		}
	}
	level()
	return levels, ok && !inKeys
}

// elements is the suffix of a place for the elements of a list or map.
const elements = "[]"

// compileValue compiles one level of a field and its contents.
func (l *linter) compileValue(t reflect.Type, where string, levels []tags) *check {
	var here, next tags
	below := levels[:0]
	if len(levels) > 0 {
		here, below = levels[0], levels[1:]
	}
	if len(below) > 0 {
		next = below[0]
	}
	c := newCheck(t, here.value)
	c.needed = c.needed || len(c.hops) > 0 && c.tag == "" && len(below) > 0 // a dive refuses nil too
	l.checkReading(c.t, where)
	checked := l.c.checkedType(c.t, len(c.hops) > 0)
	c.custom = checked != c.t
	l.tag(checked, where, c.tag, len(c.hops) > 0)
	l.c.compileRules(c)
	switch c.shape {
	case structure:
		l.structure(c, where)
	case mapping:
		c.key = newCheck(c.t.Key(), next.key)
		l.keys(c.key, where)
		next.key = ""
		fallthrough
	case list:
		c.elem = l.compileValue(c.t.Elem(), where+elements, below)
		below = nil
	case opaque:
		if unreadable(c.t) {
			l.problem(where, "a "+c.t.String()+" cannot be read from JSON")
		}
	}
	if len(below) > 0 {
		l.problem(where, "has dive but no elements")
	}
	if next.key != "" {
		l.problem(where, "has rules for keys but is not a map")
	}
	return c
}

// keys checks and compiles the rules of map keys.
func (l *linter) keys(c *check, where string) {
	switch k := c.shape; {
	case len(c.hops) == 0 && (decodesItself(c.t) || k == text || k == signed || k == unsigned || k == float || c.t.Kind() == reflect.Interface):
	default:
		t := c.t
		if len(c.hops) > 0 {
			t = reflect.PointerTo(t)
		}
		l.problem(where, "a map with keys of "+t.String()+" cannot be read from JSON; did you mean a string or a number?")
	}
	l.checkReading(c.t, where)
	for rule := range strings.SplitSeq(c.tag, ",") {
		if rule != "" {
			l.rule(c.t, where, rule)
		}
	}
	l.contradictions(c.t, where, c.tag, false)
	l.c.compileRules(c)
}

// checkReading reports types that the decoder does not decode as their names suggest.
// Only encoding/json checks a json.Number. For this decoder it is a string: {"n":"abc"}
// would be accepted, and {"n":1} would not. The methods of a type that decodes itself
// may read its fields differently.
func (l *linter) checkReading(t reflect.Type, where string) {
	if l.own {
		return
	}
	switch t {
	case numberType:
		l.problem(where, "a json.Number is not checked by the decoder; did you mean an int64, a float64, or a string with a pattern?")
	case urlType:
		l.problem(where, "a url.URL is read by its fields; did you mean a string with the rule url?")
	}
}

// unreadable reports whether no JSON text can be decoded into a type.
func unreadable(t reflect.Type) bool {
	if decodesItself(t) {
		return false
	}
	return t == fileType || slices.Contains([]reflect.Kind{reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer}, t.Kind()) ||
		t.Kind() == reflect.Interface && t.NumMethod() > 0
}

// param compiles a field whose source is not the body.
func (l *linter) param(sf reflect.StructField, where, source, name string) param {
	p := param{source: source, name: name, index: sf.Index}
	l.reachable(where, source, name)
	t := sf.Type
	if t == fileType {
		p.types, p.check = l.fileParam(sf, where, source), newCheck(t, sf.Tag.Get("validate"))
		l.c.compileRules(p.check)
		return p
	}
	p.check = l.compileField(sf, where)
	if hint := unreadableText(t); hint != "" {
		l.problem(where, hint)
		return p
	}
	if multiple(t) && source != "query" && source != "form" && source != "header" {
		l.problem(where, "only a query parameter, a form field or a header may be a list")
	}
	if p.comma = isCommaList(sf, source); p.comma && !multiple(t) {
		l.problem(where, "has the option comma and is not a list; did you mean a slice?")
	}
	if p.value, p.preset = sf.Tag.Lookup("default"); p.preset {
		preset := reflect.New(sf.Type).Elem()
		if err := l.c.setField(preset, &p, []string{p.value}); err != nil {
			l.problem(where, "the default does not fit the type")
		} else if l.breaks(p.check, preset) {
			l.problem(where, "the default breaks the rules")
		}
	}
	return p
}

// breaks reports whether a value breaks the rules. It reports false if there are
// problems already, because rules that do not exist panic.
func (l *linter) breaks(c *check, v reflect.Value) bool {
	if len(l.problems) > 0 {
		return false
	}
	w := l.c.newRuleWalker()
	w.checkValue(v, c)
	return len(w.problems) > 0
}

// unreadableText describes why a parameter cannot be read from text, or returns
// "".
func unreadableText(t reflect.Type) string {
	whole := t
	if multiple(t) && t.Elem().Kind() != reflect.Uint8 {
		t = t.Elem()
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	hint := ""
	switch {
	case fromText(t):
		return ""
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		hint = "; did you mean a string with the rule base64?"
	case t.Kind() == reflect.Array:
		hint = "; did you mean a slice with the rule len=" + strconv.Itoa(t.Len()) + "?"
	case t.Kind() == reflect.Map:
		t, hint = whole, "; did you mean a field for each name, such as query:\"filter[name]\"?"
	}
	return "a " + t.String() + " cannot be read from text" + hint
}

// fromText reports whether a value can be read from the text of a parameter.
func fromText(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return true
	}
	switch shapeOf(t) {
	case text, signed, unsigned, float:
		return t.Kind() != reflect.Uintptr
	}
	return t.Kind() == reflect.Bool
}
