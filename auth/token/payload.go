package token

import (
	"encoding/json"
	"slices"
)

// A Payload is the payload of a verified token, for the function
// [VerifierOptions].Identity. It is valid until that function returns.
//
// A path names a member of nested objects: p.Text("realm_access", "kind"). A member
// that does not exist has the zero value, as has one of another type.
type Payload struct {
	text    string
	members []member
}

// Text returns a string, or "".
func (p Payload) Text(path ...string) string {
	m, ok := p.find(path)
	if !ok {
		return ""
	}
	text, _ := m.stringValue()
	return text
}

// Words returns the strings of an array, or the words of a string that is separated
// by spaces, as scopes are (RFC 6749, section 3.3). An array with another value
// than strings, or with more than 100, has none.
func (p Payload) Words(path ...string) []string {
	m, ok := p.find(path)
	if !ok {
		return nil
	}
	if list, isText := m.stringValue(); isText {
		return words(list)
	}
	list, ok := m.texts()
	if !ok {
		return nil
	}
	return list
}

// Names returns the names of the members of an object, at most 64: some issuers
// write roles as an object with a member for each role.
func (p Payload) Names(path ...string) []string {
	m, ok := p.find(path)
	if !ok {
		return nil
	}
	list, ok := members(m.value, nil, maxClaims)
	if !ok {
		return nil
	}
	var names []string
	for _, inner := range list {
		names = append(names, inner.name)
	}
	return names
}

// Has reports whether a member exists, whatever its value is.
func (p Payload) Has(path ...string) bool {
	_, ok := p.find(path)
	return ok
}

// Flag reports whether a member is true, or the string "true".
func (p Payload) Flag(path ...string) bool {
	m, ok := p.find(path)
	return ok && (m.value == "true" || m.value == `"true"`)
}

// Decode decodes the payload into the value that v points to, as
// [auth.Claims] does.
func (p Payload) Decode(v any) error { return json.Unmarshal([]byte(p.text), v) }

// find returns the member at a path.
func (p Payload) find(path []string) (member, bool) {
	list := p.members
	for i, name := range path {
		found, ok := memberOf(list, name)
		if !ok {
			return member{}, false
		}
		if i == len(path)-1 {
			return found, true
		}
		if list, ok = members(found.value, nil, maxClaims); !ok {
			return member{}, false
		}
	}
	return member{}, false
}

// memberOf returns the member of a name.
func memberOf(list []member, name string) (member, bool) {
	for _, m := range list {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// clonePayload returns a Payload that shares nothing with the memory of a request.
func clonePayload(text string, list []member) Payload {
	return Payload{text: text, members: slices.Clone(list)}
}
