package headers

import (
	"net/netip"
	"strings"
)

// An element is an element of the Forwarded header (RFC 7239, section 4).
type element struct{ node, proto, host string }

// cutLastElement splits a list at its last comma outside of quotes, and trims the
// last element. It reads from the right, so that an open quote from a client
// cannot hide elements that proxies append.
func cutLastElement(list string) (rest, last string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch {
		case list[i] == '"' && !isEscaped(list, i):
			quoted = !quoted
		case list[i] == ',' && !quoted:
			return list[:i], strings.Trim(list[i+1:], " \t"), true
		}
	}
	return "", strings.Trim(list, " \t"), false
}

// isEscaped reports whether an odd number of backslashes precedes s[i].
func isEscaped(s string, i int) bool {
	n := 0
	for i > n && s[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// parseElement reads the parameters of an element. Names are case-insensitive.
// for, proto and host may appear once. Values are tokens or quoted strings.
// Whitespace around semicolons is skipped, although the grammar does not allow it.
func parseElement(s string) (e element, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return e, true
		}
		if s[0] == ';' {
			s = s[1:]
			continue
		}
		name, rest, found := strings.Cut(s, "=")
		if !found || !isToken(name) {
			return element{}, false
		}
		var value string
		if value, rest, ok = cutValue(rest); !ok {
			return element{}, false
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ';' {
			return element{}, false
		}
		if !e.setParameter(name, value) {
			return element{}, false
		}
		s = rest
	}
}

// setParameter stores a parameter. It reports false for an empty value, or if the
// parameter was already set.
func (e *element) setParameter(name, value string) bool {
	var field *string
	switch {
	case strings.EqualFold(name, "for"):
		field = &e.node
	case strings.EqualFold(name, "proto"):
		field = &e.proto
	case strings.EqualFold(name, "host"):
		field = &e.host
	default:
		return true // by, and extensions
	}
	if *field != "" || value == "" {
		return false
	}
	*field = value
	return true
}

// cutValue reads a token or a quoted string (RFC 9110, section 5.6.4). It accepts
// an unquoted colon, because templates of HAProxy and others write
// host=shop.example.com:443. This is safe, because a colon separates nothing here.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := 0
		for end < len(s) && (isTokenByte(s[end]) || s[end] == ':') {
			end++
		}
		return s[:end], s[end:], end > 0
	}
	escapes := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			value = s[1:i]
			if escapes {
				value = unescape(value)
			}
			return value, s[i+1:], true
		case s[i] == '\\':
			escapes = true
			i++
		case s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseNode reads an address with an optional port (RFC 7239, section 6). An IPv6
// address must have brackets. It refuses "unknown" and obfuscated names.
func parseNode(node string) (netip.Addr, bool) {
	if host, port, ok := strings.Cut(node, ":_"); ok && isToken(port) { // an obfuscated port
		node = host
	}
	if !strings.HasPrefix(node, "[") && strings.Count(node, ":") > 1 {
		return netip.Addr{}, false
	}
	return parseHop(node)
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
