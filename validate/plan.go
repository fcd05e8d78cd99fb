package validate

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// A plan is a compiled T: the source and the rules of each field.
type plan struct {
	c       *config
	mode    inputMode
	body    []int  // index of the field of the body; nil if T itself is the body
	root    *check // of the body; nil without a JSON body
	node    *node  // of the JSON body
	raw     []int  // index of the field with the bytes of the body; nil without one
	hasForm bool
	hasFile bool // the form is multipart
	cookies bool // some params are cookies
	params  []param
	levels  [][]int // T and the structs embedded in it, if Setup may have registered functions

	checkers [][]int // T and the structs embedded in it that are Checkers
}

// A param is a field whose source is not the body.
type param struct {
	source string // path, query, header, cookie, form
	name   string
	index  []int // of the field, which may be in an embedded struct
	check  *check
	types  []string // of a file
	value  string   // the default
	preset bool
	comma  bool // the value is a list that is separated by commas
}

var sources = [...]string{"path", "query", "header", "cookie", "form", "body"}

func compilePlan(c *config, t reflect.Type, mode inputMode, o Options) (*plan, []error) {
	p := &plan{c: c, mode: mode}
	l := &linter{c: c, structures: make(map[structureKey]*fields), strict: o.Strict, logger: o.Logger}
	switch isStruct := t.Kind() == reflect.Struct; {
	case !isStruct && (mode == queryOnly || mode == formOnly):
		return nil, []error{errors.New("validate: " + t.String() + ": is not a struct")}
	case mode == bodyOnly || mode == decoderOnly || mode == whole && !(isStruct && tagged(t)):
		p.root = l.root(t)
	default:
		p.sources(l, t, nil, make(map[string]string))
	}
	p.checkBodies(l, t, o)
	if mode == decoderOnly {
		l.checkDecoderOptions(o)
	}
	if p.root != nil && len(l.problems) == 0 {
		body := t
		if p.body != nil {
			body = t.FieldByIndex(p.body).Type
		}
		p.node = nodeOf(body, make(map[reflect.Type]*node))
	}
	seen := make(map[*fields]bool)
	p.root.markIdle(seen)
	for i := range p.params {
		p.params[i].check.markIdle(seen)
	}
	return p, l.finish()
}

// checkBodies reports bodies that one request cannot have.
func (p *plan) checkBodies(l *linter, t reflect.Type, o Options) {
	raw := p.raw != nil && p.root == nil && !p.hasForm // alone
	switch {
	case p.hasForm && p.root != nil:
		l.problem(t.String(), "has form fields and a JSON body; a request cannot have both")
	case p.hasForm && o.Types != nil:
		l.problem(t.String(), "a form has one media type; did you mean Options without Types?")
	case raw && o.Types == nil:
		l.problem(t.String(), `has body:"raw" alone, for which Options.Types must list the media types; did you mean Types: []string{"application/octet-stream"}?`)
	}
	switch {
	case p.raw != nil && o.Gzip:
		l.problem(t.String(), `has body:"raw", which are the bytes that were sent, and Gzip, which changes them; did you mean Options without Gzip?`)
	case p.raw != nil && p.hasFile:
		l.problem(t.String(), `has body:"raw" and a File, which is not kept in memory; did you mean to leave one out?`)
	}
}

// sources compiles the fields of a T that have sources, including those of embedded
// structs. names maps each source and name to its field.
func (p *plan) sources(l *linter, t reflect.Type, above []int, names map[string]string) {
	defer func() {
		if l.c.foreign { // the innermost first, like the validator
			p.levels = append(p.levels, above)
		}
		if l.checks(t, t.String()) {
			p.checkers = append(p.checkers, above)
		}
	}()
	for f := range t.Fields() {
		where := t.String() + "." + f.Name
		f.Index = append(slices.Clone(above), f.Index...)
		source, name, ok := sourceOf(f)
		switch {
		case f.Anonymous && source == "" && f.Type.Kind() == reflect.Struct && !readsItself(f.Type):
			l.checkEmbeddedTags(f, where)
			p.sources(l, f.Type, f.Index, names)
			continue
		case f.Anonymous && source == "" && f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct:
			l.problem(where, "is an embedded pointer; did you mean to embed the struct itself?")
			continue
		case !f.IsExported():
			l.checkHiddenTags(f, where)
			continue
		}
		if !ok || p.unreadSource(source) {
			l.problem(where, p.sourceHint(f, source))
			continue
		}
		l.checkParamTags(f, where, tagPair{source, name})
		if source == "body" {
			p.sourceBody(l, f, where, name)
			continue
		}
		p.source(l, f, where, tagPair{source, name}, names)
	}
}

// sourceBody compiles a field that is the body, or its bytes.
func (p *plan) sourceBody(l *linter, f reflect.StructField, where, name string) {
	switch {
	case name == "json" && p.root != nil, name == "raw" && p.raw != nil:
		l.problem(where, "is a second body:"+strconv.Quote(name)+"; a request has one body")
	case name == "json":
		p.body, p.root = f.Index, l.compileField(f, where)
	case name == "raw" && f.Type != bytesType:
		l.problem(where, `is a `+f.Type.String()+`; a body:"raw" must be a []byte`)
	case name == "raw":
		if f.Tag.Get("validate") != "" {
			l.problem(where, `has rules, which are not applied to body:"raw"; did you mean Limits.Body?`)
		}
		p.raw = f.Index
	default:
		l.problem(where, "has the unknown source body:"+strconv.Quote(name)+`; did you mean body:"json"?`)
	}
}

