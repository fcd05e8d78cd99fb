package readme

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNewcomer does what README.md tells somebody who begins in an empty
// folder, with its own text: the program, the commands, the answers. Only the
// port is another, since somebody may have that one, and the module is that of
// this tree.
func TestNewcomer(t *testing.T) {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	addr := freeAddr(t)
	text := strings.ReplaceAll(string(readme), "127.0.0.1:8080", addr)
	_, program, found := strings.Cut(text, "```go\n")
	require.True(t, found)
	program, after, found := strings.Cut(program, "```")
	require.True(t, found)
	after, _, _ = strings.Cut(after, "\n## ")

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	var commands []string
	for _, match := range regexp.MustCompile(`(?m)^    (go .*)$`).FindAllStringSubmatch(after, -1) {
		commands = append(commands, match[1])
	}
	require.Equal(t, []string{"go mod tidy", "go run ."}, commands[1:])
	run(t, dir, commands[0])
	run(t, dir, "go mod edit -replace github.com/ringwall/ringwall="+root)
	run(t, dir, commands[1])
	run(t, dir, "go build -o service .") // go run would hide the process that is to be ended

	service := exec.Command("./service")
	service.Dir = dir
	var log bytes.Buffer
	service.Stderr = &log
	require.NoError(t, service.Start())
	t.Cleanup(func() {
		require.NoError(t, service.Process.Kill())
		require.Error(t, service.Wait(), "it was killed")
		require.Contains(t, log.String(), "/qty must be at most 10", "the log has the failure")
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)

	calls := regexp.MustCompile(`(?m)^    \$ (curl .*)\n    (.*)$`).FindAllStringSubmatch(after, -1)
	require.Len(t, calls, 3)
	id := regexp.MustCompile(`"[0-9a-f]{32}"`)
	for _, call := range calls {
		got := strings.TrimSpace(run(t, dir, call[1]))
		require.Equal(t, id.ReplaceAllString(call[2], `"ID"`), id.ReplaceAllString(got, `"ID"`), call[1])
	}
}

func run(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", command, complaints.String())
	return string(out)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
