package validate

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ruleTexts are the messages of rules whose parameter is not part of them.
var ruleTexts = map[string]string{
	"required": "is required", "isdefault": "must not be set", "unique": "must not contain duplicates",
	"alpha": "must contain only letters", "alphanum": "must contain only letters and digits", "number": "must contain only digits", "numeric": "must be a number", "boolean": "must be true or false",
	"ascii": "must contain only ASCII characters", "printascii": "must contain only printable ASCII characters", "lowercase": "must be in lower case", "uppercase": "must be in upper case",
	"hexadecimal": "must contain only hexadecimal digits", "base32": "must be base32", "base64": "must be base64", "base64url": "must be base64url", "base64rawurl": "must be base64url without padding",
	"email": "must be an e-mail address", "url": "must be a web address", "http_url": "must be a web address", "https_url": "must be a web address with https", "origin": "must be the origin of a web page", "uri": "must be a URI",
	"hostname": "must be a host name", "hostname_rfc1123": "must be a host name", "fqdn": "must be a full host name", "hostname_label": "must be one label of a host name", "hostname_port": "must be a host and a port", "port": "must be a port",
	"mongodb_connection_string": "must be a connection string of MongoDB", "ip": "must be an IP address", "ipv4": "must be an IPv4 address", "ipv6": "must be an IPv6 address", "cidr": "must be a network in CIDR notation",
	"cidrv4": "must be an IPv4 network in CIDR notation", "cidrv6": "must be an IPv6 network in CIDR notation", "mac": "must be a MAC address", "uuid": "must be a UUID", "uuid3": "must be a UUID of version 3", "uuid4": "must be a UUID of version 4",
	"uuid5": "must be a UUID of version 5", "uuid7": "must be a UUID of version 7", "ulid": "must be a ULID", "rfc3339": rfc3339Text, "e164": "must be a telephone number such as +4930123456", "semver": "must be a semantic version", "json": "must be JSON",
}

const rfc3339Text = "must be a time such as 2006-01-02T15:04:05Z"

// paramTexts are the messages of rules that end in their parameter.
var paramTexts = map[string]string{
	"datetime": "must be a time in the form ", "startswith": "must start with ", "endswith": "must end with ", "startsnotwith": "must not start with ", "endsnotwith": "must not end with ", "contains": "must contain ", "excludes": "must not contain ",
	"ne": "must not be ", "pattern": "must match the pattern ",
}

// messageOf returns the message of a rule for values of a kind. It completes a sentence
// that begins with the place. It contains only names and parameters of the schema.
func messageOf(rule, param string, kind reflect.Kind) string {
	if strings.Contains(rule, "|") {
		return alternatives(rule, kind)
	}
	if text, ok := ruleTexts[rule]; ok {
		return text
	}
	if text, ok := compareText(rule, param, kind); ok {
		return text
	}
	switch {
	case rule == "oneof" || rule == "oneofci":
		return "must be one of: " + strings.Join(strings.Fields(param), ", ")
	case rule == "eq" && param != "":
		return "must be " + param
	}
	if text, ok := paramTexts[rule]; ok && param != "" {
		return text + param
	}
	return "breaks the rule " + rule
}

// alternatives joins the messages of rules of which one must hold.
func alternatives(rule string, kind reflect.Kind) string {
	var texts []string
	for alternative := range strings.SplitSeq(rule, "|") {
		name, param, _ := strings.Cut(alternative, "=")
		if text := messageOf(name, param, kind); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", or ")
}

// compareText returns the message of a rule that compares a number, a length or
// a time. A rule without a parameter compares a time with the current time.
func compareText(rule, param string, kind reflect.Kind) (string, bool) {
	o, ok := comparisons[rule]
	if !ok {
		return "", false
	}
	if param == "" {
		now := map[op]string{opMore: "must be in the future", opMin: "must not be in the past", opLess: "must be in the past", opMax: "must not be in the future"}
		return now[o], now[o] != ""
	}
	quantity, ok := map[op]string{opMin: "at least ", opMax: "at most ", opMore: "more than ", opLess: "less than ", opEqual: "exactly "}[o]
	unit := ""
	switch kind {
	case reflect.String:
		unit = " character"
	case reflect.Slice, reflect.Array, reflect.Map:
		unit = " item"
	}
	switch {
	case !ok, rule == "eq" && (unit == " character" || kind == reflect.Bool): // the value itself
		return "", false
	case unit == "":
		return "must be " + quantity + param, true
	case param != "1":
		unit += "s"
	}
	return "must have " + quantity + param + unit, true
}

// typeText returns the message for a value that cannot be decoded into a type. The JSON
// kind of the value distinguishes a number out of range from other values. A quoted
// type has the option string: a number in quotation marks.
func typeText(t reflect.Type, kind jsontext.Kind, quoted bool) string {
	t = underlyingType(t)
	if decodesItself(t) {
		return ownText(t)
	}
	switch s := shapeOf(t); {
	case quoted && (s == signed || s == unsigned || s == float):
		return "must be a number in a string"
	case s == text:
		return "must be a string"
	case s == signed || s == unsigned || s == float:
		return numberText(t, kind == '0')
	case s == mapping || s == structure:
		return "must be an object"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "must be a base64 string"
	case t.Kind() == reflect.Array && (kind == '[' || kind == ']'):
		return "must have exactly " + strconv.Itoa(t.Len()) + " items"
	case s == list:
		return "must be a list"
	case t.Kind() == reflect.Bool:
		return "must be true or false"
	}
	return "has the wrong type"
}

// ownText returns the message for a type that decodes itself.
func ownText(t reflect.Type) string {
	switch {
	case t == timeType:
		return rfc3339Text
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return "must be a text in the expected form"
	}
	return "does not have the expected form"
}

// numberText returns the message for a number type. It contains the range of the type
// if the client sent a number.
func numberText(t reflect.Type, isNumber bool) string {
	bits := t.Bits()
	switch s := shapeOf(t); {
	case s == float && isNumber:
		return "is out of range"
	case s == float:
		return "must be a number"
	case s == unsigned && isNumber:
		return "must be a whole number from 0 to " + strconv.FormatUint(1<<bits-1, 10)
	case s == unsigned:
		return "must be a whole number of 0 or more"
	case isNumber:
		return "must be a whole number from " + strconv.FormatInt(-1<<(bits-1), 10) + " to " + strconv.FormatInt(1<<(bits-1)-1, 10)
	}
	return "must be a whole number"
}
