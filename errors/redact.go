package errors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const redacted = "[redacted]"

// secretKeys are the substrings of attribute keys whose values are masked. Case and
// separators are ignored.
var secretKeys = []string{
	"authorization", "cookie", "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey",
	"credential", "privatekey", "signature", "jwt", "csrf", "xsrf", "cvv", "cardnumber", "ssn",
}

// A redactor masks attributes and texts before they reach a log.
type redactor struct {
	keys []string
	own  *regexp.Regexp // the application's own keys, with their values; nil means none
}

func newRedactor(more []string) redactor {
	d := redactor{keys: secretKeys[:len(secretKeys):len(secretKeys)]}
	var own []string
	for _, key := range more {
		if key = normalize(key); key == "" {
			continue
		}
		d.keys = append(d.keys, key)
		var letters []string
		for _, letter := range key {
			letters = append(letters, regexp.QuoteMeta(string(letter)))
		}
		own = append(own, strings.Join(letters, "[_. -]?"))
	}
	if len(own) > 0 {
		// Not "key: value" without quotes, which prose has too.
		d.own = regexp.MustCompile(`(?i)((?:` + strings.Join(own, "|") + `)[a-z0-9_.-]*(?:\\*["']\s*[:=]\s*|=))` + value)
	}
	return d
}

// mask masks secrets in a text, by their shapes and by the application's keys.
func (d redactor) mask(s string) string {
	s = mask(s)
	if d.own != nil {
		s = d.own.ReplaceAllString(s, "$1"+redacted)
	}
	return s
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func normalize(key string) string { return separators.Replace(strings.ToLower(key)) }

func (d redactor) secret(key string) bool {
	if key = normalize(key); key == "pass" { // only as a whole key, because of "passenger"
		return true
	}
	public := withoutPublicID(key)
	for i, s := range d.keys {
		if i < len(secretKeys) && strings.Contains(public, s) || i >= len(secretKeys) && strings.Contains(key, s) {
			return true
		}
	}
	return false
}

// isCount reports whether an attribute is a number of secrets and not a secret:
// refresh_cookies=2. A value of one of the application's own keys is never a count.
func (d redactor) isCount(a slog.Attr) bool {
	if kind := a.Value.Kind(); kind != slog.KindInt64 && kind != slog.KindUint64 {
		return false
	}
	key := normalize(a.Key)
	for _, s := range d.keys[len(secretKeys):] {
		if strings.Contains(key, s) {
			return false
		}
	}
	return strings.HasSuffix(key, "cookies") || strings.HasSuffix(key, "tokens")
}

// attr returns a with its secrets masked, at every depth of groups. A value that
// slog has no kind for becomes text, because the next handler would format its
// fields unmasked.
func (d redactor) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup && d.secret(a.Key) && !d.isCount(a) {
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, d.mask(a.Value.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(a.Value.Group()))
		for _, inner := range a.Value.Group() {
			if d.secret(a.Key) {
				inner = slog.String(inner.Key, redacted)
			}
			group = append(group, d.attr(inner))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		return slog.Attr{Key: a.Key, Value: d.any(a.Value.Any())}
	}
	return a
}

func (d redactor) any(v any) slog.Value {
	switch v := v.(type) {
	case nil, bool, time.Time, stack:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(d.mask(textOf(v)))
	case http.Header:
		return d.values(v)
	case url.Values:
		return d.values(v)
	case []byte: // fmt would write numbers, in which a secret is not recognized
		return slog.StringValue(d.mask(string(v)))
	case *slog.Source:
		return slog.AnyValue(v)
	}
	return slog.StringValue(d.mask(d.formatValue(v)))
}

// formatValue returns v as text. A struct, map or slice is formatted as JSON, without
// the fields that json tags omit, and with the values of secret keys masked.
func (d redactor) formatValue(v any) (text string) {
	defer func() {
		if recover() != nil { // such as a panic in the application's MarshalJSON; fmt recovers by itself
			text = fmt.Sprintf("%T that panics", v)
		}
	}()
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	if b, err := json.Marshal(v); err == nil && (b[0] == '{' || b[0] == '[') {
		decoder := json.NewDecoder(bytes.NewReader(b))
		decoder.UseNumber() // keeps the digits
		return string(d.appendJSON(nil, decoder))
	}
	return fmt.Sprintf("%+v", v)
}

// appendJSON appends the next value of a valid document. A secret becomes
// [redacted] without quotes, as it does in text, so the result is not valid JSON.
func (d redactor) appendJSON(b []byte, document *json.Decoder) []byte {
	token, _ := document.Token()
	opened, ok := token.(json.Delim)
	if !ok {
		text, _ := json.Marshal(token)
		return append(b, text...)
	}
	b = append(b, byte(opened))
	for more := document.More(); more; {
		if opened == '{' {
			key, _ := document.Token()
			b = append(appendString(b, key.(string)), ':')
			if d.secret(key.(string)) {
				var hidden json.RawMessage
				_ = document.Decode(&hidden)
				b = append(b, redacted...)
			} else {
				b = d.appendJSON(b, document)
			}
		} else {
			b = d.appendJSON(b, document)
		}
		if more = document.More(); more {
			b = append(b, ',')
		}
	}
	closed, _ := document.Token()
	return append(b, byte(closed.(json.Delim)))
}

func (d redactor) values(values map[string][]string) slog.Value {
	group := make([]slog.Attr, 0, len(values))
	for key, lines := range values {
		group = append(group, d.attr(slog.String(key, strings.Join(lines, ", "))))
	}
	return slog.GroupValue(group...)
}

// maskCause masks text except for the kind's own text, which is constant. Without
// the exception, a code such as bad_credentials would mask the message after it.
func (d redactor) maskCause(k *Kind, text string) string {
	if text == k.Error() {
		return text
	}
	if rest, ok := strings.CutPrefix(text, k.code+": "); ok {
		return k.code + ": " + d.mask(rest)
	}
	return d.mask(text)
}
