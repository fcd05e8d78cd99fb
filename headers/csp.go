package headers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/errors"
)

// sourceLists lists the directives whose values are sources (CSP Level 3 and its
// extensions).
var sourceLists = [...]string{
	"default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr", "img-src", "font-src",
	"connect-src", "media-src", "object-src", "frame-src", "child-src", "worker-src", "manifest-src", "fenced-frame-src", "base-uri", "form-action",
	"frame-ancestors",
}

// directives lists all directives that browsers read.
var directives = append(sourceLists[:], "sandbox", "report-uri", "report-to", "upgrade-insecure-requests", "require-trusted-types-for", "trusted-types", "webrtc")

// obsolete maps each directive that browsers no longer read to a suggestion.
var obsolete = map[string]string{
	"block-all-mixed-content": `, since browsers always do it; did you mean "upgrade-insecure-requests"?`,
	"navigate-to":             `; did you mean "form-action"?`,
	"plugin-types":            `; did you mean "object-src 'none'"?`,
	"prefetch-src":            `; did you mean "default-src"?`,
	"referrer":                `; did you mean Options.ReferrerPolicy?`,
	"reflected-xss":           `; did you mean "script-src 'self'"?`,
}

// sandboxTokens lists the tokens of HTML, section 7.1.5.
var sandboxTokens = []string{
	"allow-downloads", "allow-forms", "allow-modals", "allow-orientation-lock", "allow-pointer-lock", "allow-popups",
	"allow-popups-to-escape-sandbox", "allow-presentation", "allow-same-origin", "allow-scripts", "allow-storage-access-by-user-activation",
	"allow-top-navigation", "allow-top-navigation-by-user-activation", "allow-top-navigation-to-custom-protocols",
}

// A cspChecker collects the problems of one Content-Security-Policy.
type cspChecker struct {
	field    string              // names the option in problems
	text     string              // the whole policy
	values   map[string][]string // by directive, in lower case
	scripts  []string            // the directives that control scripts
	problems []error
}

// checkCSP returns the parts of a policy that browsers would ignore silently, and
// the problems that checkScripts and checkStyles find in the rest.
func (o *Options) checkCSP() error {
	if o.CSP == "" || o.CSP == InsecureOmit {
		return nil
	}
	c := cspChecker{field: "CSP"}
	c.parse(o.CSP)
	if len(c.values) == 0 {
		return errors.Join(c.problems...)
	}
	if !o.InsecureCSP {
		c.checkScripts()
	}
	if !o.InsecureCSP && !o.InsecureInlineStyles && c.effective("script-src", "style-src", "default-src") != "" {
		c.checkStyles()
	}
	return errors.Join(c.problems...)
}

// checkReportOnly returns the parts of a report-only policy that browsers would
// ignore.
func checkReportOnly(field, csp string) []error {
	c := cspChecker{field: field}
	c.parse(csp)
	return c.problems
}

func (c *cspChecker) report(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf("headers: "+c.field+" "+format, args...))
}

// parse splits a policy into directives (CSP Level 3, section 2.2.1) and checks
// each.
func (c *cspChecker) parse(csp string) {
	c.text = csp
	if strings.Contains(csp, ",") {
		c.report("%q: has a comma, which begins another policy; did you mean a semicolon?", csp)
	}
	c.values = make(map[string][]string)
	for directive := range strings.SplitSeq(csp, ";") {
		fields := strings.Fields(directive)
		if len(fields) == 0 {
			continue
		}
		name := strings.ToLower(fields[0])
		if _, found := c.values[name]; found {
			c.report("%q: is listed twice, and browsers ignore the second; did you mean one list?", name)
			continue
		}
		c.values[name] = fields[1:]
		c.checkDirective(name, fields[1:])
	}
	if len(c.values) == 0 {
		c.report("%q: has no directive; did you mean InsecureOmit?", csp)
	}
}

// checkDirective reports values that browsers ignore in a directive.
func (c *cspChecker) checkDirective(name string, values []string) {
	switch {
	case slices.Contains(sourceLists[:], name):
		for _, source := range values {
			if problem := sourceProblem(name, source); problem != "" {
				c.report("%q: %s", name+" "+source, problem)
			}
			if strings.EqualFold(source, "'none'") && len(values) > 1 {
				c.report("%q: has 'none' and other sources, so browsers ignore 'none'; did you mean one of them?", name)
			}
		}
	case name == "sandbox":
		c.checkWords(name, values, sandboxTokens)
	case name == "require-trusted-types-for":
		c.checkWords(name, values, []string{"'script'"})
		if len(values) == 0 {
			c.report("%q: has no value; did you mean \"'script'\"?", name)
		}
	case name == "trusted-types":
		c.checkTrustedTypes(values)
	case name == "webrtc":
		c.checkWords(name, values, []string{"'allow'", "'block'"})
	case name == "upgrade-insecure-requests":
		if len(values) > 0 {
			c.report("%q: must not have a value; did you mean a semicolon before %q?", name+" "+values[0], values[0])
		}
	case name == "report-to":
		if len(values) != 1 || !isToken(values[0]) {
			c.report("%q: must have one endpoint name; did you mean \"report-to default\"?", strings.Join(append([]string{name}, values...), " "))
		}
	case name == "report-uri":
		if len(values) == 0 {
			c.report("%q: must have a URL; did you mean \"report-uri /csp\"?", name)
		}
	case obsolete[name] != "":
		c.report("%q: is obsolete%s", name, obsolete[name])
	default:
		c.report("%q: is not a directive%s", name, oneOfThem(name, directives))
	}
}

// checkWords reports unknown values.
func (c *cspChecker) checkWords(name string, values, known []string) {
	for _, value := range values {
		if !slices.Contains(known, strings.ToLower(value)) {
			c.report("%q: is unknown%s", name+" "+value, oneOfThem(value, known))
		}
	}
}

// checkTrustedTypes reports values that are neither a keyword nor a policy name
// (Trusted Types, section 4.2.2).
func (c *cspChecker) checkTrustedTypes(values []string) {
	keywords := []string{"'none'", "'allow-duplicates'"}
	for _, value := range values {
		bare := strings.ToLower(strings.Trim(value, `'"`))
		switch {
		case slices.Contains(keywords, strings.ToLower(value)), value == "*":
		case slices.Contains(keywords, "'"+bare+"'"):
			c.report("%q: must have single quotes; did you mean \"'%s'\"?", "trusted-types "+value, bare)
		case strings.HasPrefix(value, "'"):
			c.report("%q: is unknown%s", "trusted-types "+value, oneOfThem(value, keywords))
		case strings.ContainsFunc(value, func(r rune) bool { return !isLetterOrDigit(r) && !strings.ContainsRune("-#=_/@.%", r) }):
			c.report("%q: is not a policy name; did you mean letters and digits?", "trusted-types "+value)
		}
	}
	if len(values) > 1 && slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "'none'") }) {
		c.report("%q: has 'none' and other names, so browsers ignore 'none'; did you mean one of them?", "trusted-types")
	}
}

func isLetterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
