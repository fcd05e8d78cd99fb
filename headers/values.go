package headers

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

type line struct{ key, value string }

// lines returns the headers that the options select.
func (o *Options) lines() []line {
	csp := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if o.Profile == Documents {
		csp = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
	}
	lines := []line{
		{"X-Content-Type-Options", "nosniff"},
		{"Content-Security-Policy", orDefault(o.CSP, csp)},
		{"X-Frame-Options", orDefault(o.FrameOptions, "DENY")},
		{"Referrer-Policy", orDefault(o.ReferrerPolicy, "no-referrer")},
		{"Cross-Origin-Resource-Policy", orDefault(o.ResourcePolicy, "same-origin")},
		{"Cache-Control", orDefault(o.CacheControl, "no-store")},
	}
	if o.Profile == Documents {
		for _, l := range documentLines {
			if len(o.Extra[l.key]) == 0 {
				lines = append(lines, l)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(o.Extra)) {
		for _, value := range o.Extra[key] {
			lines = append(lines, line{key, value})
		}
	}
	return slices.DeleteFunc(lines, func(l line) bool { return l.value == InsecureOmit })
}

// documentLines isolate a page from other pages. Extra may replace them.
var documentLines = [...]line{
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Embedder-Policy", "require-corp"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// managed maps each header that Extra must not set to the reason.
var managed = map[string]string{
	"Strict-Transport-Security": "is set by HSTS", "Content-Security-Policy": "is set by CSP", "X-Frame-Options": "is set by FrameOptions",
	"Referrer-Policy": "is set by ReferrerPolicy", "Cross-Origin-Resource-Policy": "is set by ResourcePolicy", "Cache-Control": "is set by CacheControl",
	"X-Content-Type-Options": "is always nosniff", "Vary": "is set by handlers", "Set-Cookie": "is set by handlers", "Content-Type": "is set by handlers",
	"Location": "is set by handlers", "Etag": "is set by handlers", "Trailer": "is set by handlers", "Clear-Site-Data": "is set by headers.ClearSiteData",
	"Content-Length": "is set by net/http", "Transfer-Encoding": "is set by net/http", "Connection": "is set by net/http", "Date": "is set by net/http",
	"X-Xss-Protection": "is obsolete and harmful", "Server": "helps attackers", "X-Powered-By": "helps attackers",
}

func checkExtra(extra http.Header) error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		refuse := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("headers: Extra %q: "+format, append([]any{key}, args...)...))
		}
		reason, clashes := managed[http.CanonicalHeaderKey(key)]
		switch {
		case !isToken(key):
			refuse("is not a header name")
		case key != http.CanonicalHeaderKey(key):
			refuse("is not in canonical form; did you mean %q?", http.CanonicalHeaderKey(key))
		case clashes:
			refuse("%s", reason)
		case strings.HasPrefix(key, "Access-Control-"):
			refuse("is set by package cors")
		case len(extra[key]) == 0:
			refuse("must not be empty")
		}
		for _, value := range extra[key] {
			if !isPrintable(value) || strings.Trim(value, " \t") != value || value == "" {
				refuse("has an empty or invalid value (RFC 9110, section 5.5)")
			}
			problems = append(problems, checkField(key, value)...)
		}
	}
	return errors.Join(problems...)
}

func isPrintable(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c >= 0x7f })
}
