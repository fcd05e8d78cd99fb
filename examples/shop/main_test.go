package main

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogoutRevokesTheAccessToken(t *testing.T) {
	s := start(t, "-tls")
	s.client.Transport = insecureTransport()
	in := s.expect(200, "", "POST", "/auth/login", credentials(0))
	require.Contains(t, in.cookie(t), "__Host-refresh=")
	s.expect(204, "", "POST", "/auth/logout", "", "Cookie", in.cookie(t))
	require.Equal(t, 401, s.do("POST", "/auth/refresh", "", "Cookie", in.cookie(t)).StatusCode)
	s.expect(401, "auth_revoked", "GET", "/me", "", "Authorization", in.bearer())
}

// Each of the five commands works as it is printed.
func TestPrintedCommands(t *testing.T) {
	s := start(t)
	_, commands, _ := strings.Cut(s.greet, "Try:\n")
	want := []string{`{"access_token":"ey`, `{"access_token":"ey`, `{"orders":[]}`, `{"stock":{"GAT1"`, `{"code":"input_too_large"`}
	dir := t.TempDir()
	lines := strings.Split(strings.TrimSpace(commands), "\n")
	require.Len(t, lines, len(want))
	for i, line := range lines {
		command := exec.Command("sh", "-c", line)
		command.Dir = dir
		out, err := command.Output()
		require.NoError(t, err, line)
		require.True(t, strings.HasPrefix(string(out), want[i]), "%s\n%s", line, out)
	}
}

// Without -origin no page but the shop's own may call.
func TestNoOtherOriginByDefault(t *testing.T) {
	s := start(t)
	for _, origin := range []string{"http://localhost:3000", "https://app.example.com", "null"} {
		require.Empty(t, s.do("GET", "/products", "", "Origin", origin).Header.Get("Access-Control-Allow-Origin"), origin)
		s.expect(403, "origin_denied", "POST", "/auth/login", credentials(0), "Origin", origin)
	}
	s.expect(200, "", "POST", "/auth/login", credentials(0), "Origin", s.url)
}

// A page of another name that was led to the loopback address is not taken for
// the shop's own: its Origin and its Host are the same (DNS rebinding).
func TestOtherHostsAreRefused(t *testing.T) {
	s := start(t, "-self", "https://shop.example.com", "-trust", "127.0.0.1/32")
	for _, row := range []struct {
		host   string
		status int
		code   string
	}{
		{host: "evil.example", status: 421, code: "misdirected_request"},
		{host: "evil.example:8080", status: 421, code: "misdirected_request"},
		{host: "shop.example.com.evil.example", status: 421, code: "misdirected_request"},
		{host: "localhost.evil.example", status: 421, code: "misdirected_request"},
		{host: "shop.example.com", status: 200},
		{host: "127.0.0.1", status: 200},
		{host: "localhost:8080", status: 200},
	} {
		t.Run(row.host, func(t *testing.T) {
			s.t = t
			s.expect(row.status, row.code, "GET", "/products", "", "Host", row.host, "Origin", "https://"+row.host, "X-Forwarded-Proto", "https")
		})
	}
}

// A wrong command line is reported in a line, without a panic.
func TestWrongCommandLinesAreReported(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop() // a shop that starts nevertheless ends at once
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{name: "open to the network in clear", args: []string{"-addr", "0.0.0.0:0"}, want: "plain HTTP is for a loopback address; add -tls, or -cert and -key"},
		{name: "seen in clear", args: []string{"-self", "http://shop.example.com"}, want: "plain HTTP is for a loopback address; add -tls, or -cert and -key"},
		{name: "seen at no address", args: []string{"-self", "shop.example.com"}, want: `"shop.example.com" is not an address such as https://shop.example.com`},
		{
			name: "seen at a path",
			args: []string{"-self", "https://shop.example.com/"},
			want: `"https://shop.example.com/" is not an address such as https://shop.example.com`,
		},
		{
			name: "an origin without a scheme",
			args: []string{"-origin", "app.example.com"},
			want: `cors: Origins[0] "app.example.com": is not an origin; did you mean "https://app.example.com"?`,
		},
		{
			name: "everybody trusted",
			args: []string{"-trust", "0.0.0.0/0"},
			want: `headers: Trusted[0] "0.0.0.0/0": trusts every address; did you mean the networks of your proxies?`,
		},
		{name: "a Redis without keys", args: []string{"-redis", "redis://127.0.0.1:1"}, want: "-redis needs -keys: shops that share their state share their keys too"},
		{
			name: "a Redis at no address",
			args: []string{"-redis", "redis://:hunter2@127.0.0.1:port", "-keys", filepath.Join(t.TempDir(), "keys")},
			want: "-redis is not a URL such as redis://127.0.0.1:6379",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.EqualError(t, run(ctx, testRounds, append([]string{"-addr", "127.0.0.1:0"}, row.args...), io.Discard, io.Discard), row.want)
		})
	}
}
