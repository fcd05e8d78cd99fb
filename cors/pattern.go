package cors

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// example ends a problem that has no better suggestion.
const example = `; did you mean one as in "https://app.example.com"?`

// parsePattern parses an entry of Origins: an origin, with or without wildcards
// for the first labels of the host and for the port. problem has a suggestion.
func parsePattern(pattern string) (o Origin, anyHost, anyPort bool, problem string) {
	base, anyPort := strings.CutSuffix(pattern, ":*")
	scheme, rest, _ := strings.Cut(base, "://")
	host, anyHost := strings.CutPrefix(rest, "*.")
	o, ok := parseOrigin(scheme + "://" + host)
	isSpecial := scheme == "https" || scheme == "http"
	switch {
	case pattern == "":
		problem = `must not be empty; did you mean "https://app.example.com"?`
	case pattern == "*":
		problem = `must be the only origin; did you mean to remove the others?`
	case strings.ContainsFunc(strings.TrimSpace(pattern), isSeparator):
		problem = "is a list; did you mean one origin per entry?"
	case strings.EqualFold(strings.TrimSpace(pattern), "null"):
		problem = "is the origin of every sandboxed frame; did you mean the origin of the embedding page?"
	case strings.ContainsFunc(pattern, func(c rune) bool { return c > '~' }):
		problem = "has characters that no origin has; did you mean its ASCII form, xn--...?"
	case !ok || anyPort && o.Port != "" || !isSpecial && !isAppScheme(scheme):
		problem = misspelt(pattern)
	case (anyHost || anyPort) && !isSpecial:
		problem = "has a wildcard, which needs the scheme https or http; did you mean each origin by its name?"
	case anyHost && o.address:
		problem = "has a wildcard before an address; did you mean " + strconv.Quote(strings.Replace(pattern, "*.", "", 1)) + "?"
	case anyHost && !strings.Contains(o.Host, ".") && o.Host != "localhost":
		problem = "has a wildcard before a single label; did you mean " + strconv.Quote(strings.Replace(pattern, "*.", "*.example.", 1)) + "?"
	case anyHost && len("a.")+len(o.Host) > longestHost:
		problem = "matches nothing, because a host name has at most 253 bytes; did you mean the host alone?"
	case slices.ContainsFunc(strings.Split(o.Host, "."), isBrokenALabel):
		problem = "has a label with invalid Punycode after xn-- (RFC 3492); did you mean the ASCII form of an international name?"
	}
	return o, anyHost, anyPort, problem
}

func isSeparator(c rune) bool { return strings.ContainsRune(",; \t\n|", c) }

// silentSchemes lists schemes that browsers never send in an origin, because
// their pages have the origin null or do not exist (HTML, section 7.1.1).
var silentSchemes = []string{"file", "data", "blob", "filesystem", "about", "javascript", "ftp", "mailto", "tel", "view-source"}

// isAppScheme reports whether pages of an extension or a native shell may have
// the scheme. Every scheme qualifies that is not a likely mistake.
func isAppScheme(scheme string) bool {
	return !slices.Contains(silentSchemes, scheme) && scheme != "ws" && scheme != "wss" && !isNearly(scheme, "https") && !isNearly(scheme, "http")
}

// isNearly reports whether s becomes word by at most one substitution,
// insertion, deletion or transposition of neighbours.
func isNearly(s, word string) bool {
	if len(s) > len(word) {
		s, word = word, s
	}
	n := 0
	for n < len(s) && s[n] == word[n] {
		n++
	}
	switch s, word = s[n:], word[n:]; len(word) - len(s) {
	case 0:
		return len(s) == 0 || s[1:] == word[1:] || len(s) > 1 && s[0] == word[1] && s[1] == word[0] && s[2:] == word[2:]
	case 1:
		return s == word[1:]
	}
	return false
}

// beginning matches a scheme with the colon and slashes after it, or some of
// them, as in common mistakes.
var beginning = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)(?:://+|:/|//|:\\\\|:(?:[^0-9*/]|$))`)

// misspelt returns the problem of a text that is not an origin, mostly with a
// suggestion.
func misspelt(pattern string) string {
	rest, scheme := strings.ToLower(strings.TrimSpace(pattern)), "https"
	if match := beginning.FindStringSubmatch(rest); match != nil && !strings.Contains(match[1], ".") {
		scheme, rest = match[1], strings.TrimLeft(rest[len(match[1]):], `:/\`)
	}
	if slices.Contains(silentSchemes, scheme) {
		return "has a scheme that is never part of an origin, " + scheme + example
	}
	switch {
	case scheme == "wss" || scheme == "ws":
		scheme = "https"
	case scheme != "http" && isNearly(scheme, "https"):
		scheme = "https"
	case isNearly(scheme, "http"):
		scheme = "http"
	}
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if port := defaultPort(scheme); port != "" {
		rest = strings.TrimSuffix(rest, ":"+port)
	}
	rest = strings.TrimRight(rest, ".:")
	if host, _, _ := strings.Cut(rest, ":"); host == "localhost" && !strings.Contains(pattern, "https") {
		scheme = "http"
	}
	suggestion := scheme + "://" + rest
	if suggestion == pattern {
		return "is not an origin" + example
	}
	if _, _, _, problem := parsePattern(suggestion); problem != "" {
		return "is not an origin" + example
	}
	return "is not an origin; did you mean " + strconv.Quote(suggestion) + "?"
}

// isBrokenALabel reports whether a label starts with xn-- but does not decode
// (RFC 3492, section 6.2), or decodes to only ASCII.
func isBrokenALabel(label string) bool {
	encoded, found := strings.CutPrefix(label, "xn--")
	if !found {
		return false
	}
	basic := 0
	if i := strings.LastIndexByte(encoded, '-'); i >= 0 {
		basic, encoded = i, encoded[i+1:]
	}
	if encoded == "" || label == "xn---"+encoded { // nothing before the delimiter
		return true
	}
	const base, tMin, tMax = 36, 1, 26
	var n, i, bias, length int64 = 128, 0, 72, int64(basic)
	for encoded != "" {
		start, weight := i, int64(1)
		for k := int64(base); ; k += base {
			if encoded == "" {
				return true
			}
			digit := int64(strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789", encoded[0]))
			if encoded = encoded[1:]; digit < 0 {
				return true
			}
			if i += digit * weight; i > 1<<30 {
				return true
			}
			t := min(max(k-bias, tMin), tMax)
			if digit < t {
				break
			}
			if weight *= base - t; weight > 1<<30 {
				return true
			}
		}
		length++
		bias = adaptBias(i-start, length, start == 0)
		n += i / length
		i = i%length + 1
		if n > 0x10ffff || 0xd800 <= n && n < 0xe000 {
			return true
		}
	}
	return false
}

// adaptBias is the function of RFC 3492, section 6.1.
func adaptBias(delta, length int64, isFirst bool) int64 {
	const base, tMin, tMax, skew, damp = 36, 1, 26, 38, 700
	if isFirst {
		delta /= damp
	} else {
		delta /= 2
	}
	delta += delta / length
	k := int64(0)
	for delta > (base-tMin)*tMax/2 {
		delta /= base - tMin
		k += base
	}
	return k + (base-tMin+1)*delta/(delta+skew)
}
