package headers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/errors"
)

// HSTS is the policy that browsers remember for a host (RFC 6797). The zero
// value is two years, subdomains included.
type HSTS struct {
	// MaxAge is how long it is remembered, in whole seconds. 0: two years.
	MaxAge time.Duration
	// ExcludeSubdomains leaves the subdomains out.
	ExcludeSubdomains bool
	// Preload asks for a place in the lists that browsers ship, which is hard
	// to leave. It takes subdomains and a year at least.
	Preload bool
	// Clear makes browsers forget the host: max-age=0.
	Clear bool
}

const year = 365 * 24 * time.Hour

func (h HSTS) value() string {
	if h.Clear {
		return "max-age=0"
	}
	if h.MaxAge == 0 {
		h.MaxAge = 2 * year
	}
	value := "max-age=" + strconv.FormatInt(int64(h.MaxAge/time.Second), 10)
	if !h.ExcludeSubdomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value
}

type line struct{ key, value string }

// lines returns the headers that the options come to.
func (o *Options) lines() []line {
	csp := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if o.Profile == Documents {
		csp = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
	}
	lines := []line{
		{"X-Content-Type-Options", "nosniff"},
		{"Content-Security-Policy", or(o.CSP, csp)},
		{"X-Frame-Options", or(o.FrameOptions, "DENY")},
		{"Referrer-Policy", or(o.ReferrerPolicy, "no-referrer")},
		{"Cross-Origin-Resource-Policy", or(o.ResourcePolicy, "same-origin")},
		{"Cache-Control", or(o.CacheControl, "no-store")},
	}
	if o.Profile == Documents {
		lines = append(lines,
			line{"Cross-Origin-Opener-Policy", "same-origin"},
			line{"Cross-Origin-Embedder-Policy", "require-corp"},
			line{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"})
	}
	return lines
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// check returns the problems of the options.
func (o *Options) check() []error {
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf("headers: "+format, args...)) }
	switch h := o.HSTS; {
	case h.MaxAge < 0 || h.MaxAge%time.Second != 0:
		refuse("HSTS.MaxAge %v: is not a number of seconds, 0 or more; did you mean Clear?", h.MaxAge)
	case h.Clear && h != HSTS{Clear: true}:
		refuse("HSTS.Clear true: contradicts the other fields; did you mean HSTS{Clear: true}?")
	case h.Preload && (h.ExcludeSubdomains || h.MaxAge != 0 && h.MaxAge < year):
		refuse("HSTS.Preload true: the lists take hosts with subdomains and a max-age of a year; did you mean HSTS{Preload: true}?")
	}
	if o.Profile != API && o.Profile != Documents {
		refuse("Profile %d: is unknown; did you mean API or Documents?", o.Profile)
	}
	if o.HTTPS != RejectOrRedirect && o.HTTPS != RejectAll {
		refuse("HTTPS %d: is unknown; did you mean RejectOrRedirect or RejectAll?", o.HTTPS)
	}
	if o.InsecureAllowHTTP && o.HTTPS == RejectAll {
		refuse("InsecureAllowHTTP true: contradicts HTTPS: RejectAll; did you mean one of them?")
	}
	for _, field := range []line{{"CSP", o.CSP}, {"CacheControl", o.CacheControl}, {"CanonicalHost", o.CanonicalHost}} {
		if strings.ContainsFunc(field.value, func(c rune) bool { return c < ' ' || c >= 0x7f }) {
			refuse("%s %q: has a character that no header value has (RFC 9110, section 5.5)", field.key, field.value)
		}
	}
	for i, host := range append([]string{o.CanonicalHost}, o.AllowedHosts...) {
		if strings.ContainsAny(host, "/@?# \\") || host == "" && i > 0 {
			refuse("CanonicalHost or AllowedHosts %q: is not a host; did you mean \"api.example.com\"?", host)
		}
	}
	oneOf := func(name, value string, known ...string) {
		if value != "" && value != InsecureOmit && !slices.Contains(known, value) {
			refuse("%s %q: is unknown; did you mean %q?", name, value, known[0])
		}
	}
	oneOf("ReferrerPolicy", o.ReferrerPolicy, "no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin", "origin", "origin-when-cross-origin", "no-referrer-when-downgrade")
	oneOf("ResourcePolicy", o.ResourcePolicy, "same-origin", "same-site", "cross-origin")
	oneOf("FrameOptions", o.FrameOptions, "DENY", "SAMEORIGIN")
	return append(problems, checkCSP(o.CSP))
}

// checkCSP finds the mistakes that make browsers ignore a part of a policy
// without a word: directives that come twice, of which the second is ignored
// (CSP Level 3, section 2.2.1), and keywords without their quotes.
func checkCSP(csp string) error {
	var problems []error
	seen := make(map[string]bool)
	for directive := range strings.SplitSeq(csp, ";") {
		fields := strings.Fields(directive)
		if len(fields) == 0 || csp == InsecureOmit {
			continue
		}
		name := strings.ToLower(fields[0])
		if seen[name] {
			problems = append(problems, fmt.Errorf("headers: CSP %q: is there twice, and the second is ignored", name))
		}
		seen[name] = true
		for _, source := range fields[1:] {
			switch source {
			case "self", "none", "unsafe-inline", "unsafe-eval", "strict-dynamic", "report-sample":
				problems = append(problems, fmt.Errorf("headers: CSP %q: a keyword has quotes; did you mean \"'%s'\"?", source, source))
			}
		}
	}
	return errors.Join(problems...)
}
