package headers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// directives are those of CSP Level 3, and of the standards that add to it.
var directives = [...]string{
	"default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr", "img-src", "font-src",
	"connect-src", "media-src", "object-src", "frame-src", "child-src", "worker-src", "manifest-src", "base-uri", "form-action", "frame-ancestors",
	"sandbox", "report-uri", "report-to", "upgrade-insecure-requests", "require-trusted-types-for", "trusted-types", "webrtc",
}

// keywords are what stands in quotes in a list of sources.
var keywords = [...]string{
	"self", "none", "strict-dynamic", "report-sample", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval", "inline-speculation-rules",
}

// hashed is a hash or a nonce without its quotes, which browsers take for a host.
var hashed = regexp.MustCompile(`^(?i:nonce|sha256|sha384|sha512)-[^.]*$`)

// checkCSP finds the mistakes that make browsers ignore a part of a policy
// without a word: directives that they do not know, that come twice, of which
// the second is ignored (CSP Level 3, section 2.2.1), and keywords without
// their quotes; and those that take the policy's use away: 'unsafe-inline',
// 'unsafe-eval', 'unsafe-hashes', and a nonce, since it is constant.
func checkCSP(csp string, insecure bool) error {
	var problems []error
	refuse := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("headers: CSP "+format, args...))
	}
	if csp == "" || csp == InsecureOmit {
		return nil
	}
	if strings.Contains(csp, ",") {
		refuse("%q: has a comma, which begins another policy; did you mean a semicolon?", csp)
	}
	seen := make(map[string]bool)
	for directive := range strings.SplitSeq(csp, ";") {
		fields := strings.Fields(directive)
		if len(fields) == 0 {
			continue
		}
		name := strings.ToLower(fields[0])
		if !slices.Contains(directives[:], name) {
			refuse("%q: is not a directive%s", name, didYouMean(name, directives[:]))
		}
		if seen[name] {
			refuse("%q: is there twice, and the second is ignored", name)
		}
		seen[name] = true
		for _, source := range fields[1:] {
			bare := strings.ToLower(strings.Trim(source, `'"`+"`"))
			switch {
			case strings.HasPrefix(name, "report-") || name == "sandbox" || name == "trusted-types":
			case slices.Contains(keywords[:], bare) && !strings.EqualFold(source, "'"+bare+"'"):
				refuse("%q: a keyword has single quotes; did you mean \"'%s'\"?", source, bare)
			case hashed.MatchString(source):
				refuse("%q: a hash or nonce has single quotes; did you mean \"'%s'\"?", source, source)
			case strings.HasPrefix(bare, "nonce-") && source[0] == '\'' && !insecure:
				refuse("%q: a nonce that every response has protects nothing, so it needs InsecureCSP; did you mean a hash?", source)
			case strings.HasPrefix(bare, "unsafe-") && source[0] == '\'' && !insecure:
				refuse("%q: lets injected code run, so it needs InsecureCSP; did you mean a hash, or a file of its own?", source)
			case strings.EqualFold(source, "'none'") && len(fields) > 2:
				refuse("%q: 'none' is ignored beside other sources; did you mean one of them?", name)
			}
		}
	}
	if len(seen) == 0 {
		refuse("%q: has no directive; did you mean InsecureOmit?", csp)
	}
	return errors.Join(problems...)
}

// didYouMean names the known word that is nearest, when one is near.
func didYouMean(word string, known []string) string {
	best, least := "", 4
	for _, candidate := range known {
		if d := distance(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters have to change, come or go (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
