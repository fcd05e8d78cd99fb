package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThreatsHaveTests compares docs/threats.md with the tree: every test that it names
// exists, and every risk has a test or is marked as not covered.
func TestThreatsHaveTests(t *testing.T) {
	text, err := os.ReadFile("../../../docs/threats.md")
	require.NoError(t, err)
	name := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9_]*`)
	proof := regexp.MustCompile("`([a-z0-9/-]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	entry := regexp.MustCompile(`^\| (?:API\d+|\d+\.\d+\.\d+) `)
	sources := make(map[string]string) // the tests of a folder
	var entries, proofs int
	for line := range strings.Lines(string(text)) {
		found := proof.FindAllStringSubmatch(line, -1)
		if entry.MatchString(line) {
			entries++
			require.True(t, len(found) > 0 || strings.Contains(line, "not covered"), line)
		}
		for _, match := range found {
			proofs++
			folder, test := match[1], match[2]
			if _, read := sources[folder]; !read {
				sources[folder] = testsOf(t, folder)
			}
			require.Contains(t, sources[folder], "\nfunc "+test+"(", "%s has no %s", folder, test)
		}
		require.Len(t, name.FindAllString(line, -1), len(found), "a name without its folder: %s", line)
	}
	require.Greater(t, entries, 50)
	require.Greater(t, proofs, 90)
}

func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob("../../../" + folder + "/*_test.go")
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(source)
	}
	return all.String()
}
