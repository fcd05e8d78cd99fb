package validate

import (
	"bytes"
	"net/http"
	"reflect"
	"strconv"
)

// formType is what browsers send a form as by default (URL, section 5.1).
var formType = []string{"application/x-www-form-urlencoded"}

// readForm reads the fields that a urlencoded body has. The query has no part
// in it, as it has in http.Request.FormValue: what is checked in one place
// would be taken from the other.
func (p *plan) readForm(r *http.Request, v reflect.Value, s *scratch) error {
	if p.hasFile {
		return p.readMultipart(r, v, s.patience)
	}
	if err := p.c.checkMedia(r, formType); err != nil {
		return err
	}
	data, err := p.c.readBody(r, s, &fieldCounter{limit: p.c.limits.Params, n: 1})
	if err != nil {
		return err
	}
	form, err := p.c.parsePairs(string(data), func(string) bool { return false }, malformedForm)
	if err != nil {
		return err
	}
	return p.setForm(form, v)
}

// setForm puts the values of a form into their fields.
func (p *plan) setForm(form map[string][]string, v reflect.Value) error {
	for i := range p.params {
		param := &p.params[i]
		if param.source != "form" || param.types != nil {
			continue
		}
		values := form[param.name]
		delete(form, param.name)
		if err := p.c.setField(v.FieldByIndex(param.index), param, values); err != nil {
			return err
		}
	}
	return unknownName(form, "form", "field")
}

func malformedForm(text string) error {
	return newRefusal(ErrMalformed, "the form", "/form", "malformed_form", text)
}

// fieldCounter refuses a form of too many fields while it arrives.
type fieldCounter struct{ limit, n int }

func (c *fieldCounter) write(fresh []byte) string {
	if c.n += bytes.Count(fresh, []byte("&")); c.n > c.limit {
		return "the form must have at most " + strconv.Itoa(c.limit) + " fields"
	}
	return ""
}
