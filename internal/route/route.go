// Package route is the pattern language that names routes in options: which
// are public, which are limited, which are exempt.
//
// A pattern is `[METHOD ]/path`, as in [http.ServeMux] but without hosts:
// `{x}` stands for one segment, `{x...}` for the rest of the path, a trailing
// "/" for the subtree, `{$}` for the end after a slash. A pattern without a
// method is for all methods, and GET covers HEAD. Of several patterns that
// match, the most specific wins: the longest literal text, then the most
// single wildcards, then an exact end, then a method. Only patterns that match
// the same requests conflict.
//
// [http.ServeMux] itself does not serve here: it panics on patterns that
// overlap, such as "/auth/" and "GET /", and it sees one form of a path, while
// the router behind us may see another. A request for `/auth%2Flogin` is one
// segment to some routers and two to others. What a pattern does decides which
// reading counts:
//
//   - A table made by [Restricting] holds patterns that take something away,
//     such as rate limits. They match when any form of the path does: decoded,
//     escaped, cleaned, with or without its last slash. The strictest reading
//     wins, so no spelling of a path escapes into a looser limit.
//   - A table made by [Opening] holds patterns that give something, such as
//     access without credentials. They match only a clean path, and only when
//     its decoded and escaped forms agree.
//
// A service whose router strips prefixes, or takes patterns of its own, plugs
// in a function that tells which pattern the router picks. Patterns are then
// compared with its answer, and the path is not looked at.
package route

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// A Field is a list of patterns and the name that errors give it, such as
// "cors: Exempt".
type Field struct {
	Name     string
	Patterns []string
	// Everywhere lets a pattern of an [Opening] table cover every path. It is for
	// a list that gives no access by itself, such as where a credential is read.
	// The table must have no other field.
	Everywhere bool
}

// A Table finds the field that a request belongs to. It is immutable, and safe
// for concurrent use. Finding allocates nothing, unless a restricting table
// has to clean a path first.
type Table struct {
	patterns []pattern // the most specific first
	opening  bool
	route    func(*http.Request) string
	picked   map[pick]int // with route: the patterns by method and path
	// everywhere says that a pattern covers every path and method, so that no
	// reading of a path matters.
	everywhere bool
}

// pick is a pattern of the application's own router.
type pick struct{ method, path string }

// Restricting returns a table whose patterns match when any reading of the
// path does. The route function, when not nil, returns the pattern that the
// application's own router picks for a request, with or without a method, or
// "" for none.
//
// The error joins all problems, each with the name and index of its pattern.
func Restricting(route func(*http.Request) string, fields ...Field) (*Table, error) {
	return newTable(route, false, fields)
}

// Opening returns a table whose patterns match only when all readings of the
// path agree and the path was clean. It refuses patterns that cover every
// path, except in a [Field] with Everywhere. See [Restricting] for the parameters.
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

// moreSpecific sorts a before b when a is to win where both match. A pattern
// that matches a subset of another's requests always comes first.
func moreSpecific(a, b pattern) int {
	return cmp.Or(
		cmp.Compare(b.literal, a.literal),
		cmp.Compare(b.wildcards, a.wildcards),
		cmp.Compare(a.end, b.end),
		cmp.Compare(b.methodRank(), a.methodRank()),
	)
}

// Find returns the index of the field whose pattern matches the request most
// specifically. It reports false when no pattern matches.
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

// Pattern returns pattern i, as it was written. The most specific one is the
// first.
func (t *Table) Pattern(i int) string { return t.patterns[i].text }

// FieldOf returns the index of the field of pattern i.
func (t *Table) FieldOf(i int) int { return t.patterns[i].field }

// FindPattern returns the index of the pattern that matches the request most
// specifically. It reports false when no pattern matches.
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

// findPicked compares with the pattern that the application's router picked.
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
	// RawPath is set when the client escaped more than it needs to, or less.
	// A router that matches the escaped path literally (chi does) must come
	// to the same pattern, and so must one that unescapes each segment.
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

// firstOfAny returns the smaller of best and the index of the first pattern
// that matches any spelling of p: as it is, cleaned, with and without its last
// slash.
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

// isCleanPath reports whether a path has one reading: it begins with a slash, has no
// empty, "." or ".." segment, and no backslash or control character.
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
