// Package route implements the patterns that select routes in options: public,
// limited and exempt routes.
//
// A pattern is `[METHOD ]/path`, as in [http.ServeMux] but without hosts: `{x}`
// matches one segment, `{x...}` the rest of the path, a trailing "/" the subtree,
// and `{$}` the end after a slash. A pattern without a method matches all methods,
// and GET also matches HEAD. If several patterns match, the most specific one takes
// precedence: the longest literal text, then the most single wildcards, then an
// exact end, then a method. Only patterns that match the same requests conflict.
//
// [http.ServeMux] itself cannot be used: it panics on overlapping patterns, such as
// "/auth/" and "GET /", and it checks one form of a path, while the service's router
// may use another. `/auth%2Flogin` has one segment for some routers and two for
// others. A table is therefore one of two kinds:
//
//   - [Restricting] is for patterns that restrict, such as rate limits. They match
//     if any form of the path matches: decoded, escaped, cleaned, with or without
//     its last slash. The most specific match takes precedence, so that another
//     spelling of a path does not escape a limit.
//   - [Opening] is for patterns that grant, such as access without credentials. They
//     match only a clean path, and only if its decoded and escaped forms select the
//     same pattern.
//
// A service whose router strips prefixes, or has its own pattern syntax, can pass a
// function that returns the router's pattern. Patterns are then compared with that
// pattern, not with the path.
package route

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// A Field is a list of patterns, and its name in errors, such as "cors: Exempt".
type Field struct {
	Name     string
	Patterns []string
	// Everywhere permits a pattern of an [Opening] table that matches every path.
	// It is for a list that does not grant access, such as the routes on which a
	// credential is read. The table must not have another field.
	Everywhere bool
}

// A Table finds the field whose pattern matches a request. It is immutable and safe
// for concurrent use. Find does not allocate, unless a restricting table must clean
// a path.
type Table struct {
	patterns []pattern // most specific first
	opening  bool
	route    func(*http.Request) string
	picked   map[pick]int // the index of a pattern; used if route is not nil
	// everywhere is true if a pattern matches every method and path, so that the
	// form of a path does not matter.
	everywhere bool
}

// A pick is a pattern of the application's router.
type pick struct{ method, path string }

// Restricting returns a table whose patterns match if any form of the path matches.
// If route is not nil, it returns the pattern that the application's router selects
// for a request, with or without a method, or "" for none.
//
// Restricting reports all problems, joined, each with the name and index of its
// pattern.
func Restricting(route func(*http.Request) string, fields ...Field) (*Table, error) {
	return newTable(route, false, fields)
}

// Opening returns a table whose patterns match only a clean path, and only if all
// its forms select the same pattern. A pattern that matches every path is invalid,
// except in a [Field] with Everywhere. See [Restricting] for the parameters.
func Opening(route func(*http.Request) string, fields ...Field) (*Table, error) {
	return newTable(route, true, fields)
}

