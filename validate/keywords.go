package validate

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// empty returns the schema of an empty list or mapping.
func (e *exporter) empty(t reflect.Type) keywords {
	if t.Kind() == reflect.Map {
		return keywords{"type": "object", "maxProperties": 0}
	}
	if isBytes(t) {
		return keywords{"const": ""}
	}
	return keywords{"type": "array", "maxItems": 0}
}

// zero returns the schema of the JSON that is decoded as the zero value of a type. No
// list or mapping is: an empty one is not nil.
func (e *exporter) zero(c *check) keywords {
	switch {
	case len(c.hops) == 0:
		return e.zeroBehind(c)
	case c.hops[0] == pointerHop:
		return keywords{"type": "null"}
	}
	return keywords{"not": keywords{}} // an Opt that is present is set
}

// zeroBehind is like zero for the type behind pointers.
func (e *exporter) zeroBehind(c *check) keywords {
	switch {
	case c.quoted:
		return keywords{"type": "string", "pattern": quotedZeros[c.shape]}
	case c.readsItself(): // the text of zero is unknown
		return keywords{"not": keywords{}}
	}
	switch c.shape {
	case text:
		return keywords{"const": ""}
	case signed, unsigned, float:
		return keywords{"const": 0}
	case structure:
		o := e.object()
		e.zeros(o["properties"].(keywords), c.fields)
		return o
	case list:
		if c.t.Kind() == reflect.Array && isBytes(c.t) {
			return zeroBytes(c.t.Len())
		}
		if c.t.Kind() == reflect.Array {
			return keywords{"type": "array", "items": e.zero(c.elem), "minItems": c.t.Len(), "maxItems": c.t.Len()}
		}
	case opaque:
		switch c.t.Kind() {
		case reflect.Bool:
			return keywords{"const": false}
		case reflect.Interface:
			return keywords{"type": "null"}
		}
		return keywords{"const": "0001-01-01T00:00:00Z"}
	}
	return keywords{"not": keywords{}}
}

func (e *exporter) zeros(properties keywords, f *fields) {
	for _, m := range f.all {
		if m.name == "" {
			e.zeros(properties, m.check.fields)
			continue
		}
		properties[m.name] = e.zero(m.check)
	}
}

// bounds are the keywords of the minimum and the maximum of a shape.
var bounds = map[shape][2]string{
	text: {"minLength", "maxLength"}, list: {"minItems", "maxItems"}, mapping: {"minProperties", "maxProperties"},
	signed: {"minimum", "maximum"}, unsigned: {"minimum", "maximum"}, float: {"minimum", "maximum"},
}

// rule returns the schema of one rule. A rule that JSON Schema cannot express becomes a
// comment.
func (e *exporter) rule(c *check, rule string) keywords {
	name, param, _ := strings.Cut(rule, "=")
	param = tagEscapes.Replace(param)
	comment := keywords{"$comment": "rule " + rule}
	if form, ok := forms[name]; ok && c.shape == text && param == "" {
		return merge(form, keywords{})
	}
	if form, ok := textForm(name, param); ok && c.shape == text && param != "" {
		return form
	}
	switch {
	case c.quoted:
		return comment // the rule applies to the number, not to its text
	case c.shape == list && isBytes(c.t):
		return sizedBytes(name, param, comment)
	case name == "isdefault" && param == "":
		return e.isDefault(c)
	case name == "unique" && param == "" && c.shape == list && (c.elem.shape == structure || c.elem.readsItself()):
		return keywords{"uniqueItems": true, "$comment": "rule unique"} // an absent member is equal to a zero
	case name == "unique" && param == "" && c.shape == list:
		return keywords{"uniqueItems": true}
	case name == "pattern" && c.shape == text:
		inner := strings.TrimSuffix(strings.TrimPrefix(e.plan.c.patterns[param].String(), `\A(?:`), `)\z`)
		if printed, ok := printPattern(inner); ok {
			return keywords{"pattern": printed}
		}
		return comment
	case name == "oneof":
		return keywords{"enum": literals(c.shape, splitWords(param))}
	case name == "noneof":
		return keywords{"not": keywords{"enum": literals(c.shape, splitWords(param))}}
	case c.t.Kind() == reflect.Bool && (name == "eq" || name == "ne"):
		return equal(name == "eq", param == "true" || param == "1")
	case c.shape == text && (name == "eq" || name == "ne"):
		return equal(name == "eq", param)
	}
	o, ok := comparisons[name]
	words, bounded := bounds[c.shape]
	if !ok || !bounded || c.t == durationType {
		return comment
	}
	if c.shape == text || c.shape == list || c.shape == mapping {
		n, err := strconv.ParseInt(param, 0, 64)
		if err != nil {
			return comment
		}
		return sized(o, words, n)
	}
	return compared(o, jsonNumber(c.shape, param))
}

