package browser_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReadmeProgramAnswersItsPage_D1 runs the first program of README.md and
// calls it from the page whose origin it lists, as a page sends JSON: with a
// preflight for Content-Type.
func TestReadmeProgramAnswersItsPage_D1(t *testing.T) {
	tab := open(t, "app.example.test", "/")
	stranger := open(t, "evil.test", "/")
	addr := startReadmeProgram(t)
	order := fetch("http://"+addr+"/orders", `{method: "POST", headers: {"Content-Type": "application/json"}, body: '{"sku":"RAM1","qty":2}'}`)

	got, err := tab.Ask(order)
	require.NoError(t, err)
	require.Equal(t, `200 {"sku":"RAM1","qty":2}`, strings.TrimSpace(got))
	got, err = stranger.Ask(order)
	require.NoError(t, err)
	require.Equal(t, "blocked", got, "the origin of another page is not listed")
}

// startReadmeProgram builds and starts the first program of README.md on a free
// port, with the origin of the test's page, and returns its address.
func startReadmeProgram(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, program, found := strings.Cut(string(text), "```go\n")
	require.True(t, found)
	program, _, _ = strings.Cut(program, "```")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	require.Contains(t, program, `"https://app.example.com"`)
	program = strings.NewReplacer("127.0.0.1:8080", addr, "https://app.example.com", strings.TrimSuffix(at("app.example.test", "/"), "/")).Replace(program)

	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "service")
	require.NoError(t, os.WriteFile(source, []byte(program), 0o600))
	build := exec.Command("go", "build", "-o", binary, source)
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	service := exec.Command(binary)
	require.NoError(t, service.Start())
	t.Cleanup(func() {
		_ = service.Process.Kill()
		_ = service.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	return addr
}
