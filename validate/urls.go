package validate

import (
	"net/url"
	"strings"
)

// uriBytes are the bytes that a URI may contain (RFC 3986, section 2).
const uriBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"

// isURI accepts an absolute URI (RFC 3986) whose scheme does not make a browser run code
// or show data of the URI itself. If it has a host, all parsers find the same one.
func isURI(s string) bool {
	_, ok := parseURI(s)
	return ok
}

// parseURI parses a URI that isURI accepts.
func parseURI(s string) (*url.URL, bool) {
	strange := func(r rune) bool { return !strings.ContainsRune(uriBytes, r) }
	u, err := url.Parse(s)
	if err != nil || !u.IsAbs() || strings.ContainsFunc(s, strange) || !escaped(s) || strings.Count(s, "#") > 1 {
		return nil, false
	}
	if strings.ContainsAny(strings.Replace(s, u.Host, "", 1), "[]") { // only an address may have them
		return nil, false
	}
	switch u.Scheme { // url.Parse writes it in lower case
	case "javascript", "data", "vbscript":
		return nil, false
	}
	return u, hasOneHost(u.Scheme, s[len(u.Scheme)+1:])
}

// hasOneHost reports whether the authority of a URI has one meaning. A WHATWG
// parser reads http:a.example, http:/a.example and http:///a.example as
// http://a.example/, while RFC 3986 sees a path; with two "@", parsers differ
// in which of them precedes the host. IDNA maps escaped full-width digits to digits.
func hasOneHost(scheme, rest string) bool {
	rest, hasAuthority := strings.CutPrefix(rest, "//")
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if !hasAuthority || authority == "" {
		return !hasHost(scheme)
	}
	if strings.Count(authority, "@") > 1 {
		return false
	}
	host, port, hasPort := cutPort(authority[strings.LastIndexByte(authority, '@')+1:])
	switch {
	case hasPort && port != "" && !isPort(port), host == "":
		return false
	case strings.HasPrefix(host, "["):
		return isBracketed(host[1:])
	}
	return !strings.Contains(host, "%") && (!endsInNumber(host) || isIPv4(host))
}

// hasHost reports whether a URI of a scheme must have a host (RFC 9110, section 4.2.1;
// URL, section 4.2: the special schemes except file).
func hasHost(scheme string) bool {
	switch scheme {
	case "http", "https", "ws", "wss", "ftp":
		return true
	}
	return false
}

// escaped reports whether every percent sign begins an escape.
func escaped(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !hexadecimal(s[i+1]) || !hexadecimal(s[i+2])) {
			return false
		}
	}
	return true
}

func hexadecimal(b byte) bool { return digit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }

// isWebURL accepts an absolute URL of http or https, without user information,
// whose host is a name or an address. Loopback and private addresses are
// accepted: a service that fetches the URL must check the address that it dials.
func isWebURL(s string) bool {
	u, ok := parseURI(s)
	if !ok || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return false
	}
	host, port, hasPort := cutPort(u.Host)
	return isHost(host) && (!hasPort || isPort(port))
}

// isOrigin accepts the origin of a page: a URL without a path, query or fragment
// (RFC 6454, section 6.2).
func isOrigin(s string) bool {
	_, rest, _ := strings.Cut(s, "://")
	return !strings.ContainsAny(rest, "/?#") && isWebURL(s)
}

// isMongoURI accepts a connection string of MongoDB, whose hosts are checked by isHost.
func isMongoURI(s string) bool {
	rest, isSRV := strings.CutPrefix(s, "mongodb+srv://")
	if !isSRV {
		var ok bool
		if rest, ok = strings.CutPrefix(s, "mongodb://"); !ok {
			return false
		}
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	strange := func(r rune) bool { return !strings.ContainsRune(uriBytes, r) }
	if strings.ContainsFunc(s, strange) || !escaped(s) || strings.ContainsAny(tail, "#@[]") || strings.Count(authority, "@") > 1 {
		return false
	}
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	for host := range strings.SplitSeq(hosts, ",") {
		if name, port, ok := cutPort(host); ok && (!isPort(port) || isSRV) || !isHost(name) {
			return false
		}
	}
	return !isSRV || !strings.Contains(hosts, ",")
}
