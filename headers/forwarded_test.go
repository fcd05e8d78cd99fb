package headers_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/errors"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/peeraddr/addrcases"
)

func networks(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func from(remote string, lines ...string) *http.Request {
	return &http.Request{RemoteAddr: remote, Header: http.Header{
		"X-Forwarded-For": lines, "X-Real-Ip": {"6.6.6.6"}, "True-Client-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"},
	}}
}

func TestClientIPWalksTrustedHops(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8", "fd00::/8")}))
	for _, tt := range []struct {
		name, remote string
		lines        []string
		want         string
		ok           bool
	}{
		{name: "untrusted peer writes the header", remote: "203.0.113.9:1", lines: []string{"1.1.1.1"}, want: "203.0.113.9", ok: true},
		{name: "client writes the leftmost", remote: "10.0.0.1:1", lines: []string{"6.6.6.6, 1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "client writes the leftmost, two proxies", remote: "10.0.0.1:1", lines: []string{"6.6.6.6, 1.1.1.1, 10.0.0.2"}, want: "1.1.1.1", ok: true},
		{name: "client writes a line of its own", remote: "10.0.0.1:1", lines: []string{"6.6.6.6", "1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "client drops the header", remote: "10.0.0.1:1", want: "10.0.0.1"},
		{name: "a chain of only trusted hops", remote: "10.0.0.1:1", lines: []string{"10.0.0.3, 10.0.0.2"}, want: "10.0.0.3"},
		{name: "garbage decides", remote: "10.0.0.1:1", lines: []string{"1.1.1.1, garbage"}, want: "10.0.0.1"},
		{name: "garbage behind a trusted hop", remote: "10.0.0.1:1", lines: []string{"1.1.1.1, garbage, 10.0.0.2"}, want: "10.0.0.2"},
		{name: "garbage left of the client", remote: "10.0.0.1:1", lines: []string{"garbage, 1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "octal look-alike, CVE-2021-29923", remote: "10.0.0.1:1", lines: []string{"010.0.0.2"}, want: "10.0.0.1"},
		{name: "zone", remote: "10.0.0.1:1", lines: []string{"fe80::1%eth0"}, want: "10.0.0.1"},
		{name: "zone in brackets", remote: "10.0.0.1:1", lines: []string{"[fe80::1%eth0]:1"}, want: "10.0.0.1"},
		{name: "IPv4 in brackets", remote: "10.0.0.1:1", lines: []string{"[1.1.1.1]"}, want: "10.0.0.1"},
		{name: "bad port", remote: "10.0.0.1:1", lines: []string{"1.1.1.1:99999"}, want: "10.0.0.1"},
		{name: "100 000 hops", remote: "10.0.0.1:1", lines: []string{strings.Repeat("10.0.0.2,", 100_000) + "10.0.0.2"}, want: "10.0.0.2"},
		{name: "100 000 commas", remote: "10.0.0.1:1", lines: []string{"1.1.1.1" + strings.Repeat(",", 100_000)}, want: "10.0.0.1"},
		{name: "Unix socket", remote: "@", lines: []string{"1.1.1.1"}},
		{name: "peer with a zone", remote: "[fe80::1%eth0]:1"},
		{name: "one proxy", remote: "10.0.0.1:1", lines: []string{"1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "IPv6 proxy", remote: "[fd00::1]:1", lines: []string{"2001:db8::1"}, want: "2001:db8::1", ok: true},
		{name: "port", remote: "10.0.0.1:1", lines: []string{"1.1.1.1:5555"}, want: "1.1.1.1", ok: true},
		{name: "IPv6 with port", remote: "10.0.0.1:1", lines: []string{"[2001:db8::1]:5555"}, want: "2001:db8::1", ok: true},
		{name: "IPv6 in brackets", remote: "10.0.0.1:1", lines: []string{"[2001:db8::1]"}, want: "2001:db8::1", ok: true},
		{name: "mapped peer", remote: "[::ffff:10.0.0.1]:1", lines: []string{"1.1.1.1"}, want: "1.1.1.1", ok: true},
		{name: "mapped hop and client", remote: "10.0.0.1:1", lines: []string{"::ffff:1.1.1.1, ::ffff:10.0.0.2"}, want: "1.1.1.1", ok: true},
		{name: "empty elements", remote: "10.0.0.1:1", lines: []string{"1.1.1.1, ,\t, "}, want: "1.1.1.1", ok: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr, ok := proxy.ClientIP(from(tt.remote, tt.lines...))
			require.Equal(t, tt.ok, ok)
			if tt.want == "" {
				require.False(t, addr.IsValid())
				return
			}
			require.Equal(t, tt.want, addr.String())
		})
	}
}

func TestUnixSocketIsTrustedIfConfigured(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), TrustUnixSocket: true}))
	addr, ok := proxy.ClientIP(from("@", "1.1.1.1"))
	require.True(t, ok)
	require.Equal(t, "1.1.1.1", addr.String())
	_, ok = proxy.ClientIP(from("@"))
	require.False(t, ok)
	_, ok = proxy.ClientIP(from("nonsense", "1.1.1.1"))
	require.False(t, ok)
}

func TestPeerIPReadsAddressOfSocket(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr, ok := headers.PeerIP(r)
		fmt.Fprint(w, addr, " ", ok)
	}))
	defer s.Close()
	res, err := s.Client().Get(s.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 true", string(text))
}

func TestNewForwardedReportsInvalidNetworks(t *testing.T) {
	_, err := headers.NewForwarded(headers.ForwardedOptions{MaxHops: -1, Trusted: append(networks("0.0.0.0/0", "::/0", "10.1.2.3/8", "::ffff:10.0.0.0/104"), netip.Prefix{})})
	require.EqualError(t, err, strings.Join([]string{
		`headers: Trusted[0] "0.0.0.0/0": trusts every address; did you mean the networks of your proxies?`,
		`headers: Trusted[1] "::/0": trusts every address; did you mean the networks of your proxies?`,
		`headers: Trusted[2] "10.1.2.3/8": has host bits; did you mean "10.0.0.0/8"?`,
		`headers: Trusted[3] "::ffff:10.0.0.0/104": is IPv4-mapped; did you mean the IPv4 network?`,
		`headers: Trusted[4] "invalid Prefix": is not a network`,
		`headers: MaxHops -1: is negative; did you mean 0, for 32?`,
	}, "\n"))
	_, err = headers.NewForwarded(headers.ForwardedOptions{})
	require.EqualError(t, err, `headers: Trusted: must not be empty; did you mean headers.PeerIP?`)
}

func TestSetTrustedReplacesNetworks(t *testing.T) {
	list := networks("10.0.0.0/8")
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: list}))
	list[0] = networks("1.0.0.0/8")[0] // the caller's slice is copied
	require.Error(t, proxy.SetTrusted(nil))
	addr, _ := proxy.ClientIP(from("10.0.0.1:1", "1.1.1.1"))
	require.Equal(t, "1.1.1.1", addr.String())
	require.NoError(t, proxy.SetTrusted(networks("192.168.0.0/16")))
	addr, _ = proxy.ClientIP(from("10.0.0.1:1", "1.1.1.1"))
	require.Equal(t, "10.0.0.1", addr.String())
}

