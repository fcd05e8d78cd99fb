package cors_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

func TestNewRefusesOrigins(t *testing.T) {
	for origin, want := range map[string]string{
		"null":                     "is the origin of every sandboxed frame, so it is nobody's",
		"*":                        `"*" stands alone`,
		"":                         `is empty; did you mean "https://app.example.com"?`,
		"example.com":              `did you mean "https://example.com"?`,
		"https://Example.com/":     `did you mean "https://example.com"?`,
		"https://example.com:443":  `did you mean "https://example.com"?`,
		"https://example.com.":     `did you mean "https://example.com"?`,
		"https://example.com/a?b":  `did you mean "https://example.com"?`,
		"https://résumé.com":       "has characters that no origin has; write an international name in its ASCII form, xn--...",
		"https://a b.com":          "has characters that no origin has; write an international name in its ASCII form, xn--...",
		"https://*":                `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://*.com":            "a wildcard stands for the first labels of a host name of at least two more",
		"https://*.10.0.0.1":       "a wildcard stands for the first labels of a host name of at least two more",
		"https://*example.com":     `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://a.*.example.com":  `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://a.example:1:*":    `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"*://a.example":            `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://u@a.example":      `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://a.0x1f":           `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://a.12":             `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://10.0.0.0.1":       `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"https://[::1%25eth0]":     `is not an origin, a scheme and a host as in "https://app.example.com"`,
		"tauri://*.example.com":    "a wildcard needs the scheme https or http",
		"http://a.example":         `anybody on the way can speak for an origin without TLS, so Credentials need InsecureOrigins; did you mean "https://a.example"?`,
		"http://*.a.example:*":     `anybody on the way can speak for an origin without TLS, so Credentials need InsecureOrigins; did you mean "https://*.a.example:*"?`,
		"http://192.168.1.10:3000": `anybody on the way can speak for an origin without TLS, so Credentials need InsecureOrigins; did you mean "https://192.168.1.10:3000"?`,
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop": "is an origin without TLS, so Credentials need InsecureOrigins",
	} {
		t.Run(origin, func(t *testing.T) {
			_, err := cors.New(cors.Options{Origins: []string{"https://ok.example", origin}, Credentials: true})
			require.ErrorContains(t, err, `cors: Origins[1] "`)
			require.ErrorContains(t, err, want)
		})
	}
	for _, origin := range []string{"https://localhost", "http://foo.localhost:3000", "http://127.0.0.1:8080", "http://[::1]", "capacitor://localhost", "https://1.2.3.4"} {
		_, err := cors.New(cors.Options{Origins: []string{origin}, Credentials: true})
		require.NoError(t, err, origin)
	}
	_, err := cors.New(cors.Options{Origins: []string{"http://a.example", "moz-extension://a0b1"}, Credentials: true, InsecureOrigins: true})
	require.NoError(t, err)
}

func TestNewRefuses(t *testing.T) {
	for _, row := range []struct {
		name    string
		options cors.Options
		want    string
	}{
		{"nothing", cors.Options{}, `cors: Origins: none; did you mean "https://app.example.com", or "*"?`},
		{"everybody with credentials", cors.Options{Origins: []string{"*"}, Credentials: true}, `cors: Origins[0] "*": every site could act with the visitor's Credentials; name the origins`},
		{"everybody and nobody", cors.Options{Origins: []string{"*"}, Enforce: cors.EnforceAll}, `cors: Enforce: EnforceAll with Origins "*" refuses nobody`},
		{"twice", cors.Options{Origins: []string{"https://a.example", "https://a.example"}}, `cors: Origins[1] "https://a.example": is listed twice`},
		{"methods", cors.Options{Origins: []string{"*"}, Methods: []string{"patch", "TRACE", "*", "a b"}}, "cors: Methods[0] \"patch\": did you mean \"PATCH\"?\ncors: Methods[1] \"TRACE\": is a method that browsers forbid (Fetch, forbidden method)\ncors: Methods[2] \"*\": lets a page use any method; name them\ncors: Methods[3] \"a b\": is not a method"},
		{"headers", cors.Options{Origins: []string{"*"}, Headers: []string{"*", "a b", "Cookie", "Sec-X"}}, "cors: Headers[0] \"*\": lets a page set any header; name them\ncors: Headers[1] \"a b\": is not a header name of at most 128 bytes\ncors: Headers[2] \"Cookie\": is a header that no page can set (Fetch, forbidden request-header)\ncors: Headers[3] \"Sec-X\": is a header that no page can set (Fetch, forbidden request-header)"},
		{"expose", cors.Options{Origins: []string{"*"}, Expose: []string{"*", "", "set-cookie"}}, "cors: Expose[0] \"*\": shows every header; name them\ncors: Expose[1] \"\": is not a header name\ncors: Expose[2] \"set-cookie\": is a header that no page can read (Fetch, forbidden response-header name)"},
		{"ages", cors.Options{Origins: []string{"*"}, MaxAge: 25 * time.Hour}, "cors: MaxAge 25h0m0s: is not whole seconds up to 24h, 0 or NoCache; did you mean 24h0m0s?"},
		{"a number of seconds", cors.Options{Origins: []string{"*"}, MaxAge: 600}, "cors: MaxAge 600ns: is not whole seconds up to 24h, 0 or NoCache; did you mean 10m0s?"},
		{"milliseconds", cors.Options{Origins: []string{"*"}, MaxAge: 600 * time.Millisecond}, "cors: MaxAge 600ms: is not whole seconds up to 24h, 0 or NoCache"},
		{"status", cors.Options{Origins: []string{"*"}, PreflightStatus: 201}, "cors: PreflightStatus 201: is neither 200 nor 204"},
		{"enforcement", cors.Options{Origins: []string{"*"}, Enforce: 9}, "cors: Enforce 9: is unknown; did you mean EnforceUnsafe, EnforceAll or InsecureEnforceOff?"},
		{"exempt from nothing", cors.Options{Origins: []string{"*"}, Enforce: cors.InsecureEnforceOff, Exempt: []string{"/x"}}, "cors: Exempt: InsecureEnforceOff exempts everything already; did you mean one of them?"},
		{"all exempt", cors.Options{Origins: []string{"https://a.example"}, Exempt: []string{"/"}}, `cors: Exempt[0] "/": opens every path; did you mean "/{$}"?`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := cors.New(row.options)
			require.EqualError(t, err, row.want)
		})
	}
}
