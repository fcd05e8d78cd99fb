package token

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A member is a name and a value of a JSON object. The name is unquoted; the value is JSON.
type member struct{ name, value string }

const (
	// maxHeader and maxClaims are the maximum numbers of members of a header,
	// whose signature is not verified yet, and of a payload.
	maxHeader = 16
	maxClaims = 64
	// maxElements is the maximum number of elements of an array.
	maxElements = 100
)

// members appends the members of a JSON object to list, at most the given number. It
// reads strictly: valid UTF-8, no repeated name in any object, nothing after the
// object. It refuses names of the outer object that differ only in case, because
// decoders that fold case would confuse them (CVE-2020-26160). The members share the
// memory of the text.
func members(text string, list []member, most int) ([]member, bool) {
	s := scanner{rest: text}
	if !s.acceptByte('{') {
		return nil, false
	}
	for first := true; !s.acceptByte('}'); first = false {
		if !first && !s.acceptByte(',') || len(list) == most {
			return nil, false
		}
		s.space()
		quoted, ok := s.scanString()
		if !ok || !s.acceptByte(':') {
			return nil, false
		}
		name, ok := unquote(quoted)
		if !ok {
			return nil, false
		}
		for _, other := range list {
			if strings.EqualFold(name, other.name) {
				return nil, false
			}
		}
		s.space()
		value, ok := s.scanValue()
		if !ok {
			return nil, false
		}
		list = append(list, member{name, value})
	}
	s.space()
	return list, s.rest == ""
}

// stringValue returns the value as a string.
func (m member) stringValue() (string, bool) {
	if m.value[0] != '"' {
		return "", false
	}
	return unquote(m.value)
}

// each calls f with each string of an array of strings, or with a single string,
// and reports whether the value is either. An array has at most maxElements. each
// does not descend, so that composite can call it for a value that is not
// validated yet.
func (m member) each(f func(string)) bool {
	if one, ok := m.stringValue(); ok {
		f(one)
		return true
	}
	s := scanner{rest: m.value}
	if !s.acceptByte('[') {
		return false
	}
	for n := 0; !s.acceptByte(']'); n++ {
		if n > 0 && !s.acceptByte(',') || n == maxElements {
			return false
		}
		s.space()
		quoted, ok := s.scanString()
		if !ok {
			return false
		}
		element, ok := unquote(quoted)
		if !ok {
			return false
		}
		f(element)
	}
	return true
}

// unquote returns the content of a scanned string.
func unquote(quoted string) (string, bool) {
	inner := quoted[1 : len(quoted)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	plain, err := jsontext.AppendUnquote(nil, quoted)
	return string(plain), err == nil
}

// scanner reads JSON (RFC 8259) from the front of a text.
type scanner struct{ rest string }

func (s *scanner) space() {
	for s.rest != "" && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\t' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

// acceptByte skips white space and then the byte, and reports whether the byte was
// next.
func (s *scanner) acceptByte(c byte) bool {
	s.space()
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// cut takes n bytes.
func (s *scanner) cut(n int) string {
	text := s.rest[:n]
	s.rest = s.rest[n:]
	return text
}

// scanString reads a string with its quotation marks.
func (s *scanner) scanString() (quoted string, ok bool) {
	if s.rest == "" || s.rest[0] != '"' {
		return "", false
	}
	strange := false
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			quoted = s.cut(i + 1)
			return quoted, !strange || wellFormed(quoted)
		case c < ' ':
			return "", false
		case c == '\\':
			i++
			strange = true
		case c >= utf8.RuneSelf:
			strange = true
		}
	}
	return "", false
}

// wellFormed reports whether the escapes of a string are known, its surrogates
// paired and its bytes UTF-8.
func wellFormed(quoted string) bool {
	_, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil
}

// scanValue takes any value.
func (s *scanner) scanValue() (string, bool) {
	if s.rest == "" {
		return "", false
	}
	switch s.rest[0] {
	case '"':
		return s.scanString()
	case '{', '[':
		return s.composite()
	}
	n := strings.IndexAny(s.rest, ",]} \n\t\r")
	if n < 0 {
		n = len(s.rest)
	}
	word := s.cut(n)
	return word, word == "true" || word == "false" || word == "null" || isNumber(word)
}

// composite scans an object or an array: up to the bracket that closes it, and
// then the content. Most are short lists of strings.
func (s *scanner) composite() (string, bool) {
	depth, inside := 0, false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth > 0 {
				continue
			}
			m := member{value: s.cut(i + 1)}
			return m.value, m.value[0] == '[' && m.each(func(string) {}) || jsontext.Value(m.value).IsValid()
		}
	}
	return "", false
}

// isNumber reports whether a text is a number of RFC 8259, section 6.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, ok := digits(text)
	if !ok || whole > 1 && text[0] == '0' {
		return false
	}
	text = text[whole:]
	if fraction, found := strings.CutPrefix(text, "."); found {
		n, ok := digits(fraction)
		if !ok {
			return false
		}
		text = fraction[n:]
	}
	if text != "" && (text[0] == 'e' || text[0] == 'E') {
		text = text[1:]
		if text != "" && (text[0] == '+' || text[0] == '-') {
			text = text[1:]
		}
		n, ok := digits(text)
		if !ok {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// digits counts the digits in front, of which there must be one.
func digits(text string) (n int, ok bool) {
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n, n > 0
}
