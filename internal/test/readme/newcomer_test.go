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

// TestQuickStartWorks follows the quick start of README.md in an empty folder, with the
// text of the page: its program, its commands and their output. It uses a free port
// instead of 8080, and the module of this tree.
func TestQuickStartWorks(t *testing.T) {
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
	var setup []string
	for _, match := range regexp.MustCompile(`(?m)^    (go .*)$`).FindAllStringSubmatch(after, -1) {
		setup = append(setup, match[1])
	}
	require.Equal(t, []string{"go mod tidy", "go run ."}, setup[1:])
	run(t, dir, setup[0])
	run(t, dir, "go mod edit -replace github.com/ringwall/ringwall="+root)
	run(t, dir, setup[1])
	run(t, dir, "go build -o service .") // instead of go run, which hides the process that the test must end

	service := exec.Command("./service")
	service.Dir = dir
	var log bytes.Buffer
	service.Stderr = &log
	require.NoError(t, service.Start())
	t.Cleanup(func() {
		require.NoError(t, service.Process.Kill())
		require.Error(t, service.Wait(), "the test killed it")
		require.Contains(t, log.String(), "/qty must be at most 10", "the log must have the failed request")
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)

	id := regexp.MustCompile(`"[0-9a-f]{32}"`)
	commands, want := readTranscript(after)
	require.Len(t, commands, 5)
	got := run(t, dir, strings.Join(commands, "\n")) // one shell, because TOKEN is a variable of it
	require.Equal(t, id.ReplaceAllString(want, `"ID"`), id.ReplaceAllString(got, `"ID"`))
}

// readTranscript returns the commands of a transcript, and the output of all.
func readTranscript(text string) (commands []string, output string) {
	var out strings.Builder
	begun := false
	for line := range strings.Lines(text) {
		line, indented := strings.CutPrefix(line, "    ")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case indented && isCommand:
			begun = true
			commands = append(commands, strings.TrimSpace(command))
		case indented && begun:
			out.WriteString(line)
		}
	}
	return commands, out.String()
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
