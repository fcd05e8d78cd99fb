package hints_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/hints"
)

func TestUnassertedFindsWhatNoTestContains_FH7(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("a.go", "package a\n\nvar x, y = \"A %q: is one; did you mean %q?\", \"is two; did you mean \" + z + \"?\"\nvar z = \"no hint\"\n")
	write("a_test.go", "package a\n\nvar t = `pkg: A \"v\": is one; did you mean \"w\"?`\n")
	missing, total, err := hints.Unasserted(dir)
	require.NoError(t, err)
	require.Equal(t, 2, total)
	require.Equal(t, []string{"is two; did you mean \x00?"}, missing)
	write("b_test.go", "package a\n\nvar u = \"is two; did you mean\" + ` that?`\n")
	missing, _, err = hints.Unasserted(dir)
	require.NoError(t, err)
	require.Empty(t, missing)
}
