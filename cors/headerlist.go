package cors

import "strings"

// headerList is the set of allowed request headers, in lower case.
type headerList struct {
	names   map[string]struct{}
	longest int
	budget  int  // of bytes in Access-Control-Request-Headers
	any     bool // "*": every name but Authorization (Fetch, CORS non-wildcard request-header name)
}

// anyBudget bounds Access-Control-Request-Headers, in bytes, if every name is
// allowed. Browsers send far less.
const anyBudget = 8 << 10

func newHeaderList(names []string) headerList {
	l := headerList{names: make(map[string]struct{}, len(names)), budget: 256}
	for _, name := range names {
		name = strings.ToLower(name)
		if name == "*" {
			l.any, l.budget = true, l.budget+anyBudget
			continue
		}
		l.names[name] = struct{}{}
		l.longest = max(l.longest, len(name))
		l.budget += 2 * (len(name) + len(", "))
	}
	return l
}

// longestName bounds a header name in bytes, so that it is lowered on the stack.
const longestName = 128

// allows reports whether all names in the lines of
// Access-Control-Request-Headers are in the list. Browsers send them sorted, in
// lower case and in one line, but other clients and proxies may reorder, split
// and pad them. The total length is checked first, against a budget of twice the
// allowed names plus 256 bytes. It does not allocate.
func (l *headerList) allows(lines []string) bool {
	total := 0
	for _, line := range lines {
		if total += len(line) + 1; total > l.budget {
			return false
		}
	}
	for _, line := range lines {
		for more := true; more; {
			var name string
			name, line, more = strings.Cut(line, ",")
			if name = strings.Trim(name, " \t"); name != "" && !l.containsName(name) {
				return false
			}
		}
	}
	return true
}

func (l *headerList) containsName(name string) bool {
	if l.any && !strings.EqualFold(name, "Authorization") {
		return true
	}
	if len(name) > l.longest {
		return false
	}
	if _, ok := l.names[name]; ok { // browsers send lower case
		return true
	}
	var lower [longestName]byte
	for i, c := range []byte(name) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	_, ok := l.names[string(lower[:len(name)])]
	return ok
}
