package token

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// checkSecret returns the problem of a secret, or "".
func checkSecret(alg Alg, key []byte) string {
	size := alg.spec().hash.Size()
	switch {
	case len(key) < size:
		return fmt.Sprintf("%s needs a secret of at least %d bytes (RFC 7518, section 3.2)", alg, size)
	case bytes.Contains(key, []byte("-----BEGIN")):
		return "the secret is PEM; is it a public key?"
	case !looksRandom(key, size):
		return fmt.Sprintf("the secret does not look random; take %d bytes from crypto/rand", size)
	}
	return ""
}

// looksRandom reports whether a secret may come from a generator of size bytes.
// It refuses fewer than one in a million random secrets of 32 or more letters and
// digits. A typed secret may pass, because only its origin makes a secret random.
// An encoding of size random bytes is long, and may use few characters.
func looksRandom(secret []byte, size int) bool {
	distinct := countDistinct(secret)
	long := len(secret) >= base64.RawStdEncoding.EncodedLen(size)
	switch {
	case isSequence(secret), distinct < 10:
		return false
	case isHex(secret):
		return long
	case looksWritten(secret, distinct, long):
		return false
	}
	return long || distinct >= 16
}

// countDistinct returns the number of distinct bytes. Of 32 random bytes it is
// below 10 once in 10³⁰ times, and of 32 random letters and digits below 16
// once in four million.
func countDistinct(secret []byte) (n int) {
	var seen [256]bool
	for _, c := range secret {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// isSequence reports whether most bytes are next to the byte before them, as
// in an alphabet or a row of digits.
func isSequence(secret []byte) bool {
	steps := 0
	for i := 1; i < len(secret); i++ {
		if d := int(secret[i]) - int(secret[i-1]); -1 <= d && d <= 1 {
			steps++
		}
	}
	return 2*steps > len(secret)
}

// isHex reports whether a secret has only hexadecimal digits, of 4 bits each, and the
// hyphens of UUIDs.
func isHex(secret []byte) bool {
	for _, c := range secret {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') && c != '-' {
			return false
		}
	}
	return true
}

// looksWritten reports whether a secret has the form of words: separators or
// blanks between few characters, or, if it is short, letters of one case
// without a digit.
func looksWritten(secret []byte, distinct int, long bool) bool {
	var separators, blanks int
	var digits, lower, upper bool
	for _, c := range secret {
		switch {
		case c < ' ' || c > '~':
			return false
		case c == ' ':
			blanks++
		case c == '-' || c == '_' || c == '.':
			separators++
		case isDigit(c):
			digits = true
		case 'a' <= c && c <= 'z':
			lower = true
		case 'A' <= c && c <= 'Z':
			upper = true
		}
	}
	oneCase := lower != upper
	return distinct < 24 && (blanks > 0 || oneCase && separators > 2) || !long && oneCase && !digits
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
