package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/testlog"
)

// world is an edge in front of a service, over real sockets.
type world struct {
	url string
	log *testlog.Log
}

// startEdge runs an edge on a free port, and drains it at the end of the test.
func startEdge(t *testing.T, upstream string, args ...string) *world {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	e, done := &world{log: &testlog.Log{}}, make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-upstream", upstream}, args...), in, e.log)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done, "a stop is no error")
	})
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "%s", e.log)
	addr, found := strings.CutPrefix(lines.Text(), "The edge listens on ")
	require.True(t, found, lines.Text())
	e.url = "http://" + addr
	return e
}

// startShop builds the shop and runs it as a process that trusts the loopback
// network, where the edge is.
func startShop(t *testing.T) (url, apiKey string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "shop")
	build := exec.Command("go", "build", "-o", binary, "./examples/shop")
	build.Dir = "../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	shop := exec.Command(binary, "-addr", "127.0.0.1:0", "-trust", "127.0.0.0/8")
	greeting, err := shop.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, shop.Start())
	t.Cleanup(func() {
		require.NoError(t, shop.Process.Signal(os.Interrupt))
		require.NoError(t, shop.Wait())
	})
	for lines := bufio.NewScanner(greeting); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "The shop listens on "); ok {
			url = rest
		}
		if strings.HasPrefix(lines.Text(), "API key") && lines.Scan() {
			apiKey = strings.TrimSpace(lines.Text())
			break
		}
	}
	require.NotEmpty(t, url)
	require.NotEmpty(t, apiKey)
	go func() { _, _ = io.Copy(io.Discard, greeting) }()
	return url, apiKey
}

// seen is a service that stores the last request that reached it.
type seen struct {
	mu    sync.Mutex
	calls int
	last  *http.Request
	body  []byte
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls, s.last, s.body = s.calls+1, r, body
	s.mu.Unlock()
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = fmt.Fprint(w, `{"seen":true}`)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *seen) get() (*http.Request, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, string(s.body)
}

// request is one request, from an address of its own: the limits count it.
type request struct {
	method, path, body string
	header             map[string]string
	from               byte // the last part of 127.0.0.x
	chunked            bool
}

// answer is a response. Every refusal of the edge has the three members.
type answer struct {
	*http.Response
	raw  string
	body map[string]any
}

func (e *world) do(t *testing.T, q request) answer {
	t.Helper()
	var body io.Reader = strings.NewReader(q.body)
	if q.chunked {
		body = io.MultiReader(body) // its length is not known
	}
	r, err := http.NewRequest(q.method, e.url+q.path, body)
	require.NoError(t, err)
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	// A refusal may come while the body is still being sent, which net/http's
	// client takes for an error.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, max(1, q.from))}}
	conn, err := dialer.DialContext(t.Context(), "tcp", r.URL.Host)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	go func() { _ = r.Write(conn) }()
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	require.NoError(t, err)
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	a := answer{Response: res, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Cache-Control"} {
		require.Len(t, res.Header.Values(name), 1, name)
	}
	if res.StatusCode >= 400 {
		require.Len(t, a.body, 3, a.raw)
		require.Equal(t, []string{a.body["correlation_id"].(string)}, res.Header.Values("X-Correlation-Id"))
	}
	return a
}

// refused is a request that must not reach the service.
func (e *world) refused(t *testing.T, behind *seen, status int, code string, q request) {
	t.Helper()
	before := behind.count()
	a := e.do(t, q)
	require.Equal(t, status, a.StatusCode, a.raw)
	require.Equal(t, code, a.body["code"])
	require.Equal(t, before, behind.count(), "it reached the service")
}