func newTable(route func(*http.Request) string, opening bool, fields []Field) (*Table, error) {
	t := &Table{opening: opening, route: route, picked: make(map[pick]int)}
	seen := make(map[string]string)
	var problems []error
	for i, field := range fields {
		for j, text := range field.Patterns {
			place := placeOf(field.Name, j, text)
			p, err := parsePattern(text, route != nil)
			t.everywhere = t.everywhere || err == nil && field.Everywhere && route == nil && p.method == "" && p.matchesAll()
			if err == nil && opening && !field.Everywhere && p.matchesAll() {
				err = errors.New(`opens every path; did you mean "` + p.prefix() + `/{$}"?`)
			}
			if err == nil && seen[p.key] != "" {
				err = errors.New("is the same pattern as " + seen[p.key])
			}
			if err != nil {
				problems = append(problems, errors.New(place+": "+err.Error()))
				continue
			}
			seen[p.key] = place
			p.field, p.text = i, text
			t.patterns = append(t.patterns, p)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.patterns, moreSpecific)
	for i := range t.patterns {
		t.picked[pick{t.patterns[i].method, t.patterns[i].path}] = i
	}
	return t, nil
}

// moreSpecific orders a before b if a takes precedence for requests that both match.
// A pattern that matches a subset of another's requests comes first.
func moreSpecific(a, b pattern) int {
	return cmp.Or(
		cmp.Compare(b.literal, a.literal),
		cmp.Compare(b.wildcards, a.wildcards),
		cmp.Compare(a.end, b.end),
		cmp.Compare(b.methodRank(), a.methodRank()),
	)
}

// Find returns the index of the field whose pattern matches the request most
// specifically. It reports false if no pattern matches.
func (t *Table) Find(r *http.Request) (field int, ok bool) {
	if t.everywhere {
		return 0, true
	}
	i, ok := t.FindPattern(r)
	if !ok {
		return 0, false
	}
	return t.patterns[i].field, true
}

// Len returns the number of patterns.
func (t *Table) Len() int { return len(t.patterns) }

// Pattern returns pattern i as it is in the options. Pattern 0 is the most specific.
func (t *Table) Pattern(i int) string { return t.patterns[i].text }

// FieldOf returns the index of the field of pattern i.
func (t *Table) FieldOf(i int) int { return t.patterns[i].field }

// FindPattern returns the index of the pattern that matches the request most
// specifically. It reports false if no pattern matches.
func (t *Table) FindPattern(r *http.Request) (pattern int, ok bool) {
	switch {
	case len(t.patterns) == 0:
		return 0, false
	case t.route != nil:
		return t.findPicked(r.Method, t.route(r))
	case t.opening:
		return t.findOpening(r)
	}
	return t.findRestricting(r)
}

// findPicked finds the pattern that the application's router selected.
func (t *Table) findPicked(method, picked string) (int, bool) {
	if picked == "" {
		return 0, false
	}
	own, p, ok := strings.Cut(picked, " ")
	if !ok {
		p, own = picked, method
	}
	p = strings.TrimLeft(p, " \t")
	for _, m := range [...]string{method, own, http.MethodGet, ""} {
		if m == http.MethodGet && method != http.MethodGet && method != http.MethodHead {
			continue
		}
		if i, ok := t.picked[pick{m, p}]; ok {
			return i, true
		}
	}
	return 0, false
}

func (t *Table) findOpening(r *http.Request) (int, bool) {
	if !isCleanPath(r.URL.Path) {
		return 0, false
	}
	decoded := t.firstMatch(r.Method, r.URL.Path, literally)
	if decoded < 0 {
		return 0, false
	}
	// RawPath is set if the client's escaping differs from that of net/url. A
	// router that matches the escaped path literally, such as chi, must select the
	// same pattern as one that unescapes each segment.
	if raw := r.URL.RawPath; raw != "" && (t.firstMatch(r.Method, raw, canonically) != decoded || t.firstMatch(r.Method, raw, unescaped) != decoded) {
		return 0, false
	}
	return decoded, true
}

func (t *Table) findRestricting(r *http.Request) (int, bool) {
	best := t.firstOfAny(len(t.patterns), r.Method, r.URL.Path, literally)
	if raw := r.URL.RawPath; raw != "" {
		best = t.firstOfAny(best, r.Method, raw, unescaped)
	}
	if best == len(t.patterns) {
		return 0, false
	}
	return best, true
}

// firstOfAny returns the smaller of best and the index of the first pattern that
// matches p or its cleaned form, with or without the last slash.
func (t *Table) firstOfAny(best int, method, p string, form form) int {
	best = t.firstOfSlashes(best, method, p, form)
	if !isCleanPath(p) {
		cleaned := path.Clean("/" + p)
		if cleaned != "/" && strings.HasSuffix(p, "/") {
			cleaned += "/"
		}
		best = t.firstOfSlashes(best, method, cleaned, form)
	}
	return best
}

func (t *Table) firstOfSlashes(best int, method, p string, form form) int {
	for i := range t.patterns[:best] {
		if t.patterns[i].matchesEitherSlash(method, p, form) {
			return i
		}
	}
	return best
}

// firstMatch returns the index of the first pattern that matches, or -1.
func (t *Table) firstMatch(method, p string, form form) int {
	for i := range t.patterns {
		if t.patterns[i].matchesPath(method, p, form) {
			return i
		}
	}
	return -1
}

// isCleanPath reports whether routers agree on a path: it begins with a slash, and
// has no empty, "." or ".." segment, no backslash and no control character.
func isCleanPath(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for rest, more := p[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && more {
			return false
		}
	}
	for _, c := range []byte(p) {
		if c < ' ' || c == '\\' || c == 0x7f {
			return false
		}
	}
	return true
}
