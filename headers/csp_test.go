package headers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/headers"
)

// safe is a valid policy that the rows add a problem to.
const safe = "default-src 'none'; "

// digest is a hash of the right length.
const digest = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

// internal/test/browser tests in Chromium that these policies allow injected scripts.
func TestPoliciesThatLetInjectedScriptRunNeedInsecureCSP_FH1(t *testing.T) {
	const open, scheme = "lets code of any host run, so it needs InsecureCSP; did you mean \"'self'\", or a host by its name?", "lets code of any origin run, so it needs InsecureCSP; did you mean \"'self'\", or a host by its name?"
	const object, base = "lets injected plugins of any host run, so it needs InsecureCSP; did you mean \"object-src 'none'\"?", "lets an injected base element lead scripts and forms to any host, so it needs InsecureCSP; did you mean \"base-uri 'none'\"?"
	const unsafe = "lets injected code run, so it needs InsecureCSP; did you mean a hash, or a file of its own?"
	for _, tt := range []struct{ csp, want string }{
		{"script-src 'self' data:; default-src 'none'", `"script-src data:": ` + scheme},
		{safe + "script-src https:", `"script-src https:": ` + scheme},
		{safe + "script-src HTTP:", `"script-src HTTP:": ` + scheme},
		{safe + "script-src filesystem:", `"script-src filesystem:": ` + scheme},
		{safe + "script-src 'self' blob:", `"script-src blob:": lets a page run any text, so it needs InsecureCSP; did you mean "worker-src blob:"?`},
		{"default-src *", `"default-src *": ` + open},
		{safe + "script-src https://*", `"script-src https://*": ` + open},
		{safe + "script-src *:443", `"script-src *:443": ` + open},
		{safe + "script-src *:*", `"script-src *:*": ` + open},
		{safe + "script-src https://*.cloudfront.net", `"script-src https://*.cloudfront.net": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{safe + "script-src *.amazonaws.com:443/x/", `"script-src *.amazonaws.com:443/x/": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{safe + "script-src *.Com.", `"script-src *.Com.": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{safe + "script-src 'unsafe-inline'", `"script-src 'unsafe-inline'": ` + unsafe},
		{safe + "script-src 'UNSAFE-inline' " + digest, `"script-src 'UNSAFE-inline'": ` + unsafe},
		{safe + "script-src 'self' 'unsafe-eval'", `"script-src 'unsafe-eval'": ` + unsafe},
		{safe + "script-src 'self' 'unsafe-hashes'", `"script-src 'unsafe-hashes'": ` + unsafe},
		{safe + "script-src-elem 'unsafe-inline'", `"script-src-elem 'unsafe-inline'": ` + unsafe},
		{safe + "script-src-attr 'unsafe-inline'", `"script-src-attr 'unsafe-inline'": ` + unsafe},
		{"default-src 'self' 'unsafe-inline'", `"default-src 'unsafe-inline'": lets injected code run, so it needs InsecureCSP; did you mean "style-src 'unsafe-inline'" alone, with InsecureInlineStyles?`},
		{"script-src-elem 'self'; script-src-attr 'none'; default-src https:; object-src 'none'; style-src 'none'", `"default-src https:": ` + scheme}, // browsers without script-src-elem
		{safe + "script-src 'nonce-abc123'", `"script-src 'nonce-abc123'": is the same nonce in every response, so it needs InsecureCSP; did you mean a hash, or a policy that the handler sets?`},
		{safe + "script-src 'strict-dynamic' " + digest, `"default-src 'none'; script-src 'strict-dynamic' ` + digest + `": has 'strict-dynamic' without base-uri, so an injected base element decides where scripts come from, which needs InsecureCSP; did you mean to add "base-uri 'none'"?`},
		{safe + "script-src 'strict-dynamic' https: " + digest + "; base-uri 'none'", `"script-src https:": ` + scheme}, // browsers without 'strict-dynamic'
		{safe + "sandbox allow-scripts; script-src *", `"script-src *": ` + open},
		{"img-src 'self'", `"img-src 'self'": has neither script-src nor default-src, so injected script runs, which needs InsecureCSP; did you mean to add "default-src 'self'"?`},
		{"frame-ancestors 'none'; script-src-elem 'none'; script-src-attr 'none'", `"frame-ancestors 'none'; script-src-elem 'none'; script-src-attr 'none'": has neither script-src nor default-src, so injected script runs, which needs InsecureCSP; did you mean to add "default-src 'self'"?`},
		{"style-src 'self'; script-src 'self'", `"style-src 'self'; script-src 'self'": has neither object-src nor default-src, so injected plugins run, which needs InsecureCSP; did you mean to add "object-src 'none'"?`},
		{"default-src https:; script-src 'self'", `"default-src https:": ` + object},
		{safe + "object-src data:", `"object-src data:": ` + object},
		{safe + "object-src *", `"object-src *": ` + object},
		{safe + "base-uri *", `"base-uri *": ` + base},
		{safe + "base-uri https:", `"base-uri https:": ` + base},
		{safe + "base-uri https://*.github.io", `"base-uri https://*.github.io": ` + base},
		{"default-src *; base-uri *; object-src *", `"default-src *": ` + open + "\nheaders: CSP \"object-src *\": " + object + "\nheaders: CSP \"base-uri *\": " + base},
	} {
		t.Run(tt.csp, func(t *testing.T) {
			_, err := headers.New(headers.Options{CSP: tt.csp})
			require.EqualError(t, err, "headers: CSP "+tt.want)
			_, err = headers.New(headers.Options{CSP: tt.csp, InsecureInlineStyles: true})
			require.EqualError(t, err, "headers: CSP "+tt.want, "InsecureInlineStyles must not allow scripts")
			_, err = headers.New(headers.Options{CSP: tt.csp, InsecureCSP: true})
			require.NoError(t, err)
		})
	}
}

func TestPoliciesThatLetInjectedStylesApplyNeedInsecureInlineStyles_FH1(t *testing.T) {
	const unsafe = "lets injected styles apply, so it needs InsecureInlineStyles; did you mean a hash, or a file of its own?"
	for _, tt := range []struct{ csp, want string }{
		{safe + "style-src 'self' 'unsafe-inline'", `"style-src 'unsafe-inline'": ` + unsafe},
		{safe + "style-src-attr 'unsafe-inline'", `"style-src-attr 'unsafe-inline'": ` + unsafe},
		{safe + "style-src-elem 'unsafe-inline'", `"style-src-elem 'unsafe-inline'": ` + unsafe},
		{safe + "style-src 'unsafe-hashes' " + digest, `"style-src 'unsafe-hashes'": ` + unsafe},
		{safe + "style-src 'nonce-abc123'", `"style-src 'nonce-abc123'": is the same nonce in every response, so it needs InsecureInlineStyles; did you mean a hash, or a policy that the handler sets?`},
		{"default-src 'unsafe-inline'; script-src 'self'", `"default-src 'unsafe-inline'": ` + unsafe},
		{"sandbox; default-src 'unsafe-inline'", `"default-src 'unsafe-inline'": ` + unsafe},
		{"script-src 'self'; object-src 'none'", `"script-src 'self'; object-src 'none'": has neither style-src nor default-src, so injected styles apply, which needs InsecureInlineStyles; did you mean to add "style-src 'self'"?`},
	} {
		t.Run(tt.csp, func(t *testing.T) {
			_, err := headers.New(headers.Options{CSP: tt.csp})
			require.EqualError(t, err, "headers: CSP "+tt.want)
			for _, o := range []headers.Options{{CSP: tt.csp, InsecureInlineStyles: true}, {CSP: tt.csp, InsecureCSP: true}} {
				_, err := headers.New(o)
				require.NoError(t, err)
			}
		})
	}
}

// The Insecure options do not change the result.
func TestNewRefusesCSPTokensThatBrowsersIgnore_FH2(t *testing.T) {
	words := strings.Join([]string{
		"allow-downloads", "allow-forms", "allow-modals", "allow-orientation-lock", "allow-pointer-lock", "allow-popups", "allow-popups-to-escape-sandbox",
		"allow-presentation", "allow-same-origin", "allow-scripts", "allow-storage-access-by-user-activation", "allow-top-navigation",
		"allow-top-navigation-by-user-activation", "allow-top-navigation-to-custom-protocols",
	}, ", ")
	for _, tt := range []struct{ csp, want string }{
		{"script-src 'slef'", `"script-src 'slef'": is not a keyword; did you mean "'self'"?`},
		{"script-src slef", `"script-src slef": is read as a host; did you mean "'self'"?`},
		{"default-src self", `"default-src self": must have single quotes; did you mean "'self'"?`},
		{`default-src "self"`, `"default-src \"self\"": must have single quotes; did you mean "'self'"?`},
		{"default-src none", `"default-src none": must have single quotes; did you mean "'none'"?`},
		{"default-src 'self", `"default-src 'self": must have single quotes; did you mean "'self'"?`},
		{"img-src 'unsafe-inline'", `"img-src 'unsafe-inline'": is ignored in this directive; did you mean script-src or style-src?`},
		{"frame-ancestors 'strict-dynamic'", `"frame-ancestors 'strict-dynamic'": is ignored in this directive; did you mean script-src or style-src?`},
		{"script-src data", `"script-src data": is read as a host; did you mean "data:"?`},
		{"img-src https", `"img-src https": is read as a host; did you mean "https:"?`},
		{"img-src /pictures/", `"img-src /pictures/": is a path without a host; did you mean "'self'"?`},
		{"img-src https://a.example/x?y=z", `"img-src https://a.example/x?y=z": has a query, which browsers do not match; did you mean "https://a.example/x"?`},
		{"img-src https://", `"img-src https://": is not a source; did you mean a host as in "https://cdn.example.com"?`},
		{"img-src a.*.example", `"img-src a.*.example": is not a source; did you mean a host as in "https://cdn.example.com"?`},
		{"img-src [::1]", `"img-src [::1]": is an IPv6 address, which browsers do not match; did you mean a host as in "localhost"?`},
		{"connect-src http://[::1]:3000", `"connect-src http://[::1]:3000": is an IPv6 address, which browsers do not match; did you mean a host as in "localhost"?`},
		{"img-src a.example:99999", `"img-src a.example:99999": must have a port between 1 and 65535; did you mean ":443"?`},
		{"img-src a.example:0", `"img-src a.example:0": must have a port between 1 and 65535; did you mean ":443"?`},
		{"script-src 'none' https://a.example", `"script-src": has 'none' and other sources, so browsers ignore 'none'; did you mean one of them?`},
		{"script-src sha256-abc123=", `"script-src sha256-abc123=": must have single quotes; did you mean "'sha256-abc123='"?`},
		{"script-src nonce-abc123", `"script-src nonce-abc123": must have single quotes; did you mean "'nonce-abc123'"?`},
		{"script-src 'sha256-abc123='", `"script-src 'sha256-abc123='": is not a digest; did you mean the base64 form of 32 bytes?`},
		{"script-src 'md5-abc123='", `"script-src 'md5-abc123='": is not a keyword; did you mean one of 'self', 'none', 'strict-dynamic', 'report-sample', 'unsafe-inline', 'unsafe-eval', 'unsafe-hashes', 'wasm-unsafe-eval', 'inline-speculation-rules', 'trusted-types-eval', 'report-sha256', 'report-sha384', 'report-sha512', 'unsafe-webtransport-hashes'?`},
		{"require-trusted-types-for script", `"require-trusted-types-for script": is unknown; did you mean "'script'"?`},
		{"require-trusted-types-for", `"require-trusted-types-for": has no value; did you mean "'script'"?`},
		{"trusted-types none", `"trusted-types none": must have single quotes; did you mean "'none'"?`},
		{"trusted-types 'allow-duplicate'", `"trusted-types 'allow-duplicate'": is unknown; did you mean "'allow-duplicates'"?`},
		{"trusted-types a!", `"trusted-types a!": is not a policy name; did you mean letters and digits?`},
		{"trusted-types a 'none'", `"trusted-types": has 'none' and other names, so browsers ignore 'none'; did you mean one of them?`},
		{"sandbox allow-scirpts", `"sandbox allow-scirpts": is unknown; did you mean "allow-scripts"?`},
		{"sandbox scripts-please-now", `"sandbox scripts-please-now": is unknown; did you mean one of ` + words + `?`},
		{"webrtc block", `"webrtc block": is unknown; did you mean "'block'"?`},
		{"upgrade-insecure-requests 'self'", `"upgrade-insecure-requests 'self'": must not have a value; did you mean a semicolon before "'self'"?`},
		{"report-to a b", `"report-to a b": must have one endpoint name; did you mean "report-to default"?`},
		{"report-uri", `"report-uri": must have a URL; did you mean "report-uri /csp"?`},
		{"defualt-src 'none'", `"defualt-src": is not a directive; did you mean "default-src"?`},
		{"block-all-mixed-content", `"block-all-mixed-content": is obsolete, since browsers always do it; did you mean "upgrade-insecure-requests"?`},
		{"plugin-types application/pdf", `"plugin-types": is obsolete; did you mean "object-src 'none'"?`},
		{"prefetch-src 'self'", `"prefetch-src": is obsolete; did you mean "default-src"?`},
		{"navigate-to 'self'", `"navigate-to": is obsolete; did you mean "form-action"?`},
		{"referrer no-referrer", `"referrer": is obsolete; did you mean Options.ReferrerPolicy?`},
		{"reflected-xss block", `"reflected-xss": is obsolete; did you mean "script-src 'self'"?`},
		{"some-thing-else 'self'", `"some-thing-else": is not a directive; did you mean one of default-src, `},
		{"img-src a.example; IMG-SRC b.example", `"img-src": is listed twice, and browsers ignore the second; did you mean one list?`},
		{"default-src 'none', img-src 'self'", "\"default-src 'none', img-src 'self'\": has a comma, which begins another policy; did you mean a semicolon?"},
		{" ; ", `" ; ": has no directive; did you mean InsecureOmit?`},
	} {
		t.Run(tt.csp, func(t *testing.T) {
			_, err := headers.New(headers.Options{CSP: tt.csp, InsecureCSP: true})
			require.ErrorContains(t, err, "headers: CSP "+tt.want)
			require.True(t, strings.HasSuffix(err.Error(), "?"), "a hint ends the problem: %s", err)
		})
	}
}

// internal/test/browser tests most of these policies in Chromium.
func TestNewAcceptsSafePolicies_FH1(t *testing.T) {
	for _, csp := range []string{
		"default-src 'none'", "default-src 'self'", "default-src", "script-src 'self'; object-src 'none'; style-src 'self'",
		"default-src 'self'; script-src 'self' https://cdn.example.com/lib/ https://*.example.com:* localhost:5173; img-src * data: blob:; font-src https:",
		"default-src 'self'; script-src 'self' " + digest + " 'wasm-unsafe-eval' 'report-sample'; worker-src 'self' blob:",
		"default-src https:; script-src 'self'; object-src 'none'; style-src 'self'", "default-src 'none'; script-src 'strict-dynamic' " + digest + "; base-uri 'none'",
		"sandbox; default-src 'none'; script-src 'unsafe-inline'", "sandbox allow-forms; style-src 'self'",
		"default-src 'none'; sandbox allow-scripts allow-same-origin; report-uri /csp https://r.example/a?b=c; report-to default; upgrade-insecure-requests",
		"default-src 'self'; require-trusted-types-for 'script'; trusted-types dompurify a#b 'allow-duplicates'; webrtc 'block'; base-uri 'self'; form-action https://pay.example",
		"default-src 'self'; connect-src 'self' wss://api.example.com https:; frame-ancestors https://*.example.com; frame-src *; style-src 'self' " + digest,
	} {
		_, err := headers.New(headers.Options{CSP: csp})
		require.NoError(t, err, csp)
	}
}
