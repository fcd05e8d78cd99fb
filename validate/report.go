package validate

import (
	"context"
	"reflect"
	"slices"
)

// A Checker is a T, or a struct in it, with rules between its fields. Check is called after
// the rules of all its fields hold, for each of its values in lists and maps too. It must
// not change the struct, and must not wait for anything: what needs a database belongs into
// the handler, see [At].
type Checker interface{ Check(r *Report) }

// A Report takes the problems that a [Checker] finds. It is valid until Check returns.
type Report struct {
	w     *walker
	v     reflect.Value // the struct
	input bool          // the fields of the struct have sources
}

// A constant is unexported, so that other packages can pass only untyped constants: text
// computed at run time, perhaps with a value of the client, does not compile.
type constant string

// At adds a problem at a field, which is a pointer to a field of the struct or of what is in
// it, such as &b.To or &b.Items[3].Qty: the place in the response is its name in the input.
// A pointer to something else means the struct itself. The code is a name in snake_case of
// at most 63 bytes, and the text continues the name: "must be later than from". A second
// problem with the same place and code is dropped, as are those above Limits.Errors. At
// panics if the code has another form.
func (r *Report) At(field any, code, text constant) {
	requireCode(code)
	if r.w == nil || r.w.full() {
		return
	}
	at, ok := place{}, false
	if r.input {
		at, ok = findInInput(r.v, field)
	} else {
		var steps []step
		if steps, ok = newFinder(field).find(r.v, nil); ok {
			at = place{source: r.w.at.source, name: r.w.at.name, steps: slices.Concat(r.w.at.steps, steps)}
		}
	}
	switch {
	case !ok && r.input:
		at = place{name: "the input"}
	case !ok:
		at = place{source: r.w.at.source, name: r.w.at.name, steps: slices.Clone(r.w.at.steps)}
	}
	found := problem{place: at.String(), pointer: at.pointer(), code: string(code), text: string(text)}
	if !slices.ContainsFunc(r.w.problems, func(p problem) bool { return p.pointer == found.pointer && p.code == found.code }) {
		r.w.problems = append(r.w.problems, found)
	}
}

// Context returns the context of the request, for values such as a tenant.
func (r *Report) Context() context.Context { return r.w.ctx }

// At returns an [ErrInvalid] with a problem at a field of the input of a route, for what only
// the handler can know, such as a name that is already in use. in is the value of [From] or
// of a handler, and field a pointer to a field of it or of what is in it; a pointer to
// something else means the input as a whole. The code and the text are those of [Report.At].
func At[T any](in *T, field any, code, text constant) error {
	requireCode(code)
	v := reflect.ValueOf(in).Elem()
	var at place
	if v.Kind() == reflect.Struct && tagged(v.Type()) {
		var ok bool
		if at, ok = findInInput(v, field); !ok {
			at = place{name: "the input"}
		}
	} else if steps, ok := newFinder(field).find(v, nil); ok {
		at = place{steps: steps}
	}
	return newRefusal(ErrInvalid, at.String(), at.pointer(), string(code), string(text))
}

func requireCode(code constant) {
	if !isCode(string(code)) {
		panic("validate: At: the code " + string(code) + " is not a name in snake_case of at most 63 bytes")
	}
}

var (
	checkerType = reflect.TypeFor[Checker]()
	reportType  = reflect.TypeFor[*Report]()
)

// checks reports whether a struct is a Checker. It reports a method that was meant as one.
func (l *linter) checks(t reflect.Type, where string) bool {
	pointer := reflect.PointerTo(t)
	if pointer.Implements(checkerType) {
		return true
	}
	if method, ok := pointer.MethodByName("Check"); ok {
		for i := 1; i < method.Type.NumIn(); i++ {
			if method.Type.In(i) == reportType {
				l.problem(where, "has a method Check that is never called; did you mean Check(*validate.Report)?")
			}
		}
	}
	return false
}

