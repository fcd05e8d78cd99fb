package validate

import (
	"bytes"
	"encoding"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readParams reads the parameters whose source is not the body. In queryOnly mode all
// parameters are from the query.
func (p *plan) readParams(r *http.Request, v reflect.Value) error {
	if len(r.URL.RawQuery) > p.c.limits.Query {
		return ErrQueryTooLong.With("limit", p.c.limits.Query)
	}
	var query map[string][]string
	if r.URL.RawQuery != "" {
		var err error
		if query, err = p.c.parsePairs(r.URL.RawQuery, p.c.ignored, malformedQuery); err != nil {
			return err
		}
	}
	if p.cookies {
		if err := p.c.checkCookies(r); err != nil {
			return err
		}
	}
	for i := range p.params {
		param := &p.params[i]
		var values []string
		var err error
		switch param.source {
		case "form":
			continue
		case "query":
			values = query[param.name]
			delete(query, param.name)
		case "header":
			values, err = param.headerValues(r, multiple(param.check.t) && len(param.check.hops) == 0, p.c.limits.Values)
		case "cookie":
			values, err = param.cookieValues(r)
		case "path":
			values, err = p.c.pathValues(r, param)
		}
		if err != nil {
			return err
		}
		if err := p.c.setField(v.FieldByIndex(param.index), param, values); err != nil {
			return err
		}
	}
	return unknownName(query, "query", "parameter")
}

// unknownName refuses the values that no field has used.
func unknownName(values map[string][]string, source, noun string) error {
	for name := range values {
		if !repeatable(name) {
			return newRefusal(ErrInvalid, "the "+source, "/"+source, "unknown_"+noun, "has an unknown "+noun)
		}
		place := &place{source: source, name: name}
		return newRefusal(ErrInvalid, place.String(), place.pointer(), "unknown_"+noun, "is unknown")
	}
	return nil
}

// parsePairs parses urlencoded pairs strictly. url.ParseQuery returns the valid pairs of
// a malformed query, so that this check and another parser could see different input.
func (c *config) parsePairs(raw string, ignored func(string) bool, malformed func(string) error) (map[string][]string, error) {
	if strings.Contains(raw, ";") {
		return nil, malformed("must not have a semicolon")
	}
	values, n := make(map[string][]string), 0
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if n++; n > c.limits.Params {
			return nil, malformed("must have at most " + strconv.Itoa(c.limits.Params) + " parameters")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !isCleanText(name) {
			return nil, malformed("has an invalid name")
		}
		if ignored(name) {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, malformed("has an invalid escape")
		}
		if len(values[name]) == c.limits.Values {
			return nil, newRefusal(ErrInputTooLarge, "the input", "", "too_many_values", "must have at most "+strconv.Itoa(c.limits.Values)+" values per name")
		}
		values[name] = append(values[name], value)
	}
	return values, nil
}

func malformedQuery(text string) error {
	return newRefusal(ErrMalformed, "the query", "/query", "malformed_query", text)
}

// acceptsText reports whether a value has no control character that its source refuses.
// Form fields may have several lines, like JSON strings, because a textarea needs them.
// Other sources have one line.
func (p *param) acceptsText(s string) bool {
	if p.source == "form" {
		return isCleanLines(s)
	}
	return isCleanText(s)
}

// setField puts the values of a parameter into its field.
func (c *config) setField(v reflect.Value, p *param, values []string) error {
	if p.source == "form" && len(values) == 1 && values[0] == "" && isBlankAbsent(v.Type()) {
		values = nil // of an input without a value
	}
	if len(values) == 0 {
		if !p.preset {
			return nil
		}
		values = []string{p.value}
	}
	if p.comma {
		var err error
		if values, err = p.cutCommas(values, c.limits.Values); err != nil {
			return err
		}
	}
	for _, value := range values {
		if !p.acceptsText(value) {
			return p.newRefusal(ErrMalformed, "malformed", "contains control characters or invalid UTF-8")
		}
	}
	if multiple(v.Type()) {
		list := reflect.MakeSlice(v.Type(), len(values), len(values))
		for i, value := range values {
			if want := p.setValue(list.Index(i), value); want != "" {
				return p.newRefusal(ErrMalformed, "type", want)
			}
		}
		v.Set(list)
		return nil
	}
	if len(values) > 1 {
		return p.newRefusal(ErrDuplicate, "duplicate", "appears more than once")
	}
	if want := p.setValue(v, values[0]); want != "" {
		return p.newRefusal(ErrMalformed, "type", want)
	}
	return nil
}

// cutCommas cuts the one value of a list with the option comma.
func (p *param) cutCommas(values []string, limit int) ([]string, error) {
	if len(values) > 1 {
		return nil, p.newRefusal(ErrDuplicate, "duplicate", "appears more than once")
	}
	if strings.Count(values[0], ",") >= limit {
		return nil, p.tooMany(limit)
	}
	values = strings.Split(values[0], ",")
	if slices.Contains(values, "") {
		return nil, p.newRefusal(ErrMalformed, "malformed", "must not have empty items")
	}
	return values, nil
}

// isBlankAbsent reports whether an empty form field of a type is absent: an HTML form sends
// one for each input that its user left blank. A text may be empty.
func isBlankAbsent(t reflect.Type) bool {
	return !multiple(t) && (underlyingType(t).Kind() != reflect.String || reflect.PointerTo(underlyingType(t)).Implements(textUnmarshaler))
}

// setValue sets one value from a text. A checkbox of an HTML form has the value on.
func (p *param) setValue(v reflect.Value, s string) string {
	if p.source == "form" && s == "on" && underlyingType(v.Type()).Kind() == reflect.Bool {
		s = "true"
	}
	return setScalar(v, s)
}

// multiple reports whether a parameter may be repeated.
func multiple(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && !reflect.PointerTo(t).Implements(textUnmarshaler)
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	timeType        = reflect.TypeFor[time.Time]()
	// As in JSON: no plus sign, no leading zero, no hexadecimal digits.
	wholeNumber = regexp.MustCompile(`\A(?:0|-?[1-9][0-9]*)\z`)
	anyNumber   = regexp.MustCompile(`\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\z`)
)

// setScalar sets one value from a text. It returns "" or the message of a problem.
func setScalar(v reflect.Value, s string) string {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if u.UnmarshalText([]byte(s)) != nil {
			return ownText(v.Type())
		}
		return ""
	}
	if v.Type() == durationType {
		d, err := time.ParseDuration(s)
		if err != nil || !letter(s[len(s)-1]) || s[0] == '+' { // "0" has no unit
			return "must be a duration, such as 90s"
		}
		v.SetInt(int64(d))
		return ""
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		if s != "true" && s != "false" {
			return "must be true or false"
		}
		v.SetBool(s == "true")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil || !wholeNumber.MatchString(s) {
			return numberText(v.Type(), wholeNumber.MatchString(s))
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err != nil || !wholeNumber.MatchString(s) {
			return numberText(v.Type(), wholeNumber.MatchString(s))
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(s, v.Type().Bits())
		if err != nil || !anyNumber.MatchString(s) {
			return numberText(v.Type(), anyNumber.MatchString(s))
		}
		v.SetFloat(n)
	}
	return ""
}

// formType is the media type of a form in browsers by default (URL, section 5.1).
var formType = []string{"application/x-www-form-urlencoded"}

// readForm reads the fields of a form in the body. Unlike http.Request.FormValue, it
// does not read the query, which was checked as another source.
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
	if p.raw != nil {
		v.FieldByIndex(p.raw).SetBytes(bytes.Clone(data))
	}
	form, err := p.c.parsePairs(string(data), func(string) bool { return false }, malformedForm)
	if err != nil {
		return err
	}
	return p.setForm(form, v)
}

// setForm sets the fields of a form.
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

// A fieldCounter bounds the fields of a urlencoded form while it arrives.
type fieldCounter struct{ limit, n int }

func (c *fieldCounter) write(fresh []byte) string {
	if c.n += bytes.Count(fresh, []byte("&")); c.n > c.limit {
		return "the form must have at most " + strconv.Itoa(c.limit) + " fields"
	}
	return ""
}
