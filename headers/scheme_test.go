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
		{name: "spoofed by an untrusted peer", remote: "203.0.113.9:1", pairs: []string{xfp, "https"}, want: "http"},
		{name: "spoofed down by an untrusted peer", remote: "203.0.113.9:1", tls: true, pairs: []string{xfp, "http"}, want: "https"},
		{name: "a peer without an address, not a socket", remote: "nonsense", pairs: []string{xfp, "https"}, want: "http"},
		{name: "the proxy uses TLS for a plain HTTP request", remote: "10.0.0.1:1", tls: true, pairs: []string{xff, "1.1.1.1", xfp, "http"}, want: "http"},
		{name: "the proxy uses TLS and sends no scheme", remote: "10.0.0.1:1", tls: true, pairs: []string{xff, "1.1.1.1"}, want: "http"},
		{name: "the client prepends to one proxy's scheme", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "https,http"}, want: "http"},
		{name: "the client sends another line", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "https", xfp, "http"}, want: "http"},
		{
			name:   "the client prepends to two proxies' schemes",
			remote: "10.0.0.1:1",
			pairs:  []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https, http, https"},
			want:   "http",
		},
		{name: "the client names trusted hops", remote: "10.0.0.1:1", pairs: []string{xff, "10.0.0.3, 1.1.1.1", xfp, "https, http"}, want: "http"},
		{name: "junk", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "https://"}, want: "http"},
		{name: "quoted", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, `"https"`}, want: "http"},
		{name: "empty", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, ""}, want: "http"},
		{name: "ws", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "ws"}, want: "http"},
		{name: "a Forwarded that is not configured", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", "Forwarded", "proto=https"}, want: "http"},
		{name: "a trusted peer", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "https"}, want: "https"},
		{name: "upper case", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "HTTPS"}, want: "https"},
		{name: "a WebSocket", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfp, "wss"}, want: "https"},
		{name: "two proxies that both append", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https, http"}, want: "https"},
		{name: "two proxies, two lines", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https", xfp, ", http"}, want: "https"},
		{name: "two proxies, only the outer one sets it", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1, 10.0.0.2", xfp, "https"}, want: "https"},
		{name: "no client named", remote: "10.0.0.1:1", pairs: []string{xfp, "https"}, want: "https"},
		{name: "a Unix socket", remote: "@", pairs: []string{xff, "1.1.1.1", xfp, "https"}, want: "https"},
		{name: "an untrusted peer over TLS", remote: "203.0.113.9:1", tls: true, want: "https"},
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
		{name: "spoofed by an untrusted peer", remote: "203.0.113.9:1", pairs: []string{xfh, "evil.tld"}, want: "origin.internal:8080"},
		{name: "the client prepends", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "evil.tld, api.example.com"}, want: "api.example.com"},
		{name: "a path", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "api.example.com/x"}},
		{name: "userinfo", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "a@api.example.com"}},
		{name: "a bad port", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "api.example.com:x"}},
		{name: "an empty label", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "api..example.com"}},
		{name: "missing", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1"}, want: "origin.internal:8080"},
		{name: "one proxy", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "api.example.com:8443"}, want: "api.example.com:8443"},
		{name: "IPv6", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1", xfh, "[2001:db8::1]:8443"}, want: "[2001:db8::1]:8443"},
		{name: "two proxies", remote: "10.0.0.1:1", pairs: []string{xff, "1.1.1.1, 10.0.0.2", xfh, "api.example.com, inner.example"}, want: "api.example.com"},
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
		{name: "no header", want: peer, scheme: "http", host: own},
		{name: "unknown", lines: []string{"for=unknown;proto=https"}, want: peer, scheme: "https", host: own},
		{name: "obfuscated", lines: []string{"for=_hidden"}, want: peer, scheme: "http", host: own},
		{name: "for twice", lines: []string{"for=1.1.1.1;for=2.2.2.2;proto=https"}, want: peer, scheme: "http", host: own},
		{name: "for twice, in another case", lines: []string{"for=1.1.1.1;FOR=1.1.1.1"}, want: peer, scheme: "http", host: own},
		{name: "proto twice", lines: []string{"for=1.1.1.1;proto=http;proto=https"}, want: peer, scheme: "http", host: own},
		{name: "no for", lines: []string{"proto=https;by=10.0.0.1"}, want: peer, scheme: "https", host: own},
		{name: "an empty for", lines: []string{`for=""`}, want: peer, scheme: "http", host: own},
		{name: "unquoted IPv6", lines: []string{"for=[2001:db8::1]"}, want: peer, scheme: "http", host: own},
		{name: "IPv6 without brackets", lines: []string{`for="2001:db8::1"`}, want: peer, scheme: "http", host: own},
		{name: "zone", lines: []string{`for="[fe80::1%eth0]"`}, want: peer, scheme: "http", host: own},
		{name: "open quote in the deciding element", lines: []string{`for="1.1.1.1`}, want: peer, scheme: "http", host: own},
		{name: "text after a quote", lines: []string{`for="1.1.1.1"x`}, want: peer, scheme: "http", host: own},
		{name: "no equals sign", lines: []string{"1.1.1.1"}, want: peer, scheme: "http", host: own},
		{name: "whitespace around the equals sign", lines: []string{"for = 1.1.1.1"}, want: peer, scheme: "http", host: own},
		{name: "a control character", lines: []string{"for=\"1.1.1.1\x01\""}, want: peer, scheme: "http", host: own},
		{name: "the client forges, one proxy", lines: []string{"for=6.6.6.6;proto=https, for=1.1.1.1"}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{name: "the client leaves a quote open", lines: []string{`for=6.6.6.6;x=", for=1.1.1.1;proto=https`}, want: "1.1.1.1", ok: true, scheme: "https", host: own},
		{name: "the client ends with a backslash", lines: []string{`for=6.6.6.6;x="\, for=1.1.1.1`}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{
			name:   "the client hides the proxy's in quotes",
			lines:  []string{`for=6.6.6.6;x=", for="[2001:db8::1]"`},
			want:   "2001:db8::1",
			ok:     true,
			scheme: "http",
			host:   own,
		},
		{name: "a chain of only trusted hops", lines: []string{"for=10.0.0.3;proto=https, for=10.0.0.2"}, want: "10.0.0.3", scheme: "https", host: own},
		{name: "garbage behind a trusted hop", lines: []string{"for=1.1.1.1, garbage, for=10.0.0.2;proto=https"}, want: "10.0.0.2", scheme: "http", host: own},
		{name: "a host that is none", lines: []string{`for=1.1.1.1;host="evil.tld/x"`}, want: "1.1.1.1", ok: true, scheme: "http"},
		{name: "33 hops", lines: []string{strings.Repeat("for=10.0.0.2,", 33)}, want: "10.0.0.2", scheme: "http", host: own},
		{name: "FH5 two hosts with unquoted colons", lines: []string{"for=1.1.1.1;host=a.example:443;host=b.example:443"}, want: peer, scheme: "http", host: own},
		{name: "FH5 for twice with unquoted colons", lines: []string{"for=1.1.1.1:1;for=1.1.1.1:1"}, want: peer, scheme: "http", host: own},
		{
			name:   "FH5 an element that the client injected before",
			lines:  []string{"for=6.6.6.6;host=evil.tld:443;proto=https, for=1.1.1.1;host=shop.example.com:443;proto=http"},
			want:   "1.1.1.1",
			ok:     true,
			scheme: "http",
			host:   "shop.example.com:443",
		},
		{
			name:   "FH5 a quote that the client left open",
			lines:  []string{`for=6.6.6.6;host="evil.tld:443, for=1.1.1.1;host=shop.example.com:443;proto=https`},
			want:   "1.1.1.1",
			ok:     true,
			scheme: "https",
			host:   "shop.example.com:443",
		},
		{name: "FH5 an unquoted IPv6 address", lines: []string{"for=2001:db8::1;proto=https"}, want: peer, scheme: "https", host: own},
		{name: "FH5 a colon alone", lines: []string{"for=1.1.1.1;host=:;proto=https"}, want: "1.1.1.1", ok: true, scheme: "https"},
		{name: "FH5 a URL for a host", lines: []string{"for=1.1.1.1;host=https://shop.example.com"}, want: peer, scheme: "http", host: own},
		{name: "FH5 a colon in a name", lines: []string{"for=1.1.1.1;a:b=c"}, want: peer, scheme: "http", host: own},
		{
			name:   "FH5 an unquoted colon in host",
			lines:  []string{"for=1.2.3.4;host=shop.example.com:443;proto=https"},
			want:   "1.2.3.4",
			ok:     true,
			scheme: "https",
			host:   "shop.example.com:443",
		},
		{name: "FH5 an unquoted colon in for", lines: []string{"for=1.2.3.4:4711;by=10.0.0.1:80;proto=https"}, want: "1.2.3.4", ok: true, scheme: "https", host: own},
		{name: "one hop", lines: []string{"for=1.1.1.1"}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{
			name:   "two lines are one chain",
			lines:  []string{"for=6.6.6.6, for=1.1.1.1;proto=https", "for=10.0.0.2;proto=http"},
			want:   "1.1.1.1",
			ok:     true,
			scheme: "https",
			host:   own,
		},
		{name: "quoted IPv6 with a port", lines: []string{`FOR="[2001:DB8::1]:4711";Proto=HTTPS`}, want: "2001:db8::1", ok: true, scheme: "https", host: own},
		{name: "quoted IPv4 with a port", lines: []string{`for="1.1.1.1:4711"`}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{name: "an obfuscated port", lines: []string{`for="1.1.1.1:_p.1"`}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{name: "a comma in quotes", lines: []string{`by="a,b\"c,";for=1.1.1.1;host=api.example.com`}, want: "1.1.1.1", ok: true, scheme: "http", host: "api.example.com"},
		{name: "escaped letters", lines: []string{`for="1.1\.1.1"`}, want: "1.1.1.1", ok: true, scheme: "http", host: own},
		{name: "extensions, empty pairs, spaces", lines: []string{` ;; secret=x ; for=1.1.1.1 ;proto=https; , ,`}, want: "1.1.1.1", ok: true, scheme: "https", host: own},
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
		{name: "an untrusted peer", remote: "203.0.113.9:1", lines: []string{"1.1.1.1"}, want: "203.0.113.9", ok: true},
		{name: "two lines", remote: "10.0.0.1:1", lines: []string{"1.1.1.1", "1.1.1.1"}, want: "10.0.0.1"},
		{name: "a list", remote: "10.0.0.1:1", lines: []string{"6.6.6.6, 1.1.1.1"}, want: "10.0.0.1"},
		{name: "garbage", remote: "10.0.0.1:1", lines: []string{"x"}, want: "10.0.0.1"},
		{name: "a trusted address", remote: "10.0.0.1:1", lines: []string{"10.0.0.9"}, want: "10.0.0.1"},
		{name: "missing", remote: "10.0.0.1:1", want: "10.0.0.1"},
		{name: "an address", remote: "10.0.0.1:1", lines: []string{"1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "mapped", remote: "10.0.0.1:1", lines: []string{"::ffff:1.1.1.1"}, want: "1.1.1.1", ok: true},
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
		{
			name:    "two families",
			options: headers.ForwardedOptions{Header: "X-Forwarded-For, Forwarded"},
			want:    `headers: Header "X-Forwarded-For, Forwarded": is not a header name; did you mean "X-Forwarded-For" or "Forwarded"?`,
		},
		{
			name:    "a scheme for an address",
			options: headers.ForwardedOptions{Header: "X-Forwarded-Proto"},
			want:    `headers: Header "X-Forwarded-Proto": does not contain a client address; did you mean "X-Forwarded-For"?`,
		},
		{
			name:    "Via",
			options: headers.ForwardedOptions{Header: "via"},
			want:    `headers: Header "Via": does not contain a client address; did you mean "X-Forwarded-For"?`,
		},
		{
			name:    "an address for a scheme",
			options: headers.ForwardedOptions{Proto: "X-Forwarded-For"},
			want:    `headers: Proto "X-Forwarded-For": has another meaning; did you mean "X-Forwarded-Proto"?`,
		},
		{
			name:    "a host for a scheme",
			options: headers.ForwardedOptions{Proto: "X-Forwarded-Host"},
			want:    `headers: Proto "X-Forwarded-Host": has another meaning; did you mean "X-Forwarded-Proto"?`,
		},
		{
			name:    "a scheme for a host",
			options: headers.ForwardedOptions{Host: "X-Forwarded-Proto"},
			want:    `headers: Host "X-Forwarded-Proto": has another meaning; did you mean "X-Forwarded-Host"?`,
		},
		{
			name:    "Forwarded beside X-Forwarded-For",
			options: headers.ForwardedOptions{Proto: "Forwarded"},
			want:    `headers: Proto "Forwarded": requires Header "Forwarded", because its elements belong to that chain`,
		},
		{name: "not a name", options: headers.ForwardedOptions{Host: "a b"}, want: `headers: Host "a b": is not a header name; did you mean "X-Forwarded-Host"?`},
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
