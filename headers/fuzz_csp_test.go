package headers_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/headers"
)

// FuzzCSP compares New with a naive model: the list that controls scripts must
// not have an open source.
func FuzzCSP(f *testing.F) {
	for _, seed := range []string{
		"default-src 'self'; script-src 'self' https://cdn.example.com", "script-src *; default-src 'none'", "default-src data:", "sandbox; default-src *",
		"DEFAULT-SRC\t'none' ;;script-src 'unsafe-inline'", "default-src 'none'; default-src *", "default-src 'self'; script-src 'nonce-x'", "default-src 'none'; base-uri *",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, csp string) {
		_, err := headers.New(headers.Options{CSP: csp, InsecureInlineStyles: true})
		if err != nil || csp == "" || csp == headers.InsecureOmit {
			return
		}
		_, err = headers.New(headers.Options{CSP: csp, InsecureCSP: true})
		require.NoError(t, err, "an Insecure option must not accept less")
		values := map[string][]string{}
		for directive := range strings.SplitSeq(strings.ToLower(csp), ";") {
			if fields := strings.Fields(directive); len(fields) > 0 {
				require.NotContains(t, values, fields[0])
				values[fields[0]] = fields[1:]
			}
		}
		if tokens, found := values["sandbox"]; found && !slices.Contains(tokens, "allow-scripts") {
			return
		}
		sources, found := values["script-src"]
		if !found {
			sources, found = values["default-src"]
		}
		require.True(t, found)
		for _, source := range slices.Concat(sources, values["script-src-elem"], values["script-src-attr"], values["base-uri"], values["object-src"]) {
			require.NotRegexp(t, `^(\*|[a-z+.-]+://\*)(:|/|$)|^[a-z0-9+.-]+:$|^'unsafe|^'nonce|\*\.[a-z]+(:|/|$)`, source)
		}
	})
}

const (
	sfItem   = `(?:"(?:[ !#-\[\]-~]|\\["\\])*"|[A-Za-z*][!#$%&'*+.^_` + "`" + `|~0-9A-Za-z:/-]*)`
	sfKey    = `[a-z*][a-z0-9_.*-]*`
	sfParams = `(?:; *` + sfKey + `(?:=` + sfItem + `)?)*`
	sfValue  = `(?:` + sfItem + `|\( *(?:` + sfItem + sfParams + `(?: +` + sfItem + sfParams + `)*)? *\))`
	sfMember = sfKey + `(?:=` + sfValue + `)?` + sfParams
)

var sfDictionary = regexp.MustCompile(`^ *` + sfMember + `(?:[ \t]*,[ \t]*` + sfMember + `)* *$`)

// FuzzPermissionsPolicy compares the parser of structured fields with their
// grammar as a regular expression.
func FuzzPermissionsPolicy(f *testing.F) {
	for _, seed := range []string{
		`camera=(), geolocation=(self "https://a.example");report-to=x`, "camera 'none'", "camera=(", `camera="a\"b"`, "a,b;c=d", "a=(b;c d)", "a=( )", "a=*,", "a=(b  c )",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" || strings.Trim(value, " \t") != value || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
			return
		}
		_, err := headers.New(headers.Options{Extra: http.Header{"Permissions-Policy": {value}}})
		broken := err != nil && strings.Contains(err.Error(), "is not a dictionary")
		require.Equal(t, !sfDictionary.MatchString(value), broken, "%q", value)
	})
}
