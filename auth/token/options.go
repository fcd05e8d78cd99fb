package token

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ringwall/ringwall/errors"
)

// checkNames refuses an iss and names of an aud that end in what a file or a
// variable of the environment leaves there: no token has it.
func checkNames(issuer string, audience []string) error {
	check := func(place, name string) error {
		trimmed := strings.TrimFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
		if name == trimmed {
			return nil
		}
		return fmt.Errorf("token: %s %q: has blanks or control characters at an end; did you mean %q?", place, name, trimmed)
	}
	problems := []error{check("Issuer", issuer)}
	for i, name := range audience {
		problems = append(problems, check("Audience["+strconv.Itoa(i)+"]", name))
	}
	return errors.Join(problems...)
}

// checkUnits refuses numbers whose unit was forgotten, with which a verifier
// would refuse every token, or tolerate no clock.
func checkUnits(o VerifierOptions) error {
	var problems []error
	if 0 < o.MaxAge && o.MaxAge < time.Second {
		problems = append(problems, errors.New("token: MaxAge "+o.MaxAge.String()+": is below a second"+suggestSeconds(o.MaxAge)))
	}
	if 0 < o.Leeway && o.Leeway < time.Millisecond {
		problems = append(problems, errors.New("token: Leeway "+o.Leeway.String()+": is below a millisecond"+suggestSeconds(o.Leeway)))
	}
	if 0 < o.MaxSize && o.MaxSize < 256 {
		problems = append(problems, fmt.Errorf("token: MaxSize %d: is below 256 bytes, so no token fits; did you mean %d?", o.MaxSize, min(o.MaxSize<<10, 64<<10)))
	}
	return errors.Join(problems...)
}

// suggestSeconds returns a hint for a duration that was meant in seconds, as
// time.Duration(30) is, or "".
func suggestSeconds(d time.Duration) string {
	if d <= 0 || d > 24*60*60 {
		return ""
	}
	return "; did you mean " + (d * time.Second).String() + "?"
}

// checkTypes refuses a typ that no token can have.
func checkTypes(o VerifierOptions) error {
	check := func(place, typ, hint string) error {
		if typ != "" && normalizeType(typ) != "" && isMediaType(typ) {
			return nil
		}
		if normalizeType(typ) == "" {
			return fmt.Errorf("token: %s: must not be empty; did you mean %q, or InsecureNoType for tokens without a typ?", place, hint)
		}
		meant := "one type for each entry"
		if trimmed := strings.TrimSpace(typ); trimmed != typ && isMediaType(trimmed) {
			meant = strconv.Quote(trimmed)
		}
		return fmt.Errorf("token: %s %q: is not a media type (RFC 7515, section 4.1.9); did you mean %s?", place, typ, meant)
	}
	var problems []error
	if o.Type != "" {
		problems = append(problems, check("Type", o.Type, accessTokenType))
	}
	for i, typ := range o.AllowTypes {
		problems = append(problems, check("AllowTypes["+strconv.Itoa(i)+"]", typ, "JWT"))
	}
	return errors.Join(problems...)
}

// isMediaType reports whether a typ has the characters of a type's name, and
// at most one slash (RFC 6838, section 4.2).
func isMediaType(typ string) bool {
	for _, c := range []byte(typ) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') && !strings.ContainsRune("/!#$&-^_.+", rune(c)) {
			return false
		}
	}
	return strings.Count(typ, "/") <= 1
}
