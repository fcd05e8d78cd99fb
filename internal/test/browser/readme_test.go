package browser_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestReadmeProgramAnswersItsPage_FD1 runs the program of README.md and calls it
// from the page whose origin it lists: a login, and an order with the token. Both
// need a preflight, for Content-Type and Authorization.
func TestReadmeProgramAnswersItsPage_FD1(t *testing.T) {
	tab := open(t, "app.example.test", "/")
	unlisted := open(t, "evil.test", "/")
	addr := startReadmeProgram(t)
	const sendJSON = `method: "POST", headers: {"Content-Type": "application/json"`
	login := fetch("http://"+addr+"/auth/login", `{`+sendJSON+`}, body: '{"email":"ada@example.com","password":"open sesame"}'}`)

	got, err := tab.Ask(login)
	require.NoError(t, err)
	body, ok := strings.CutPrefix(got, "200 ")
	require.True(t, ok, got)
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &tokens))
	order := fetch("http://"+addr+"/orders", `{`+sendJSON+`, "Authorization": "Bearer `+tokens.AccessToken+`"}, body: '{"sku":"RAM1","qty":2}'}`)
	got, err = tab.Ask(order)
	require.NoError(t, err)
	require.Equal(t, `200 {"sku":"RAM1","qty":2}`, strings.TrimSpace(got))

	for _, call := range []string{login, order} {
		got, err = unlisted.Ask(call)
		require.NoError(t, err)
		require.Equal(t, "blocked", got, "the origin of this page is not listed")
	}
}

// startReadmeProgram builds and starts the program of README.md on a free port,
// with the origin of the test's page, and returns its address.
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
