package errors

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
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

// The shapes of secrets in text. RE2 is linear in the length of its input,
// which matters, since attackers choose some of it.
var (
	// scheme://user:password@host, and the query of any URL or path.
	userinfoShape = regexp.MustCompile(`(://)[^/\s@"']*:[^/\s"']*@`)
	queryShape    = regexp.MustCompile(`(\?[A-Za-z0-9_.~%+\[\]-]*=)[^\s"'<>]+`)
	// Credentials by scheme (RFC 9110, section 11.4), three-part JWTs, and
	// prefix_id_secret keys such as those of auth/apikey.
	schemeShape = regexp.MustCompile(`(?i)\b(bearer|basic|dpop|digest)\s+[A-Za-z0-9._~+/=-]{6,}`)
	jwtShape    = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)*`)
	keyShape    = regexp.MustCompile(`\b[a-z0-9]+_[A-Za-z0-9]{4,}_[A-Za-z0-9_-]{20,}`)
	// Unbroken base64url of 40 characters and more: refresh tokens, MACs.
	opaqueShape = regexp.MustCompile(`[A-Za-z0-9_-]{40,}`)
	// key=value, key: value and "key":"value" whose key names a secret.
	pairShape = regexp.MustCompile(`(?i)([a-z0-9_.-]*(?:authorization|cookie|passw(?:or)?d|passphrase|secret|token|api[_-]?key|credential|private[_-]?key|jwt)[a-z0-9_.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|\[[^\]]*\]|[^\s,;&}"']+)`)
)

// mask replaces what looks like a secret in free text.
func mask(s string) string {
	if len(s) < 6 {
		return s
	}
	s = userinfoShape.ReplaceAllString(s, "$1"+redacted+"@")
	s = queryShape.ReplaceAllString(s, "$1"+redacted)
	s = schemeShape.ReplaceAllString(s, "$1 "+redacted)
	s = jwtShape.ReplaceAllString(s, redacted)
	s = pairShape.ReplaceAllString(s, "$1"+redacted)
	s = keyShape.ReplaceAllString(s, redacted)
	return opaqueShape.ReplaceAllString(s, redacted)
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
	case nil, bool, time.Time:
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
	return slog.StringValue(mask(fmt.Sprintf("%+v", v)))
}

func (d redactor) values(values map[string][]string) slog.Value {
	group := make([]slog.Attr, 0, len(values))
	for key, lines := range values {
		group = append(group, d.attr(slog.String(key, strings.Join(lines, ", "))))
	}
	return slog.GroupValue(group...)
}
