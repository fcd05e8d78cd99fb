package validate

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Opt is a member of a JSON body that may be absent, null or a value, which
// a PATCH has to tell apart (RFC 7396): absent leaves a thing as it is, null
// removes it. Rules are about the value; required refuses what is absent or
// null.
//
//	type ChangeOrder struct {
//		Note validate.Opt[string] `json:"note" validate:"max=500"`
//	}
type Opt[T any] struct {
	// Set is true when the member is there, as null or as a value.
	Set bool
	// Null is true when it is null.
	Null bool
	// Value is zero when it is absent or null.
	Value T
}

// UnmarshalJSONFrom reads null or a value, as strictly as the rest of a body.
func (o *Opt[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*o = Opt[T]{Set: true}
	if d.PeekKind() == 'n' {
		o.Null = true
		return d.SkipValue()
	}
	return json.UnmarshalDecode(d, &o.Value)
}

// The fields of every Opt.
const optSet, optNull, optValue = 0, 1, 2

func (o Opt[T]) opt() {}

// optional is every Opt.
type optional interface{ opt() }

var optionalType = reflect.TypeFor[optional]()

// optType returns the type that an Opt is about, or t itself.
func optType(t reflect.Type) reflect.Type {
	if t.Kind() != reflect.Struct || t.NumField() != 3 || !t.Implements(optionalType) { // the second spares the third
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
