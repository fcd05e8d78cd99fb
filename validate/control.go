package validate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// isControl reports whether a character is a control character: C0, DEL or C1
// (Unicode, category Cc). All sources use this definition. C1 contains U+009B, the
// control sequence introducer, which terminals read as ESC [.
func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r <= 0x9f }

// isTextControl reports whether a character is not allowed in a text of several lines:
// a JSON string or name, a form field, a text file.
func isTextControl(r rune) bool { return isControl(r) && r != '\t' && r != '\n' && r != '\r' }

// isCleanText accepts one line: UTF-8 without control characters.
func isCleanText(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, isControl) }

// isCleanLines accepts UTF-8 without control characters except tab, newline and
// return.
func isCleanLines(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, isTextControl)
}

// mayHaveControl reports whether a valid JSON text may contain a control character in
// a string. C0 is not valid there without an escape. It also reports true for some
// texts without a control character; checkTokens then decides.
func mayHaveControl(data []byte, escapes bool) bool {
	return bytes.IndexByte(data, 0x7f) >= 0 || hasC1(data) || escapes && mayEscapeControl(data)
}

// hasC1 reports whether a text contains U+0080 to U+009F, encoded as C2 80 to C2 9F.
func hasC1(data []byte) bool {
	for {
		i := bytes.IndexByte(data, 0xc2)
		if i < 0 || i+1 == len(data) {
			return false
		}
		if data[i+1] < 0xa0 {
			return true
		}
		data = data[i+2:]
	}
}

// mayEscapeControl reports whether a text may contain an escaped control character:
// \b, \f, or \u00 followed by 0, 1, 7, 8 or 9.
func mayEscapeControl(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 == len(data) {
			return false
		}
		data = data[i+1:]
		if data[0] == 'b' || data[0] == 'f' || data[0] == 'u' && len(data) > 4 && data[1] == '0' && data[2] == '0' && escapesControl(data[3], data[4]) {
			return true
		}
		data = data[1:]
	}
}

// escapesControl reports whether \u00 with two hexadecimal digits is a control
// character.
func escapesControl(high, low byte) bool {
	return high < '2' || high == '7' && low|0x20 == 'f' || high == '8' || high == '9'
}