// runCheck calls the method Check of a struct.
func (w *walker) runCheck(v reflect.Value, input bool) {
	if !v.CanAddr() || !v.CanInterface() { // the value of a map, or an embedded struct of an unexported type
		copied := reflect.New(v.Type()).Elem()
		copyFields(copied, v)
		v = copied
	}
	r := &Report{w: w, v: v, input: input}
	defer func() { r.w = nil }()
	v.Addr().Interface().(Checker).Check(r)
}

// A finder finds the place of a value by its address. The compiler checks the expression
// that has it, and it survives the renaming of a field.
type finder struct {
	target uintptr
	t      reflect.Type
	left   int // values that it still looks at
	holds  map[reflect.Type]bool
}

// mostLooked bounds the values that a finder looks at.
const mostLooked = 20_000

// newFinder returns a finder of the value that field points to.
func newFinder(field any) *finder {
	f := &finder{left: mostLooked, holds: make(map[reflect.Type]bool)}
	if v := reflect.ValueOf(field); v.Kind() == reflect.Pointer && !v.IsNil() {
		f.target, f.t = v.Pointer(), v.Type().Elem()
	}
	return f
}

// find returns the steps from a value to the target.
func (f *finder) find(v reflect.Value, steps []step) ([]step, bool) {
	if f.left--; f.left < 0 || f.t == nil || !f.mayHold(v.Type()) {
		return nil, false
	}
	if v.CanAddr() && v.Type() == f.t && v.UnsafeAddr() == f.target {
		return slices.Clone(steps), true
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return f.find(v.Elem(), steps)
		}
	case reflect.Slice, reflect.Array:
		return f.findItem(v, steps)
	case reflect.Struct:
		if optType(v.Type()) != v.Type() {
			return f.find(v.Field(optValue), steps)
		}
		for sf, value := range v.Fields() {
			name := bareName(sf.Tag.Get("json"))
			if name == "" && sf.Anonymous {
				if found, ok := f.find(value, steps); ok {
					return found, true
				}
				continue
			}
			if name == "-" || !sf.IsExported() {
				continue
			}
			if name == "" {
				name = sf.Name
			}
			if found, ok := f.find(value, append(steps, step{name: name})); ok {
				return found, true
			}
		}
	}
	return nil, false
}

// findItem finds the target in an item. If the target is in the memory of the list, there
// is one candidate.
func (f *finder) findItem(v reflect.Value, steps []step) ([]step, bool) {
	if v.Len() == 0 {
		return nil, false
	}
	size := v.Type().Elem().Size()
	if first := v.Index(0); first.CanAddr() && size > 0 {
		if at := f.target - first.UnsafeAddr(); f.target >= first.UnsafeAddr() && at < size*uintptr(v.Len()) {
			i := int(at / size)
			return f.find(v.Index(i), append(steps, step{index: i}))
		}
	}
	for i := range v.Len() {
		if found, ok := f.find(v.Index(i), append(steps, step{index: i})); ok {
			return found, true
		}
		if f.left < 0 {
			break
		}
	}
	return nil, false
}

// mayHold reports whether a value of a type can contain one of the target's type.
func (f *finder) mayHold(t reflect.Type) bool {
	holds, known := f.holds[t]
	if !known {
		holds = reaches(t, f.t, make(map[reflect.Type]bool))
		f.holds[t] = holds
	}
	return holds
}

func reaches(t, target reflect.Type, seen map[reflect.Type]bool) bool {
	if t == target {
		return true
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return reaches(t.Elem(), target, seen)
	case reflect.Struct:
		for sf := range t.Fields() {
			if reaches(sf.Type, target, seen) {
				return true
			}
		}
	}
	return false
}

// findInInput returns the place of a value in a struct whose fields have sources.
func findInInput(v reflect.Value, field any) (place, bool) {
	f := newFinder(field)
	for sf, value := range v.Fields() {
		source, name, ok := sourceOf(sf)
		if !ok {
			if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
				if at, found := findInInput(value, field); found {
					return at, true
				}
			}
			continue
		}
		if steps, found := f.find(value, nil); found {
			if source == "body" {
				return place{steps: steps}, true
			}
			return place{source: source, name: name, steps: steps}, true
		}
	}
	return place{}, false
}
