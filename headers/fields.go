package headers

import (
	"fmt"
	"slices"
	"strings"
)

// knownTokens has the values of headers with a single token. Browsers ignore an
// unknown token (HTML, sections 7.1.3 and 7.1.4, and vendors' documentation).
var knownTokens = map[string][]string{
	"Cross-Origin-Opener-Policy":               openerPolicies,
	"Cross-Origin-Opener-Policy-Report-Only":   openerPolicies,
	"Cross-Origin-Embedder-Policy":             embedderPolicies,
	"Cross-Origin-Embedder-Policy-Report-Only": embedderPolicies,
	"Origin-Agent-Cluster":                     {"?1", "?0"},
	"X-Dns-Prefetch-Control":                   {"off", "on"},
	"X-Download-Options":                       {"noopen"},
	"X-Permitted-Cross-Domain-Policies":        {"none", "none-this-response", "master-only", "by-content-type", "by-ftp-filename", "all"},
}

var (
	openerPolicies   = []string{"same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"}
	embedderPolicies = []string{"require-corp", "credentialless", "unsafe-none"}
)

// checkField returns the problems of a value of Extra that browsers would silently
// ignore. It accepts every value of other headers.
func checkField(key, value string) []error {
	switch key {
	case "Permissions-Policy", "Permissions-Policy-Report-Only":
		return checkPermissions(key, value)
	case "Content-Security-Policy-Report-Only":
		return checkReportOnly(fmt.Sprintf("Extra %q", key), value)
	}
	known := knownTokens[key]
	if known == nil {
		return nil
	}
	refuse := func(format string, args ...any) []error {
		return []error{fmt.Errorf("headers: Extra %q %q: "+format, append([]any{key, value}, args...)...)}
	}
	token, rest, hasParams := strings.Cut(value, ";")
	if token = strings.TrimRight(token, " "); !slices.Contains(known, token) {
		return refuse("is unknown%s", oneOfThem(token, known))
	}
	if !hasParams {
		return nil
	}
	v, ok := parseItem(value)
	if !ok || len(v.params) != 1 || v.params[0].name != "report-to" || !v.params[0].value.isString || !strings.HasPrefix(key, "Cross-Origin-") {
		name := strings.Trim(rest[strings.LastIndexByte(rest, '=')+1:], ` "'`)
		return refuse("has parameters that browsers drop; did you mean %q?", token+`; report-to="`+name+`"`)
	}
	return nil
}

// features lists the features of the Permissions Policy registry that browsers
// have. Only a name close to one of them is refused, because browsers add others.
var features = []string{
	"accelerometer", "all-screens-capture", "ambient-light-sensor", "attribution-reporting", "autoplay", "bluetooth", "browsing-topics", "camera",
	"captured-surface-control", "clipboard-read", "clipboard-write", "compute-pressure", "cross-origin-isolated", "deferred-fetch", "deferred-fetch-minimal",
	"digital-credentials-create", "digital-credentials-get", "display-capture", "document-domain", "encrypted-media", "execution-while-not-rendered",
	"execution-while-out-of-viewport", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection",
	"interest-cohort", "join-ad-interest-group", "keyboard-map", "language-detector", "language-model", "local-fonts", "local-network-access",
	"magnetometer", "mediasession", "microphone", "midi", "navigation-override", "otp-credentials", "payment", "picture-in-picture",
	"private-state-token-issuance", "private-state-token-redemption", "publickey-credentials-create", "publickey-credentials-get", "rewriter",
	"run-ad-auction", "screen-wake-lock", "serial", "shared-storage", "shared-storage-select-url", "speaker-selection", "storage-access",
	"summarizer", "sync-xhr", "translator", "unload", "usb", "usb-unrestricted", "vertical-scroll", "web-share", "window-management", "writer",
	"xr-spatial-tracking",
}

