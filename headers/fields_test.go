package headers_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/headers"
)

func TestNewRefusesExtraTokensThatBrowsersIgnore_FH2(t *testing.T) {
	const pp, coop, coep = "Permissions-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"
	for _, tt := range []struct{ key, value, want string }{
		{key: pp, value: "camera 'none'", want: `"camera 'none'": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{
			key:   pp,
			value: "geolocation 'self'; camera 'none'",
			want:  `"geolocation 'self'; camera 'none'": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "geolocation=(self)"?`,
		},
		{
			key:   pp,
			value: "camera=()  microphone=()",
			want:  `"camera=()  microphone=()": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`,
		},
		{key: pp, value: "camera=(), ", want: `"camera=(), ": is not a dictionary`},
		{key: pp, value: "camera=(", want: `"camera=(": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{key: pp, value: `camera=("https://a.example)`, want: `is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{key: pp, value: "Camera=()", want: `"Camera=()": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{key: pp, value: "camera=('self')", want: `is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=(self)"?`},
		{key: pp, value: ",", want: `",": is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{key: pp, value: "camera", want: `"camera": must have a list of origins; did you mean "camera=()"?`},
		{key: pp, value: "camera=none", want: `"camera": has "none", which browsers drop; did you mean "camera=()"?`},
		{key: pp, value: "camera=all", want: `"camera": has "all", which browsers drop; did you mean "camera=*"?`},
		{key: pp, value: `camera=("self")`, want: `"camera": has "self", which browsers drop; did you mean "camera=(self)"?`},
		{key: pp, value: "camera=(a.example)", want: `"camera": has "a.example", which browsers drop; did you mean "camera=(\"https://a.example\")"?`},
		{
			key:   pp,
			value: `camera=("https://a.example/x")`,
			want:  `"camera": has "https://a.example/x", which browsers drop; did you mean "camera=(\"https://a.example\")"?`,
		},
		{key: pp, value: "camra=()", want: `"camra": is unknown; did you mean "camera"?`},
		{key: pp, value: "camera=(), camera=*", want: `"camera": is listed twice, and browsers ignore the first; did you mean one list?`},
		{key: "Permissions-Policy-Report-Only", value: "camera 'none'", want: `is not a dictionary (RFC 9651), so browsers drop all of it; did you mean "camera=()"?`},
		{key: "Content-Security-Policy-Report-Only", value: "default-src self", want: `"default-src self": must have single quotes; did you mean "'self'"?`},
		{key: coop, value: "same-orgin", want: `"same-orgin": is unknown; did you mean "same-origin"?`},
		{key: coop, value: "Same-Origin", want: `"Same-Origin": is unknown; did you mean "same-origin"?`},
		{
			key:   coop,
			value: "something-else-here",
			want:  `"something-else-here": is unknown; did you mean one of same-origin, same-origin-allow-popups, noopener-allow-popups, unsafe-none?`,
		},
		{
			key:   coop,
			value: "same-origin; report-to=x",
			want:  `"same-origin; report-to=x": has parameters that browsers drop; did you mean "same-origin; report-to=\"x\""?`,
		},
		{key: coop, value: `same-origin; report-uri="x"`, want: `has parameters that browsers drop; did you mean "same-origin; report-to=\"x\""?`},
		{key: coop, value: `same-origin; report-to="x`, want: `has parameters that browsers drop; did you mean "same-origin; report-to=\"x\""?`},
		{key: coep, value: "require-corps", want: `"require-corps": is unknown; did you mean "require-corp"?`},
		{key: coep, value: `require-corp, report-to="x"`, want: `is unknown; did you mean one of require-corp, credentialless, unsafe-none?`},
		{key: "Cross-Origin-Opener-Policy-Report-Only", value: "same_origin", want: `"same_origin": is unknown; did you mean "same-origin"?`},
		{key: "Origin-Agent-Cluster", value: "true", want: `"true": is unknown; did you mean one of ?1, ?0?`},
		{key: "X-Dns-Prefetch-Control", value: "of", want: `"of": is unknown; did you mean "off"?`},
		{key: "X-Permitted-Cross-Domain-Policies", value: "non", want: `"non": is unknown; did you mean "none"?`},
	} {
		t.Run(tt.key+" "+tt.value, func(t *testing.T) {
			_, err := headers.New(headers.Options{Extra: http.Header{tt.key: {tt.value}}})
			require.ErrorContains(t, err, `headers: Extra "`+tt.key+`"`)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestNewAcceptsFieldsThatBrowsersRead_FH2(t *testing.T) {
	for key, values := range map[string][]string{
		"Permissions-Policy": {
			"camera=()", "camera=*", "camera=self", `geolocation=(self "https://a.example" "https://*.b.example:8443"), camera=( ), microphone=();report-to=main`,
			"not-known-to-us-yet=(), usb=();x;y=\"z\"", `camera="https://a.example"`,
		},
		"Cross-Origin-Opener-Policy":               {"same-origin", `same-origin; report-to="x"`, `same-origin;report-to="a \"b\""`, "noopener-allow-popups"},
		"Cross-Origin-Embedder-Policy":             {"credentialless", `require-corp; report-to="default"`},
		"Cross-Origin-Embedder-Policy-Report-Only": {`require-corp; report-to="default"`},
		"Content-Security-Policy-Report-Only":      {"script-src 'unsafe-inline' *; report-to csp"},
		"Origin-Agent-Cluster":                     {"?1"},
		"X-Permitted-Cross-Domain-Policies":        {"none"},
		"Reporting-Endpoints":                      {`main="https://r.example/"`},
	} {
		for _, value := range values {
			_, err := headers.New(headers.Options{Extra: http.Header{key: {value}}})
			require.NoError(t, err, "%s: %s", key, value)
		}
	}
}

func TestNewRefusesDirectivesThatCachesIgnore_FH2(t *testing.T) {
	for value, want := range map[string]string{
		"nostore":                `"nostore": is unknown; did you mean "no-store"?`,
		"no-store, max_age=60":   `"max_age=60": is unknown; did you mean "max-age"?`,
		"surrogate-of-something": `"surrogate-of-something": is unknown; did you mean one of no-store, no-transform, must-revalidate, proxy-revalidate, must-understand, public, immutable, no-cache, private, max-age, s-maxage, stale-while-revalidate, stale-if-error?`,
		"no-store; max-age=0":    `"no-store; max-age=0": has a semicolon, and directives are separated by commas; did you mean "no-store, max-age=0"?`,
		"no-store,":              `"no-store,": has an empty directive; did you mean "no-store"?`,
		"no-store=1":             `"no-store=1": must not have an argument; did you mean "no-store"?`,
		"max-age":                `"max-age": must have a number of seconds; did you mean "max-age=60"?`,
		"private, max-age=1h":    `"max-age=1h": must have a number of seconds; did you mean "max-age=60"?`,
		"max-age=-1":             `"max-age=-1": must have a number of seconds; did you mean "max-age=60"?`,
		"max-age=60, MAX-AGE=90": `"max-age": is listed twice; did you mean one of them?`,
		"private=Set-Cookie":     `"private=Set-Cookie": must have quoted header names; did you mean "private=\"set-cookie\""?`,
	} {
		t.Run(value, func(t *testing.T) {
			_, err := headers.New(headers.Options{CacheControl: value})
			require.EqualError(t, err, "headers: CacheControl "+want)
		})
	}
	for _, value := range []string{"no-store", "No-Store, max-age=0", `private="set-cookie, x-a", max-age=60`, "public, max-age=31536000, immutable", "no-cache", "s-maxage=60, stale-while-revalidate=30, stale-if-error=86400, must-understand", headers.InsecureOmit} {
		_, err := headers.New(headers.Options{CacheControl: value})
		require.NoError(t, err, value)
	}
}
