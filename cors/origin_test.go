package cors_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/cors"
)

func TestOnlyListedOriginsAreAllowed(t *testing.T) {
	m := compile(t, options())
	ways := transports(t, m.Handler(next))
	denied := []string{
		"", "null", "*", "HTTPS://APP.EXAMPLE.COM", "https://App.example.com", "https://app.example.com.evil.tld", "https://evilapp.example.com",
		"https://app.example.com:443", "https://app.example.com:8443", "https://app.example.com:0443", "https://app.example.com:0",
		"https://app.example.com:65536", "https://app.example.com:", "http://app.example.com", "https://app.example.com.", "https://app.example.com/",
		"https://u@app.example.com", "https://app.example.com#", "https://app.example.com?", " https://app.example.com", "https://app.example.com ",
		"https://app.example.com, https://evil.tld", "https://app.example.com https://evil.tld", "https:/app.example.com", "https//app.example.com",
		"://app.example.com", "app.example.com", "//app.example.com", "https://app.example.com\x00", "https://\xc3\xa4pp.example.com",
		"https://" + strings.Repeat("a", 100_000) + ".wild.example", "https://" + strings.Repeat("a", 64) + ".wild.example",
		"https://wild.example", "https://.wild.example", "https://a..wild.example", "https://evilwild.example", "https://a.wild.example.evil.tld",
		"https://A.wild.example", "http://a.wild.example", "https://a.wild.example:8443", "https://evil.tld/.wild.example", "https://evil.tld#.wild.example",
		"https://evil.tld?.wild.example", `https://evil.tld\.wild.example`, "https://evil.tld@a.wild.example", "https://evil.tld{.wild.example",
		"https://evil.tld%00.wild.example", "https://evil.tld .wild.example", "https://evil.tld:1.wild.example", "https://evil.tld:1@a.wild.example",
		"http://localhost.evil.tld:80", "http://localhost:80", "http://localhost:03000", "http://a.localhost:3000",
		"https://[0:0:0:0:0:0:0:1]:8443", "https://[::ffff:127.0.0.1]:8443", "https://[::1%25eth0]:8443", "https://[::1]", "https://::1:8443", "https://[::1:8443",
		"https://a.ports.example:443", "https://a.ports.example:65536", "https://ports.example:1",
	}
	for _, origin := range append(denied, wpt...) {
		t.Run(fmt.Sprintf("denied %.60q", origin), func(t *testing.T) {
			require.False(t, m.AllowsOrigin(from(origin)))
			header := http.Header{"Origin": {origin}}
			if sendable(origin) {
				everywhere(t, ways, "GET", "/", header, 200, none("GET"))
				header[acrm] = []string{"PUT"}
				everywhere(t, ways, "OPTIONS", "/", header, 403, failed())
				return
			}
			everywhere(t, only(ways, "called"), "GET", "/", header, 200, none("GET"))
		})
	}
	for _, origin := range []string{
		"https://app.example.com", "https://a.wild.example", "https://-a.wild.example", "https://xn--a-1ga.wild.example", "https://a.b.wild.example", "https://x_y.wild.example", "http://localhost:3000",
		"http://localhost:1", "http://localhost", "https://[::1]:8443", "https://a.ports.example", "https://a.ports.example:8443",
	} {
		t.Run("allowed "+origin, func(t *testing.T) {
			require.True(t, m.AllowsOrigin(from(origin)))
			want := actual("GET")
			want["Access-Control-Allow-Origin"] = []string{origin}
			everywhere(t, ways, "GET", "/", http.Header{"Origin": {origin}}, 200, want)
		})
	}
}

// sendable reports whether net/http's client can send a value unchanged: it has no
// surrounding whitespace and no control characters, and is not too long.
func sendable(value string) bool {
	return strings.TrimSpace(value) == value && len(value) < 10_000 && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func only(ways map[string]func(string, string, http.Header) *http.Response, name string) map[string]func(string, string, http.Header) *http.Response {
	return map[string]func(string, string, http.Header) *http.Response{name: ways[name]}
}

// wpt has values as in the web platform tests (cors/origin.htm). A server must not
// mistake them for https://app.example.com or http://localhost:3000.
var wpt = []string{
	"https://app.example.com/foo", "https://app.example.com/?", "https://app.example.com/#", "https://app.example.com:", "https://app.example.com:443/",
	"https:app.example.com", "https:///app.example.com", "https:\\\\app.example.com", "https://app.example.com\\", "https://APP.example.com", "hTTps://app.example.com",
	"https://app.example.com:+443", "https://app.example.com:-1", "https://app.example.com:44 3", "https://app.example.com%00", "https://app.example.com%20",
	"https://%61pp.example.com", "https://app%2eexample.com", "https://app.example.com\t", "\thttps://app.example.com", "https://app.example.com\r\nA: b",
	"https://user:pass@app.example.com", "https://@app.example.com", "https://:@app.example.com", "https://app.example.com@", "https://app.example.com@evil.tld",
	"https://www.app.example.com", "https://example.com", "https://com", "https://", "https:", "https", "://", "//", "/", ".", "-", "?", "#", "@", ":", "file://", "data:,x",
	"about:blank", "javascript:0", "blob:https://app.example.com/x", "ws://app.example.com", "wss://app.example.com", "ftp://app.example.com",
	"http://localhost:3000/", "http://localhost:3000\x00", "http://LOCALHOST:3000", "http://localhost.:3000", "https://localhost:3000", "http://127.0.0.1:3000",
	"https:://app.example.com", "https//:app.example.com", "ftp://", "https:/", "https%3A//app.example.com", "%20https://app.example.com", "https://app.example.com%23",
	"https://app.example.com *", "* https://app.example.com", "https://app.example.com, *", "*, https://app.example.com", "https://app.example.com,", ",https://app.example.com",
	"https://app.example.com:80", "https://app.example.com:https", "https://app.example.com:*", "https://app.example.comhttps://app.example.com", "example", "origin:", "https://app.example.com\x7f",
	"https://\xe2\x80\x8bapp.example.com", "https://app\xe3\x80\x82example.com", "https://app.example.com\u00a0", "https://a\u0131p.example.com", "https://0x7f.1", "https://127.1", "https://2130706433",
	"NULL", "Null", "null, null", "undefined", "**", "https://*", "https://*.wild.example", "https://app.example.com,https://app.example.com",
	"https://app.example.com;https://app.example.com", "'https://app.example.com'", `"https://app.example.com"`, "<https://app.example.com>",
}

func from(origin string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Origin"] = []string{origin}
	return r
}

// Short lists are searched linearly, and long lists use a map.
func TestListsOfAllLengthsMatch(t *testing.T) {
	var origins []string
	for i := range 20 {
		origins = append(origins, "https://a"+strconv.Itoa(i)+".example.com")
		m := compile(t, cors.Options{Origins: origins, Credentials: true})
		for j := range 20 {
			origin := "https://a" + strconv.Itoa(j) + ".example.com"
			require.Equal(t, j <= i, m.AllowsOrigin(from(origin)), "%s of %d", origin, i+1)
		}
	}
}
