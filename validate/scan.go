package validate

import (
	"bytes"
	"reflect"
)

// A node says what the decoder accepts at a place of a body and the schema does not: null,
// or a whole number that a float64 rounds. A nil node is a place of unknown type, where
// everything is accepted.
type node struct {
	nullable bool
	rounds   bool             // a float or an interface: digits of a whole number may be lost
	elem     *node            // of a list or a map
	isObject bool             // elem is of a map
	members  map[string]*node // of a struct
	anything bool             // of an interface, in which elem is the node itself
}

// nodeOf returns the node of a type. A type may contain itself.
func nodeOf(t reflect.Type, known map[reflect.Type]*node) *node {
	if n := known[t]; n != nil {
		return n
	}
	n := &node{nullable: nullable(t)}
	known[t] = n
	inner := underlyingType(t)
	if inner.Kind() != reflect.Interface && decodesItself(inner) {
		return n
	}
	switch inner.Kind() {
	case reflect.Float32, reflect.Float64:
		n.rounds = true
	case reflect.Interface:
		n.rounds, n.anything, n.elem = true, true, n
	case reflect.Slice, reflect.Array:
		n.elem = nodeOf(inner.Elem(), known)
	case reflect.Map:
		n.elem, n.isObject = nodeOf(inner.Elem(), known), true
	case reflect.Struct:
		n.members = make(map[string]*node)
		for _, f := range reflect.VisibleFields(inner) {
			name := bareName(f.Tag.Get("json"))
			if name == "" {
				name = f.Name
			}
			if member, ok := memberOf(inner, name); ok {
				n.members[name] = nodeOf(member, known)
			}
		}
	}
	return n
}

// inside returns the node of an array or object at a place: nil if its type is unknown.
func (n *node) inside(isObject bool) *node {
	if n == nil || !n.anything && (n.elem == nil || n.isObject != isObject) && (n.members == nil || !isObject) {
		return nil
	}
	return n
}

// A frame is an open array or object.
type frame struct {
	in       *node
	isObject bool
}

// refusesText reports whether a text that was decoded has a null or a number that the node
// does not accept. It is checkTokens without places, and without an allocation: checkTokens
// then finds the place. The text is valid JSON, no deeper than the limit of [Limits].
func (n *node) refusesText(data []byte) bool {
	var open [deepest + 1]frame
	depth, next, isName := 0, n, false
	for i := 0; i < len(data); {
		switch tokenClass[data[i]] {
		case textToken:
			end := i + 1
			for data[end] != '"' {
				if data[end] == '\\' {
					end++
				}
				end++
			}
			if in := open[depth].in; isName && in != nil && in.members != nil {
				next = in.member(data[i : end+1])
			}
			isName = false
			i = end
		case commaToken:
			isName = open[depth].isObject
		case nullToken:
			if next != nil && !next.nullable {
				return true
			}
			i += len("ull")
		case numberToken:
			end := i + 1
			for end < len(data) && !structural(data[end]) {
				end++
			}
			if end-i > longestExact && next != nil && next.rounds && isRounded(string(data[i:end])) {
				return true
			}
			i = end - 1
		case wordToken: // true and false, whose letters are no tokens
			for i+1 < len(data) && !structural(data[i+1]) {
				i++
			}
		case openToken:
			isName = data[i] == '{'
			in := next.inside(isName)
			if next = nil; in != nil {
				next = in.elem
			}
			depth++
			open[depth] = frame{in, isName}
		case closeToken:
			depth--
			if next = nil; open[depth].in != nil {
				next = open[depth].in.elem
			}
		}
		i++
	}
	return false
}

// member returns the node of a member by its quoted name.
func (n *node) member(quoted []byte) *node {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') < 0 {
		return n.members[string(name)]
	}
	return n.members[unquoteName(quoted)]
}

// longestExact is the length of the longest whole number that every float64 has exactly.
const longestExact = 15

// The classes of bytes that begin a token of JSON.
const (
	otherToken = iota // blanks and colons
	textToken
	commaToken
	nullToken
	numberToken
	wordToken
	openToken
	closeToken
)

var tokenClass = [256]uint8{
	'"': textToken, ',': commaToken, 'n': nullToken, 't': wordToken, 'f': wordToken, '{': openToken, '[': openToken, '}': closeToken, ']': closeToken,
	'-': numberToken, '0': numberToken, '1': numberToken, '2': numberToken, '3': numberToken, '4': numberToken,
	'5': numberToken, '6': numberToken, '7': numberToken, '8': numberToken, '9': numberToken,
}
