package validate

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

func (p *param) newRefusal(kind *errors.Kind, code, text string) error {
	at := place{source: p.source, name: p.name}
	return newRefusal(kind, at.String(), at.pointer(), code, text)
}

// reachable reports a parameter that no request can set.
func (l *linter) reachable(where, source, name string) {
	switch {
	case source == "query" && l.c.ignored(name):
		l.problem(where, "is never set because IgnoreQuery drops the parameter "+name)
	case source != "header" && source != "cookie":
	case !token(name):
		l.problem(where, "the name of a "+source+" must be a token, such as letters, digits and hyphens")
	case source == "header" && slices.Contains(taken, name):
		l.problem(where, "is never set because net/http removes the header "+name+"; did you mean a field of http.Request?")
	}
}

// taken are the headers that net/http moves into fields of the http.Request.
var taken = []string{"Host", "Trailer", "Transfer-Encoding"}

// token accepts the names of headers and cookies (RFC 9110, section 5.6.2).
var token = allBytes(func(b byte) bool { return letter(b) || digit(b) || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 })

// headerLimit is the maximum number of bytes of all lines of a declared header.
const headerLimit = 8 << 10

// commas are the headers whose single value may contain a comma.
var commas = []string{
	"Authorization", "Date", "Expires", "From", "If-Modified-Since", "If-Range", "If-Unmodified-Since", "Last-Modified", "Referer", "User-Agent",
}

// headerValues returns the values of a header. A list in one line is equivalent to two
// lines (RFC 9110, section 5.3). For a single value it is refused, because a proxy may use
// another value of it.
func (p *param) headerValues(r *http.Request, isList bool, limit int) ([]string, error) {
	values := r.Header[p.name]
	n := 0
	for _, value := range values {
		n += len(value)
	}
	if n > headerLimit {
		return nil, ErrHeaderTooLarge.With("header", p.name, "limit", headerLimit)
	}
	if isList {
		return p.headerList(values, limit)
	}
	if len(values) == 1 && !slices.Contains(commas, p.name) && listed(values[0]) {
		return nil, p.newRefusal(ErrDuplicate, "duplicate", "appears more than once")
	}
	return values, nil
}

// headerList splits the lines of a header at the commas outside of quotation marks. Empty
// elements are dropped (RFC 9110, section 5.6.1.2).
func (p *param) headerList(lines []string, limit int) ([]string, error) {
	var values []string
	for _, line := range lines {
		for more := true; more; {
			var value string
			value, line, more = cutListed(line)
			if value = trimBlanks(value); value == "" {
				continue
			}
			if len(values) == limit {
				return nil, p.tooMany(limit)
			}
			values = append(values, value)
		}
	}
	return values, nil
}

// tooMany returns the error of a list with more values than Limits.Values.
func (p *param) tooMany(limit int) error {
	return p.newRefusal(ErrInputTooLarge, "too_many_values", "must have at most "+strconv.Itoa(limit)+" values")
}

// listed reports whether a value has a comma outside of quotation marks.
func listed(value string) bool {
	_, _, more := cutListed(value)
	return more
}

// cutListed cuts a value at its first comma outside of quotation marks.
func cutListed(value string) (first, rest string, more bool) {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '"':
			quoted = !quoted
		case value[i] == '\\' && quoted:
			i++
		case value[i] == ',' && !quoted:
			return value[:i], value[i+1:], true
		}
	}
	return value, "", false
}

// checkCookies bounds the cookies. net/http drops all cookies if there are more than
// 3000 (CVE-2025-58186), so that a cookie would seem to be missing.
func (c *config) checkCookies(r *http.Request) error {
	n := 0
	for _, line := range r.Header["Cookie"] {
		n += strings.Count(line, ";") + 1
	}
	if n > c.limits.Cookies {
		return ErrTooManyCookies.With("cookies", n, "limit", c.limits.Cookies)
	}
	return nil
}

// cookieValues returns the values of a cookie and refuses bytes that a value must not
// contain (RFC 6265, section 4.1.1). net/http would remove quotation marks and drop
// invalid cookies. Other cookies are not checked.
func (p *param) cookieValues(r *http.Request) ([]string, error) {
	var values []string
	for _, line := range r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name != p.name {
				continue
			}
			if strings.ContainsFunc(value, notInCookies) {
				return nil, p.newRefusal(ErrMalformed, "malformed", "is not a plain value")
			}
			values = append(values, value)
		}
	}
	return values, nil
}

func notInCookies(r rune) bool {
	return r <= ' ' || r >= 0x7f || r == '"' || r == ',' || r == ';' || r == '\\'
}

// pathValues returns a path parameter. Some routers return parts of the escaped path if
// it contains an escaped slash. A value that appears only in the escaped path is
// unescaped once.
func (c *config) pathValues(r *http.Request, p *param) ([]string, error) {
	value := c.pathValue(r, p.name)
	if strings.Contains(value, "%") && !strings.Contains(r.URL.Path, value) && strings.Contains(r.URL.EscapedPath(), value) {
		unescaped, err := url.PathUnescape(value)
		if err != nil {
			return nil, p.newRefusal(ErrMalformed, "malformed", "has an invalid escape")
		}
		value = unescaped
	}
	switch {
	case value == "" && p.preset:
		return nil, nil
	case value == "":
		return nil, p.newRefusal(ErrMalformed, "missing", "is empty")
	case dotted(value):
		return nil, p.newRefusal(ErrMalformed, "malformed", "must not contain dot segments")
	}
	return []string{value}, nil
}

// dotted reports whether a value has a segment "." or ".." (CWE-22), with slashes or
// backslashes as separators.
func dotted(value string) bool {
	for segment := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