var bytesType = reflect.TypeFor[[]byte]()

// source compiles one parameter.
func (p *plan) source(l *linter, f reflect.StructField, where string, from tagPair, names map[string]string) {
	other, known := names[from.String()]
	switch {
	case from.value == "":
		l.problem(where, "has no name; did you mean "+from.key+":"+strconv.Quote(strings.ToLower(f.Name))+"?")
		return
	case known:
		l.problem(where, "has the source "+from.String()+", which is also read by "+other)
		return
	case f.Type == fileType && p.hasFile:
		l.problem(where, "a form can have only one file")
	}
	names[from.String()] = where
	p.hasForm, p.cookies = p.hasForm || from.key == "form", p.cookies || from.key == "cookie"
	p.hasFile = p.hasFile || f.Type == fileType
	p.params = append(p.params, l.param(f, where, from.key, from.value))
}

// unreadSource reports whether the constructor does not read a source.
func (p *plan) unreadSource(source string) bool {
	return p.mode == queryOnly && source != "query" || p.mode == formOnly && source != "form"
}

// sourceHint describes a field without exactly one source, or with a source that the
// constructor does not read.
func (p *plan) sourceHint(f reflect.StructField, source string) string {
	likely, name := "query", "Query"
	if p.mode == formOnly {
		likely, name = "form", "Form"
	}
	_, member := f.Tag.Lookup("json")
	meant, tag, foreign := foreignSource(f)
	switch {
	case source == "" && foreign:
		return "must have exactly one source; did you mean " + meant.String() + " instead of " + tag.String() + "?"
	case source != "" && p.unreadSource(source):
		value := f.Tag.Get(source)
		return "has the source " + tagPair{source, value}.String() + ", but " + name + " reads only the " + likely + "; did you mean Input?"
	case source != "":
		return "must have exactly one source; did you mean only " + tagPair{source, f.Tag.Get(source)}.String() + "?"
	case source == "" && underlyingType(f.Type).Kind() == reflect.Struct && !readsItself(underlyingType(f.Type)) && tagged(underlyingType(f.Type)):
		return "is a struct of parameters with a name; did you mean to embed it?"
	case source == "" && member && p.mode == whole:
		return `must have exactly one source; did you mean a struct of the members, in a field with body:"json"?`
	}
	return "must have exactly one source; did you mean `" + likely + ":\"" + strings.ToLower(f.Name) + "\"`?"
}

// readsItself reports whether a struct is read as one value instead of by its fields.
func readsItself(t reflect.Type) bool {
	return t == fileType || t == timeType || optType(t) != t || decodesItself(t)
}

// tagged reports whether any field of a T, or of a struct embedded in it, names
// a source.
func tagged(t reflect.Type) bool {
	for f := range t.Fields() {
		for _, source := range sources {
			if _, ok := f.Tag.Lookup(source); ok {
				return true
			}
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct && !readsItself(f.Type) && tagged(f.Type) {
			return true
		}
	}
	return false
}

// sourceOf returns the one source of a field.
func sourceOf(f reflect.StructField) (source, name string, ok bool) {
	for _, s := range sources {
		if value, found := f.Tag.Lookup(s); found {
			if ok {
				return source, "", false
			}
			source, name, ok = s, value, true
		}
	}
	if source == "header" {
		name = http.CanonicalHeaderKey(name)
	}
	if isCommaList(f, source) {
		name = bareName(name)
	}
	return source, name, ok
}

// isCommaList reports whether a parameter has the option comma: query:"ids,comma".
func isCommaList(f reflect.StructField, source string) bool {
	return (source == "query" || source == "form") && strings.HasSuffix(f.Tag.Get(source), ",comma") && strings.Count(f.Tag.Get(source), ",") == 1
}

// readRequest decodes a request into v, a *T, and checks its rules.
func (p *plan) readRequest(w http.ResponseWriter, r *http.Request, v reflect.Value) error {
	s := p.c.scratches.Get().(*scratch)
	defer p.c.release(s)
	s.walker.ctx = r.Context()
	if p.mode != queryOnly && !p.c.reportOnly {
		s.patience = p.c.patience(w, r) // first, so that the deadline also bounds a body that is refused unread
	}
	if p.mode == whole || p.mode == queryOnly {
		if err := p.readParams(r, v.Elem()); err != nil {
			return err
		}
	}
	if p.mode == whole && p.root == nil && !p.hasForm && p.raw == nil {
		if err := refuseBody(r, &s.patience); err != nil {
			return err
		}
	}
	if p.hasForm {
		if err := p.readForm(r, v.Elem(), s); err != nil {
			return err
		}
	}
	switch {
	case p.root != nil:
		if err := p.readJSON(r, v, s); err != nil {
			return err
		}
	case p.raw != nil && !p.hasForm:
		if err := p.readRaw(r, v, s); err != nil {
			return err
		}
	}
	return p.checkRules(v.Elem(), &s.walker)
}

// ignored reports whether a query parameter is dropped unread.
func (c *config) ignored(name string) bool {
	return slices.ContainsFunc(c.ignore, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	})
}
