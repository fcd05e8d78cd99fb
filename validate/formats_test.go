package validate_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/validate"
)

// TestFormatsFollowTheirStandards has the cases of JSON Schema's test suite, RFC 3986,
// RFC 1123, RFC 3339 and RFC 5321 for the replaced formats.
func TestFormatsFollowTheirStandards(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, row := range []struct {
		format     string
		good, evil []string
	}{
		{"uri", []string{
			"https://example.com", "http://foo.bar/?baz=qux#quux", "http://foo.com/blah_(wikipedia)_blah#cite-1", "http://foo.bar/?q=Test%20URL-encoded%20stuff", "ldap://[2001:db8::7]/c=GB?objectClass?one",
			"mailto:John.Doe@example.com", "news:comp.infosystems.www.servers.unix", "tel:+1-816-555-1212", "urn:oasis:names:specification:docbook:dtd:xml:4.1.2", "http://[::1]:8080/",
		}, []string{
			"", "/abc", "abc", "//foo.bar/?baz=qux", "\\\\WINDOWS\\fileshare", "http:// shouldfail.com", ":// should fail", "bar,baz:foo", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x",
			"https://[@example.org/test.txt", "https://example.org/foobar\\.txt", "https://example.org/foobar<>.txt", "https://example.org/foobar{}.txt", "https://example.org/foobar^.txt", "https://example.org/foobar`.txt",
			"https://example.org/foo bar.txt", "https://example.org/foobar|.txt", "http://example.com/%zz", "http://example.com/%4", "http://example.com/a[b]", "http://exämple.com", "http://a#b#c", " http://a", "http://a\n", "1http://a",
		}},
		{"url", []string{"https://example.com", "http://example.com:8080/a?b=c#d", "http://127.0.0.1/", "http://[::1]/", "https://a.b.c/~x"}, []string{
			"javascript:alert(1)", "ftp://example.com", "https://", "https:///x", "https://user:pw@example.com", "https://user@example.com", "https:example.com", "https://-a.com", "https://a_b.com", "https://example.com:0", "https://example.com:99999",
			"https://example.com:", "https://exa mple.com", "https://1.2.3", "https://256.1.1.1", "https://example.com.", "HTTPS//x", "https://[::ffff:1.2.3.4%25eth0]/",
		}},
		{"https_url", []string{"https://example.com", "HTTPS://example.com"}, []string{"http://example.com", "https", ""}},
		{"hostname", []string{"a", "www.example.com", "xn--4gbwdl.xn--wgbh1c", "host-name", "h0stn4me", "1host", "hostnam3", long, long + ".a", "a1-b2"}, []string{
			"", "-bad-host-name", "bad-", "_bad", "a_b", "a..b", ".a", "a.", ".", "a b", "a.-b", long + "a", strings.Repeat("a.", 127) + "a1", "1.2.3.4", "1", "a.1", "ｅxample", "a/b", "a\n",
		}},
		{"fqdn", []string{"example.com", "a.b.c"}, []string{"localhost", "example.com.", "1.2.3.4"}},
		{"hostname_port", []string{"example.com:80", "1.2.3.4:65535", "[::1]:443"}, []string{"example.com", ":80", "example.com:0", "example.com:65536", "example.com:+80", "example.com:080", "::1:80", "[1.2.3.4]:80", "[::1]", "[::1%eth0]:80", "a b:80"}},
		{"ipv4", []string{"192.168.0.1", "0.0.0.0", "255.255.255.255"}, []string{"", "127.0.0", "256.1.1.1", "1.2.3.4.5", "087.10.0.1", "0x7f000001", "2130706433", "::ffff:192.168.0.1", "1২7.0.0.1", "192.168.1.0/24", " 1.2.3.4", "1.2.3.4\n"}},
		{"ipv6", []string{"::1", "::", "2001:db8::1", "::abcd:ef01"}, []string{"", "12345::", "::ffff:1.2.3.4", "::1%eth0", "fe80::a%en1", "::1/64", "1.2.3.4", ":2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::laptop"}},
		{"ip", []string{"1.2.3.4", "::1"}, []string{"::ffff:1.2.3.4", "::1%eth0", "1.2.3", "a"}},
		{"email", []string{"joe.bloggs@example.com", "te~st@example.com", "~test@example.com", "a+b@x.example", "o'hara@example.com"}, []string{
			"", "2962", ".test@example.com", "test.@example.com", "te..st@example.com", "Ada <a@example.com>", "a@b", "a@-b.com", "a@[127.0.0.1]", "a@127.0.0.1", "\"a b\"@example.com", "a@example.com\n", "a@b@c.com", "a(c)@example.com", "@example.com",
			strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("a.", 126) + "com", strings.Repeat("<", 1<<16), "a,b@example.com", "a@exämple.com\x00",
		}},
		{"rfc3339", []string{"1963-06-19T08:30:06.283185Z", "1937-01-01T12:00:27.87+00:20", "1990-12-31T15:59:50.123-08:00", "2020-02-29T23:59:59+23:59"}, []string{
			"", "1990-02-31T15:59:59.123-08:00", "1990-12-31T10:00:00+10:60", "1990-12-31T10:00:00-24:00", "06/19/1963 08:30:06 PST", "2013-350T01:01:01", "1963-6-19T08:30:06.283185Z", "1963-06-19T08:30:06,5Z", "1963-06-19", "1963-06-19t08:30:06z",
			"1963-06-19T08:30:06", "1963-06-19T24:00:00Z", "1963-06-1৪T00:00:00Z", "1963-06-19T08:30:06.Z",
		}},
	} {
		ok := validate.Formats()[row.format]
		require.NotNil(t, ok, row.format)
		for _, s := range row.good {
			t.Run(row.format+" takes "+s, func(t *testing.T) { require.True(t, ok(s)) })
		}
		for _, s := range row.evil {
			t.Run(row.format+" refuses "+s[:min(len(s), 60)], func(t *testing.T) { require.False(t, ok(s)) })
		}
	}
}

// The formats apply in tags, together with rules of the validator.
func TestFormatsApplyInTags(t *testing.T) {
	type formats struct {
		When string     `json:"when" validate:"omitempty,datetime=2006-01-02T15:04:05Z07:00"`
		Day  string     `json:"day" validate:"omitempty,datetime=2006-01-02"`
		Site string     `json:"site" validate:"omitempty,max=99,url"`
		Addr netip.Addr `json:"addr"`
	}
	h := errors.Must(validate.JSON[formats](validate.Options{Logger: quiet}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for body, want := range map[string]int{
		`{"when":"2024-01-01T00:00:00+10:60"}`: 422, `{"when":"2024-01-01T00:00:00-24:00"}`: 422, `{"when":"2024-01-01T00:00:00,5Z"}`: 422, `{"when":"2024-01-01T00:00:00+10:30"}`: 200,
		`{"day":"2024-02-30"}`: 422, `{"day":"2024-02-29"}`: 200, `{"site":"javascript:alert(1)"}`: 422, `{"site":"https://example.com"}`: 200, `{"addr":"::1"}`: 200, `{"addr":"x"}`: 422,
	} {
		require.Equal(t, want, in(t, h, "POST", "/", jsonType(), strings.NewReader(body)).Code, body)
	}
}
