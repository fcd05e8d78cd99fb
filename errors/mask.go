package errors

import (
	"regexp"
	"strconv"
	"strings"
)

// maskedBytes bounds a text in the log. Clients choose some of it, and the
// expressions take up to a quarter of a microsecond for a byte.
const maskedBytes = 8 << 10

// A shape is how a secret looks in text. RE2 is linear in the length of its
// input, and runs only where one of the words, in lower case, is there.
type shape struct {
	words []string // none: a run of letters that is longer than words are
	expr  *regexp.Regexp
	with  string
	// prose reports whether a match, whose groups are m, is prose. nil: never.
	prose func(text string, m []int) bool
}

// value is what follows a key: a string of JSON, also inside of another string
// or cut off, a list, an object, or text without spaces.
const value = `(?:\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s,;&}"']+)`

var shapes = [...]shape{
	{[]string{"-----begin"}, regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`), redacted, nil},
	// scheme://user:password@host; the password may have what a URL may not.
	{[]string{"://"}, regexp.MustCompile(`(://)(?:[^/\s@"']*:[^\s"']*|[^/\s@"']+)@`), "$1" + redacted + "@", nil},
	// user:password@tcp(host), as MySQL's driver has it.
	{[]string{"@tcp(", "@unix("}, regexp.MustCompile(`([^\s:@/"'=]+:)[^\s"']*(@(?:tcp|unix)\()`), "$1" + redacted + "$2", nil},
	// The query of any URL or path.
	{[]string{"?"}, regexp.MustCompile(`(/[^\s?"'<>]*\?|\?[A-Za-z0-9_.~%+\[\]-]*=)[^\s"'<>]+`), "$1" + redacted, nil},
	// These two headers are lists with spaces: all of the line goes.
	{
		[]string{"authorization", "cookie"},
		regexp.MustCompile(`(?i)((?:authorization|cookie)[a-z0-9_-]*)(?:(\\*["']\s*:\s*)` + value + `|(\s*[:=]\s*)(?:\[[^\]]*\]?|[^\r\n]+))`), "$1$2$3" + redacted,
		isProseHeader,
	},
	// Credentials by scheme (RFC 9110, section 11.4), three-part JWTs.
	{
		[]string{"bearer", "basic", "dpop", "digest"},
		regexp.MustCompile(`(?i)\b(bearer|basic|dpop|digest)\s+([A-Za-z0-9._~+/=-]{6,})`), "$1 " + redacted, isProseScheme,
	},
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)*`), redacted, nil},
	// key=value, key: value and "key":"value" whose key names a secret.
	{
		[]string{"passw", "passphrase", "pwd", "secret", "token", "key", "credential", "signature", "jwt", "csrf", "xsrf", "cvv", "card", "authorization.", "cookie."},
		regexp.MustCompile(`(?i)((?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key|credential|signature|jwt|[cx]srf|cvv|card[_-]?number|(?:authorization|cookie)\.)[a-z0-9_.-]*)(\\*["']?)(\s*[:=]\s*)(` + value + `)`),
		"$1$2$3" + redacted, isProsePair,
	},
	// prefix_id_secret keys such as those of auth/apikey, and unbroken base64url
	// of 40 characters and more: refresh tokens, MACs.
	{nil, regexp.MustCompile(`\b[a-z0-9]+_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{20,}|[A-Za-z0-9_-]{40,}`), redacted, isName},
}

// longWord is the length of the shortest secret that has no word near it.
const longWord = len("p_1234_") + 20

// mask replaces what looks like a secret in free text, and cuts off what is
// longer than maskedBytes, at a space: half a secret has no shape to be found by.
func mask(s string) string {
	if len(s) < len("://a@") {
		return s
	}
	more := ""
	if n := len(s); n > maskedBytes {
		s = wholeWords(s[:maskedBytes])
		more = " [" + strconv.Itoa(n-len(s)) + " more bytes]"
	}
	lower := strings.ToLower(s)
	for i := range shapes {
		if shapes[i].mayMatch(lower) {
			s = shapes[i].replaceIn(s)
		}
	}
	return s + more
}

// replaceIn masks all matches but prose. Behind a key that is spared, the search
// goes on with its value, which may be a key itself.
func (p *shape) replaceIn(s string) string {
	if p.prose == nil {
		return p.expr.ReplaceAllString(s, p.with)
	}
	var b []byte
	for {
		m := p.expr.FindStringSubmatchIndex(s)
		if m == nil {
			return string(b) + s
		}
		end := m[1]
		if p.prose(s, m) {
			if start := m[len(m)-2]; start > m[0] { // of the last group
				end = start
			}
			b = append(b, s[:end]...)
		} else {
			b = append(b, s[:m[0]]...)
			b = p.expr.ExpandString(b, p.with, s, m)
		}
		s = s[end:]
	}
}

// wholeWords cuts off the last word, which was cut already.
func wholeWords(s string) string { return s[:max(0, strings.LastIndexAny(s, " \t\r\n"))] }

// mayMatch reports whether a text may have the shape.
func (p *shape) mayMatch(lower string) bool {
	if p.words == nil {
		return hasLongWord(lower)
	}
	for _, word := range p.words {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

func hasLongWord(lower string) bool {
	run := 0
	for _, c := range []byte(lower) {
		if run++; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			run = 0
		}
		if run == longWord {
			return true
		}
	}
	return false
}
