package headers_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
)

// sent returns a request from a peer, with pairs of header names and values.
func sent(remote string, overTLS bool, pairs ...string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Host: "origin.internal:8080", Header: http.Header{}}
	if overTLS {
		r.TLS = new(tls.ConnectionState)
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	return r
}

func TestSchemeReadsTrustedHops(t *testing.T) {
	const xff, xfp = "X-Forwarded-For", "X-Forwarded-Proto"
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Proto: "x-forwarded-proto", TrustUnixSocket: true}))
	for _, tt := range []struct {
		name, remote string
		tls          bool
		pairs        []string
		want         string
	}{
		{"spoofed by an untrusted peer", "203.0.113.9:1", false, []string{xfp, "https"}, "http"},
		{"spoofed down by an untrusted peer", "203.0.113.9:1", true, []string{xfp, "http"}, "https"},
		{"a peer without an address, not a socket", "nonsense", false, []string{xfp, "https"}, "http"},
		{"the proxy uses TLS for a plain HTTP request", "10.0.0.1:1", true, []string{xff, "1.1.1.1", xfp, "http"}, "http"},
		{"the proxy uses TLS and sends no scheme", "10.0.0.1:1", true, []string{xff, "1.1.1.1"}, "http"},
		{"the client prepends to one proxy's scheme", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "https,http"}, "http"},
		{"the client sends another line", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "https", xfp, "http"}, "http"},
		{"the client prepends to two proxies' schemes", "10.0.0.1:1", false, []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https, http, https"}, "http"},
		{"the client names trusted hops", "10.0.0.1:1", false, []string{xff, "10.0.0.3, 1.1.1.1", xfp, "https, http"}, "http"},
		{"junk", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "https://"}, "http"},
		{"quoted", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, `"https"`}, "http"},
		{"empty", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, ""}, "http"},
		{"ws", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "ws"}, "http"},
		{"a Forwarded that is not configured", "10.0.0.1:1", false, []string{xff, "1.1.1.1", "Forwarded", "proto=https"}, "http"},
		{"a trusted peer", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "https"}, "https"},
		{"upper case", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "HTTPS"}, "https"},
		{"a WebSocket", "10.0.0.1:1", false, []string{xff, "1.1.1.1", xfp, "wss"}, "https"},
		{"two proxies that both append", "10.0.0.1:1", false, []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https, http"}, "https"},
		{"two proxies, two lines", "10.0.0.1:1", false, []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https", xfp, ", http"}, "https"},
		{"two proxies, only the outer one sets it", "10.0.0.1:1", false, []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https"}, "https"},
		{"no client named", "10.0.0.1:1", false, []string{xfp, "https"}, "https"},
		{"a Unix socket", "@", false, []string{xff, "1.1.1.1", xfp, "https"}, "https"},
		{"an untrusted peer over TLS", "203.0.113.9:1", true, nil, "https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, proxy.Scheme(sent(tt.remote, tt.tls, tt.pairs...)))
		})
	}
	alone := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8")}))
	require.Equal(t, "http", alone.Scheme(sent("10.0.0.1:1", false, xfp, "https")), "Proto is empty")
	require.Equal(t, "https", alone.Scheme(sent("10.0.0.1:1", true, xfp, "http")), "Proto is empty")
}

func TestHostReadsTrustedHops(t *testing.T) {
	const xff, xfh = "X-Forwarded-For", "X-Forwarded-Host"
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Host: xfh}))
	for _, tt := range []struct {
		name, remote string
		pairs        []string
		want         string
	}{
		{"spoofed by an untrusted peer", "203.0.113.9:1", []string{xfh, "evil.tld"}, "origin.internal:8080"},
		{"the client prepends", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "evil.tld, api.example.com"}, "api.example.com"},
		{"a path", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "api.example.com/x"}, ""},
		{"userinfo", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "a@api.example.com"}, ""},
		{"a bad port", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "api.example.com:x"}, ""},
		{"an empty label", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "api..example.com"}, ""},
		{"missing", "10.0.0.1:1", []string{xff, "1.1.1.1"}, "origin.internal:8080"},
		{"one proxy", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "api.example.com:8443"}, "api.example.com:8443"},
		{"IPv6", "10.0.0.1:1", []string{xff, "1.1.1.1", xfh, "[2001:db8::1]:8443"}, "[2001:db8::1]:8443"},
		{"two proxies", "10.0.0.1:1", []string{xff, "1.1.1.1, 10.0.0.2", xfh, "api.example.com, inner.example"}, "api.example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, proxy.Host(sent(tt.remote, false, tt.pairs...)))
		})
	}
}

