package validate

import (
	"reflect"
	"strconv"
	"strings"
)

// forms are the schemas of rules that are a pattern or a format.
var forms = map[string]keywords{
	"alpha": {"pattern": "^[a-zA-Z]+$"}, "alphanum": {"pattern": "^[a-zA-Z0-9]+$"}, "number": {"pattern": "^[0-9]+$"},
	"numeric": {"pattern": `^[-+]?[0-9]+(?:\.[0-9]+)?$`}, "ascii": {"pattern": `^[\x00-\x7F]*$`}, "printascii": {"pattern": `^[\x20-\x7E]*$`},
	"email": {"format": "email", "maxLength": 254}, "uri": {"format": "uri"}, "url": {"format": "uri"}, "http_url": {"format": "uri"}, "https_url": {"format": "uri"},
	"hostname": {"format": "hostname"}, "hostname_rfc1123": {"format": "hostname"}, "fqdn": {"format": "hostname"},
	"ipv4": {"format": "ipv4"}, "ipv6": {"format": "ipv6"}, "rfc3339": {"format": "date-time"},
	"uuid":        {"format": "uuid", "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},
	"uuid4":       {"format": "uuid", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"},
	"hexadecimal": {"pattern": "^(?:0[xX])?[0-9a-fA-F]+$"}, "hexcolor": {"pattern": "^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$"},
	"e164": {"pattern": `^\+?[1-9][0-9]{7,14}$`}, "boolean": {"enum": []string{"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"}},
	"base64": {"pattern": `^(?:[A-Za-z0-9+\/]{4})*(?:[A-Za-z0-9+\/]{2}==|[A-Za-z0-9+\/]{3}=|[A-Za-z0-9+\/]{4})$`},
	// The pattern covers only ASCII letters.
	"lowercase": {"pattern": "^[^A-Z]+$", "$comment": "rule lowercase"}, "uppercase": {"pattern": "^[^a-z]+$", "$comment": "rule uppercase"},
}

// textForm returns the schema of a rule about a part of a text.
func textForm(name, param string) (keywords, bool) {
	var quoted strings.Builder
	for _, r := range param {
		quoted.WriteString(printRune(r))
	}
	part := quoted.String()
	switch name {
	case "startswith":
		return keywords{"pattern": "^" + part}, true
	case "endswith":
		return keywords{"pattern": part + "$"}, true
	case "contains":
		return keywords{"pattern": part}, true
	case "startsnotwith":
		return keywords{"not": keywords{"pattern": "^" + part}}, true
	case "endsnotwith":
		return keywords{"not": keywords{"pattern": part + "$"}}, true
	case "excludes":
		return keywords{"not": keywords{"pattern": part}}, true
	}
	return nil, false
}

// numberForms are the patterns of numbers in strings: map keys, and members with the
// option string.
var numberForms = map[shape]string{
	signed: "^-?(?:0|[1-9][0-9]*)$", unsigned: "^(?:0|[1-9][0-9]*)$", float: `^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$`,
}

// isBytes reports whether a list is decoded from base64. It is if its elements are of
// type byte, and not of another type with the same kind.
func isBytes(t reflect.Type) bool { return t.Elem() == reflect.TypeFor[byte]() }

// quotedZeros are the patterns of zero in a string.
var quotedZeros = map[shape]string{signed: "^-?0$", unsigned: "^0$", float: `^-?0(?:\.0+)?(?:[eE][-+]?[0-9]+)?$`}

// Patterns of base64: four digits, and the two padded forms of the end.
const (
	quad   = "[A-Za-z0-9+\\/]{4}"
	single = "[A-Za-z0-9+\\/]{2}=="
	double = "[A-Za-z0-9+\\/]{3}="
)

// zeroBytes returns the schema of n zero bytes in base64. The decoder drops the last
// bits of the last digit.
func zeroBytes(n int) keywords {
	end := [...]string{"", "A[A-P]==", "AA[A-D]="}[n%3]
	return keywords{"type": "string", "pattern": "^" + strings.Repeat("A", n/3*4) + end + "$"}
}

// sizedBytes returns the schema of a rule about the number of bytes.
func sizedBytes(name, param string, comment keywords) keywords {
	o, ok := comparisons[name]
	n, err := strconv.ParseInt(param, 0, 64)
	switch {
	case !ok || err != nil:
		return comment
	case o == opMin:
		return bytesForm(max(n, 0), -1)
	case o == opMore:
		return bytesForm(max(n+1, 0), -1)
	case o == opLess:
		n--
		fallthrough
	case o == opMax:
		if n < 0 {
			return keywords{"not": keywords{}}
		}
		return bytesForm(0, n)
	case n < 0:
		return keywords{"not": keywords{}}
	case o == opOther:
		return keywords{"not": bytesForm(n, n)}
	}
	return bytesForm(n, n)
}

// mostRepeats is the largest count of a repetition in RE2.
const mostRepeats = 1000

// bytesForm returns the schema of least to most bytes in base64. most -1 means no
// maximum. Numbers of bytes above the largest count of a pattern are bounded by the
// length of the text, which is less exact.
func bytesForm(least, most int64) keywords {
	o := keywords{"type": "string", "contentEncoding": "base64"}
	switch {
	case most >= 0 && least > most:
		return keywords{"not": keywords{}}
	case most > 3*mostRepeats || least > 3*mostRepeats:
		o["pattern"], o["minLength"] = "^(?:"+quad+")*(?:"+single+"|"+double+")?$", (least+2)/3*4
		if most >= 0 {
			o["maxLength"] = (most + 2) / 3 * 4
		}
		return o
	case least == 0 && most < 0:
		o["pattern"] = "^(?:" + quad + ")*(?:" + single + "|" + double + ")?$"
		return o
	}
	var parts []string
	for rest, end := range []string{"", single, double} {
		r := int64(rest)
		if most >= 0 && most < r {
			continue
		}
		count := strconv.FormatInt(max(least-r+2, 0)/3, 10) + ","
		if most >= 0 {
			high := (most - r) / 3
			if high < max(least-r+2, 0)/3 {
				continue
			}
			count += strconv.FormatInt(high, 10)
		}
		parts = append(parts, "(?:"+quad+"){"+count+"}"+end)
	}
	o["pattern"] = "^(?:" + strings.Join(parts, "|") + ")$"
	return o
}
