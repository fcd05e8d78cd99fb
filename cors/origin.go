package cors

import (
	"net/netip"
	"strconv"
	"strings"
)

// longestOrigin is the length in bytes of the longest origin that can exist: a
// scheme of 64, a host name of 253 (RFC 1035, section 2.3.4), a port.
const longestOrigin = 64 + len("://") + 253 + len(":65535")

// origin is a parsed tuple origin (HTML, section 7.1.1). The port is "" where
// it is the scheme's default.
type origin struct {
	scheme, host, port string
	address            bool // the host is an IP address
}

// parseOrigin reads the one serialization that browsers send, and nothing that
// a lenient URL parser would repair: no case, no userinfo, no path, no default
// port, no dot at the end. It allocates nothing.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || len(s) > longestOrigin || !validScheme(scheme) {
		return origin{}, false
	}
	o := origin{scheme: scheme, host: rest}
	if end := strings.LastIndexByte(rest, ':'); end > strings.LastIndexByte(rest, ']') {
		o.host, o.port = rest[:end], rest[end+1:]
		if !validPort(scheme, o.port) {
			return origin{}, false
		}
	}
	o.address, ok = parseHost(o.host)
	return o, ok
}

// validScheme takes a scheme of RFC 3986, section 3.1, in lower case.
func validScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// validPort takes 1 to 65535 without leading zeros, unless it is the scheme's
// default, which is never serialized.
func validPort(scheme, port string) bool {
	if port == "" || len(port) > 5 || port[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n <= 65535 && port != defaultPort(scheme)
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// parseHost takes a host name of letters, digits, hyphens and underscores, or
// an IP address as browsers serialize it, and tells which.
func parseHost(host string) (address, ok bool) {
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		return true, err == nil && addr.Is6() && !addr.Is4In6() && addr.Zone() == "" && host == "["+addr.String()+"]"
	}
	if host == "" || len(host) > 253 {
		return false, false
	}
	label := 0
	for _, c := range []byte(host) {
		switch {
		case c == '.':
			if label == 0 {
				return false, false
			}
			label = 0
			continue
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false, false
		}
		if label++; label > 63 {
			return false, false
		}
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" || last[0] < '0' || last[0] > '9' {
		return false, label > 0
	}
	// A last label that starts with a digit makes a number, so the whole is an
	// address or nothing (URL, section 3.5).
	addr, err := netip.ParseAddr(host)
	return true, err == nil && addr.Is4()
}

// loopback reports whether the origin is this machine itself, which browsers
// trust without TLS.
func (o origin) loopback() bool {
	if !o.address {
		return o.host == "localhost" || strings.HasSuffix(o.host, ".localhost")
	}
	addr, err := netip.ParseAddr(strings.Trim(o.host, "[]"))
	return err == nil && addr.IsLoopback()
}

// wildcard is a pattern with "*": a suffix that starts with a dot for one of
// the host, a port "*" for one of the port.
type wildcard struct{ scheme, host, port string }

// origins is the compiled list. Most origins end at the first lookup.
type origins struct {
	all       bool // the list is "*"
	exact     map[string]struct{}
	wildcards map[wildcard]struct{}
}

// has reports whether the list has the origin; "*" has every one.
func (l *origins) has(s string) bool {
	if l.all {
		return true
	}
	if _, ok := l.exact[s]; ok {
		return true
	}
	if len(l.wildcards) == 0 {
		return false
	}
	o, ok := parseOrigin(s)
	if !ok {
		return false
	}
	if l.hasHost(o, o.host) {
		return true
	}
	if o.address {
		return false
	}
	for i := range len(o.host) {
		if o.host[i] == '.' && l.hasHost(o, o.host[i:]) {
			return true
		}
	}
	return false
}

func (l *origins) hasHost(o origin, host string) bool {
	if _, ok := l.wildcards[wildcard{o.scheme, host, o.port}]; ok {
		return true
	}
	_, ok := l.wildcards[wildcard{o.scheme, host, "*"}]
	return ok
}

// add compiles one pattern, or says what is wrong with it.
func (l *origins) add(pattern string, insecure bool) string {
	if problem := nearMiss(pattern); problem != "" {
		return problem
	}
	base, anyPort := strings.CutSuffix(pattern, ":*")
	scheme, rest, _ := strings.Cut(base, "://")
	suffix, anyHost := strings.CutPrefix(rest, "*.")
	o, ok := parseOrigin(scheme + "://" + suffix)
	switch {
	case !ok || anyPort && o.port != "":
		return `is not an origin, a scheme and a host as in "https://app.example.com"`
	case anyHost && (o.address || !strings.Contains(o.host, ".")):
		return "a wildcard stands for the first labels of a host name of at least two more"
	case (anyHost || anyPort) && o.scheme != "http" && o.scheme != "https":
		return "a wildcard needs the scheme https or http"
	case o.scheme == "http" && !insecure && !o.loopback():
		return "anybody on the way can speak for an origin without TLS, so Credentials need InsecureOrigins; did you mean " + strconv.Quote("https"+strings.TrimPrefix(pattern, scheme)) + "?"
	case o.scheme != "https" && !insecure && !o.loopback():
		return "is an origin without TLS, so Credentials need InsecureOrigins"
	}
	if !anyHost && !anyPort {
		l.exact[pattern] = struct{}{}
		return ""
	}
	w := wildcard{scheme: o.scheme, host: o.host, port: o.port}
	if anyHost {
		w.host = "." + o.host
	}
	if anyPort {
		w.port = "*"
	}
	l.wildcards[w] = struct{}{}
	return ""
}

// nearMiss finds what people write instead of an origin, with a suggestion.
func nearMiss(pattern string) string {
	suggestion := strings.ToLower(pattern)
	switch pattern {
	case "*":
		return `"*" stands alone`
	case "null":
		return "is the origin of every sandboxed frame, so it is nobody's"
	}
	for _, c := range []byte(pattern) {
		if c < '!' || c > '~' {
			return "has characters that no origin has; write an international name in its ASCII form, xn--..."
		}
	}
	if !strings.Contains(suggestion, "://") {
		suggestion = "https://" + suggestion
	}
	scheme, rest, _ := strings.Cut(suggestion, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if host, ok := strings.CutSuffix(rest, ":"+defaultPort(scheme)); ok && defaultPort(scheme) != "" {
		rest = host
	}
	rest = strings.TrimSuffix(rest, ".")
	if suggestion = scheme + "://" + rest; suggestion != pattern {
		return "did you mean " + strconv.Quote(suggestion) + "?"
	}
	return ""
}
