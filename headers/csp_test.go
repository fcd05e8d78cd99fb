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
		{csp: "script-src 'self' data:; default-src 'none'", want: `"script-src data:": ` + scheme},
		{csp: safe + "script-src https:", want: `"script-src https:": ` + scheme},
		{csp: safe + "script-src HTTP:", want: `"script-src HTTP:": ` + scheme},
		{csp: safe + "script-src filesystem:", want: `"script-src filesystem:": ` + scheme},
		{csp: safe + "script-src 'self' blob:", want: `"script-src blob:": lets a page run any text, so it needs InsecureCSP; did you mean "worker-src blob:"?`},
		{csp: "default-src *", want: `"default-src *": ` + open},
		{csp: safe + "script-src https://*", want: `"script-src https://*": ` + open},
		{csp: safe + "script-src *:443", want: `"script-src *:443": ` + open},
		{csp: safe + "script-src *:*", want: `"script-src *:*": ` + open},
		{csp: safe + "script-src https://*.cloudfront.net", want: `"script-src https://*.cloudfront.net": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{csp: safe + "script-src *.amazonaws.com:443/x/", want: `"script-src *.amazonaws.com:443/x/": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{csp: safe + "script-src *.Com.", want: `"script-src *.Com.": covers hosts of unrelated parties, so it needs InsecureCSP; did you mean your own name under it?`},
		{csp: safe + "script-src 'unsafe-inline'", want: `"script-src 'unsafe-inline'": ` + unsafe},
		{csp: safe + "script-src 'UNSAFE-inline' " + digest, want: `"script-src 'UNSAFE-inline'": ` + unsafe},
		{csp: safe + "script-src 'self' 'unsafe-eval'", want: `"script-src 'unsafe-eval'": ` + unsafe},
		{csp: safe + "script-src 'self' 'unsafe-hashes'", want: `"script-src 'unsafe-hashes'": ` + unsafe},
		{csp: safe + "script-src-elem 'unsafe-inline'", want: `"script-src-elem 'unsafe-inline'": ` + unsafe},
		{csp: safe + "script-src-attr 'unsafe-inline'", want: `"script-src-attr 'unsafe-inline'": ` + unsafe},
		{csp: "default-src 'self' 'unsafe-inline'", want: `"default-src 'unsafe-inline'": lets injected code run, so it needs InsecureCSP; did you mean "style-src 'unsafe-inline'" alone, with InsecureInlineStyles?`},
		{csp: "script-src-elem 'self'; script-src-attr 'none'; default-src https:; object-src 'none'; style-src 'none'", want: `"default-src https:": ` + scheme}, // browsers without script-src-elem
		{csp: safe + "script-src 'nonce-abc123'", want: `"script-src 'nonce-abc123'": is the same nonce in every response, so it needs InsecureCSP; did you mean a hash, or a policy that the handler sets?`},
		{csp: safe + "script-src 'strict-dynamic' " + digest, want: `"default-src 'none'; script-src 'strict-dynamic' ` + digest + `": has 'strict-dynamic' without base-uri, so an injected base element decides where scripts come from, which needs InsecureCSP; did you mean to add "base-uri 'none'"?`},
		{csp: safe + "script-src 'strict-dynamic' https: " + digest + "; base-uri 'none'", want: `"script-src https:": ` + scheme}, // browsers without 'strict-dynamic'
		{csp: safe + "sandbox allow-scripts; script-src *", want: `"script-src *": ` + open},
		{csp: "img-src 'self'", want: `"img-src 'self'": has neither script-src nor default-src, so injected script runs, which needs InsecureCSP; did you mean to add "default-src 'self'"?`},
		{csp: "frame-ancestors 'none'; script-src-elem 'none'; script-src-attr 'none'", want: `"frame-ancestors 'none'; script-src-elem 'none'; script-src-attr 'none'": has neither script-src nor default-src, so injected script runs, which needs InsecureCSP; did you mean to add "default-src 'self'"?`},
		{csp: "style-src 'self'; script-src 'self'", want: `"style-src 'self'; script-src 'self'": has neither object-src nor default-src, so injected plugins run, which needs InsecureCSP; did you mean to add "object-src 'none'"?`},
		{csp: "default-src https:; script-src 'self'", want: `"default-src https:": ` + object},
		{csp: safe + "object-src data:", want: `"object-src data:": ` + object},
		{csp: safe + "object-src *", want: `"object-src *": ` + object},
		{csp: safe + "base-uri *", want: `"base-uri *": ` + base},
		{csp: safe + "base-uri https:", want: `"base-uri https:": ` + base},
		{csp: safe + "base-uri https://*.github.io", want: `"base-uri https://*.github.io": ` + base},
		{csp: "default-src *; base-uri *; object-src *", want: `"default-src *": ` + open + "\nheaders: CSP \"object-src *\": " + object + "\nheaders: CSP \"base-uri *\": " + base},
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
		{csp: safe + "style-src 'self' 'unsafe-inline'", want: `"style-src 'unsafe-inline'": ` + unsafe},
		{csp: safe + "style-src-attr 'unsafe-inline'", want: `"style-src-attr 'unsafe-inline'": ` + unsafe},
		{csp: safe + "style-src-elem 'unsafe-inline'", want: `"style-src-elem 'unsafe-inline'": ` + unsafe},
		{csp: safe + "style-src 'unsafe-hashes' " + digest, want: `"style-src 'unsafe-hashes'": ` + unsafe},
		{csp: safe + "style-src 'nonce-abc123'", want: `"style-src 'nonce-abc123'": is the same nonce in every response, so it needs InsecureInlineStyles; did you mean a hash, or a policy that the handler sets?`},
		{csp: "default-src 'unsafe-inline'; script-src 'self'", want: `"default-src 'unsafe-inline'": ` + unsafe},
		{csp: "sandbox; default-src 'unsafe-inline'", want: `"default-src 'unsafe-inline'": ` + unsafe},
		{csp: "script-src 'self'; object-src 'none'", want: `"script-src 'self'; object-src 'none'": has neither style-src nor default-src, so injected styles apply, which needs InsecureInlineStyles; did you mean to add "style-src 'self'"?`},
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
		{csp: "script-src 'slef'", want: `"script-src 'slef'": is not a keyword; did you mean "'self'"?`},
		{csp: "script-src slef", want: `"script-src slef": is read as a host; did you mean "'self'"?`},
		{csp: "default-src self", want: `"default-src self": must have single quotes; did you mean "'self'"?`},
		{csp: `default-src "self"`, want: `"default-src \"self\"": must have single quotes; did you mean "'self'"?`},
		{csp: "default-src none", want: `"default-src none": must have single quotes; did you mean "'none'"?`},
		{csp: "default-src 'self", want: `"default-src 'self": must have single quotes; did you mean "'self'"?`},
		{csp: "img-src 'unsafe-inline'", want: `"img-src 'unsafe-inline'": is ignored in this directive; did you mean script-src or style-src?`},
		{csp: "frame-ancestors 'strict-dynamic'", want: `"frame-ancestors 'strict-dynamic'": is ignored in this directive; did you mean script-src or style-src?`},
		{csp: "script-src data", want: `"script-src data": is read as a host; did you mean "data:"?`},
		{csp: "img-src https", want: `"img-src https": is read as a host; did you mean "https:"?`},
		{csp: "img-src /pictures/", want: `"img-src /pictures/": is a path without a host; did you mean "'self'"?`},
		{csp: "img-src https://a.example/x?y=z", want: `"img-src https://a.example/x?y=z": has a query, which browsers do not match; did you mean "https://a.example/x"?`},
		{csp: "img-src https://", want: `"img-src https://": is not a source; did you mean a host as in "https://cdn.example.com"?`},
		{csp: "img-src a.*.example", want: `"img-src a.*.example": is not a source; did you mean a host as in "https://cdn.example.com"?`},
		{csp: "img-src [::1]", want: `"img-src [::1]": is an IPv6 address, which browsers do not match; did you mean a host as in "localhost"?`},
		{csp: "connect-src http://[::1]:3000", want: `"connect-src http://[::1]:3000": is an IPv6 address, which browsers do not match; did you mean a host as in "localhost"?`},
		{csp: "img-src a.example:99999", want: `"img-src a.example:99999": must have a port between 1 and 65535; did you mean ":443"?`},
		{csp: "img-src a.example:0", want: `"img-src a.example:0": must have a port between 1 and 65535; did you mean ":443"?`},
		{csp: "script-src 'none' https://a.example", want: `"script-src": has 'none' and other sources, so browsers ignore 'none'; did you mean one of them?`},
		{csp: "script-src sha256-abc123=", want: `"script-src sha256-abc123=": must have single quotes; did you mean "'sha256-abc123='"?`},
		{csp: "script-src nonce-abc123", want: `"script-src nonce-abc123": must have single quotes; did you mean "'nonce-abc123'"?`},
		{csp: "script-src 'sha256-abc123='", want: `"script-src 'sha256-abc123='": is not a digest; did you mean the base64 form of 32 bytes?`},
		{csp: "script-src 'md5-abc123='", want: `"script-src 'md5-abc123='": is not a keyword; did you mean one of 'self', 'none', 'strict-dynamic', 'report-sample', 'unsafe-inline', 'unsafe-eval', 'unsafe-hashes', 'wasm-unsafe-eval', 'inline-speculation-rules', 'trusted-types-eval', 'report-sha256', 'report-sha384', 'report-sha512', 'unsafe-webtransport-hashes'?`},
		{csp: "require-trusted-types-for script", want: `"require-trusted-types-for script": is unknown; did you mean "'script'"?`},
		{csp: "require-trusted-types-for", want: `"require-trusted-types-for": has no value; did you mean "'script'"?`},
		{csp: "trusted-types none", want: `"trusted-types none": must have single quotes; did you mean "'none'"?`},
		{csp: "trusted-types 'allow-duplicate'", want: `"trusted-types 'allow-duplicate'": is unknown; did you mean "'allow-duplicates'"?`},
		{csp: "trusted-types a!", want: `"trusted-types a!": is not a policy name; did you mean letters and digits?`},
		{csp: "trusted-types a 'none'", want: `"trusted-types": has 'none' and other names, so browsers ignore 'none'; did you mean one of them?`},
		{csp: "sandbox allow-scirpts", want: `"sandbox allow-scirpts": is unknown; did you mean "allow-scripts"?`},
		{csp: "sandbox scripts-please-now", want: `"sandbox scripts-please-now": is unknown; did you mean one of ` + words + `?`},
		{csp: "webrtc block", want: `"webrtc block": is unknown; did you mean "'block'"?`},
		{csp: "upgrade-insecure-requests 'self'", want: `"upgrade-insecure-requests 'self'": must not have a value; did you mean a semicolon before "'self'"?`},
		{csp: "report-to a b", want: `"report-to a b": must have one endpoint name; did you mean "report-to default"?`},
		{csp: "report-uri", want: `"report-uri": must have a URL; did you mean "report-uri /csp"?`},
		{csp: "defualt-src 'none'", want: `"defualt-src": is not a directive; did you mean "default-src"?`},
		{csp: "block-all-mixed-content", want: `"block-all-mixed-content": is obsolete, since browsers always do it; did you mean "upgrade-insecure-requests"?`},
		{csp: "plugin-types application/pdf", want: `"plugin-types": is obsolete; did you mean "object-src 'none'"?`},
		{csp: "prefetch-src 'self'", want: `"prefetch-src": is obsolete; did you mean "default-src"?`},
		{csp: "navigate-to 'self'", want: `"navigate-to": is obsolete; did you mean "form-action"?`},
		{csp: "referrer no-referrer", want: `"referrer": is obsolete; did you mean Options.ReferrerPolicy?`},
		{csp: "reflected-xss block", want: `"reflected-xss": is obsolete; did you mean "script-src 'self'"?`},
		{csp: "some-thing-else 'self'", want: `"some-thing-else": is not a directive; did you mean one of default-src, `},
		{csp: "img-src a.example; IMG-SRC b.example", want: `"img-src": is listed twice, and browsers ignore the second; did you mean one list?`},
		{csp: "default-src 'none', img-src 'self'", want: "\"default-src 'none', img-src 'self'\": has a comma, which begins another policy; did you mean a semicolon?"},
		{csp: " ; ", want: `" ; ": has no directive; did you mean InsecureOmit?`},
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
