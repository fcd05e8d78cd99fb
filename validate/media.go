package validate

import (
	"net/http"
	"slices"
	"strings"
)

// parseMediaType parses a media type (RFC 9110, section 8.3.1). Empty parameters
// are skipped (section 5.6.6); mime.ParseMediaType accepts them only at the end. A
// repeated parameter is refused, because parsers differ in the value that they use.
func parseMediaType(s string) (media string, params map[string]string, ok bool) {
	media, rest, more := strings.Cut(s, ";")
	media = strings.ToLower(trimBlanks(media))
	major, minor, _ := strings.Cut(media, "/")
	if !token(major) || !token(minor) {
		return "", nil, false
	}
	for more {
		var param string
		param, rest, more = cutParam(rest)
		if param == "" {
			continue
		}
		name, value, _ := strings.Cut(param, "=")
		name = strings.ToLower(name)
		value, isValue := unquote(value)
		if _, repeated := params[name]; repeated || !isValue || !token(name) {
			return "", nil, false
		}
		if params == nil {
			params = make(map[string]string)
		}
		params[name] = value
	}
	return media, params, true
}

// cutParam cuts a list of parameters at the first semicolon that is not in
// quotation marks.
func cutParam(s string) (param, rest string, more bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ';' && !quoted:
			return trimBlanks(s[:i]), s[i+1:], true
		}
	}
	return trimBlanks(s), "", false
}

// unquote returns the value of a token or a quoted string (RFC 9110, sections
// 5.6.2 and 5.6.4). An unnecessary escape is refused, because mime keeps its backslash
// and other parsers do not.
func unquote(s string) (string, bool) {
	inner, quoted := strings.CutPrefix(s, `"`)
	if !quoted {
		return s, token(s)
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch c := inner[i]; {
		case c == '"':
			return b.String(), i == len(inner)-1
		case c == '\\':
			if i++; i == len(inner) || inner[i] != '"' && inner[i] != '\\' {
				return "", false
			}
			b.WriteByte(inner[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false // the closing quotation mark is missing
}

func trimBlanks(s string) string { return strings.Trim(s, " \t") }

// isUTF8 reports whether a charset is UTF-8, also in the spelling utf8 of databases.
func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// codings returns the content codings of a header, whose list may be empty and have
// empty elements (RFC 9110, sections 5.6.1.2 and 8.4). It drops identity and returns
// x-gzip as gzip (section 8.4.1).
func codings(h map[string][]string) []string {
	var list []string
	for _, line := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			switch coding = strings.ToLower(trimBlanks(coding)); coding {
			case "", "identity":
			case "x-gzip":
				list = append(list, "gzip")
			default:
				list = append(list, coding)
			}
		}
	}
	return list
}

// isZipped reports whether the body of a request is compressed in the one coding
// that Options.Gzip accepts.
func (c *config) isZipped(r *http.Request) bool {
	return c.gzip && len(r.Header["Content-Encoding"]) > 0 && slices.Equal(codings(r.Header), gzipOnly)
}

var gzipOnly = []string{"gzip"}
