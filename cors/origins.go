package cors

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/internal/suffix"
)

// A wildcard is a pattern with "*" for the first labels of the host, for the
// port, or for both.
type wildcard struct{ scheme, port string }

// origins is the compiled list. Most origins end at the first lookup.
type origins struct {
	all       bool // the list is "*"
	exact     map[string]struct{}
	first     []string              // of exact; all while they are few
	wildcards map[string][]wildcard // by the suffix of the host, from its dot on, or the whole host
	lengths   []int                 // of the suffixes, the longest first
	allow     func(Origin) bool     // nil: nothing more
	insecure  bool                  // allow sees origins without TLS too
}

// compileOptions compiles Origins and OriginFunc, and returns the problems.
func (l *origins) compileOptions(o *Options) []error {
	l.exact, l.wildcards = make(map[string]struct{}), make(map[string][]wildcard)
	l.allow, l.insecure = o.OriginFunc, o.InsecureOrigins || !o.Credentials
	if len(o.Origins) == 0 && o.OriginFunc == nil {
		return []error{errors.New(`cors: Origins: must not be empty; did you mean "https://app.example.com" or "*"?`)}
	}
	var problems []error
	if len(o.Origins) == 1 && o.Origins[0] == "*" {
		l.all = true
		if o.Credentials {
			problems = append(problems, errors.New(`cors: Origins[0] "*": lets every page use the visitor's Credentials; did you mean to list the origins?`))
		}
		if o.Enforce == EnforceAll {
			problems = append(problems, errors.New(`cors: Enforce: EnforceAll has no effect with Origins "*"; did you mean one of them?`))
		}
		if o.OriginFunc != nil {
			problems = append(problems, errors.New(`cors: OriginFunc: is never called with Origins "*"; did you mean one of them?`))
		}
		return problems
	}
	for i, pattern := range o.Origins {
		problem := l.addPattern(pattern, o.Credentials && !o.InsecurePublicSuffixes)
		if problem == "" && slices.Contains(o.Origins[:i], pattern) {
			problem = "is listed twice"
		}
		if problem != "" {
			problems = append(problems, problemOf("Origins", i, pattern, problem))
		}
	}
	return problems
}

// allowsOrigin reports whether the list has the origin; "*" has every one.
func (l *origins) allowsOrigin(s string) bool {
	if l.all {
		return true
	}
	if l.hasExact(s) || l.hasWildcard(s) {
		return true
	}
	if l.allow == nil {
		return false
	}
	o, ok := parseOrigin(s)
	return ok && (l.insecure || o.Scheme == "https" || o.loopback()) && l.allow(o)
}

// few is how many origins are compared one by one faster than one is hashed.
const few = 8

func (l *origins) hasExact(s string) bool {
	if len(l.exact) > few {
		_, ok := l.exact[s]
		return ok
	}
	return slices.Contains(l.first, s)
}

// hasWildcard reports whether a pattern matches. What it compares equal was
// checked with the pattern, so that only the rest has to be parsed: the labels
// before the suffix, and the port.
func (l *origins) hasWildcard(s string) bool {
	scheme, host := "https", ""
	switch {
	case len(l.lengths) == 0 || len(s) > longestOrigin:
		return false
	case strings.HasPrefix(s, "https://"):
		host = s[len("https://"):]
	case strings.HasPrefix(s, "http://"):
		scheme, host = "http", s[len("http://"):]
	}
	host, port := cutPort(host)
	if len(host) > longestHost || port != "" && !validPort(scheme, port) {
		return false
	}
	for _, length := range l.lengths {
		labels, ok := cutSuffix(host, length)
		if ok && l.hasSuffix(scheme, host[len(labels):], port) {
			return labels == "" || validLabels(labels) && labels[len(labels)-1] != '.'
		}
	}
	return false
}

// cutPort cuts off what may be a port: digits behind a colon. A colon that is
// left matches no pattern.
func cutPort(host string) (name, port string) {
	i := len(host)
	for i > 0 && '0' <= host[i-1] && host[i-1] <= '9' {
		i--
	}
	if i == 0 || i == len(host) || host[i-1] != ':' {
		return host, ""
	}
	return host[:i-1], host[i:]
}

// cutSuffix returns the labels before a suffix of a length, which are none when
// it is the whole host. A suffix that follows labels begins with a dot, and one
// that is the whole host does not.
func cutSuffix(host string, length int) (labels string, ok bool) {
	n := len(host) - length
	if n < 0 || length == 0 || (host[n] == '.') != (n > 0) {
		return "", false
	}
	return host[:n], true
}

func (l *origins) hasSuffix(scheme, suffix, port string) bool {
	for _, w := range l.wildcards[suffix] {
		if w.scheme == scheme && (w.port == port || w.port == "*") {
			return true
		}
	}
	return false
}

// addPattern compiles one pattern, or says what is wrong with it.
func (l *origins) addPattern(pattern string, guard bool) string {
	o, anyHost, anyPort, problem := parsePattern(pattern)
	switch {
	case problem != "":
		return problem
	case anyHost && guard && suffix.IsShared(o.Host):
		return "covers names of unrelated parties under " + strconv.Quote(o.Host) + ", so Credentials need InsecurePublicSuffixes; did you mean your own name under it?"
	case o.Scheme == "http" && !l.insecure && !o.loopback():
		return "is an origin without TLS, so Credentials need InsecureOrigins; did you mean " + strconv.Quote("https"+strings.TrimPrefix(pattern, "http")) + "?"
	case o.Scheme != "https" && !l.insecure && !o.loopback():
		return "is an origin without TLS, so Credentials need InsecureOrigins"
	}
	if !anyHost && !anyPort {
		l.exact[pattern] = struct{}{}
		if len(l.first) < few {
			l.first = append(l.first, pattern)
		}
		return ""
	}
	end, w := o.Host, wildcard{o.Scheme, o.Port}
	if anyHost {
		end = "." + o.Host
	}
	if anyPort {
		w.port = "*"
	}
	l.wildcards[end] = append(l.wildcards[end], w)
	if !slices.Contains(l.lengths, len(end)) {
		l.lengths = append(l.lengths, len(end))
		slices.SortFunc(l.lengths, func(a, b int) int { return b - a })
	}
	return ""
}