func TestForwardedHeaderIsParsed(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{
		Trusted: networks("10.0.0.0/8", "fd00::/8"), Header: "Forwarded", Proto: "Forwarded", Host: "Forwarded",
	}))
	const peer, own = "10.0.0.1", "origin.internal:8080"
	for _, tt := range []struct {
		name         string
		lines        []string
		want         string
		ok           bool
		scheme, host string
	}{
		{"no header", nil, peer, false, "http", own},
		{"unknown", []string{"for=unknown;proto=https"}, peer, false, "https", own},
		{"obfuscated", []string{"for=_hidden"}, peer, false, "http", own},
		{"for twice", []string{"for=1.1.1.1;for=2.2.2.2;proto=https"}, peer, false, "http", own},
		{"for twice, in another case", []string{"for=1.1.1.1;FOR=1.1.1.1"}, peer, false, "http", own},
		{"proto twice", []string{"for=1.1.1.1;proto=http;proto=https"}, peer, false, "http", own},
		{"no for", []string{"proto=https;by=10.0.0.1"}, peer, false, "https", own},
		{"an empty for", []string{`for=""`}, peer, false, "http", own},
		{"unquoted IPv6", []string{"for=[2001:db8::1]"}, peer, false, "http", own},
		{"IPv6 without brackets", []string{`for="2001:db8::1"`}, peer, false, "http", own},
		{"zone", []string{`for="[fe80::1%eth0]"`}, peer, false, "http", own},
		{"open quote in the deciding element", []string{`for="1.1.1.1`}, peer, false, "http", own},
		{"text after a quote", []string{`for="1.1.1.1"x`}, peer, false, "http", own},
		{"no equals sign", []string{"1.1.1.1"}, peer, false, "http", own},
		{"whitespace around the equals sign", []string{"for = 1.1.1.1"}, peer, false, "http", own},
		{"a control character", []string{"for=\"1.1.1.1\x01\""}, peer, false, "http", own},
		{"the client forges, one proxy", []string{"for=6.6.6.6;proto=https, for=1.1.1.1"}, "1.1.1.1", true, "http", own},
		{"the client leaves a quote open", []string{`for=6.6.6.6;x=", for=1.1.1.1;proto=https`}, "1.1.1.1", true, "https", own},
		{"the client ends with a backslash", []string{`for=6.6.6.6;x="\, for=1.1.1.1`}, "1.1.1.1", true, "http", own},
		{"the client hides the proxy's in quotes", []string{`for=6.6.6.6;x=", for="[2001:db8::1]"`}, "2001:db8::1", true, "http", own},
		{"a chain of only trusted hops", []string{"for=10.0.0.3;proto=https, for=10.0.0.2"}, "10.0.0.3", false, "https", own},
		{"garbage behind a trusted hop", []string{"for=1.1.1.1, garbage, for=10.0.0.2;proto=https"}, "10.0.0.2", false, "http", own},
		{"a host that is none", []string{`for=1.1.1.1;host="evil.tld/x"`}, "1.1.1.1", true, "http", ""},
		{"33 hops", []string{strings.Repeat("for=10.0.0.2,", 33)}, "10.0.0.2", false, "http", own},
		{"FH5 two hosts with unquoted colons", []string{"for=1.1.1.1;host=a.example:443;host=b.example:443"}, peer, false, "http", own},
		{"FH5 for twice with unquoted colons", []string{"for=1.1.1.1:1;for=1.1.1.1:1"}, peer, false, "http", own},
		{"FH5 an element that the client injected before", []string{"for=6.6.6.6;host=evil.tld:443;proto=https, for=1.1.1.1;host=shop.example.com:443;proto=http"}, "1.1.1.1", true, "http", "shop.example.com:443"},
		{"FH5 a quote that the client left open", []string{`for=6.6.6.6;host="evil.tld:443, for=1.1.1.1;host=shop.example.com:443;proto=https`}, "1.1.1.1", true, "https", "shop.example.com:443"},
		{"FH5 an unquoted IPv6 address", []string{"for=2001:db8::1;proto=https"}, peer, false, "https", own},
		{"FH5 a colon alone", []string{"for=1.1.1.1;host=:;proto=https"}, "1.1.1.1", true, "https", ""},
		{"FH5 a URL for a host", []string{"for=1.1.1.1;host=https://shop.example.com"}, peer, false, "http", own},
		{"FH5 a colon in a name", []string{"for=1.1.1.1;a:b=c"}, peer, false, "http", own},
		{"FH5 an unquoted colon in host", []string{"for=1.2.3.4;host=shop.example.com:443;proto=https"}, "1.2.3.4", true, "https", "shop.example.com:443"},
		{"FH5 an unquoted colon in for", []string{"for=1.2.3.4:4711;by=10.0.0.1:80;proto=https"}, "1.2.3.4", true, "https", own},
		{"one hop", []string{"for=1.1.1.1"}, "1.1.1.1", true, "http", own},
		{"two lines are one chain", []string{"for=6.6.6.6, for=1.1.1.1;proto=https", "for=10.0.0.2;proto=http"}, "1.1.1.1", true, "https", own},
		{"quoted IPv6 with a port", []string{`FOR="[2001:DB8::1]:4711";Proto=HTTPS`}, "2001:db8::1", true, "https", own},
		{"quoted IPv4 with a port", []string{`for="1.1.1.1:4711"`}, "1.1.1.1", true, "http", own},
		{"an obfuscated port", []string{`for="1.1.1.1:_p.1"`}, "1.1.1.1", true, "http", own},
		{"a comma in quotes", []string{`by="a,b\"c,";for=1.1.1.1;host=api.example.com`}, "1.1.1.1", true, "http", "api.example.com"},
		{"escaped letters", []string{`for="1.1\.1.1"`}, "1.1.1.1", true, "http", own},
		{"extensions, empty pairs, spaces", []string{` ;; secret=x ; for=1.1.1.1 ;proto=https; , ,`}, "1.1.1.1", true, "https", own},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := sent("10.0.0.1:1", false)
			r.Header["Forwarded"], r.Header["X-Forwarded-For"] = tt.lines, []string{"6.6.6.6"}
			addr, ok := proxy.ClientIP(r)
			require.Equal(t, tt.want, addr.String())
			require.Equal(t, tt.ok, ok)
			require.Equal(t, tt.scheme, proxy.Scheme(r))
			require.Equal(t, tt.host, proxy.Host(r))
		})
	}
}

