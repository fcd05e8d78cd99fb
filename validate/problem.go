package validate

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/public"
)

// The kinds of error that this package responds with. The message of a response
// names the place and the rule. It is built from the schema and contains no values
// of the client.
var (
	// ErrMediaType is the response to a media type or content coding that the
	// route does not accept: 415 unsupported_media_type.
	ErrMediaType = errors.Define(415, "unsupported_media_type", "This media type or encoding is not supported.")
	// ErrInputTooLarge is the response to input above one of [Limits]: 413
	// input_too_large.
	ErrInputTooLarge = errors.Define(413, "input_too_large", "The input is too large.")
	// ErrQueryTooLong is the response to a query above Limits.Query: 414
	// query_too_long.
	ErrQueryTooLong = errors.Define(414, "query_too_long", "The query string is too long.")
	// ErrMalformed is the response to input that is malformed or ambiguous: 400
	// malformed_input.
	ErrMalformed = errors.Define(400, "malformed_input", "The input is malformed.")
	// ErrDuplicate is the response to a repeated parameter, header or cookie: 400
	// duplicate_parameter.
	ErrDuplicate = errors.Define(400, "duplicate_parameter", "A parameter appears more than once.")
	// ErrUnexpectedBody is the response to a body on a route without one: 400
	// unexpected_body.
	ErrUnexpectedBody = errors.Define(400, "unexpected_body", "This request must not have a body.")
	// ErrInvalid is the response to well-formed input that breaks the schema: 422
	// invalid_input.
	ErrInvalid = errors.Define(422, "invalid_input", "The input does not match the schema.")
	// ErrTooManyCookies is the response to more cookies than Limits.Cookies: 431
	// too_many_cookies.
	ErrTooManyCookies = errors.Define(431, "too_many_cookies", "The request has too many cookies.")
	// ErrHeaderTooLarge is the response to a declared header of more than 8 KiB:
	// 431 header_too_large.
	ErrHeaderTooLarge = errors.Define(431, "header_too_large", "A request header is too long.")
	// ErrBodyTimeout is the response to a body that did not arrive within
	// Limits.BodyTimeout: 408 body_timeout.
	ErrBodyTimeout = errors.Define(408, "body_timeout", "The request body did not arrive in time.")
)

// A problem is a place in the input and the rule that it breaks.
type problem struct {
	place   string // for the message: "/items/3/qty", "query parameter limit"
	pointer string // RFC 6901, for the list of problems
	code    string
	text    string // "must be at most 10"
	param   string // of the rule, as the tag has it: "10"
}

func (p problem) String() string { return strings.TrimSpace(p.place + " " + p.text) }

// A refusal is an error whose message is built at run time from trusted parts:
// names of the schema, limits and constant text.
type refusal struct {
	kind     *errors.Kind
	problems []problem
	more     bool // Limits.Errors was reached, so there may be more problems
}

func (r *refusal) Error() string {
	list := make([]string, len(r.problems))
	for i, p := range r.problems {
		list[i] = p.String()
	}
	return strings.Join(list, "; ")
}

func (r *refusal) Unwrap() error { return r.kind }

// Public implements [public.Describer].
func (r *refusal) Public() (public.Message, []public.Problem) {
	first := r.problems[0]
	text := first.String()
	switch n := len(r.problems) - 1; {
	case r.more:
		text += " (and at least " + strconv.Itoa(n) + " more problems)"
	case n == 1:
		text += " (and 1 more problem)"
	case n > 1:
		text += " (and " + strconv.Itoa(n) + " more problems)"
	}
	list := make([]public.Problem, len(r.problems))
	for i, p := range r.problems {
		list[i] = public.Problem{Pointer: p.pointer, Code: p.code, Param: p.param}
	}
	return public.Message(text), list
}

func newRefusal(kind *errors.Kind, place, pointer, code, text string) error {
	return &refusal{kind: kind, problems: []problem{{place: place, pointer: pointer, code: code, text: text}}}
}

// A Problem is one violation of a schema.
type Problem struct {
	// Pointer is the place as a JSON Pointer (RFC 6901): "/items/3/qty" in a body,
	// "/query/limit" of a parameter, and "" for the input as a whole.
	Pointer string
	// Code is the rule, such as "max", or another stable name in snake_case.
	Code string
	// Param is the parameter of the rule in the tag, such as "10". It is empty for a rule
	// without one, and for several rules of which one must hold.
	Param string
}

// ProblemsOf returns the problems of an error of this package, for a translation or a log.
// It returns nil for other errors. At most Limits.Errors problems were found.
func ProblemsOf(err error) []Problem {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return nil
	}
	list := make([]Problem, len(r.problems))
	for i, p := range r.problems {
		list[i] = Problem{Pointer: p.pointer, Code: p.code, Param: p.param}
	}
	return list
}

// A place is a position in the input.
type place struct {
	source string // path, query, header, cookie, form; "" for a body
	name   string // of the parameter; without a source, the name of the whole input
	steps  []step
}

// A step is one level of a place: a member, an index if the name is empty, or a map
// entry.
type step struct {
	name   string
	index  int
	entry  *reflect.MapIter // of a map; its key is read only for a problem
	ofName bool             // the problem is the key itself
}

// key returns the name of a map entry and reports whether a response may repeat it.
// The client chose the name, so only a plain word is repeated.
func (s *step) key() (string, bool) {
	if s.ofName {
		return "", false
	}
	k := s.entry.Key()
	if decodesItself(k.Type()) {
		return "", false
	}
	name := ""
	switch shapeOf(k.Type()) {
	case text:
		name = k.String()
	case signed:
		name = strconv.FormatInt(k.Int(), 10)
	case unsigned:
		name = strconv.FormatUint(k.Uint(), 10)
	}
	return name, repeatable(name)
}

// pointer returns the RFC 6901 pointer. A parameter is below its source.
func (p *place) pointer() string {
	pointer, _ := p.below()
	if p.source == "" {
		return pointer
	}
	return "/" + p.source + "/" + escape(p.name) + pointer
}

// below returns the pointer below the source. It ends at a map if the name of an
// entry must not be repeated, or is the problem itself; then prefix is not empty.
func (p *place) below() (pointer, prefix string) {
	var b strings.Builder
	for i := range p.steps {
		s := &p.steps[i]
		name := s.name
		switch {
		case s.entry != nil:
			key, ok := s.key()
			if !ok && s.ofName {
				return b.String(), inName
			}
			if !ok {
				return b.String(), inValue
			}
			name = key
		case name == "":
			name = strconv.Itoa(s.index)
		}
		b.WriteByte('/')
		b.WriteString(escape(name))
	}
	return b.String(), ""
}

// Prefixes of messages whose pointer ends at a map.
const (
	inName  = "a name in "
	inValue = "a value in "
)

// String returns the name of the place in messages.
func (p *place) String() string {
	pointer, prefix := p.below()
	switch {
	case p.source != "":
		return prefix + label(p.source) + " " + p.name + pointer
	case pointer == "":
		return prefix + cmp.Or(p.name, "the body")
	}
	return prefix + pointer
}

// label returns the name of a source in messages.
func label(source string) string {
	switch source {
	case "query", "path":
		return source + " parameter"
	case "form":
		return "form field"
	}
	return source
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901, section 3

func escape(name string) string { return pointerEscapes.Replace(name) }
