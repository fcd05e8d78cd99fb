package cors_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"

	"github.com/ringwall/ringwall/cors"
)

var hostName = regexp.MustCompile(`^([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$`)

// naive reports whether the test options must allow an origin. It uses net/url and
// a round trip.
func naive(s string) bool {
	u, err := url.Parse(s)
	if err != nil || s != u.Scheme+"://"+u.Host || u.Port() == "443" && u.Scheme == "https" || u.Port() == "80" && u.Scheme == "http" {
		return false
	}
	if u.Port() != "" && !regexp.MustCompile(`^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$`).MatchString(u.Port()) || strings.HasSuffix(s, ":") {
		return false
	}
	if s == "https://app.example.com" || s == "http://localhost:3000" || s == "https://[::1]:8443" || u.Scheme == "http" && u.Hostname() == "localhost" {
		return true
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || !hostName.MatchString(u.Hostname()) || len(u.Hostname()) > 253 || u.Scheme != "https" {
		return false
	}
	return strings.HasSuffix(u.Hostname(), ".wild.example") && u.Port() == "" || strings.HasSuffix(u.Hostname(), ".ports.example")
}

func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{"https://app.example.com", "https://a.wild.example", "https://evil.tld/.wild.example", "http://localhost:8080", "https://a.ports.example:9", "https://[::1]:8443", "https://a.wild.example.", "https://1.2.3.4"} {
		f.Add(seed)
	}
	m := compile(f, options())
	f.Fuzz(func(t *testing.T, s string) {
		require.Equal(t, naive(s), m.AllowsOrigin(from(s)), "%q", s)
	})
}

// Concatenations of listed origins are not listed (GHSA-vhxv-fg4m-p2w8).
func TestConcatenatedOriginsAreNotListed(t *testing.T) {
	list := []string{"https://foo.com", "https://bar.com", "https://a-b.example", "https://*.w.example"}
	m := compile(t, cors.Options{Origins: list})
	hosts := []string{"foo.com", "bar.com", "a-b.example", "x.w.example", "w.example", "."}
	for _, a := range hosts {
		for _, b := range hosts {
			s := "https://" + a + b
			require.Equal(t, strings.HasSuffix(s, ".w.example") && !strings.Contains(s, "..") && a != ".", m.AllowsOrigin(from(s)), s)
		}
	}
}

// Random lists of a few short labels, which overlap often, are compared with a
// naive model (GHSA-vhxv-fg4m-p2w8).
func TestRandomListsMatchNaiveRule(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	host := func() string {
		labels := []string{pick("a", "b", "ab", "ba", "aa")}
		for range 1 + random.IntN(3) {
			labels = append(labels, pick("a", "b", "ab", "ba", "aa"))
		}
		return strings.Join(labels, ".")
	}
	allowed := 0
	for range 100 {
		list := make(map[string]*regexp.Regexp)
		for range 1 + random.IntN(6) {
			pattern := pick("http://", "https://") + pick("", "", "*.") + host() + pick("", "", ":*", ":8080", ":8081")
			expr := strings.Replace(regexp.QuoteMeta(pattern), `//\*\.`, `//([ab]+\.)+`, 1)
			list[pattern] = regexp.MustCompile("^" + strings.Replace(expr, `:\*`, `(:[0-9]+)?`, 1) + "$")
		}
		m := compile(t, cors.Options{Origins: slices.Collect(maps.Keys(list))})
		for range 200 {
			near := strings.NewReplacer("*.", pick("", "a.", "b.ab."), ":*", pick("", ":8080", ":9")).Replace(pick(slices.Collect(maps.Keys(list))...))
			origin := pick(near, near+pick("a", ".", ":9"), pick("http://", "https://")+pick("", "", ".", "a.", "a", "b")+host()+pick("", "", ".a", "a", ".")+pick("", "", ":8080", ":8081", ":9"))
			want := slices.ContainsFunc(slices.Collect(maps.Values(list)), func(p *regexp.Regexp) bool { return p.MatchString(origin) })
			if got := m.AllowsOrigin(from(origin)); got != want {
				t.Fatalf("%q of %q: %v", origin, slices.Sorted(maps.Keys(list)), got)
			}
			if want {
				allowed++
			}
		}
	}
	require.Greater(t, allowed, 1000, "the lists must match some origin")
}

func FuzzRequestHeaders(f *testing.F) {
	for _, seed := range []string{"authorization,content-type", "X-A , x-a", ",,\t,", "x-evil", "authorization\nx-a"} {
		f.Add(seed)
	}
	h := compile(f, options()).Handler(next)
	budget := 256 + 2*(len("Authorization")+len("Content-Type")+len("X-A")+6)
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Split(s, "\n")
		want := len(s)+1 <= budget
		for _, line := range lines {
			for _, name := range strings.Split(line, ",") {
				switch strings.ToLower(strings.Trim(name, " \t")) {
				case "", "authorization", "content-type", "x-a":
				default:
					want = false
				}
			}
		}
		// ToLower also folds letters that are not ASCII, which no name has.
		for _, c := range []byte(s) {
			want = want && c < 0x80
		}
		res := do(h, "OPTIONS", "/", http.Header{"Origin": {allowedOrigin}, acrm: {"PUT"}, acrh: lines})
		require.Equal(t, want, res.StatusCode == 204, "%q", s)
	})
}

var suggested = regexp.MustCompile(`did you mean (?:one as in )?(".*")\?$`)

// FuzzOriginPatterns_FC4 checks that New accepts its own suggestions, and that an
// accepted origin without a wildcard matches itself.
func FuzzOriginPatterns_FC4(f *testing.F) {
	for _, seed := range slices.Concat(wpt, []string{
		"a", "a:b:c", "https:/:a", "x://y://z", "http//localhost", "app.example.com//x", ":443", "@", "https://@", "a@b@c.example", "https://*.*.a.example", "wss://a.example", "htps://a.example",
		"*.com", "https://*.10.0.0.1:*", "https://xn--f", "https://xn--a-1ga.example", "localhost:3000", "https://a.example....:::",
	}) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		m, err := cors.New(cors.Options{Origins: []string{origin}})
		if err == nil {
			if !strings.Contains(origin, "*") {
				require.True(t, m.AllowsOrigin(from(origin)), origin)
			}
			return
		}
		if match := suggested.FindStringSubmatch(err.Error()); match != nil {
			text, err := strconv.Unquote(match[1])
			require.NoError(t, err)
			_, err = cors.New(cors.Options{Origins: []string{text}})
			require.NoError(t, err, "%q suggests %q", origin, text)
		}
	})
}

// FuzzALabels_FC2 compares the decoder of Punycode with that of golang.org/x/net,
// which accepts surrogates, written as U+FFFD.
func FuzzALabels_FC2(f *testing.F) {
	for _, seed := range []string{"f", "", "-", "99999999", "a-1ga", "bcher-kva", "p1ai", "fiqs8s", "ls8h", "a-b-c", "zzzzzz", "0", "-99zz", "n3h", "abc-", "-00a", "009b00000a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		label := "xn--" + encoded
		if len(label) > 63 || !hostName.MatchString(label) || strings.ContainsAny(label, "._") {
			return
		}
		unicode, err := idna.Punycode.ToUnicode(label)
		_, newErr := cors.New(cors.Options{Origins: []string{"https://" + label + ".example"}})
		broken := newErr != nil && strings.Contains(newErr.Error(), "invalid Punycode")
		require.Equal(t, err != nil || isASCII(unicode) || strings.Contains(unicode, "\ufffd"), broken, "%q is %q: %v", label, unicode, err)
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 })
}
