package validate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// numbers are hosts that a WHATWG parser reads as an IPv4 address, or fails on
// because they end in a number and are not one (URL, sections 3.5 and 4.3). The
// cases are those of web-platform-tests, url/resources/urltestdata.json, "IPv4
// parsing" and "Last component looks like a number, but not valid IPv4".
var numbers = []string{
	"0x7f000001", "0X7F.0.0.1", "0x7f.1", "a.0x1", "b.0X", "0x", "1.0x", "0x.0x.0", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "2130706433",
	"256", "999999999", "10000000000", "4294967295", "4294967296", "0xffffffff", "0xffffffff1", "0x100000000", "192.168.257", "256.256.256.256", "256.0.0.1",
	"1.2.3.4.5", "0..0x300", "256.256.256.256.256", "1.2.3.08", "1.2.3.09", "09.2.3.4", "01.2.3.4", "01.2.3.4.5", "0x100.2.3.4", "0x1.2.3.4.5", "foo.1.2.3.4", "foo.2.3.4",
	"foo.09", "foo.0x4", "0999999999999999999", "foo.0x", "foo.0XFfFfFfFfFfFfFfFfFfAcE123", "00", "1.2.3.4e.5",
}

// names look like numbers, and are host names for every parser.
var names = []string{"192.168.257.com", "256.com", "999999999.com", "10000000000.com", "0xg.example", "x0.example", "0x7f000001.example", "a.0xg", "1.2.3.4a", "a.x0", "1e3", "0b1", "a.0o7"}

// hostRules are all rules that name a host, with the text that has it.
var hostRules = map[string]func(host string) string{
	"hostname":                  func(h string) string { return h },
	"hostname_rfc1123":          func(h string) string { return h },
	"fqdn":                      func(h string) string { return h },
	"hostname_port":             func(h string) string { return h + ":80" },
	"email":                     func(h string) string { return "ada@" + h },
	"url":                       func(h string) string { return "http://" + h + "/" },
	"http_url":                  func(h string) string { return "https://" + h },
	"https_url":                 func(h string) string { return "https://" + h + ":8443/a?b" },
	"origin":                    func(h string) string { return "https://" + h },
	"uri":                       func(h string) string { return "ws://u:p@" + h + ":80/" },
	"mongodb_connection_string": func(h string) string { return "mongodb://u:p@db.example:1," + h + ":2/a?b=c" },
}

func TestHostRulesRefuseNumericEndings_FV3(t *testing.T) {
	for rule, text := range hostRules {
		ok := validate.Formats()[rule]
		require.NotNil(t, ok, rule)
		for _, host := range numbers {
			require.False(t, ok(text(host)), "%s of %q", rule, text(host))
			require.False(t, ok(text(host+".")), "%s of %q", rule, text(host+"."))
		}
		for _, host := range names {
			if rule == "email" && !strings.Contains(host, ".") || rule == "fqdn" && !strings.Contains(host, ".") {
				continue
			}
			require.True(t, ok(text(host)), "%s of %q", rule, text(host))
		}
	}
}

// Code points that a host must not have (URL, section 3.1; web-platform-tests,
// "Forbidden domain code-points"), and what IDNA maps to another host:
// full-width digits and dots, soft hyphens, zero-width characters.
func TestHostRulesRefuseForbiddenCodePoints_FV3(t *testing.T) {
	hosts := []string{
		"", ".", "..", ".a.example", "a..example", "a.example..", "-a.example", "a-.example", "exam\u00adple.com", "exam\u200bple.com", "\uff11\uff12\uff17.0.0.1", "127\u30020.0.1", "a\uff0eb", "ex\u00e4mple.com",
		"%31%32%37.0.0.1", "%EF%BC%91.example", "a%00.example", "a%2eb", "%2561.example", "a%", "[1.2.3.4]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1%25eth0]", "[::1", "::1", "[v1.a]", "[]", "1.2.3.4\u0000",
		"a.example@b.example@c.example", "a.example\\b.example", "a.example;b.example/@c", "a,b.example",
	}
	for b := range 0x80 {
		if strings.IndexByte("-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", byte(b)) < 0 {
			hosts = append(hosts, "a"+string(rune(b))+"b.example")
		}
	}
	for rule, text := range hostRules {
		if rule == "uri" || rule == "mongodb_connection_string" {
			continue // names in them have more characters, and cases of their own below
		}
		for _, host := range hosts {
			if rest := strings.TrimLeft(host, "a"); strings.Contains(text(""), "://") && rule != "origin" && rest != "" && strings.Contains("/?#", rest[:1]) {
				continue // the host ends before it
			}
			require.False(t, validate.Formats()[rule](text(host)), "%s of %q", rule, text(host))
		}
	}
}

