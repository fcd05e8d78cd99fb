package validate

import (
	"reflect"
	"strconv"
	"strings"
)

// A jsonField is a field that a member may set.
type jsonField struct {
	field  reflect.StructField
	parent reflect.Type
	path   string // from the struct that embeds it
}

// checkShadowed reports fields with rules that the decoder never sets, because a less
// deeply embedded field has the same member name. Their rules would check zero.
func (l *linter) checkShadowed(t reflect.Type) {
	read := make(map[string]jsonField)
	for level := []jsonField{{parent: t}}; len(level) > 0; {
		var next []jsonField
		found := make(map[string]jsonField)
		for _, at := range level {
			for f := range at.parent.Fields() {
				name, path := bareName(f.Tag.Get("json")), strings.TrimPrefix(at.path+"."+f.Name, ".")
				inner := f.Type
				if inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				switch {
				case name == "-" || !f.IsExported() && !f.Anonymous:
					continue
				case f.Anonymous && name == "" && inner.Kind() == reflect.Struct && inner != t && strings.Count(path, ".") < 16:
					next = append(next, jsonField{parent: inner, path: path})
					continue
				case name == "":
					name = f.Name
				}
				this := jsonField{f, at.parent, path}
				if outer, shadowed := read[name]; shadowed && f.Tag.Get("validate") != "" {
					l.problem(at.parent.String()+"."+f.Name, "is never read: the member "+strconv.Quote(name)+" of "+t.String()+" is "+outer.path+"; did you mean another name?")
				}
				found[name] = this
			}
		}
		for name, f := range found {
			if _, known := read[name]; !known {
				read[name] = f
			}
		}
		level = next
	}
}
