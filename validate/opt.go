package validate

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Opt is a member of a JSON body that may be absent, null or a value. A PATCH
// distinguishes them (RFC 7396): an absent member changes nothing, null removes the
// value. Rules apply to the value; required refuses an absent or null member.
//
//	type ChangeOrder struct {
//		Note validate.Opt[string] `json:"note" validate:"max=500"`
//	}
type Opt[T any] struct {
	// Set reports whether the member is present, as null or as a value.
	Set bool
	// Null reports whether the member is null.
	Null bool
	// Value is the zero value if the member is absent or null.
	Value T
}

// UnmarshalJSONFrom decodes null or a value with the options of d, such as its
// strictness.
func (o *Opt[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*o = Opt[T]{Set: true}
	if d.PeekKind() == 'n' {
		o.Null = true
		return d.SkipValue()
	}
	return json.UnmarshalDecode(d, &o.Value)
}

// Indexes of the fields of every Opt.
const optSet, optNull, optValue = 0, 1, 2

func (o Opt[T]) opt() {}

// optional is implemented by every Opt.
type optional interface{ opt() }

var optionalType = reflect.TypeFor[optional]()

// optType returns the type of the value of an Opt, or t itself.
func optType(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct || t.NumField() != 3 || !t.Implements(optionalType) { // the cheap checks first
		return t
	}
	return t.Field(optValue).Type
}

// underlyingType returns the type behind pointers and Opts.
func underlyingType(t reflect.Type) reflect.Type {
	for {
		switch inner := optType(t); {
		case inner != t:
			t = inner
		case t.Kind() == reflect.Pointer:
			t = t.Elem()
		default:
			return t
		}
	}
}
