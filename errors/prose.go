package errors

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A key that names a secret is also a word of prose, and of this module's messages:
// "token: the session ends", "redislimit: Secret: has 12 bytes". The text after it
// is left unmasked only if it is a word between words. A pair with "=", with quotes
// or without a space after the colon is not prose.

// plainWord is a word of prose or the name of a field, such as must, E-mail,
// Cookie.Name or keys[2].
var plainWord = regexp.MustCompile(`^\(?(?:\pL+(?:\[[0-9]*\]?)?[-'.]?)+[.:!?)\]]*$`)

// isPlainWord reports whether word looks like a word and not like random letters,
// which have more capitals, more capitals after small letters, and more letters.
func isPlainWord(word string) bool {
	if len(word) > 40 || !plainWord.MatchString(word) {
		return false
	}
	run, capitals, letters, humps := 0, 0, 0, 0
	before := ' '
	for _, c := range word {
		if unicode.IsLower(before) && unicode.IsUpper(c) {
			humps++
		}
		before = c
		if !unicode.IsLetter(c) {
			run = 0
			continue
		}
		if run++; run > 24 {
			return false
		}
		letters++
		if unicode.IsUpper(c) {
			capitals++
		}
	}
	if humps > 2 || humps > 1 && letters > 24 {
		return false
	}
	if capitals == letters {
		return letters <= 8
	}
	return capitals <= letters/3+1 && !manyConsonants.MatchString(word)
}

// manyConsonants matches more consonants in a row than words have: "lengths" and
// "TLSConfig" have fewer.
var manyConsonants = regexp.MustCompile(`(?i)[b-df-hj-np-tv-xz]{6}`)

// endsText reports whether the text or its line ends at rest, so that the word
// before rest is the whole value of the key.
func endsText(rest string) bool {
	rest = strings.TrimLeft(rest, " \t")
	return rest == "" || strings.ContainsAny(rest[:1], "\r\n,;}&\"'")
}

// strictKey matches keys of secrets that users choose, which may be plain words.
var strictKey = regexp.MustCompile(`(?i)passw|passphrase|pwd|secret|cvv|card`)

// oneTimeCode matches a numeric one-time code.
var oneTimeCode = regexp.MustCompile(`^\(?[0-9]{4,}\D?$`)

// isProsePair reports whether a matched key and value are prose.
func isProsePair(text string, m []int) bool {
	key, quote, separator, word, rest := text[m[2]:m[3]], text[m[4]:m[5]], text[m[6]:m[7]], text[m[8]:m[9]], text[m[9]:]
	if withoutPublicID(normalize(key)) == "" {
		return true
	}
	if quote != "" || strings.Contains(separator, "=") || strings.HasSuffix(separator, ":") || strings.ContainsAny(word[:1], `\"'[{`) {
		return false
	}
	if !strictKey.MatchString(key) { // such as "token: Ed25519 keys"
		return isPlainWord(word) || len(word) < 8 && !oneTimeCode.MatchString(word) && !endsText(rest)
	}
	if isCode := strings.Contains(key, "_") || m[2] > 0 && text[m[2]-1] == '_'; isCode && unicode.IsUpper(rune(word[0])) {
		return isPlainWord(word) && (strings.HasSuffix(word, ".") || !endsText(rest)) // "wrong_password: Wrong."
	}
	return functionWord.MatchString(word) && !endsText(rest)
}

// functionWord matches a word after a colon that begins a statement, as "has" in "Secret:
// has 12 bytes". Any other word may be the secret, as "swordfish" in "password: swordfish is
// wrong".
var functionWord = regexp.MustCompile(`^(?i:an?|the|is|are|was|were|has|have|had|must|may|can|cannot|should|needs|not|no|none|of|for|in|on|at|to|with|without|more|less|fewer|another|this|that|it)$`)

// isProseHeader reports whether a matched header is prose about an option named
// Cookie. The value of a Cookie header has "=". Authorization is always masked.
func isProseHeader(text string, m []int) bool {
	if m[6] < 0 { // a quoted name
		return false
	}
	name, separator, line := text[m[2]:m[3]], text[m[6]:m[7]], text[m[7]:m[1]]
	first, _, _ := strings.Cut(line, " ")
	return strings.Contains(strings.ToLower(name), "cookie") && strings.HasSuffix(separator, ": ") &&
		!strings.Contains(line, "=") && isPlainWord(first) && first != line
}

// isProseScheme reports whether a matched authentication scheme is prose, such as
// "bearer tokens".
func isProseScheme(text string, m []int) bool {
	scheme, word, rest := text[m[2]:m[3]], text[m[4]:m[5]], text[m[5]:]
	return isPlainWord(word) && !isUserPass(word) && (strings.ToLower(scheme) == scheme || strings.HasSuffix(word, ".") || !endsText(rest))
}

// isUserPass reports whether a word is Basic credentials (RFC 7617, section 2).
func isUserPass(word string) bool {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, ".="))
	return err == nil && utf8.Valid(decoded) && bytes.IndexByte(decoded, ':') >= 0
}

// plainName matches a long name, such as Cross-Origin-Embedder-Policy-Report-Only
// or an error code.
var plainName = regexp.MustCompile(`^(?:[A-Z]?[a-z]+[-_]+)+[A-Z]?[a-z]+[-_]*$`)

// isName reports whether the match is a name. Random text of that length has digits,
// or capitals inside its parts.
func isName(text string, m []int) bool { return plainName.MatchString(text[m[0]:m[1]]) }

// publicIDs are suffixes of keys whose values identify a credential but are not
// secret.
var publicIDs = [...]string{"credentialid", "apikeyid", "privatekeyid", "tokenid"}

// withoutPublicID removes the suffix of a normalized key that names a public ID.
func withoutPublicID(key string) string {
	for _, id := range publicIDs {
		if rest, ok := strings.CutSuffix(key, id); ok {
			return rest
		}
	}
	return key
}
