package validate

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A tagPair is one key of a struct tag and its value.
type tagPair struct{ key, value string }

func (p tagPair) String() string { return p.key + ":" + strconv.Quote(p.value) }

// parseTag returns the pairs of a struct tag. It reports false if part of the tag is not
// a pair, which package reflect ignores with the rest, or if a key is repeated, of which
// reflect returns the first value.
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

// checkTagForm returns the pairs of a tag and reports a tag that package reflect reads
// only in part.
func (l *linter) checkTagForm(sf reflect.StructField, where string) []tagPair {
	pairs, ok := parseTag(sf.Tag)
	if !ok {
		l.problem(where, "has the tag `"+string(sf.Tag)+"`, part of which is ignored; did you mean pairs of key:\"value\", with one space between and each key once?")
	}
	return pairs
}

// checkBodyTags reports the tags of a member of a body that are not applied. Without
// this check, the body would fill a field that names another source. The methods of a
// type that decodes itself may read other tags of its fields, but not source tags of
// this package.
func (l *linter) checkBodyTags(parent reflect.Type, sf reflect.StructField, where string) {
	own := decodesItself(parent)
	for _, pair := range l.checkTagForm(sf, where) {
		switch {
		case slices.Contains(sources[:], pair.key) && pair.key != "form", foreignSources[pair.key] != "" && !own:
			l.problem(where, "has the tag "+pair.String()+", which is not applied inside a body; did you mean a field of the T of Input, beside one with body:\"json\"?")
		case own:
		case pair.key == "form" && !hasMemberName(sf):
			l.problem(where, "has the tag "+pair.String()+" without a name in JSON; did you mean json:"+strconv.Quote(pair.value)+" "+pair.String()+"?")
		case pair.key == "default":
			l.problem(where, "has the tag "+pair.String()+", which is not applied inside a body; did you mean a pointer or an Opt, and the default in the handler?")
		case pair.key == "validate" && sf.Tag.Get("json") == "-" && pair.value != "-":
			l.problem(where, "is not read from JSON, so its tag "+pair.String()+" is not applied; did you mean a name in the json tag?")
		case pair.key == "json":
			l.checkMember(pair, where)
		case slices.Contains(foreignNames, pair.key):
			if _, named := sf.Tag.Lookup("json"); !named && bareName(pair.value) != "" && bareName(pair.value) != "-" {
				l.problem(where, "has the tag "+pair.String()+" but no name in JSON; did you mean json:"+strconv.Quote(bareName(pair.value))+"?")
			}
		default:
			l.checkTag(sf, pair, where)
		}
	}
}

// hasMemberName reports whether the json tag of a field has a name.
func hasMemberName(sf reflect.StructField) bool {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return name != "" && name != "-"
}

// checkMember reports options and quotes of a json tag that the decoder ignores. The
// decoder itself refuses only spellings close to an option.
func (l *linter) checkMember(pair tagPair, where string) {
	name, options, _ := strings.Cut(pair.value, ",")
	if strings.ContainsAny(name, "'") {
		l.problem(where, "has quotes in the tag "+pair.String()+"; did you mean json:"+strconv.Quote(strings.Trim(name, "'"))+"?")
	}
	for option := range strings.SplitSeq(options, ",") {
		switch {
		case isLoose(option):
			l.problem(where, "the json option "+option+" accepts names that are not in the schema")
		case option != "" && option != "omitempty" && option != "omitzero" && option != "string" && !strings.HasPrefix(option, "format:"):
			l.problem(where, "has the option "+option+" in the json tag, which is not applied; did you mean json:"+strconv.Quote(name)+"?")
		}
	}
}

// checkParamTags reports the tags of a parameter, of a file or of the field of a
// body that are not applied.
func (l *linter) checkParamTags(sf reflect.StructField, where string, source tagPair) {
	for _, pair := range l.checkTagForm(sf, where) {
		switch {
		case pair.key == "json" && pair.value != "-" && source.key != "form":
			from := "the " + source.key
			if source.key == "body" {
				from = "the body as a whole"
			}
			l.problem(where, "has the tag "+pair.String()+", and is read from "+from+"; did you mean json:\"-\"?")
		case pair.key == "default" && source.key == "body":
			l.problem(where, "has the tag "+pair.String()+", which is not applied to a body")
		case pair.key == "default" && sf.Type == fileType:
			l.problem(where, "has the tag "+pair.String()+", which is not applied to a File")
		case pair.key == source.key && source.key != "body":
			l.checkName(sf, pair, where)
		default:
			l.checkTag(sf, pair, where)
		}
	}
}

// checkName reports a name that no request contains.
func (l *linter) checkName(sf reflect.StructField, pair tagPair, where string) {
	name, value := bareName(pair.value), pair.value
	meant := func(name string) string { return "; did you mean " + tagPair{pair.key, name}.String() + "?" }
	switch {
	case name != value && isCommaList(sf, pair.key):
	case name != value:
		l.problem(where, "has options in the name "+pair.String()+meant(name))
	case strings.TrimSpace(value) != value:
		l.problem(where, "has the name "+pair.String()+", which has a space around it"+meant(strings.TrimSpace(value)))
	case pair.key == "path" && (strings.ContainsAny(value, "{}") || strings.HasPrefix(value, ":") || strings.HasSuffix(value, "...")):
		l.problem(where, "has the name "+pair.String()+", which is the pattern of a router"+meant(strings.TrimSuffix(strings.Trim(value, "{}:"), "...")))
	}
}