func TestSingleAddressHeaderIsRead(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Header: "cf-connecting-ip", Proto: "X-Forwarded-Proto"}))
	for _, tt := range []struct {
		name, remote string
		lines        []string
		want         string
		ok           bool
	}{
		{"an untrusted peer", "203.0.113.9:1", []string{"1.1.1.1"}, "203.0.113.9", true},
		{"two lines", "10.0.0.1:1", []string{"1.1.1.1", "1.1.1.1"}, "10.0.0.1", false},
		{"a list", "10.0.0.1:1", []string{"6.6.6.6, 1.1.1.1"}, "10.0.0.1", false},
		{"garbage", "10.0.0.1:1", []string{"x"}, "10.0.0.1", false},
		{"a trusted address", "10.0.0.1:1", []string{"10.0.0.9"}, "10.0.0.1", false},
		{"missing", "10.0.0.1:1", nil, "10.0.0.1", false},
		{"an address", "10.0.0.1:1", []string{"1.1.1.1"}, "1.1.1.1", true},
		{"mapped", "10.0.0.1:1", []string{"::ffff:1.1.1.1"}, "1.1.1.1", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := from(tt.remote, "6.6.6.6")
			r.Header["Cf-Connecting-Ip"] = tt.lines
			addr, ok := proxy.ClientIP(r)
			require.Equal(t, tt.want, addr.String())
			require.Equal(t, tt.ok, ok)
		})
	}
	require.Equal(t, "http", proxy.Scheme(sent("10.0.0.1:1", true, "Cf-Connecting-Ip", "1.1.1.1", "X-Forwarded-Proto", "https, http")))
}

func TestNewForwardedReportsInvalidHeaders(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options headers.ForwardedOptions
		want    string
	}{
		{"two families", headers.ForwardedOptions{Header: "X-Forwarded-For, Forwarded"}, `headers: Header "X-Forwarded-For, Forwarded": is not a header name; did you mean "X-Forwarded-For" or "Forwarded"?`},
		{"a scheme for an address", headers.ForwardedOptions{Header: "X-Forwarded-Proto"}, `headers: Header "X-Forwarded-Proto": does not contain a client address; did you mean "X-Forwarded-For"?`},
		{"Via", headers.ForwardedOptions{Header: "via"}, `headers: Header "Via": does not contain a client address; did you mean "X-Forwarded-For"?`},
		{"an address for a scheme", headers.ForwardedOptions{Proto: "X-Forwarded-For"}, `headers: Proto "X-Forwarded-For": has another meaning; did you mean "X-Forwarded-Proto"?`},
		{"a host for a scheme", headers.ForwardedOptions{Proto: "X-Forwarded-Host"}, `headers: Proto "X-Forwarded-Host": has another meaning; did you mean "X-Forwarded-Proto"?`},
		{"a scheme for a host", headers.ForwardedOptions{Host: "X-Forwarded-Proto"}, `headers: Host "X-Forwarded-Proto": has another meaning; did you mean "X-Forwarded-Host"?`},
		{"Forwarded beside X-Forwarded-For", headers.ForwardedOptions{Proto: "Forwarded"}, `headers: Proto "Forwarded": requires Header "Forwarded", because its elements belong to that chain`},
		{"not a name", headers.ForwardedOptions{Host: "a b"}, `headers: Host "a b": is not a header name; did you mean "X-Forwarded-Host"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Trusted = networks("10.0.0.0/8")
			_, err := headers.NewForwarded(tt.options)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestForwardedDoesNotAllocate(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Header: "Forwarded", Proto: "Forwarded", Host: "Forwarded"}))
	r := sent("10.0.0.1:1", false, "Forwarded", `for="[2001:db8::1]:1";proto=https;host=api.example.com, for=10.0.0.2`)
	require.Zero(t, testing.AllocsPerRun(100, func() { proxy.ClientIP(r); proxy.Scheme(r); proxy.Host(r) }))
}
