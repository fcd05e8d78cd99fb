package headers_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// FuzzClientIP compares the walk over X-Forwarded-For with a naive one, which
// splits the whole chain first.
func FuzzClientIP(f *testing.F) {
	f.Add("10.0.0.1:1", "1.1.1.1, 10.0.0.2", "6.6.6.6")
	f.Add("[fd00::1]:1", "[::ffff:1.1.1.1]:5, ,", "%")
	trusted := networks("10.0.0.0/8", "fd00::/8")
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: trusted}))
	f.Fuzz(func(t *testing.T, remote, chain, forged string) {
		addr, ok := proxy.ClientIP(from(remote, chain))
		want, wantOK := naiveWalk(trusted, remote, strings.Split(chain, ","), naiveHop)
		require.Equal(t, want, addr)
		require.Equal(t, wantOK, ok)
		if !ok {
			return
		}
		require.True(t, addr.IsValid() && !addr.Is4In6() && addr.Zone() == "")
		again, ok := proxy.ClientIP(from(remote, forged, chain))
		require.True(t, ok)
		require.Equal(t, addr, again, "elements left of the client must not matter")
	})
}

// FuzzForwarded compares the walk over Forwarded with a naive one: a comma
// separates if an even number of quotes follows it, and an element matches the
// grammar of RFC 7239 as a regular expression.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		`for=1.1.1.1, for=10.0.0.2`, `for="[2001:db8::1]:4711";proto=https`, `for=6.6.6.6;x=", for=1.1.1.1`, `by="a,b\"c,";for=1.1.1.1`,
		`for=1.1.1.1;for=2.2.2.2`, ` ;; secret=x ; for=1.1.1.1 ;`, `for=unknown, for=10.0.0.2`, `for="1.1\.1.1:_x"`, `for="\"`, `for=10.0.0.2;x="\\", `, `for=1.1.1.1:80;host=a.example:443`, `for=1.1.1.1:_p, for=2001:db8::1`, "for=0.0.0.0;0=\xbc",
	} {
		f.Add(seed, `for="6.6.6.6`)
	}
	trusted := networks("10.0.0.0/8", "fd00::/8")
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: trusted, Header: "Forwarded"}))
	ask := func(lines ...string) (netip.Addr, bool) {
		r := sent("10.0.0.1:1", false)
		r.Header["Forwarded"] = lines
		return proxy.ClientIP(r)
	}
	f.Fuzz(func(t *testing.T, chain, forged string) {
		addr, ok := ask(chain)
		want, wantOK := naiveWalk(trusted, "10.0.0.1:1", naiveElements(chain), naiveFor)
		require.Equal(t, want, addr, "%q", chain)
		require.Equal(t, wantOK, ok, "%q", chain)
		if ok {
			again, ok := ask(forged, chain)
			require.True(t, ok)
			require.Equal(t, addr, again, "elements left of the client must not matter")
		}
	})
}

// FuzzRedirect checks redirects with net/url: they go to a configured host and to
// the requested path and query, and never carry a credential.
func FuzzRedirect(f *testing.F) {
	f.Add("/a?b=c", "api.example.com", "X-Other")
	f.Add("//evil.tld/x", "API.example.com.:80", "Accept-Language")
	f.Add("/\\evil.tld?\xc3\xa4<", "evil.tld", "X-Other")
	f.Add("http://evil.tld@api.example.com/%0d%0a?access%5Ftoken=x", "api.example.com@evil.tld", "authorization")
	f.Add("*", "", "Cookie")
	p := errors.Must(headers.New(headers.Options{AllowedHosts: []string{"api.example.com:8443", "[::1]"}, ErrorHandler: refuse}))
	credentials := []string{"Authorization", "Cookie", "X-Api-Key", "Dpop", "Proxy-Authorization"}
	f.Fuzz(func(t *testing.T, target, host, key string) {
		asked, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http answers 400
		}
		key = http.CanonicalHeaderKey(key)
		w := httptest.NewRecorder()
		p.Handler(served).ServeHTTP(w, &http.Request{Method: "GET", URL: asked, Host: host, Header: http.Header{key: {"x"}, "Accept": {"text/html"}}})
		location, found := w.Header()["Location"]
		require.Equal(t, w.Code == 308, found)
		if !found {
			require.Equal(t, 403, w.Code)
			return
		}
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.NotContains(t, credentials, key)
		require.Nil(t, asked.User)
		for name := range asked.Query() {
			require.NotContains(t, []string{"access_token", "api_key", "apikey", "api-key"}, strings.ToLower(name))
		}
		require.NotRegexp(t, `[^!-~]`, location[0])
		to, err := url.Parse(location[0])
		require.NoError(t, err)
		require.Equal(t, "https", to.Scheme)
		require.Contains(t, []string{"api.example.com:8443", "[::1]"}, to.Host)
		require.Nil(t, to.User)
		if strings.HasPrefix(asked.EscapedPath(), "/") {
			require.Equal(t, asked.Path, to.Path)
		} else {
			require.Equal(t, "/", to.Path)
		}
		require.Equal(t, asked.Query(), to.Query())
		require.Empty(t, to.Fragment)
	})
}

