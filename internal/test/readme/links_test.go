package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinksHaveTargets checks that the targets of links in the pages exist in this tree.
func TestLinksHaveTargets(t *testing.T) {
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	pages := 0
	require.NoError(t, filepath.WalkDir("../../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == ".tools" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		pages++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			if !strings.Contains(found[1], "://") {
				_, err := os.Stat(filepath.Join(filepath.Dir(path), found[1]))
				require.NoError(t, err, "%s links to %s", path, found[1])
			}
		}
		return nil
	}))
	require.Greater(t, pages, 10)
}
