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

// lines returns the headers that the options come to.
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

// documentLines isolate a page from others. Extra may set them otherwise.
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

// managed has, for each header that is not Extra's, what sets it.
var managed = map[string]string{
	"Strict-Transport-Security": "HSTS", "Content-Security-Policy": "CSP", "X-Frame-Options": "FrameOptions", "Referrer-Policy": "ReferrerPolicy",
	"Cross-Origin-Resource-Policy": "ResourcePolicy", "Cache-Control": "CacheControl", "X-Content-Type-Options": "nothing: nosniff is its only value",
	"Vary": "the handler that varies", "Set-Cookie": "the handler that has a cookie", "Content-Type": "the handler that has a body",
	"Content-Length": "net/http", "Transfer-Encoding": "net/http", "Connection": "net/http", "Date": "net/http", "Trailer": "the handler",
	"Location": "the handler that redirects", "Clear-Site-Data": "headers.ClearSiteData", "Etag": "the handler that has a body",
	"X-Xss-Protection": "nothing: it did harm and is gone", "Server": "nothing: it tells attackers what to try", "X-Powered-By": "nothing: it tells attackers what to try",
}

func checkExtra(extra http.Header) error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		refuse := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("headers: Extra %q: "+format, append([]any{key}, args...)...))
		}
		by, clashes := managed[http.CanonicalHeaderKey(key)]
		switch {
		case !isToken(key):
			refuse("is not the name of a header")
		case key != http.CanonicalHeaderKey(key):
			refuse("would not be found; did you mean %q?", http.CanonicalHeaderKey(key))
		case clashes:
			refuse("is set by %s", by)
		case strings.HasPrefix(key, "Access-Control-"):
			refuse("is set by package cors, for the origins that may have it")
		case len(extra[key]) == 0:
			refuse("has no value")
		}
		for _, value := range extra[key] {
			if !printable(value) || strings.Trim(value, " \t") != value || value == "" {
				refuse("has a value that is empty or that no header has (RFC 9110, section 5.5)")
			}
			problems = append(problems, checkField(key, value)...)
		}
	}
	return errors.Join(problems...)
}

func printable(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c >= 0x7f })
}
