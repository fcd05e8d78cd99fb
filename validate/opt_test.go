package validate_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

type change struct {
	Note  validate.Opt[string]   `json:"note" validate:"max=5"`
	Count validate.Opt[int]      `json:"count" validate:"required,min=0,max=9"`
	Tags  validate.Opt[[]string] `json:"tags" validate:"max=2,dive,max=3"`
	Where validate.Opt[struct {
		City string `json:"city" validate:"required,max=5"`
	}] `json:"where"`
	More  map[string]validate.Opt[string] `json:"more" validate:"max=2,dive,max=3"`
	Plain string                          `json:"plain" validate:"max=5"`
}

type base struct {
	Text *string `json:"name"`
}

// TestNullIsCheckedForTheMemberThatIsSet: the decoder sets the least deeply embedded of
// the fields with one member name.
func TestNullIsCheckedForTheMemberThatIsSet(t *testing.T) {
	type outer struct {
		base
		Name string `json:"name" validate:"max=5"`
	}
	w := in(t, handler[outer](t), "POST", "/", jsonType(), strings.NewReader(`{"name":null}`))
	require.Equal(t, 422, w.Code)
	require.Contains(t, w.Body.String(), "/name must not be null")
}

// RFC 7396 distinguishes absent, null and a value.
func TestOptDistinguishesAbsentNullAndValue(t *testing.T) {
	middleware := errors.Must(validate.JSON[change](validate.Options{Logger: quiet}))
	for _, row := range []struct {
		name, body string
		status     int
		message    string // or what the handler gets
	}{
		{"null where the type has none", `{"count":1,"plain":null}`, 422, "/plain must not be null"},
		{"null below", `{"count":1,"where":{"city":null}}`, 422, "/where/city must not be null"},
		{"null in a list", `{"count":1,"tags":[null]}`, 422, "/tags/0 must not be null"},
		{"required and absent", `{}`, 422, "/count is required"},
		{"required and null", `{"count":null}`, 422, "/count is required"},
		{"a rule of the value", `{"count":1,"note":"abcdef"}`, 422, "/note must have at most 5 characters"},
		{"a rule of an element", `{"count":1,"tags":["abcd"]}`, 422, "/tags/0 must have at most 3 characters"},
		{"a rule below", `{"count":1,"where":{"city":"abcdef"}}`, 422, "/where/city must have at most 5 characters"},
		{"a rule in a map", `{"count":1,"more":{"a":"abcd"}}`, 422, "/more/a must have at most 3 characters"},
		{"another type", `{"count":"1"}`, 422, "/count must be a whole number"},
		{"unknown below", `{"count":1,"where":{"city":"a","admin":true}}`, 422, "/where/admin is unknown"},
		{"a control character below", `{"count":1,"where":{"city":"a\u0000"}}`, 422, "/where/city contains control characters"},
		{"twice", `{"count":1,"note":"a","note":"b"}`, 400, ""},
		{"absent", `{"count":1}`, 200, `note {false false }`},
		{"null", `{"count":1,"note":null}`, 200, `note {true true }`},
		{"empty", `{"count":1,"note":""}`, 200, `note {true false }`},
		{"a value", `{"count":0,"note":"a","tags":["a"],"where":{"city":"a"},"more":{"a":"b","c":null}}`, 200, `note {true false a}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest("PATCH", "/", strings.NewReader(row.body))
			r.Header = jsonType()
			w := httptest.NewRecorder()
			middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = fmt.Fprint(w, "note ", validate.From[change](r.Context()).Note)
			})).ServeHTTP(w, r)
			require.Equal(t, row.status, w.Code, w.Body)
			require.Contains(t, w.Body.String(), row.message)
		})
	}
}

func ExampleOpt() {
	type ChangeOrder struct {
		Note validate.Opt[string] `json:"note" validate:"max=500"`
	}
	h := errors.Must(validate.Handle(func(w http.ResponseWriter, _ *http.Request, in *ChangeOrder) error {
		switch {
		case !in.Note.Set:
			_, _ = fmt.Fprint(w, "as it was")
		case in.Note.Null:
			_, _ = fmt.Fprint(w, "removed")
		default:
			_, _ = fmt.Fprint(w, "now ", in.Note.Value)
		}
		return nil
	}))
	post(h, `{}`)
	post(h, `{"note":null}`)
	post(h, `{"note":"ring twice"}`)
	// Output:
	// 200 as it was
	// 200 removed
	// 200 now ring twice
}
