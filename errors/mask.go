package errors

import (
	"regexp"
	"strconv"
	"strings"
)

// maskedBytes is the maximum length of a text in the log. Clients choose some of
// the text, and the expressions need up to a quarter of a microsecond per byte.
const maskedBytes = 8 << 10

// A shape describes the format of a secret in text. The expression runs only on a
// text that contains one of the words, in lower case.
type shape struct {
	words []string // nil means a run of letters and digits of at least longWord
	expr  *regexp.Regexp
	with  string
	// prose reports whether the match with the groups m is prose. nil means never.
	prose func(text string, m []int) bool
}

// value matches the value of a key: a JSON string, which may be escaped in another
// string or truncated, a list, an object, or text without spaces.
const value = `(?:\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s,;&}"']+)`

var shapes = [...]shape{
	{[]string{"-----begin"}, regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`), redacted, nil},
	// scheme://user:password@host; the password may have bytes that a URL must not have.
	{[]string{"://"}, regexp.MustCompile(`(://)(?:[^/\s@"']*:[^\s"']*|[^/\s@"']+)@`), "$1" + redacted + "@", nil},
	// user:password@tcp(host), a DSN of MySQL's driver.
	{[]string{"@tcp(", "@unix("}, regexp.MustCompile(`([^\s:@/"'=]+:)[^\s"']*(@(?:tcp|unix)\()`), "$1" + redacted + "$2", nil},
	// The query of any URL or path.
	{[]string{"?"}, regexp.MustCompile(`(/[^\s?"'<>]*\?|\?[A-Za-z0-9_.~%+\[\]-]*=)[^\s"'<>]+`), "$1" + redacted, nil},
	// The values of these two headers may have spaces, so the whole line is masked.
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
	// prefix_id_secret keys such as those of auth/apikey, and base64url of at
	// least 40 characters: refresh tokens, MACs.
	{nil, regexp.MustCompile(`\b[a-z0-9]+_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{20,}|[A-Za-z0-9_-]{40,}`), redacted, isName},
}

// longWord is the length of the shortest secret of the shape without words.
const longWord = len("p_1234_") + 20

// mask replaces text that looks like a secret. It truncates the text to
// maskedBytes at a space, because a truncated secret would not be recognized.
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

// replaceIn masks all matches except prose. After a match that is prose, the search
// continues at the value of the match, which may itself be a key.
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

// wholeWords removes the last word of a truncated text, which may be incomplete.
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