// The parts around a host that make two parsers find two hosts.
func TestURLsHaveOneHostForEveryParser_FV3(t *testing.T) {
	for rule, rows := range map[string]struct{ good, evil []string }{
		"uri": {
			[]string{
				"http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com", "ftp://ftp.is.co.za/rfc/rfc1808.txt", "http://223.255.255.254", "file:///etc/hosts", "file://host.example/x", "urn:1", "app:1.2", "mailto:a@b@c",
				"http://a.example/b@c@d", "http://a.example?b@c@d", "http://a.example#b@c@d", "http://[::1]/", "http://a.example:8080", "http://under_score.com/",
			},
			[]string{
				"http://a@b@c/", "http://a:b@c:d@e/", "http:///evil.example/", "http:evil.example", "http:/evil.example", "HTTPS:evil.example", "ws:///x", "wss:x", "ftp:/x", "http://:80", "http://user@", "http://?", "http://#",
				"file://0x7f000001/x", "redis://0x7f000001:6379/", "gopher://2130706433/", "http://a.example:99999/", "http://a.example:0/", "http://a.example:8:0", "http://a.com::", "http://ex\u00e4mple.com", "http://a.example\t/",
				"https://%e2%98%83", "https://example.com%80/", "http://user%40@0x1/",
			},
		},
		"url":                       {[]string{"https://a.example:443", "http://127.0.0.1:1/"}, []string{"https://a.example:00443", "https://a.example:+443", "https://a.example:", "http:///a.example", "http:a.example", "https://@a.example", "wss://a.example"}},
		"origin":                    {[]string{"https://a.example", "http://localhost:3000", "http://[::1]:80"}, []string{"https://a.example/", "https://a.example?", "https://a.example#", "https://u@a.example", "ws://a.example", "null", "", "https://a_b.example"}},
		"cidr":                      {[]string{"10.0.0.0/8", "10.1.2.3/8", "2001:db8::/32", "::/0"}, []string{"10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0/8", "010.0.0.0/8", "::ffff:10.0.0.0/104", "::1%eth0/128", "10.0.0.0/+8", "0x0a.0.0.0/8"}},
		"cidrv4":                    {[]string{"10.0.0.0/8", "1.2.3.4/32"}, []string{"10.0.0.1/8", "::/0", "::ffff:10.0.0.0/104"}},
		"cidrv6":                    {[]string{"2001:db8::/32", "2001:db8::1/32"}, []string{"10.0.0.0/8", "::ffff:10.0.0.0/104"}},
		"hostname_label":            {[]string{"a", "1", "a-b"}, []string{"", "-a", "a-", "a.b", "a_b", strings.Repeat("a", 64)}},
		"mongodb_connection_string": {[]string{"mongodb://localhost", "mongodb://a.example:27017,b.example:27018/db?replicaSet=x&w=1", "mongodb+srv://u:p%40@a.example", "mongodb://127.0.0.1:1"}, []string{"mongodb://", "mongodb:a", "mongodb://a@b@c", "mongodb://a,,b", "mongodb://a:0", "mongodb://a:b", "http://a", "mongodb://a/b c", "mongodb+srv://a,b", "mongodb://a\\b"}},
		"ip":                        {[]string{"127.0.0.1", "::1"}, []string{"0x7f.0.0.1", "0177.0.0.1", "127.1", "2130706433", "127.0.0.1.", "[::1]", "\uff11.0.0.1"}},
	} {
		for _, s := range rows.good {
			require.True(t, validate.Formats()[rule](s), "%s of %q", rule, s)
		}
		for _, s := range rows.evil {
			require.False(t, validate.Formats()[rule](s), "%s of %q", rule, s)
		}
	}
}

// The rules apply in tags, with and without Setup, which makes the validator run.
func TestHostRulesApplyInTags_FV3(t *testing.T) {
	type target struct {
		URL    string `json:"url" validate:"omitempty,max=200,url"`
		Host   string `json:"host" validate:"omitempty,hostname"`
		Origin string `json:"origin" validate:"omitempty,max=200,origin"`
		Port   string `json:"port" validate:"omitempty,hostname_port"`
		Mail   string `json:"mail" validate:"omitempty,email"`
	}
	for _, o := range []validate.Options{{Logger: quiet}, {Logger: quiet, Setup: noRules}} {
		h := errors.Must(validate.JSON[target](o))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for body, want := range map[string]int{
			`{"url":"http://0x7f000001/"}`: 422, `{"url":"http://a.0x1/"}`: 422, `{"host":"a.0x1"}`: 422, `{"origin":"http://0x1"}`: 422, `{"port":"0x7f000001:80"}`: 422, `{"mail":"a@b.0x1"}`: 422,
			`{"url":"http://a.example/","host":"a.example","origin":"http://a.example","port":"a.example:80","mail":"a@b.example"}`: 200,
		} {
			require.Equal(t, want, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code, body)
		}
	}
}

func noRules(*validator.Validate) error { return nil }