func bareName(value string) string {
	name, _, _ := strings.Cut(value, ",")
	return name
}

// Tags of other packages. foreignSources maps the source tags of echo, gin, fiber,
// goframe, httpin, hertz and go-openapi to the tags of this package. foreignNames name a
// field in another format than JSON.
var (
	foreignSources = map[string]string{
		"param": "path", "params": "path", "uri": "path", "reqHeader": "header", "formData": "form", "in": "query", "raw_body": "body",
	}
	foreignNames = []string{"xml", "yaml", "toml", "mapstructure", "msgpack", "codec", "cbor", "bson", "schema", "url"}
	foreignRules = []string{"binding", "valid", "vd", "v"} // gin, govalidator and beego, hertz, goframe
	// likeRules only describe a field; other packages apply likeChanges on a call.
	likeRules = []string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "enum", "enums", "minItems", "maxItems",
		"uniqueItems", "minProperties", "maxProperties", "required", "dependentRequired", "format", "readOnly", "collection_format", "collectionFormat", "explode",
	}
	likeChanges = []string{"mod", "conform", "sanitize"}
	misspelled  = map[string]string{
		"headers": "header", "cookies": "cookie", "querystring": "query", "validates": "validate", "validator": "validate", "validation": "validate", "defaults": "default", "type": "types",
	}
)

// checkTag reports a tag that is applied nowhere.
func (l *linter) checkTag(sf reflect.StructField, pair tagPair, where string) {
	_, ruled := sf.Tag.Lookup("validate")
	meant := misspelled[pair.key]
	for _, key := range append(sources[:], "json", "validate", "default", "types") {
		if key != pair.key && strings.EqualFold(key, pair.key) {
			meant = key
		}
	}
	switch {
	case pair.key == "types" && sf.Type != fileType:
		l.problem(where, "has the tag "+pair.String()+", which applies only to a File; did you mean a validate.File?")
	case meant != "" && (pair.key != "type" || sf.Type == fileType):
		l.problem(where, "has the tag "+pair.String()+", which is not read; did you mean "+tagPair{meant, pair.value}.String()+"?")
	case slices.Contains(foreignRules, pair.key) && !ruled && pair.value != "-":
		l.problem(where, "has the tag "+pair.String()+" but no validate tag; did you mean "+tagPair{"validate", pair.value}.String()+"?")
	case pair.key == "time_format":
		l.problem(where, "has the tag "+pair.String()+", which is not applied; did you mean a string with the rule datetime="+pair.value+"?")
	case slices.Contains(likeRules, pair.key) && !ruled:
		l.warn(where, "has the tag "+pair.String()+", which is not applied; write rules in the validate tag")
	case slices.Contains(likeChanges, pair.key):
		l.warn(where, "has the tag "+pair.String()+", which is not applied; the input is never changed")
	}
}

// foreignSource returns the tag of another package that names a source, and its meaning
// in tags of this package.
func foreignSource(sf reflect.StructField) (meant, tag tagPair, ok bool) {
	pairs, _ := parseTag(sf.Tag)
	for _, pair := range pairs {
		source, known := foreignSources[pair.key]
		if !known {
			continue
		}
		name := bareName(pair.value)
		if pair.key == "in" { // httpin: in:"query=page;required"
			first, _, _ := strings.Cut(pair.value, ";")
			if from, value, found := strings.Cut(first, "="); found && slices.Contains(sources[:], from) {
				source, name = from, bareName(value)
			}
		}
		return tagPair{source, name}, pair, true
	}
	return meant, tag, false
}

// checkHiddenTags reports the tags of an unexported field, which the decoder cannot set.
func (l *linter) checkHiddenTags(sf reflect.StructField, where string) {
	for _, pair := range l.checkTagForm(sf, where) {
		if ownTag(pair.key) && pair.value != "-" {
			l.problem(where, "is not exported, so its tag "+pair.String()+" is not applied; did you mean "+strings.ToUpper(sf.Name[:1])+sf.Name[1:]+"?")
		}
	}
}

// checkEmbeddedTags reports tags of an embedded struct of parameters, whose own fields
// have the sources and the rules.
func (l *linter) checkEmbeddedTags(sf reflect.StructField, where string) {
	for _, pair := range l.checkTagForm(sf, where) {
		if ownTag(pair.key) {
			l.problem(where, "has the tag "+pair.String()+", which is not applied to an embedded struct of parameters; did you mean rules on its fields?")
		}
	}
}

// ownTag reports whether this package reads a key of a struct tag.
func ownTag(key string) bool {
	return slices.Contains(sources[:], key) || key == "json" || key == "validate" || key == "default" || key == "types"
}
