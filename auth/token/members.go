package token

import (
	"bytes"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// member is a name and a value of a JSON object, as it was written.
type member struct {
	name  string
	value jsontext.Value
}

// members reads a JSON object strictly: valid UTF-8, no two names alike in any
// object, nothing after it. Names of the outer object that differ in case only
// are refused as well: decoders that fold case would see one for the other
// (CVE-2020-26160 and its kin). The values are parts of data.
func members(data []byte) ([]member, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, false
	}
	var list []member
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		m := member{name: name.String()}
		for _, other := range list {
			if strings.EqualFold(m.name, other.name) {
				return nil, false
			}
		}
		value, err := d.ReadValue()
		if err != nil || len(list) == maxMembers {
			return nil, false
		}
		m.value = bytes.Clone(value)
		list = append(list, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	_, err := d.ReadToken()
	return list, err == io.EOF
}

// maxMembers bounds an object's members, and maxElements an array's.
const (
	maxMembers  = 64
	maxElements = 100
)

// text returns the value as a string.
func (m member) text() (string, bool) {
	if m.value.Kind() != '"' {
		return "", false
	}
	unquoted, err := jsontext.AppendUnquote(nil, m.value)
	return string(unquoted), err == nil
}

// texts returns the value as an array of strings.
func (m member) texts() ([]string, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(m.value))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '[' {
		return nil, false
	}
	var list []string
	for d.PeekKind() != ']' {
		token, err := d.ReadToken()
		if err != nil || token.Kind() != '"' || len(list) == maxElements {
			return nil, false
		}
		list = append(list, token.String())
	}
	return list, true
}
