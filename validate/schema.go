package validate

import (
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ringwall/ringwall/errors"
)

// Schema returns the JSON Schema (2020-12) of the input that [Input] accepts for a T
// with the same options. If T is the body, it is the schema of the body. Otherwise
// it is the schema of an object with the members path, query, header, cookie, form
// and body.
//
// The schema accepts a document if and only if a request with it is accepted,
// except for rules that JSON Schema cannot express:
//
//   - the [Limits], control characters, and repeated members;
//   - the spelling of a number: to JSON Schema, 1.0 is an integer, -0 is an unsigned
//     one, and numbers beyond the range or precision of a float64 are numbers;
//   - formats, such as email and url, which most validators ignore, and the layouts
//     of times and of the rule datetime;
//   - values of types that decode themselves, and rules about them: the schema has
//     only their JSON type, if it is known;
//   - the range of numbers in strings, with the option string or as names in a map,
//     and rules about them;
//   - unique for lists of structs, in which an absent member is equal to a zero, and
//     for maps;
//   - lowercase and uppercase for letters beyond ASCII, patterns with the flag m,
//     and lengths of more than 3000 bytes in base64;
//   - rules of a [Checker], rules and functions of Setup, and rules of the validator without a pattern
//     here.
//
// A rule that the schema does not express is a $comment in it. Patterns are in the
// syntax of ECMA 262 with the flag u.
func Schema[T any](options ...Options) ([]byte, error) {
	options = slices.Clone(options)
	for i := range options {
		options[i].Logger = slog.New(slog.DiscardHandler) // only the constructor of the middleware warns
	}
	if len(options) == 0 {
		options = []Options{{Logger: slog.New(slog.DiscardHandler)}}
	}
	p, err := compileType(reflect.TypeFor[T](), whole, options)
	if err != nil {
		return nil, err
	}
	return p.schema()
}

// keywords is a JSON Schema.
type keywords map[string]any

// An exporter builds the schema of a plan.
type exporter struct {
	plan  *plan
	body  bool // the value is in the body, where InsecureAllowNull applies
	names map[*fields]string
	defs  keywords
}

