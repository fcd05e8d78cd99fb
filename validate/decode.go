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

// decodeBody strictly decodes a body into v, a pointer to a value with the node n.
func (c *config) decodeBody(data []byte, count *counter, v reflect.Value, n *node) error {
	if err := json.Unmarshal(data, v.Interface(), c.decoding); err != nil {
		// The decoder stops at the first problem. The rest may be malformed.
		if malformed := malformedJSON(data); malformed != nil {
			return malformed
		}
		return decodeError(err, v.Type().Elem())
	}
	if mayHaveControl(data, count.escapes) || (count.nulls && !c.allowNull || count.longs) && n.refusesText(data) {
		return c.checkTokens(data, v.Type().Elem())
	}
	return nil
}

// unquoteName returns the name of a member that has an escape.
func unquoteName(quoted []byte) string {
	name, _ := jsontext.AppendUnquote(nil, quoted) // never fails, because the text was decoded
	return string(name)
}

// malformedJSON returns an error with the problem of a text that is not JSON and its
// position, without the text that the decoder quotes. It returns nil for valid JSON.
func malformedJSON(data []byte) error {
	code, text := "syntax", "is not JSON"
	d := jsontext.NewDecoder(bytes.NewReader(data))
	err := d.SkipValue()
	offset := d.InputOffset()
	if err == nil {
		_, err = d.ReadToken() // after the end
	}
	if fault, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = fault.ByteOffset
	}
	switch {
	case len(bytes.Trim(data, " \t\r\n")) == 0:
		return newRefusal(ErrMalformed, "the body", "", "empty", "is empty")
	case err == io.EOF:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return newRefusal(ErrMalformed, "the body", "", "truncated", "ends too early")
	case errors.Is(err, jsontext.ErrDuplicateName):
		code, text = "duplicate_member", "contains a member twice"
	}
	return newRefusal(ErrMalformed, "the body", "", code, text+" at byte "+strconv.FormatInt(offset, 10))
}

// decodeError turns an error of the decoder into a refusal without values of the input.
func decodeError(err error, t reflect.Type) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return newRefusal(ErrMalformed, "the body", "", "syntax", "is not JSON")
	}
	if errors.Is(err, json.ErrUnknownName) {
		at := resolve(t, semantic.JSONPointer.Parent())
		name := semantic.JSONPointer.LastToken()
		if at.prefix != "" || !repeatable(name) {
			return newRefusal(ErrInvalid, at.String(), at.pointer, "unknown_member", "has an unknown member")
		}
		return newRefusal(ErrInvalid, at.pointer+"/"+name, at.pointer+"/"+name, "unknown_member", "is unknown")
	}
	at := resolve(t, semantic.JSONPointer)
	if at.opaque {
		return newRefusal(ErrInvalid, at.String(), at.pointer, "type", "has the wrong type")
	}
	return newRefusal(ErrInvalid, at.String(), at.pointer, "type", typeText(at.t, semantic.JSONKind, at.quoted))
}

