package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// shop is a running shop, and a client of it.
type shop struct {
	t      *testing.T
	url    string
	greet  string
	log    *testlog.Log
	client *http.Client

	limited int // responses with 429
}

// testRounds are few, because 210,000 take 100 ms for each login.
const testRounds = 1000

// start runs a shop on a free port, and drains it at the end of the test.
func start(t *testing.T, args ...string) *shop {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	log, done := &testlog.Log{}, make(chan error, 1)
	go func() {
		done <- run(ctx, testRounds, append([]string{"-addr", "127.0.0.1:0"}, args...), in, log)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done, "a stop is no error")
	})
	s := &shop{t: t, log: log, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.greet += lines.Text() + "\n"
		if url, ok := strings.CutPrefix(lines.Text(), "The shop listens on "); ok {
			s.url = url
		}
		if strings.Contains(lines.Text(), "head -c 100000") { // the last line
			break
		}
	}
	require.NotEmpty(t, s.url, log)
	return s
}

// answer is a response. do checks that every error response has exactly three
// members, that all have the security headers, and that the log has the ID.
type answer struct {
	*http.Response
	raw  string
	body map[string]any
}

func (s *shop) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Host = r.Header.Get("Host") // "": that of the URL
	res, err := s.client.Do(r)
	require.NoError(s.t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	a := answer{Response: res, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
		require.Contains(s.t, res.Header.Get(key), want, "%s %s", method, path)
	}
	if res.StatusCode >= 400 && method != http.MethodHead {
		require.Len(s.t, a.body, 3, a.raw)
		id, _ := a.body["correlation_id"].(string)
		require.Len(s.t, id, 32)
		require.Equal(s.t, id, res.Header.Get("X-Correlation-Id"))
		require.Contains(s.t, a.body, "code")
		require.Contains(s.t, a.body, "message")
		if a.body["code"] == "rate_limited" { // floods are logged once in 10 s
			if s.limited++; s.limited > 1 {
				return a
			}
		}
		require.Eventually(s.t, func() bool { return strings.Contains(s.log.String(), id) }, time.Second, time.Millisecond, "the log knows the ID")
	}
	return a
}

// expect also checks status and code; "" is for responses without a code.
func (s *shop) expect(status int, code, method, path, body string, header ...string) answer {
	s.t.Helper()
	a := s.do(method, path, body, header...)
	require.Equal(s.t, status, a.StatusCode, a.raw)
	if code != "" {
		require.Equal(s.t, code, a.body["code"])
	}
	return a
}

// cookie returns the refresh cookie of a response as a Cookie header.
func (a answer) cookie(t *testing.T) string {
	t.Helper()
	for _, c := range a.Cookies() {
		if c.Name == "refresh" || c.Name == "__Host-refresh" {
			require.True(t, c.HttpOnly && c.SameSite == http.SameSiteStrictMode && c.Path == "/" && c.Domain == "")
			return c.Name + "=" + c.Value
		}
	}
	require.Fail(t, "no refresh cookie", a.raw)
	return ""
}

func (a answer) bearer() string { return "Bearer " + a.body["access_token"].(string) }

func credentials(i int) string {
	return `{"email":"` + demoUsers[i].email + `","password":"` + demoUsers[i].password + `"}`
}

const orderBody = `{"items":[{"sku":"RAM1","qty":2}],"note":"","ship_to":{"name":"Ada","street":"Wall 1","city":"Bath","postcode":"BA11","country":"GB"}}`