func TestClientIPDoesNotAllocate(t *testing.T) {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8")}))
	r := from("10.0.0.1:1", "1.1.1.1, 10.0.0.2")
	require.Zero(t, testing.AllocsPerRun(100, func() { proxy.ClientIP(r) }))
}

func ExampleNewForwarded() {
	proxy := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8")}))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.7:4711"
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 203.0.113.9") // the client wrote the first, the proxy the second
	fmt.Println(proxy.ClientIP(r))
	// Output: 203.0.113.9 true
}

// Example_incorrect shows a common mistake: the client writes the leftmost
// address itself.
func Example_incorrect() {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Forwarded-For", "127.0.0.1, 203.0.113.9")
	leftmost, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	fmt.Println("the client claims to be", leftmost)
	// Output: the client claims to be 127.0.0.1
}

func TestPeerIPReadsWhatRatelimitReads_FR1(t *testing.T) {
	for _, c := range addrcases.Table {
		t.Run(c.Text, func(t *testing.T) {
			addr, ok := headers.PeerIP(&http.Request{RemoteAddr: c.Text})
			require.Equal(t, c.Want != "", ok)
			if ok {
				require.Equal(t, c.Want, addr.String())
			}
		})
	}
	_, ok := headers.PeerIP(&http.Request{RemoteAddr: "[fe80::1%eth0]:1"})
	require.False(t, ok, "an address with a zone must be refused")
}

func TestClientIPDoesNotVerifyImpossibleAddresses_FH6(t *testing.T) {
	chain := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8")}))
	elements := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Header: "Forwarded"}))
	single := errors.Must(headers.NewForwarded(headers.ForwardedOptions{Trusted: networks("10.0.0.0/8"), Header: "CF-Connecting-IP"}))
	for _, text := range []string{
		"0.0.0.0", "0.0.0.0:80", "::", "[::]:443", "::ffff:0.0.0.0", "255.255.255.255", "::ffff:255.255.255.255", "224.0.0.1", "239.255.255.250:1900", "ff02::1", "[ff0e::1]:1",
	} {
		t.Run(text, func(t *testing.T) {
			quoted := text
			if strings.Contains(text, "::") && !strings.HasPrefix(text, "[") {
				quoted = "[" + text + "]"
			}
			for _, row := range []struct {
				proxy       *headers.Forwarded
				name, value string
				last        string
			}{
				{proxy: chain, name: "X-Forwarded-For", value: text, last: "10.0.0.1"},
				{proxy: chain, name: "X-Forwarded-For", value: "1.1.1.1, " + text + ", 10.0.0.2", last: "10.0.0.2"},
				{proxy: elements, name: "Forwarded", value: `for="` + quoted + `"`, last: "10.0.0.1"},
				{proxy: single, name: "Cf-Connecting-Ip", value: text, last: "10.0.0.1"},
			} {
				addr, ok := row.proxy.ClientIP(sent("10.0.0.1:1", false, row.name, row.value))
				require.False(t, ok, row.name)
				require.Equal(t, row.last, addr.String(), "must be the last verified hop")
			}
			addr, ok := headers.PeerIP(&http.Request{RemoteAddr: text})
			require.False(t, ok)
			require.False(t, addr.IsValid())
		})
	}
}
