package errors

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const redacted = "[redacted]"

// secretKeys are looked for in the keys of attributes, and in key=value text,
// blind to case and separators.
var secretKeys = []string{
	"authorization", "cookie", "password", "passwd", "passphrase", "secret", "token", "apikey",
	"credential", "privatekey", "signature", "jwt", "csrf", "xsrf", "cvv", "cardnumber", "ssn",
}

// A redactor masks attributes before they reach a log.
type redactor struct{ keys []string }

func newRedactor(more []string) redactor {
	keys := secretKeys[:len(secretKeys):len(secretKeys)]
	for _, key := range more {
		if key = normalize(key); key != "" {
			keys = append(keys, key)
		}
	}
	return redactor{keys}
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func normalize(key string) string { return separators.Replace(strings.ToLower(key)) }

func (d redactor) secret(key string) bool {
	key = normalize(key)
	for _, s := range d.keys {
		if strings.Contains(key, s) {
			return true
		}
	}
	return false
}

// attr returns a with its secrets masked, at every depth of groups. Values of
// types that slog does not know are turned into text: a handler would look
// into their fields, where we cannot.
func (d redactor) attr(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup && d.secret(a.Key) {
		return slog.String(a.Key, redacted)
	}
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, mask(a.Value.String()))
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
		return slog.StringValue(mask(textOf(v)))
	case http.Header:
		return d.values(v)
	case url.Values:
		return d.values(v)
	case []byte: // fmt writes numbers, in which no shape is found
		return slog.StringValue(mask(string(v)))
	case *slog.Source:
		return slog.AnyValue(v)
	}
	return slog.StringValue(mask(valueText(v)))
}

// valueText writes what has fields as JSON does: with quotes, so that all of a
// secret with spaces is found, and without what tags keep out of JSON.
func valueText(v any) (text string) {
	defer func() {
		if recover() != nil { // a MarshalJSON of the application; fmt recovers by itself
			text = fmt.Sprintf("%T that panics", v)
		}
	}()
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	if b, err := json.Marshal(v); err == nil && (b[0] == '{' || b[0] == '[') {
		return string(b)
	}
	return fmt.Sprintf("%+v", v)
}

func (d redactor) values(values map[string][]string) slog.Value {
	group := make([]slog.Attr, 0, len(values))
	for key, lines := range values {
		group = append(group, d.attr(slog.String(key, strings.Join(lines, ", "))))
	}
	return slog.GroupValue(group...)
}