// naiveWalk implements the rule without regard to cost.
func naiveWalk(trusted []netip.Prefix, remote string, elements []string, parse func(string) (netip.Addr, bool)) (netip.Addr, bool) {
	ours := func(a netip.Addr) bool { return trusted[0].Contains(a) || trusted[1].Contains(a) }
	last, ok := naiveHop(remote)
	if !ok || !ours(last) {
		return last, ok
	}
	for n := range min(len(elements), 32) {
		text := strings.Trim(elements[len(elements)-1-n], " \t")
		if text == "" {
			continue
		}
		addr, ok := parse(text)
		if !ok {
			return last, false
		}
		if !ours(addr) {
			return addr, true
		}
		last = addr
	}
	return last, false
}

var (
	bracketed = regexp.MustCompile(`^\[([^\]]*:[^\]]*)\](:([0-9]{1,5}))?$`)
	dotted    = regexp.MustCompile(`^([^:\[\]]*)(:([0-9]{1,5}))?$`)
)

// naiveHop reads an address: 1.2.3.4, [::1], both with a port, and ::1.
func naiveHop(s string) (netip.Addr, bool) {
	host := s
	for _, form := range []*regexp.Regexp{bracketed, dotted} {
		if m := form.FindStringSubmatch(s); m != nil {
			host = m[1]
			if m[3] != "" {
				if _, err := netip.ParseAddrPort("1.1.1.1:" + m[3]); err != nil {
					return netip.Addr{}, false
				}
			}
		}
	}
	addr, err := netip.ParseAddr(host)
	addr = addr.Unmap()
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() || addr == netip.MustParseAddr("255.255.255.255") {
		return netip.Addr{}, false
	}
	return addr, true
}

// naiveElements splits at each comma that an even number of unescaped quotes
// follows.
func naiveElements(s string) []string {
	var elements []string
	end := len(s)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != ',' {
			continue
		}
		quotes := 0
		for j := i + 1; j < end; j++ {
			before := s[:j]
			if s[j] == '"' && (len(before)-len(strings.TrimRight(before, `\`)))%2 == 0 {
				quotes++
			}
		}
		if quotes%2 == 0 {
			elements = append([]string{s[i+1 : end]}, elements...)
			end = i
		}
	}
	return append([]string{s[:end]}, elements...)
}

var (
	pair     = `([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]+)=([!#$%&'*+.^_` + "`" + `|~0-9A-Za-z:-]+|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\x00-\xff])*")`
	grammar  = regexp.MustCompile(`^(?s:[ \t]*(?:` + pair + `[ \t]*)?(?:;[ \t]*(?:` + pair + `[ \t]*)?)*)$`)
	pairs    = regexp.MustCompile(`(?s)` + pair)
	quoted   = regexp.MustCompile(`(?s)\\(.)`)
	obscured = regexp.MustCompile(`^(.*?):_[!#$%&'*+.^_` + "`" + `|~0-9A-Za-z-]+$`)
)

// naiveFor reads the parameter for of one element.
func naiveFor(text string) (netip.Addr, bool) {
	for i := range len(text) {
		if text[i] >= 0x80 { // the expressions read letters, not bytes: one that only quotes can hold
			text = text[:i] + "@" + text[i+1:]
		}
	}
	if !grammar.MatchString(text) {
		return netip.Addr{}, false
	}
	seen := map[string]string{}
	for _, m := range pairs.FindAllStringSubmatch(text, -1) {
		key, value := strings.ToLower(m[1]), m[2]
		if strings.HasPrefix(value, `"`) {
			value = quoted.ReplaceAllString(value[1:len(value)-1], "$1")
		}
		if _, twice := seen[key]; (twice || value == "") && (key == "for" || key == "proto" || key == "host") {
			return netip.Addr{}, false
		}
		seen[key] = value
	}
	node := seen["for"]
	if m := obscured.FindStringSubmatch(node); m != nil {
		node = m[1]
	}
	if strings.Count(node, ":") > 1 && !strings.HasPrefix(node, "[") {
		return netip.Addr{}, false
	}
	return naiveHop(node)
}