// repeatable reports whether a response may repeat a name that the client sent.
func repeatable(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// checkTokens refuses tokens that the decoder accepts and the schema does not: null
// for a non-nullable field, control characters other than tab, newline and return,
// which end C strings and forge lines in logs, and whole numbers that a float64
// rounds, while another parser may keep them (RFC 7493, section 2.2). It stores the
// type of each open array and object, so that it resolves a place only for an error.
func (c *config) checkTokens(data []byte, t reflect.Type) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	open := []container{{next: t}}
	members := make(map[memberName]reflect.Type)
	for {
		token, err := d.ReadToken()
		if err != nil {
			return nil // the end: the decoder has accepted the text
		}
		top := &open[len(open)-1]
		kind, n := d.StackIndex(d.StackDepth())
		switch token.Kind() {
		case '"':
			text := token.String()
			if strings.ContainsFunc(text, isTextControl) {
				at := resolve(t, d.StackPointer())
				if kind == '{' && n%2 == 1 {
					at = resolve(t, d.StackPointer().Parent())
					at.prefix = inName
				}
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
			if top.next != nil && mayRound(top.next) && isRounded(token.String()) {
				at := resolve(t, d.StackPointer())
				return newRefusal(ErrInvalid, at.String(), at.pointer, "precision", "has too many digits")
			}
		case '{', '[':
			open = append(open, containerOf(top.next, token.Kind()))
		case '}', ']':
			open = open[:len(open)-1]
		}
	}
}

// mayRound reports whether a value of a type may round a whole number.
func mayRound(t reflect.Type) bool {
	k := underlyingType(t).Kind()
	return k == reflect.Interface || k == reflect.Float64 || k == reflect.Float32
}

// isRounded reports whether a float64 rounds a number, which counts only for a whole one.
func isRounded(number string) bool {
	if strings.ContainsAny(number, ".eE") {
		return false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return err != nil || n > 1<<53 || n < -1<<53
}

// A container is an open array or object. A nil type is unknown: inside a type with
// its own decoder, or for an unknown member.
type container struct{ t, next reflect.Type }

// A memberName identifies a member of a struct.
type memberName struct {
	t    reflect.Type
	name string
}

// containerOf returns the container of a type. The contents of a type that decodes
// itself are unknown.
func containerOf(t reflect.Type, kind jsontext.Kind) container {
	if t == nil {
		return container{}
	}
	t = underlyingType(t)
	switch {
	case (t.Name() != "" || t.Kind() == reflect.Struct) && decodesItself(t): // other types without a name have no methods
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

// A position is a place in a type. Its pointer ends at a map if the name of an
// entry must not be repeated, or is the problem itself; then prefix is not empty.
type position struct {
	t       reflect.Type
	pointer string
	prefix  string
	quoted  bool // the member has the option string
	opaque  bool // the type is unknown: inside an interface, or of an unknown member
}

func (p position) String() string {
	if p.pointer == "" {
		return p.prefix + "the body"
	}
	return p.prefix + p.pointer
}

// resolve follows a pointer of the input through a type.
func resolve(t reflect.Type, pointer jsontext.Pointer) position {
	at := position{t: t}
	for pointer != "" {
		var name string
		name, pointer = firstToken(pointer)
		at.t = underlyingType(at.t)
		known := true
		switch at.t.Kind() {
		case reflect.Slice, reflect.Array:
			at.t = at.t.Elem()
		case reflect.Map:
			if pointer == "" && at.prefix == "" && !isKey(at.t.Key(), name) {
				at.t, at.prefix = at.t.Key(), inName
				return at
			}
			if at.t = at.t.Elem(); at.prefix == "" && !repeatable(name) {
				at.prefix = inValue
			}
		case reflect.Struct:
			var field reflect.StructField
			if field, known = memberField(at.t, name); known {
				_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				at.t, at.quoted = field.Type, hasRule(options, "string")
			}
		default:
			known = false
		}
		if !known {
			at.opaque = true
			return at
		}
		if at.prefix == "" {
			at.pointer += "/" + escape(name)
		}
	}
	return at
}

// firstToken returns the first name of a pointer and the rest.
func firstToken(pointer jsontext.Pointer) (string, jsontext.Pointer) {
	rest := pointer[1:]
	if i := strings.IndexByte(string(rest), '/'); i >= 0 {
		rest = rest[:i]
	}
	return ("/" + rest).LastToken(), pointer[1+len(rest):]
}

// isKey reports whether a name can be decoded as the key of a map. The decoder reports
// errors of the key and of the value of an entry at the same place.
func isKey(t reflect.Type, name string) bool {
	quoted, err := jsontext.AppendQuote(nil, name)
	return err == nil && json.Unmarshal(quoted, reflect.New(t).Interface(), json.StringifyNumbers(true)) == nil
}

// memberOf returns the type of a struct's JSON member.
func memberOf(t reflect.Type, name string) (reflect.Type, bool) {
	f, ok := memberField(t, name)
	return f.Type, ok
}

// memberField returns the field of a struct's JSON member: of several fields, the
// least deeply embedded one.
func memberField(t reflect.Type, name string) (found reflect.StructField, ok bool) {
	depth := 0
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || depth > 0 && len(f.Index) >= depth {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name && tag != "" && tag != "-" || tag == "" && !f.Anonymous && f.Name == name {
			found, depth = f, len(f.Index)
		}
	}
	return found, depth > 0
}