// checkPermissions returns the problems that make browsers ignore a
// Permissions-Policy or a part of it. It is a dictionary of structured fields (W3C
// Permissions Policy, section 6.1), not a list as its predecessor Feature-Policy.
func checkPermissions(key, value string) []error {
	var problems []error
	refuse := func(text, format string, args ...any) {
		problems = append(problems, fmt.Errorf("headers: Extra %q %q: "+format, append([]any{key, text}, args...)...))
	}
	seen := make(map[string]bool)
	ok := parseDictionary(value, func(name string, v structured) {
		if seen[name] {
			refuse(name, "is listed twice, and browsers ignore the first; did you mean one list?")
		}
		seen[name] = true
		if near := didYouMean(name, features); !slices.Contains(features, name) && near != "" {
			refuse(name, "is unknown%s", near)
		}
		if !v.isList && len(v.items) == 0 {
			refuse(name, "must have a list of origins; did you mean %q?", name+"=()")
		}
		for _, it := range v.items {
			if suggestion := permissionHint(it); suggestion != "" {
				refuse(name, "has %q, which browsers drop; did you mean %q?", it.text, name+"="+suggestion)
			}
		}
	})
	if !ok {
		name, list := "camera", "()"
		if i := strings.IndexFunc(value, func(c rune) bool { return c != '-' && !isLetterOrDigit(c) }); i > 0 {
			name = strings.ToLower(value[:i])
		}
		if strings.Contains(value, "self") {
			list = "(self)"
		}
		refuse(value, "is not a dictionary (RFC 9651), so browsers drop all of it; did you mean %q?", name+"="+list)
	}
	return problems
}

// permissionHint returns a suggestion for an item that is not valid in an
// allowlist, or "".
func permissionHint(it item) string {
	switch {
	case it.isString && isOriginSource(it.text), !it.isString && (it.text == "*" || it.text == "self"):
		return ""
	case it.text == "self" || it.text == "'self'":
		return "(self)"
	case strings.EqualFold(it.text, "all"):
		return "*"
	case strings.Contains(it.text, "."):
		_, host, found := strings.Cut(it.text, "://")
		if !found {
			host = it.text
		}
		host, _, _ = strings.Cut(host, "/")
		return `("https://` + host + `")`
	}
	return "()"
}

// isOriginSource reports whether s is an origin, with or without a wildcard for
// its first labels.
func isOriginSource(s string) bool {
	parts := hostSource.FindStringSubmatch(s)
	return parts != nil && parts[1] != "" && parts[4] == ""
}

// The cache directives: seconds must have an argument, fieldLists may, and flags
// must not (RFC 9111, section 5.2.2; RFC 5861; RFC 8246).
var (
	seconds    = []string{"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"}
	fieldLists = []string{"no-cache", "private"}
	flags      = []string{"no-store", "no-transform", "must-revalidate", "proxy-revalidate", "must-understand", "public", "immutable"}
)

// checkCacheControl returns the directives that caches would silently ignore.
func (o *Options) checkCacheControl() []error {
	if o.CacheControl == "" || o.CacheControl == InsecureOmit {
		return nil
	}
	var problems []error
	refuse := func(directive, format string, args ...any) {
		problems = append(problems, fmt.Errorf("headers: CacheControl %q: "+format, append([]any{directive}, args...)...))
	}
	all := slices.Concat(flags, fieldLists, seconds)
	seen := make(map[string]bool)
	for rest, directive, more := cutLastElement(o.CacheControl); ; rest, directive, more = cutLastElement(rest) {
		name, argument, hasArgument := strings.Cut(strings.ToLower(directive), "=")
		switch {
		case directive == "":
			refuse(o.CacheControl, "has an empty directive; did you mean \"no-store\"?")
		case strings.Contains(directive, ";"):
			refuse(directive, "has a semicolon, and directives are separated by commas; did you mean %q?", strings.ReplaceAll(directive, ";", ","))
		case !slices.Contains(all, name):
			refuse(directive, "is unknown%s", oneOfThem(name, all))
		case seen[name]:
			refuse(name, "is listed twice; did you mean one of them?")
		case slices.Contains(flags, name) && hasArgument:
			refuse(directive, "must not have an argument; did you mean %q?", name)
		case slices.Contains(seconds, name) && (argument == "" || strings.Trim(argument, "0123456789") != ""):
			refuse(directive, "must have a number of seconds; did you mean %q?", name+"=60")
		case slices.Contains(fieldLists, name) && hasArgument && (len(argument) < 3 || argument[0] != '"' || argument[len(argument)-1] != '"'):
			refuse(directive, "must have quoted header names; did you mean %q?", name+`="`+strings.Trim(argument, `'"`)+`"`)
		}
		seen[name] = true
		if !more {
			return problems
		}
	}
}