func (p *plan) schema() ([]byte, error) {
	e := &exporter{plan: p, names: make(map[*fields]string), defs: make(keywords)}
	var root keywords
	if p.root != nil && p.body == nil {
		root = e.bodySchema()
	} else {
		root = e.sources()
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	if len(e.defs) > 0 {
		root["$defs"] = e.defs
	}
	text, err := json.Marshal(root, json.Deterministic(true), jsontext.EscapeForHTML(false))
	if err != nil {
		return nil, errors.New("validate: Schema: " + err.Error())
	}
	return text, nil
}

func (e *exporter) bodySchema() keywords {
	e.body = true
	return e.valueSchema(e.plan.root)
}

// sources returns the schema of the object with a member for each source.
func (e *exporter) sources() keywords {
	members, required := keywords{}, []string{}
	objects := make(map[string]keywords)
	for i := range e.plan.params {
		p := &e.plan.params[i]
		o := objects[p.source]
		if o == nil {
			o = keywords{"type": "object", "properties": keywords{}, "required": []string{}}
			if p.source != "header" && p.source != "cookie" { // a request may have other headers and cookies
				o["additionalProperties"] = false
			}
			objects[p.source], members[p.source] = o, o
		}
		value := e.valueSchema(p.check)
		switch {
		case p.types != nil:
			value = keywords{"type": "string", "description": "a file of " + strings.Join(p.types, ", ")}
		case p.preset:
			value["default"] = defaultOf(p)
		}
		o["properties"].(keywords)[p.name] = value
		if !p.preset && e.needed(p.check) {
			o["required"] = append(o["required"].([]string), p.name)
			if !slices.Contains(required, p.source) {
				required = append(required, p.source)
			}
		}
	}
	switch {
	case e.plan.root != nil:
		members["body"] = e.bodySchema()
		if !e.plan.root.isOptional() || e.plan.root.required {
			required = append(required, "body")
		}
	case e.plan.raw != nil && !e.plan.hasForm:
		members["body"] = keywords{"type": "string", "description": "the bytes of a body of " + strings.Join(e.plan.c.types, ", ")}
		required = append(required, "body")
	}
	return keywords{"type": "object", "properties": members, "required": required, "additionalProperties": false}
}

// defaultOf returns the default of a parameter as JSON.
func defaultOf(p *param) any {
	c := p.check
	if c.shape == list && !c.readsItself() {
		return []any{literal(c.elem, p.value)}
	}
	return literal(c, p.value)
}

// literal returns a text as the JSON of a type. A type that decodes itself is decoded
// from a string.
func literal(c *check, value string) any {
	if c.t == durationType {
		return value
	}
	if number := c.shape == signed || c.shape == unsigned || c.shape == float; !c.readsItself() && (number || c.t.Kind() == reflect.Bool) {
		return jsontext.Value(value)
	}
	return value
}

// needed reports whether a member must be present: whether the zero value of an absent
// one breaks its rules.
func (e *exporter) needed(c *check) bool {
	t := c.t
	for i := len(c.hops) - 1; i >= 0; i-- {
		if c.hops[i] == optHop {
			return c.required
		}
		t = reflect.PointerTo(t)
	}
	w := e.plan.c.newRuleWalker()
	w.checkValue(reflect.Zero(t), c)
	return len(w.problems) > 0
}

// valueSchema returns the schema of a value: its rules, or null if that is accepted.
func (e *exporter) valueSchema(c *check) keywords {
	var rules []string
	if c.tag != "" {
		rules = strings.Split(c.tag, ",")
	}
	v := e.ruled(c, rules)
	if len(c.hops) == 0 {
		if e.body && e.plan.c.allowNull && c.t.Kind() != reflect.Interface && !e.needed(c) {
			return keywords{"anyOf": []keywords{{"type": "null"}, v}} // null is decoded as zero
		}
		return v
	}
	refused := c.needed
	if c.hops[0] == optHop {
		refused = c.required
	}
	if refused {
		return v
	}
	return keywords{"anyOf": []keywords{{"type": "null"}, v}}
}

// ruled adds rules to the shape of a value in their order, because rules after an
// omitempty apply only to a value that is not empty.
func (e *exporter) ruled(c *check, rules []string) keywords {
	if len(rules) == 0 {
		return e.shaped(c)
	}
	if c.custom || c.readsItself() || c.t == durationType {
		return merge(keywords{"$comment": "rules " + strings.Join(rules, ",")}, e.shaped(c)) // the rules apply to the value in Go
	}
	rest := func() keywords { return e.ruled(c, rules[1:]) }
	pointed := len(c.hops) > 0
	switch rule := rules[0]; rule {
	case "omitnil":
		return rest()
	case "omitempty", "omitzero":
		if c.shape == mapping || c.shape == list && c.t.Kind() == reflect.Slice {
			if rule == "omitempty" { // omits only nil, which JSON cannot express
				return rest()
			}
			return keywords{"anyOf": []keywords{e.empty(c.t), rest()}}
		}
		if rule == "omitempty" && pointed || c.t.Kind() == reflect.Interface {
			return rest()
		}
		return keywords{"anyOf": []keywords{e.zeroBehind(c), rest()}}
	case "required":
		switch {
		case c.t.Kind() == reflect.Interface:
			return merge(keywords{"not": keywords{"type": "null"}}, rest())
		case pointed || c.shape == mapping || c.shape == list && c.t.Kind() == reflect.Slice:
			return rest()
		}
		return merge(keywords{"not": e.zeroBehind(c)}, rest())
	default:
		var alternatives []keywords
		for alternative := range strings.SplitSeq(rule, "|") {
			alternatives = append(alternatives, e.rule(c, alternative))
		}
		if len(alternatives) > 1 {
			return merge(keywords{"anyOf": alternatives}, rest())
		}
		return merge(alternatives[0], rest())
	}
}

// merge returns a schema that accepts the values that both schemas accept.
func merge(a, b keywords) keywords {
	for key := range a {
		if _, both := b[key]; both {
			return keywords{"allOf": []keywords{a, b}}
		}
	}
	for key, value := range a {
		b[key] = value
	}
	return b
}

// shaped is the schema of a type without rules.
func (e *exporter) shaped(c *check) keywords {
	p := reflect.PointerTo(c.t)
	switch {
	case c.t == timeType:
		return keywords{"type": "string", "format": "date-time"}
	case c.quoted:
		return keywords{"type": "string", "pattern": numberForms[c.shape]}
	case optType(c.t) == c.t && (p.Implements(fromType) || p.Implements(unmarshalerType)):
		if e.plan.c.allowNull {
			return keywords{}
		}
		return keywords{"not": keywords{"type": "null"}}
	case p.Implements(textUnmarshaler):
		return keywords{"type": "string"}
	case c.t == durationType: // of a parameter
		return keywords{"type": "string", "pattern": `^-?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$`}
	}
	switch c.shape {
	case structure:
		return e.reference(c.fields, c.t)
	case text:
		return keywords{"type": "string"}
	case signed:
		n := uint(c.t.Bits() - 1)
		return keywords{"type": "integer", "minimum": int64(-1) << n, "maximum": int64(uint64(1)<<n - 1)}
	case unsigned:
		return keywords{"type": "integer", "minimum": 0, "maximum": ^uint64(0) >> (64 - c.t.Bits())}
	case float:
		if c.t.Kind() == reflect.Float32 { // values beyond half a step above its maximum
			return keywords{"type": "number", "exclusiveMinimum": jsontext.Value("-" + beyondFloat32), "exclusiveMaximum": jsontext.Value(beyondFloat32)}
		}
		return keywords{"type": "number"}
	case mapping:
		o := keywords{"type": "object", "additionalProperties": e.valueSchema(c.elem)}
		switch form := numberForms[c.key.shape]; {
		case c.key.readsItself():
		case form != "":
			quoted := *c.key
			quoted.quoted = true
			o["propertyNames"] = e.valueSchema(&quoted)
		case c.key.tag != "":
			o["propertyNames"] = e.valueSchema(c.key)
		}
		return o
	case list:
		if isBytes(c.t) {
			if c.t.Kind() == reflect.Array {
				return bytesForm(int64(c.t.Len()), int64(c.t.Len()))
			}
			return bytesForm(0, -1)
		}
		a := keywords{"type": "array", "items": e.valueSchema(c.elem)}
		if c.t.Kind() == reflect.Array {
			a["minItems"], a["maxItems"] = c.t.Len(), c.t.Len()
		}
		return a
	}
	if c.t.Kind() == reflect.Bool {
		return keywords{"type": "boolean"}
	}
	return keywords{}
}

// beyondFloat32 is the least number that is infinite as a float32: 2^128-2^103.
const beyondFloat32 = "340282356779733661637539395458142568448"

// readsItself reports whether a value is read by methods of its type, so that
// its text is unknown. The text of a time is not.
func (c *check) readsItself() bool { return c.t != timeType && decodesItself(c.t) }

// object is the schema of an object without members.
func (e *exporter) object() keywords {
	o := keywords{"type": "object", "properties": keywords{}}
	if !e.plan.c.allowUnknown {
		o["additionalProperties"] = false
	}
	return o
}

// reference names the schema of a struct, which may contain itself.
func (e *exporter) reference(f *fields, t reflect.Type) keywords {
	name, known := e.names[f]
	if !known {
		name = e.nameOf(t)
		e.names[f], e.defs[name] = name, nil
		o := e.object()
		o["required"] = []string{}
		e.members(o, f)
		e.defs[name] = o
	}
	return keywords{"$ref": "#/$defs/" + name}
}

// nameOf returns an unused name for a type.
func (e *exporter) nameOf(t reflect.Type) string {
	base := strings.Map(func(r rune) rune {
		if r < 0x80 && (letter(byte(r)) || digit(byte(r))) {
			return r
		}
		return -1
	}, t.Name())
	if base == "" {
		base = "object"
	}
	name := base
	for n := 2; ; n++ {
		if _, taken := e.defs[name]; !taken {
			return name
		}
		name = base + strconv.Itoa(n)
	}
}
