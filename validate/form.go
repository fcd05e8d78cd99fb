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
func (p *plan) readForm(w http.ResponseWriter, r *http.Request, v reflect.Value) error {
	if err := p.c.checkMedia(r, formType); err != nil {
		return err
	}
	data, err := p.c.readBody(w, r, p.c.countFields())
	if err != nil {
		return err
	}
	form, err := p.c.parsePairs(string(data), func(string) bool { return false }, malformedForm)
	if err != nil {
		return err
	}
	for i := range p.params {
		param := &p.params[i]
		if param.source != "form" {
			continue
		}
		values := form[param.name]
		delete(form, param.name)
		if err := p.c.set(v.FieldByIndex(param.index), param, values); err != nil {
			return err
		}
	}
	return unknown(form, "form", "field")
}

func malformedForm(text string) error {
	return refuse(ErrMalformed, "the form", "/form", "malformed_form", text)
}

// countFields refuses a form of too many fields while it arrives.
func (c *config) countFields() func([]byte) string {
	fields := 1
	return func(fresh []byte) string {
		if fields += bytes.Count(fresh, []byte("&")); fields > c.limits.Params {
			return "the form must have at most " + strconv.Itoa(c.limits.Params) + " fields"
		}
		return ""
	}
}
