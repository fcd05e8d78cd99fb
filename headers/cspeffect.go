package headers

import (
	"slices"
	"strings"

	"github.com/ringwall/ringwall/internal/suffix"
)

// effective returns the first of the named directives that the policy has, which
// is the one that browsers apply (CSP Level 3, section 6.8.3), or "".
func (c *cspChecker) effective(names ...string) string {
	for _, name := range names {
		if _, found := c.values[name]; found {
			return name
		}
	}
	return ""
}

// checkScripts reports sources that allow injected scripts to run. It checks the
// lists for script elements, for event handlers and for all other scripts, because
// browsers without support for the first two apply the last to everything. It
// also checks plugins, and base-uri, which resolves the URLs of trusted scripts.
func (c *cspChecker) checkScripts() {
	if tokens, found := c.values["sandbox"]; found && !containsFold(tokens, "allow-scripts") {
		return // no script runs
	}
	main := c.effective("script-src", "default-src")
	if main == "" {
		c.report("%q: has neither script-src nor default-src, so injected script runs, which needs InsecureCSP; did you mean to add \"default-src 'self'\"?", c.text)
		return
	}
	c.scripts = distinct(c.effective("script-src-elem", "script-src", "default-src"), c.effective("script-src-attr", "script-src", "default-src"), main)
	dynamic := false
	for _, list := range c.scripts {
		for _, source := range c.values[list] {
			dynamic = dynamic || strings.EqualFold(source, "'strict-dynamic'")
			if problem := scriptProblem(list, source); problem != "" {
				c.report("%q: %s", list+" "+source, problem)
			}
		}
	}
	c.checkObjects()
	c.checkBase(dynamic)
}

// distinct returns the sorted names without duplicates.
func distinct(names ...string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// scriptProblem returns how a source allows injected scripts to run, or "".
func scriptProblem(list, source string) string {
	lower := strings.ToLower(source)
	switch {
	case lower == "'unsafe-inline'" && list == "default-src":
		return "lets injected code run, so it needs InsecureCSP; did you mean \"style-src 'unsafe-inline'\" alone, with InsecureInlineStyles?"
	case strings.HasPrefix(lower, "'nonce-"):
		return "is the same nonce in every response, so it needs InsecureCSP; did you mean a hash, or a policy that the handler sets?"
	case strings.HasPrefix(lower, "'unsafe-"):
		return "lets injected code run, so it needs InsecureCSP; did you mean a hash, or a file of its own?"
	case strings.HasPrefix(lower, "'"):
		return ""
	case lower == "blob:":
		return "lets a page run any text, so it needs InsecureCSP; did you mean \"worker-src blob:\"?"
	}
	return openProblem(lower)
}

// openProblem returns how a source covers content of an attacker, or "": by a
// scheme for all hosts, or by a wildcard for hosts of unrelated parties.
func openProblem(lower string) string {
	if schemeSource.MatchString(lower) {
		return "lets code of any origin run, so it needs InsecureCSP; did you mean \"'self'\", or a host by its name?"
	}
	parts := hostSource.FindStringSubmatch(lower)
	if parts == nil {
		return "" // already reported, or a keyword
	}
	host, isWildcard := strings.CutPrefix(strings.TrimSuffix(parts[2], "."), "*.")
	switch {
	case parts[2] == "*":
		return "lets code of any host run, so it needs InsecureCSP; did you mean \"'self'\", or a host by its name?"
	case isWildcard && suffix.IsShared(host):
		return "covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?"
	}
	return ""
}

// checkObjects reports a policy that allows plugins, which run code in the page's
// origin. It skips lists that checkScripts has checked.
func (c *cspChecker) checkObjects() {
	list := c.effective("object-src", "default-src")
	if list == "" {
		c.report("%q: has neither object-src nor default-src, so injected plugins run, which needs InsecureCSP; did you mean to add \"object-src 'none'\"?", c.text)
	}
	if slices.Contains(c.scripts, list) {
		return
	}
	for _, source := range c.values[list] {
		if openProblem(strings.ToLower(source)) != "" {
			c.report("%q: lets injected plugins of any host run, so it needs InsecureCSP; did you mean \"object-src 'none'\"?", list+" "+source)
		}
	}
}

// checkBase reports a policy that allows an injected base element to redirect
// relative URLs to another host: those of scripts with 'strict-dynamic', and
// those of links and forms.
func (c *cspChecker) checkBase(dynamic bool) {
	sources, found := c.values["base-uri"]
	if !found && dynamic {
		c.report("%q: has 'strict-dynamic' without base-uri, so an injected base element decides where scripts come from, which needs InsecureCSP; did you mean to add \"base-uri 'none'\"?", c.text)
	}
	for _, source := range sources {
		if openProblem(strings.ToLower(source)) != "" {
			c.report("%q: lets an injected base element lead scripts and forms to any host, so it needs InsecureCSP; did you mean \"base-uri 'none'\"?", "base-uri "+source)
		}
	}
}

// checkStyles reports sources that allow injected inline styles to apply, because
// they can read the page's content (CWE-79).
func (c *cspChecker) checkStyles() {
	for _, list := range distinct(c.effective("style-src-elem", "style-src", "default-src"), c.effective("style-src-attr", "style-src", "default-src"), c.effective("style-src", "default-src")) {
		if list == "" {
			c.report("%q: has neither style-src nor default-src, so injected styles apply, which needs InsecureInlineStyles; did you mean to add \"style-src 'self'\"?", c.text)
		}
		if slices.Contains(c.scripts, list) {
			continue // default-src, already reported
		}
		for _, source := range c.values[list] {
			lower := strings.ToLower(source)
			switch {
			case strings.HasPrefix(lower, "'unsafe-"):
				c.report("%q: lets injected styles apply, so it needs InsecureInlineStyles; did you mean a hash, or a file of its own?", list+" "+source)
			case strings.HasPrefix(lower, "'nonce-"):
				c.report("%q: is the same nonce in every response, so it needs InsecureInlineStyles; did you mean a hash, or a policy that the handler sets?", list+" "+source)
			}
		}
	}
}

func containsFold(list []string, value string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, value) })
}
