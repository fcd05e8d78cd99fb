package validate

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/ringwall/ringwall/errors"
)

// checkMedia refuses what is not one of the types, in UTF-8 and not encoded,
// before a byte of the body is read.
func (c *config) checkMedia(r *http.Request) error {
	if len(r.Header["Content-Encoding"]) > 0 {
		return ErrMediaType.Header("Accept-Encoding", "identity")
	}
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return ErrMediaType.With("content_types", len(lines))
	}
	media, params, err := mime.ParseMediaType(lines[0])
	// A parameter that is there twice, alike, is read as one.
	if err != nil || !slices.Contains(c.types, media) || len(params) != strings.Count(lines[0], ";") {
		return ErrMediaType
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return ErrMediaType
		}
	}
	return nil
}

// bodyStep is the number of bytes that earn a second more of BodyTimeout.
const bodyStep = 32 << 10

// readBody reads the whole body within the limits. What is too large is
// refused at the first byte that is.
func (c *config) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *counter, error) {
	limit := c.limits.Body
	tooLarge := ErrTooLarge.With("limit", limit).Header("Connection", "close")
	if r.ContentLength > limit {
		return nil, nil, tooLarge
	}
	// A server with a ReadTimeout of its own keeps it: setting a deadline
	// would extend it. A writer without deadlines is read without one.
	control, started := http.NewResponseController(w), time.Now()
	srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	timed := srv != nil && srv.ReadTimeout == 0 && control.SetReadDeadline(started.Add(c.limits.BodyTimeout)) == nil
	if timed {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	count := &counter{limits: &c.limits}
	size := int64(4 << 10)
	if r.ContentLength > 0 {
		size = r.ContentLength + 1 // one more to see the end
	}
	data, steps := make([]byte, 0, min(size, limit+1)), 0
	for {
		if len(data) == cap(data) {
			grown := make([]byte, len(data), min(2*int64(cap(data)), limit+1))
			copy(grown, data)
			data = grown
		}
		n, err := r.Body.Read(data[len(data):cap(data)])
		fresh := data[len(data) : len(data)+n]
		data = data[:len(data)+n]
		if over := count.write(fresh); over != "" {
			return nil, nil, bodyRefusal(ErrTooLarge, over)
		}
		switch {
		case int64(len(data)) > limit:
			return nil, nil, tooLarge
		case err == io.EOF:
			return data, count, nil
		case err != nil:
			return nil, nil, readError(r, err)
		}
		if now := len(data) / bodyStep; timed && now > steps {
			steps = now
			_ = control.SetReadDeadline(started.Add(c.limits.BodyTimeout + time.Duration(steps)*time.Second))
		}
	}
}

func bodyRefusal(kind *errors.Kind, text string) error {
	return refuse(kind, "", "", kind.Code(), text)
}

// readError tells a slow client from one that is gone, and both from one whose
// body is shorter than it said.
func readError(r *http.Request, err error) error {
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout.Header("Connection", "close")
	case r.Context().Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return errors.ErrCanceled.Wrap(err)
	case tooLarge: // a limit that stands outside of ours
		return ErrTooLarge.Wrap(err)
	}
	return ErrMalformed.Wrap(err).Header("Connection", "close")
}

// decodeBody decodes a body into v, a pointer to a struct, strictly.
func (c *config) decodeBody(data []byte, count *counter, v reflect.Value) error {
	err := json.Unmarshal(data, v.Interface(), json.RejectUnknownMembers(!c.allowUnknown))
	if err != nil {
		return decodeError(err, v.Type().Elem())
	}
	suspicious := bytes.Contains(data, []byte(`\u00`)) || bytes.Contains(data, []byte(`\b`)) || bytes.Contains(data, []byte(`\f`))
	if suspicious || count.nulls && !c.allowNull {
		return c.checkTokens(data, v.Type().Elem())
	}
	return nil
}

// decodeError turns an error of the decoder into a refusal that repeats
// nothing of the input.
func decodeError(err error, t reflect.Type) error {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return ErrMalformed.Wrap(errors.New("the body is not strict JSON"))
	}
	at := resolve(t, semantic.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		name := semantic.JSONPointer.LastToken()
		if at.frozen || !repeatable(name) {
			return refuse(ErrInvalid, at.String(), at.pointer, "unknown_member", "has a member that is not known")
		}
		return refuse(ErrInvalid, at.pointer+"/"+name, at.pointer+"/"+name, "unknown_member", "is not known")
	}
	return refuse(ErrInvalid, at.String(), at.pointer, "type", "has the wrong type or form")
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
// the type has none, and control characters other than tab, newline and
// return, which end C strings and forge lines in logs.
func (c *config) checkTokens(data []byte, t reflect.Type) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return nil // the end: the decoder has read it all
		}
		switch token.Kind() {
		case '"':
			if strings.ContainsFunc(token.String(), control) {
				at := resolve(t, d.StackPointer())
				return refuse(ErrInvalid, at.String(), at.pointer, "control_character", "has control characters")
			}
		case 'n':
			if at := resolve(t, d.StackPointer()); !c.allowNull && !at.opaque && !nullable(at.t) {
				return refuse(ErrInvalid, at.String(), at.pointer, "null", "must not be null")
			}
		}
	}
}

func control(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }

func nullable(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface
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
		for at.t.Kind() == reflect.Pointer {
			at.t = at.t.Elem()
		}
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

// memberOf returns the type of a struct's JSON member.
func memberOf(t reflect.Type, name string) (reflect.Type, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() {
			continue
		}
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == name && tag != "-" || tag == "" && !f.Anonymous && f.Name == name {
			return f.Type, true
		}
	}
	return nil, false
}
