package validate

import (
	"bytes"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ringwall/ringwall/errors"
)

// decodeBody decodes a body into v, a pointer to a struct, strictly.
func (c *config) decodeBody(data []byte, count *counter, v reflect.Value) error {
	if err := json.Unmarshal(data, v.Interface(), c.decoding); err != nil {
		// The decoder stops at the first fault, and what follows may be no JSON.
		if !jsontext.Value(data).IsValid() {
			return malformedJSON(err)
		}
		return decodeError(err, v.Type().Elem())
	}
	if mayHaveControl(data, count.escapes) || count.nulls && !c.allowNull || count.longs {
		return c.checkTokens(data, v.Type().Elem())
	}
	return nil
}

var errMalformedJSON = ErrMalformed.Wrap(errors.New("the body is not strict JSON"))

// malformedJSON tells the log what is wrong, and where, but nothing of what
// the decoder quotes.
func malformedJSON(err error) error {
	fault, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		return errMalformedJSON // something else is wrong before it
	}
	reason := "syntax"
	switch {
	case errors.Is(fault, io.ErrUnexpectedEOF):
		reason = "it ends too early"
	case errors.Is(fault, jsontext.ErrDuplicateName):
		reason = "a member is there twice"
	}
	return errMalformedJSON.With("reason", reason, "offset", fault.ByteOffset)
}

// decodeError turns an error of the decoder into a refusal that repeats
// nothing of the input.
func decodeError(err error, t reflect.Type) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return errMalformedJSON
	}
	at := resolve(t, semantic.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		name := semantic.JSONPointer.LastToken()
		if at.frozen || !repeatable(name) {
			return newRefusal(ErrInvalid, at.String(), at.pointer, "unknown_member", "has a member that is not known")
		}
		return newRefusal(ErrInvalid, at.pointer+"/"+name, at.pointer+"/"+name, "unknown_member", "is not known")
	}
	return newRefusal(ErrInvalid, at.String(), at.pointer, "type", "has the wrong type or form")
}

// repeatable reports whether a name that the client sent is harmless in a
// response.
func repeatable(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// checkTokens finds what the decoder takes and a schema does not: null where
// the type has none, control characters other than tab, newline and return,
// which end C strings and forge lines in logs, and whole numbers that a float64
// rounds, while another parser may keep them (RFC 7493, section 2.2). It keeps the type of
// each open array and object, so that a body of nulls is no more work than one
// of numbers; where the offence is, is found out once.
func (c *config) checkTokens(data []byte, t reflect.Type) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	open := []container{{next: t}}
	members, own := make(map[memberName]reflect.Type), make(map[reflect.Type]bool)
	for {
		token, err := d.ReadToken()
		if err != nil {
			return nil // the end: the decoder has read it all
		}
		top := &open[len(open)-1]
		kind, n := d.StackIndex(d.StackDepth())
		switch token.Kind() {
		case '"':
			text := token.String()
			if strings.ContainsFunc(text, isTextControl) {
				at := resolve(t, d.StackPointer())
				return newRefusal(ErrInvalid, at.String(), at.pointer, "control_character", "contains control characters")
			}
			if kind == '{' && n%2 == 1 {
				top.next = top.member(text, members)
			}
		case 'n':
			if !c.allowNull && top.next != nil && !nullable(top.next) {
				at := resolve(t, d.StackPointer())
				return newRefusal(ErrInvalid, at.String(), at.pointer, "null", "must not be null")
			}
		case '0':
			if top.next != nil && rounded(top.next, token.String()) {
				at := resolve(t, d.StackPointer())
				return newRefusal(ErrInvalid, at.String(), at.pointer, "precision", "has more digits than are kept")
			}
		case '{', '[':
			open = append(open, containerOf(top.next, token.Kind(), own))
		case '}', ']':
			open = open[:len(open)-1]
		}
	}
}

// rounded reports whether a number becomes another one in a value of a type.
func rounded(t reflect.Type, number string) bool {
	if k := underlyingType(t).Kind(); k != reflect.Interface && k != reflect.Float64 && k != reflect.Float32 || strings.ContainsAny(number, ".eE") {
		return false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return err != nil || n > 1<<53 || n < -1<<53
}

// container is an open array or object. Types are nil where they are unknown:
// in types that decode themselves, and of members that are not there.
type container struct{ t, next reflect.Type }

// memberName names a member of a struct.
type memberName struct {
	t    reflect.Type
	name string
}

// containerOf returns the container of a type. Own has the types that decode
// themselves: what their methods read is unknown.
func containerOf(t reflect.Type, kind jsontext.Kind, own map[reflect.Type]bool) container {
	if t == nil {
		return container{}
	}
	t = underlyingType(t)
	itself, known := own[t]
	if !known {
		itself = decodesItself(t)
		own[t] = itself
	}
	switch {
	case itself:
		return container{}
	case t.Kind() == reflect.Interface:
		return container{t: t, next: t}
	case kind == '[' && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array):
		return container{t: t, next: t.Elem()}
	}
	return container{t: t}
}

// member returns the type of the value that follows a name.
func (o *container) member(name string, known map[memberName]reflect.Type) reflect.Type {
	switch {
	case o.t == nil:
		return nil
	case o.t.Kind() == reflect.Map:
		return o.t.Elem()
	case o.t.Kind() == reflect.Interface:
		return o.t
	case o.t.Kind() != reflect.Struct:
		return nil
	}
	key := memberName{o.t, name}
	t, ok := known[key]
	if !ok {
		t, _ = memberOf(o.t, name)
		known[key] = t
	}
	return t
}

func nullable(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || optType(t) != t
}

// position is a place in a type. Its pointer ends at a map, whose names are
// the client's.
type position struct {
	t       reflect.Type
	pointer string
	frozen  bool // the pointer ended at a map
	opaque  bool // the type is unknown: below any, or of a member that is not there
}

func (p position) String() string {
	if p.pointer == "" {
		return "the body"
	}
	return p.pointer
}

// resolve follows a pointer of the input through a type.
func resolve(t reflect.Type, pointer jsontext.Pointer) position {
	at := position{t: t}
	for name := range pointer.Tokens() {
		at.t = underlyingType(at.t)
		known := true
		switch at.t.Kind() {
		case reflect.Slice, reflect.Array:
			at.t = at.t.Elem()
		case reflect.Map:
			at.t, at.frozen = at.t.Elem(), true
		case reflect.Struct:
			var field reflect.Type
			if field, known = memberOf(at.t, name); known {
				at.t = field
			}
		default:
			known = false
		}
		if !known {
			at.opaque = true
			return at
		}
		if !at.frozen {
			at.pointer += "/" + escape(name)
		}
	}
	return at
}

// memberOf returns the type of a struct's JSON member. Of several, the one that
// is embedded least deeply is set.
func memberOf(t reflect.Type, name string) (found reflect.Type, ok bool) {
	depth := 0
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || depth > 0 && len(f.Index) >= depth {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name && tag != "-" || tag == "" && !f.Anonymous && f.Name == name {
			found, depth = f.Type, len(f.Index)
		}
	}
	return found, depth > 0
}
