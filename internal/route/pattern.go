package route

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// A pattern is one parsed pattern.
type pattern struct {
	text      string // as given in the options
	method    string // empty means all methods
	path      string // as given in the options
	segments  []segment
	end       end
	literal   int    // the number of bytes of literal text
	wildcards int    // the number of single wildcards
	key       string // equal for patterns that match the same requests
	field     int
}

// A segment is a literal, or a wildcard if text is empty.
type segment struct {
	text    string // decoded
	escaped string // escaped as net/url escapes a path
}

// An end is the allowed rest of a path after the segments of a pattern. Values are ordered from
// most to least specific.
type end uint8

const (
	exact   end = iota // nothing
	slash              // a slash: {$}
	subtree            // a slash and any text
)

// A form says how the literals of a pattern are compared with a path.
type form uint8

const (
	literally   form = iota // the path is decoded
	unescaped               // the path is escaped; each segment is unescaped
	canonically             // the path is escaped as net/url escapes it
)

func placeOf(name string, index int, text string) string {
	return name + "[" + strconv.Itoa(index) + "] " + strconv.Quote(text)
}

// parsePattern parses a pattern. An opaque pattern has the syntax of another router,
// so only its method is parsed.
func parsePattern(text string, opaque bool) (pattern, error) {
	method, rest, ok := strings.Cut(text, " ")
	if !ok {
		method, rest = "", text
	}
	rest = strings.TrimLeft(rest, " ")
	p := pattern{method: method, path: rest}
	switch {
	case text == "":
		return p, errors.New(`must not be empty; a pattern is "[METHOD ]/path"`)
	case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return p, errors.New("has a control character")
	case strings.HasPrefix(method, "/"):
		return p, errors.New("has a space, which ends the method; did you mean " + suggestSpaceless(method, rest) + "?")
	case methodsProblem(text) != "":
		return p, errors.New(methodsProblem(text))
	case method != strings.ToUpper(method):
		return p, errors.New("has a method with lower-case letters; did you mean " + strconv.Quote(strings.ToUpper(method)+" "+rest) + "?")
	case !isTokenOrEmpty(method):
		return p, errors.New("has a method that is not a token (RFC 9110, section 5.6.2)")
	}
	if opaque {
		p.key = p.method + " " + p.path
		return p, nil
	}
	if !strings.HasPrefix(p.path, "/") {
		return p, errors.New(`must have a path that starts with "/", without a host; did you mean ` + strconv.Quote(p.prefix()+"/"+p.path) + "?")
	}
	if err := p.parsePath(); err != nil {
		return p, err
	}
	p.setKey()
	return p, nil
}

// methodsProblem returns the problem of a pattern with several methods, or with a
// word for all methods, or "". GET|POST and ANY are valid tokens, but not methods of
// any request.
func methodsProblem(text string) string {
	head, path, _ := strings.Cut(text, " /")
	if path = "/" + path; strings.HasPrefix(head, "/") {
		return ""
	}
	names := strings.FieldsFunc(strings.ToUpper(head), func(c rune) bool { return strings.ContainsRune(" ,;|/+&", c) })
	switch {
	case len(names) == 1 && (names[0] == "ANY" || names[0] == "ALL" || names[0] == "*"):
		return "has " + head + ", which is not a method; did you mean " + strconv.Quote(path) + ", which matches all methods?"
	case len(names) < 2 || !strings.Contains(text, " /"):
		return ""
	}
	for i, name := range names {
		names[i] = strconv.Quote(name + " " + path)
	}
	return "must have one method; did you mean " + strings.Join(names, " and ") + "?"
}

// suggestSpaceless returns a suggestion for a pattern with a space after the path.
func suggestSpaceless(path, rest string) string {
	if rest != "" && rest == strings.ToUpper(rest) && isTokenOrEmpty(rest) {
		return strconv.Quote(rest + " " + path)
	}
	return "a path without one"
}

func (p *pattern) parsePath() error {
	names := make(map[string]bool)
	rest, more := p.path[1:], true
	for more {
		var text string
		text, rest, more = strings.Cut(rest, "/")
		if text == "" && !more {
			p.end = subtree
			return nil
		}
		name, end, err := wildcard(text)
		switch {
		case err != nil:
			return err
		case end != exact && more:
			return errors.New("has " + text + " before the last segment")
		case name != "" && names[name]:
			return errors.New("has two wildcards named " + name)
		case end != exact:
			p.end = end
			return nil
		case name != "":
			names[name] = true
			p.wildcards++
			p.segments = append(p.segments, segment{})
			continue
		}
		if err := literal(text); err != nil {
			return err
		}
		p.literal += len(text)
		p.segments = append(p.segments, segment{text: text, escaped: (&url.URL{Path: "/" + text}).EscapedPath()[1:]})
	}
	return nil
}

