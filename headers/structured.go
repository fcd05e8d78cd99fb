package headers

import "strings"

// A structured value is a token, a string, or a list of them in parentheses (RFC
// 9651, section 3). Numbers, dates and byte sequences are not supported, because
// Permissions-Policy, COOP and COEP do not use them.
type structured struct {
	items  []item
	isList bool
	params []parameter
}

// An item is a token, or a string without its quotes.
type item struct {
	text     string
	isString bool
}

type parameter struct {
	name  string
	value item
}

// A structuredReader reads a header value from its beginning. Each method
// reports whether the value continues with the element that it reads.
type structuredReader struct{ rest string }

// skip skips the bytes in set.
func (r *structuredReader) skip(set string) { r.rest = strings.TrimLeft(r.rest, set) }

func (r *structuredReader) accept(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// while reads the bytes for which belongs is true.
func (r *structuredReader) while(belongs func(c byte) bool) string {
	n := 0
	for n < len(r.rest) && belongs(r.rest[n]) {
		n++
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// readKey reads a key (RFC 9651, section 4.2.3.3).
func (r *structuredReader) readKey() (string, bool) {
	if r.rest == "" || r.rest[0] != '*' && (r.rest[0] < 'a' || r.rest[0] > 'z') {
		return "", false
	}
	return r.while(func(c byte) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("_-.*", c) >= 0
	}), true
}

// readItem reads a token or a string (RFC 9651, sections 4.2.5 and 4.2.6).
func (r *structuredReader) readItem() (item, bool) {
	if r.accept('"') {
		var text strings.Builder
		for r.rest != "" {
			c := r.rest[0]
			r.rest = r.rest[1:]
			if c == '"' {
				return item{text.String(), true}, true
			}
			if c == '\\' {
				if r.rest == "" || r.rest[0] != '"' && r.rest[0] != '\\' {
					return item{}, false
				}
				c, r.rest = r.rest[0], r.rest[1:]
			}
			text.WriteByte(c)
		}
		return item{}, false
	}
	if r.rest == "" || r.rest[0] != '*' && !isLetterOrDigit(rune(r.rest[0])) || '0' <= r.rest[0] && r.rest[0] <= '9' {
		return item{}, false
	}
	return item{r.while(func(c byte) bool { return isTokenByte(c) || c == ':' || c == '/' }), false}, true
}

// readParameters reads the parameters after a value: ;name or ;name=item.
func (r *structuredReader) readParameters() (params []parameter, ok bool) {
	for r.accept(';') {
		r.skip(" ")
		name, ok := r.readKey()
		if !ok {
			return nil, false
		}
		p := parameter{name: name}
		if r.accept('=') {
			if p.value, ok = r.readItem(); !ok {
				return nil, false
			}
		}
		params = append(params, p)
	}
	return params, true
}

// readValue reads an item or a list with its parameters. It ignores the parameters
// of items in a list.
func (r *structuredReader) readValue() (v structured, ok bool) {
	if !r.accept('(') {
		one, ok := r.readItem()
		if !ok {
			return structured{}, false
		}
		v.items = []item{one}
		v.params, ok = r.readParameters()
		return v, ok
	}
	v.isList = true
	for {
		r.skip(" ")
		if r.accept(')') {
			v.params, ok = r.readParameters()
			return v, ok
		}
		one, ok := r.readItem()
		if !ok {
			return structured{}, false
		}
		if _, ok = r.readParameters(); !ok || r.rest == "" || r.rest[0] != ' ' && r.rest[0] != ')' {
			return structured{}, false
		}
		v.items = append(v.items, one)
	}
}

// parseItem parses a header that is an item.
func parseItem(s string) (structured, bool) {
	r := structuredReader{strings.Trim(s, " ")}
	v, ok := r.readValue()
	return v, ok && r.rest == "" && !v.isList
}

// parseDictionary parses a header that is a dictionary, and calls add with each
// member. A member without a value has no items and is not a list.
func parseDictionary(s string, add func(key string, v structured)) bool {
	r := structuredReader{strings.Trim(s, " ")}
	for {
		key, ok := r.readKey()
		if !ok {
			return false
		}
		var v structured
		if r.accept('=') {
			v, ok = r.readValue()
		} else {
			v.params, ok = r.readParameters()
		}
		if !ok {
			return false
		}
		add(key, v)
		if r.skip(" \t"); r.rest == "" {
			return true
		}
		if !r.accept(',') {
			return false
		}
		r.skip(" \t")
	}
}