// tagEscapes are the validator's escapes of bytes that separate rules in a tag.
var tagEscapes = strings.NewReplacer("0x2C", ",", "0x7C", "|")

// splitWords splits the parameter of oneof, whose words may be quoted.
func splitWords(param string) []string {
	words := quotedWords.FindAllString(param, -1)
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, "'", "")
	}
	return words
}

var quotedWords = regexp.MustCompile(`'[^']*'|\S+`)

// isDefault returns the schema of the rule isdefault. A value behind a pointer is never
// a default, and neither is a list or a mapping that is present.
func (e *exporter) isDefault(c *check) keywords {
	if len(c.hops) > 0 || c.shape == mapping || c.shape == list && c.t.Kind() == reflect.Slice {
		return keywords{"not": keywords{}}
	}
	return e.zeroBehind(c)
}

func equal(same bool, value any) keywords {
	if same {
		return keywords{"const": value}
	}
	return keywords{"not": keywords{"const": value}}
}

// jsonNumber returns the parameter of a rule as a JSON number.
func jsonNumber(s shape, param string) jsontext.Value {
	switch s {
	case signed:
		if n, err := strconv.ParseInt(param, 0, 64); err == nil {
			return jsontext.Value(strconv.FormatInt(n, 10))
		}
	case unsigned:
		if n, err := strconv.ParseUint(param, 0, 64); err == nil {
			return jsontext.Value(strconv.FormatUint(n, 10))
		}
	}
	return jsontext.Value(param)
}

// literals returns the words of a oneof as JSON. A number that is not in its usual
// spelling is dropped, because it never equals a value.
func literals(s shape, list []string) []any {
	values := []any{}
	for _, word := range list {
		switch {
		case s == text:
			values = append(values, word)
		case string(jsonNumber(s, word)) == word && slices.Contains([]shape{signed, unsigned}, s):
			values = append(values, jsontext.Value(word))
		}
	}
	return values
}

// sized returns the schema of a rule about a length, which is at least 0.
func sized(o op, words [2]string, n int64) keywords {
	least, most := words[0], words[1]
	switch o {
	case opMin:
		return keywords{least: max(n, 0)}
	case opMore:
		return keywords{least: max(n+1, 0)}
	case opMax, opLess:
		if o == opLess {
			n--
		}
		if n < 0 {
			return keywords{"not": keywords{}}
		}
		return keywords{most: n}
	case opOther:
		return keywords{"not": sized(opEqual, words, n)}
	}
	if n < 0 {
		return keywords{"not": keywords{}}
	}
	return keywords{least: n, most: n}
}

// compared returns the schema of a rule about a number.
func compared(o op, n jsontext.Value) keywords {
	switch o {
	case opMin:
		return keywords{"minimum": n}
	case opMax:
		return keywords{"maximum": n}
	case opMore:
		return keywords{"exclusiveMinimum": n}
	case opLess:
		return keywords{"exclusiveMaximum": n}
	}
	return equal(o == opEqual, n)
}
