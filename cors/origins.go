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

// origins is the compiled form of Origins and OriginFunc.
type origins struct {
	all       bool // the list is "*"
	exact     map[string]struct{}
	first     []string              // the first few of exact
	wildcards map[string][]wildcard // by the suffix of the host from its dot, or by the whole host
	lengths   []int                 // of the suffixes, longest first
	allow     func(Origin) bool     // nil means none
	insecure  bool                  // allow is called with origins without TLS
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

// allowsOrigin reports whether an origin is listed. "*" lists every text.
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
	return ok && (l.insecure || o.Scheme == "https" || o.isLoopback()) && l.allow(o)
}

// few is the largest number of origins that a linear search finds faster than a
// map.
const few = 8

func (l *origins) hasExact(s string) bool {
	if len(l.exact) > few {
		_, ok := l.exact[s]
		return ok
	}
	return slices.Contains(l.first, s)
}

// hasWildcard reports whether a wildcard matches. The suffix was checked when
// the pattern was compiled, so it parses only the labels before it and the port.
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

// cutPort cuts a colon and digits off the end. A colon that remains matches no
// pattern.
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

// cutSuffix returns the labels before a suffix of the given length. A suffix
// after labels must start with a dot. One that is the whole host must not.
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

// addPattern compiles one pattern, or returns its problem.
func (l *origins) addPattern(pattern string, guard bool) string {
	o, anyHost, anyPort, problem := parsePattern(pattern)
	switch {
	case problem != "":
		return problem
	case anyHost && guard && suffix.IsShared(o.Host):
		return "covers names of unrelated parties under " + strconv.Quote(o.Host) + ", so Credentials need InsecurePublicSuffixes; did you mean your own name under it?"
	case o.Scheme == "http" && !l.insecure && !o.isLoopback():
		return "is an origin without TLS, so Credentials need InsecureOrigins; did you mean " + strconv.Quote("https"+strings.TrimPrefix(pattern, "http")) + "?"
	case o.Scheme != "https" && !l.insecure && !o.isLoopback():
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
