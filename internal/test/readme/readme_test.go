// Package readme builds the programs of README.md, so that what people copy
// compiles.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgramsBuild(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(text), "\n"), 200)
	for line := range strings.Lines(string(text)) {
		width := len([]rune(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\t", "    ")))
		require.LessOrEqual(t, width, 120, line)
	}
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(text, -1)
	require.NotEmpty(t, programs)
	for _, program := range programs {
		vetProgram(t, program[1])
	}
}

// vetProgram requires that go vet finds nothing in a program, which imports packages of
// this tree.
func vetProgram(t *testing.T, program []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, program, 0o600))
	vet := exec.Command("go", "vet", file)
	vet.Dir = "../../.."
	out, err := vet.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestCommandsOfTheReadmeExist holds the commands that README.md names against the tree.
func TestCommandsOfTheReadmeExist(t *testing.T) {
	info, err := os.Stat("../../../test.sh")
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100, "test.sh can be run")

	// The shop starts, reads its flags, and ends. Its own tests check the rest.
	cmd := exec.Command("go", "run", "./examples/shop", "-h")
	cmd.Dir = "../../.."
	out, _ := cmd.CombinedOutput() // -h exits with an error
	require.Contains(t, string(out), "-demo")
}