// wildcard parses {name}, {name...} and {$}. It returns an empty name for a literal.
func wildcard(text string) (name string, _ end, _ error) {
	inner, ok := strings.CutPrefix(text, "{")
	if !ok {
		if strings.ContainsAny(text, "{}") {
			return "", exact, errors.New("has a wildcard that is not a whole segment: " + text)
		}
		return "", exact, nil
	}
	inner, ok = strings.CutSuffix(inner, "}")
	if !ok {
		return "", exact, errors.New("has a wildcard that is not a whole segment: " + text)
	}
	if inner == "$" {
		return inner, slash, nil
	}
	inner, rest := strings.CutSuffix(inner, "...")
	if before, _, ok := strings.Cut(inner, ":"); ok {
		return "", exact, errors.New("has a regular expression; did you mean {" + before + "}?")
	}
	if inner == "" || inner[0] <= '9' || strings.ContainsFunc(inner, notNameRune) {
		return "", exact, errors.New("has a wildcard name that is not letters, digits and _, or that starts with a digit: " + text)
	}
	if rest {
		return inner, subtree, nil
	}
	return inner, exact, nil
}

func notNameRune(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_'
}

func literal(text string) error {
	switch {
	case text == "" || text == "." || text == "..":
		return errors.New(`must not have an empty segment, "." or ".."`)
	case text == "*":
		return errors.New(`has "*", which is not a wildcard; did you mean a trailing "/" for the subtree?`)
	case strings.Contains(text, "%"):
		return errors.New("must have a decoded path, without %")
	case strings.ContainsAny(text, "?#\\"):
		return errors.New("must not have a query, fragment or backslash")
	}
	return nil
}

// isTokenOrEmpty reports whether s is a token of RFC 9110, section 5.6.2, or empty.
func isTokenOrEmpty(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return notNameRune(c) && !strings.ContainsRune("!#$%&'*+-.^`|~", c)
	})
}

func (p *pattern) setKey() {
	var b strings.Builder
	b.WriteString(p.prefix())
	for _, s := range p.segments {
		b.WriteString("/" + s.text)
		if s.text == "" {
			b.WriteString("{}")
		}
	}
	b.WriteString([...]string{exact: "", slash: "/{$}", subtree: "/"}[p.end])
	p.key = b.String()
}

// prefix returns the method and a space, or "" for all methods.
func (p *pattern) prefix() string {
	if p.method == "" {
		return ""
	}
	return p.method + " "
}

// matchesAll reports whether p matches every path.
func (p *pattern) matchesAll() bool {
	return p.path == "/" || p.end == subtree && len(p.segments) == 0
}

// methodRank returns a higher number for a more specific method.
func (p *pattern) methodRank() int {
	switch p.method {
	case "":
		return 0
	case http.MethodGet: // covers HEAD
		return 1
	}
	return 2
}

func (p *pattern) matchesMethod(method string) bool {
	return p.method == "" || p.method == method || p.method == http.MethodGet && method == http.MethodHead
}

// matchesPath reports whether p matches a path in the given form.
func (p *pattern) matchesPath(method, path string, form form) bool {
	rest, ok := p.matchSegments(method, path, form)
	if !ok {
		return false
	}
	switch p.end {
	case subtree:
		return rest != ""
	case slash:
		return rest == "/"
	}
	return rest == ""
}

// matchesEitherSlash is like matchesPath, but ignores a missing or an additional
// trailing slash.
func (p *pattern) matchesEitherSlash(method, path string, form form) bool {
	rest, ok := p.matchSegments(method, path, form)
	return ok && (p.end == subtree || rest == "" || rest == "/")
}

// matchSegments matches the segments of p. It returns the rest of the path, which is
// empty or begins with a slash.
func (p *pattern) matchSegments(method, path string, form form) (rest string, ok bool) {
	if !p.matchesMethod(method) {
		return "", false
	}
	for i := range p.segments {
		if path == "" || path[0] != '/' {
			return "", false
		}
		n := strings.IndexByte(path[1:], '/') + 1
		if n == 0 {
			n = len(path)
		}
		if !p.segments[i].matchesText(path[1:n], form) {
			return "", false
		}
		path = path[n:]
	}
	return path, true
}

func (s *segment) matchesText(text string, form form) bool {
	switch {
	case s.text == "":
		return text != ""
	case form == literally:
		return text == s.text
	case form == canonically:
		return text == s.escaped
	}
	return equalUnescaped(text, s.text)
}

// equalUnescaped reports whether escaped decodes to decoded. An invalid escape
// decodes to nothing.
func equalUnescaped(escaped, decoded string) bool {
	i := 0
	for ; escaped != "" && i < len(decoded); i++ {
		c := escaped[0]
		escaped = escaped[1:]
		if c == '%' {
			if len(escaped) < 2 || !hex(escaped[0]) || !hex(escaped[1]) {
				return false
			}
			c = unhex(escaped[0])<<4 | unhex(escaped[1])
			escaped = escaped[2:]
		}
		if c != decoded[i] {
			return false
		}
	}
	return escaped == "" && i == len(decoded)
}

func hex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20 - 'a') + 10
}
