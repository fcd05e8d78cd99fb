package validate

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// plan is a compiled T: where each field comes from and what rules it has.
type plan struct {
	c       *config
	mode    inputMode
	body    []int // the index of the body's field; empty for T itself
	hasBody bool
	hasForm bool
	cookies bool // there are params of cookies
	params  []param
	schema  schema
}

// param is a field that comes from outside of a body.
type param struct {
	source string // path, query, header, cookie, form
	name   string
	index  []int
	rules  field
	value  string // the default
	preset bool
}

// schema has the fields of every struct in a T.
type schema map[reflect.Type][]field

// field is a member of a struct, with its rules: those of the value itself,
// then those of its elements, and so on. Rules of map keys stand beside.
type field struct {
	index  []int
	name   string // "" for an embedded struct, whose members are its parent's
	levels []string
	keys   string
}

// level returns the rules at a depth, "" below the last.
func (f *field) level(i int) string {
	if i < len(f.levels) {
		return f.levels[i]
	}
	return ""
}

var sources = [...]string{"path", "query", "header", "cookie", "form", "body"}

func compilePlan(c *config, t reflect.Type, mode inputMode, o Options) (*plan, []error) {
	p := &plan{c: c, mode: mode, schema: make(schema)}
	l := &linter{c: c, schema: p.schema, strict: o.Strict, logger: o.Logger}
	if t.Kind() != reflect.Struct {
		return nil, []error{errors.New("validate: " + t.String() + ": is not a struct")}
	}
	if mode == bodyOnly || mode == whole && !tagged(t) {
		p.hasBody = true
		l.structure(t)
		return p, l.finish()
	}
	names := make(map[string]bool)
	for i := range t.NumField() {
		f := t.Field(i)
		where := t.String() + "." + f.Name
		if !f.IsExported() {
			continue
		}
		source, name, ok := sourceOf(f)
		switch {
		case !ok || mode == queryOnly && source != "query" || mode == formOnly && source != "form":
			source = "query"
			if mode == formOnly {
				source = "form"
			}
			l.problem(where, "has not exactly one source; did you mean `"+source+":\""+strings.ToLower(f.Name)+"\"`?")
		case source == "body" && (name != "json" || p.hasBody || f.Type.Kind() != reflect.Struct):
			l.problem(where, "the body is one struct, with the tag `body:\"json\"`")
		case source == "body":
			p.hasBody, p.body = true, f.Index
			l.structure(f.Type)
		case name == "" || names[source+" "+name]:
			l.problem(where, "has no name, or that of another field")
		default:
			names[source+" "+name] = true
			p.hasForm, p.cookies = p.hasForm || source == "form", p.cookies || source == "cookie"
			p.params = append(p.params, l.param(f, where, source, name))
		}
	}
	if p.hasForm && p.hasBody {
		l.problem(t.String(), "a request has a form or a JSON body, not both")
	}
	if p.hasForm && o.Types != nil {
		l.problem(t.String(), "a form has one media type; did you mean Options without Types?")
	}
	return p, l.finish()
}

// tagged reports whether any field names a source.
func tagged(t reflect.Type) bool {
	for f := range t.Fields() {
		for _, source := range sources {
			if _, ok := f.Tag.Lookup(source); ok {
				return true
			}
		}
	}
	return false
}

// sourceOf returns the one source of a field.
func sourceOf(f reflect.StructField) (source, name string, ok bool) {
	for _, s := range sources {
		if value, found := f.Tag.Lookup(s); found {
			if ok {
				return "", "", false
			}
			source, name, ok = s, value, true
		}
	}
	if source == "header" {
		name = http.CanonicalHeaderKey(name)
	}
	return source, name, ok
}

// read reads a request into v, a pointer to a T.
func (p *plan) read(w http.ResponseWriter, r *http.Request, v reflect.Value) error {
	if p.mode == whole || p.mode == queryOnly {
		if err := p.readParams(r, v.Elem()); err != nil {
			return err
		}
	}
	if p.mode == whole && !p.hasBody && !p.hasForm && (r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody) {
		return ErrUnexpectedBody.Header("Connection", "close")
	}
	if p.hasForm {
		if err := p.readForm(w, r, v.Elem()); err != nil {
			return err
		}
	}
	if p.hasBody {
		if err := p.c.checkMedia(r, p.c.types); err != nil {
			return err
		}
		count := &counter{limits: &p.c.limits}
		data, err := p.c.readBody(w, r, count.write)
		if err != nil {
			return err
		}
		target := v
		if len(p.body) > 0 {
			target = v.Elem().FieldByIndex(p.body).Addr()
		}
		if err := p.c.decodeBody(data, count, target); err != nil {
			return err
		}
	}
	return p.checkRules(v.Elem())
}

// checkRules asks every rule, until there are as many problems as are looked
// for.
func (p *plan) checkRules(v reflect.Value) error {
	walk := &walker{c: p.c, schema: p.schema}
	for i := range p.params {
		param := &p.params[i]
		walk.value(v.FieldByIndex(param.index), &param.rules, 0, &place{source: label(param.source), name: param.name})
	}
	if p.hasBody {
		if len(p.body) > 0 {
			v = v.FieldByIndex(p.body)
		}
		walk.structure(v, nil)
	}
	if len(walk.problems) == 0 {
		return nil
	}
	return &refusal{kind: ErrInvalid, problems: walk.problems, more: len(walk.problems) == p.c.limits.Errors}
}

// label is how messages name a source.
func label(source string) string {
	switch source {
	case "query", "path":
		return source + " parameter"
	case "form":
		return "form field"
	}
	return source
}

// ignored reports whether a query parameter is dropped unread.
func (c *config) ignored(name string) bool {
	return slices.ContainsFunc(c.ignore, func(pattern string) bool {
		prefix, any := strings.CutSuffix(pattern, "*")
		return name == pattern || any && strings.HasPrefix(name, prefix)
	})
}
