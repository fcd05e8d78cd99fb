package validate

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// tagPair is one key of a struct tag and its value.
type tagPair struct{ key, value string }

func (p tagPair) String() string { return p.key + ":" + strconv.Quote(p.value) }

// parseTag returns the pairs of a struct tag. Package reflect stops in silence
// at the first part that is not a pair, and returns the first of two values.
func parseTag(tag reflect.StructTag) (pairs []tagPair, ok bool) {
	rest := strings.TrimLeft(string(tag), " ")
	for rest != "" {
		key, after, _ := strings.Cut(rest, ":")
		quoted, err := strconv.QuotedPrefix(after)
		if key == "" || strings.ContainsAny(key, " \"\t\n") || err != nil || quoted[0] != '"' {
			return pairs, false
		}
		value, _ := strconv.Unquote(quoted)
		repeated := slices.ContainsFunc(pairs, func(p tagPair) bool { return p.key == key })
		pairs, rest = append(pairs, tagPair{key, value}), after[len(quoted):]
		if repeated || rest != "" && rest[0] != ' ' {
			return pairs, false
		}
		rest = strings.TrimLeft(rest, " ")
	}
	return pairs, true
}

// checkTagForm reports a tag that package reflect cannot read, and returns its
// pairs.
func (l *linter) checkTagForm(sf reflect.StructField, where string) []tagPair {
	pairs, ok := parseTag(sf.Tag)
	if !ok {
		l.problem(where, "has the tag `"+string(sf.Tag)+"`, of which a part is never read; did you mean pairs of key:\"value\", with one blank between and each key once?")
	}
	return pairs
}

// checkBodyTags reports the tags of a member of a body that are not applied.
// Without this check, the body itself would fill a field that names another
// source. The methods of a type that decodes itself may read other tags of its
// fields, but not those that name sources.
func (l *linter) checkBodyTags(parent reflect.Type, sf reflect.StructField, where string) {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	for _, pair := range l.checkTagForm(sf, where) {
		switch pair.key {
		case "form":
			if (name == "" || name == "-") && !decodesItself(parent) {
				l.problem(where, "has the tag "+pair.String()+" without a name in JSON; did you mean json:"+strconv.Quote(pair.value)+" "+pair.String()+"?")
			}
		case "path", "query", "header", "cookie", "body":
			l.problem(where, "has the tag "+pair.String()+", which is not applied inside a body; did you mean a field of the T of Input, beside one with body:\"json\"?")
		case "default":
			if !decodesItself(parent) {
				l.problem(where, "has the tag "+pair.String()+", which is not applied inside a body; did you mean a pointer or an Opt, and the default in the handler?")
			}
		}
	}
}

// checkHiddenTags reports the tags of a field that is not exported, which no
// decoder can set.
func (l *linter) checkHiddenTags(sf reflect.StructField, where string) {
	for _, pair := range l.checkTagForm(sf, where) {
		if ownTag(pair.key) && pair.value != "-" {
			l.problem(where, "is not exported, so its tag "+pair.String()+" is not applied; did you mean "+strings.ToUpper(sf.Name[:1])+sf.Name[1:]+"?")
		}
	}
}

// checkEmbeddedTags reports tags of an embedded struct of parameters, whose
// fields have the sources and the rules.
func (l *linter) checkEmbeddedTags(sf reflect.StructField, where string) {
	for _, pair := range l.checkTagForm(sf, where) {
		if ownTag(pair.key) {
			l.problem(where, "has the tag "+pair.String()+", which is not applied to an embedded struct of parameters; did you mean rules on its fields?")
		}
	}
}

// ownTag reports whether a key of a struct tag is one that this package reads.
func ownTag(key string) bool {
	return slices.Contains(sources[:], key) || key == "json" || key == "validate" || key == "default" || key == "types"
}
