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

// A code is the letter of a package, the letter of a group, and a number.
var (
	caseRow  = regexp.MustCompile(`^\| ([A-Z]{2}\d{1,2}) \| ([^|]+) \| (.+) \|$`)
	caseCode = regexp.MustCompile(`\b[A-Z]{2}\d{1,2}\b`)
	caseTest = regexp.MustCompile("`([a-z0-9/-]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)(?:/([^`]+))?`")
)

// TestCases compares docs/cases.md with the tree: each code that a test names is
// a row, or a fault in docs/faults.md; and the test of each row exists and names
// the code.
func TestCases(t *testing.T) {
	rows := readCases(t)
	groups := map[string]bool{"FT": true}
	for _, ids := range faultIDs {
		groups["F"+ids.letter] = true
	}
	for code := range rows {
		groups[strings.TrimRight(code, "0123456789")] = true
	}
	faults := readPage(t, "faults.md")
	for path, source := range readTests(t) {
		for _, found := range findCodes(source) {
			if !groups[strings.TrimRight(found, "0123456789")] {
				continue // such as RE2, which is not a code
			}
			if found[0] == 'F' {
				require.Contains(t, faults, "\n| "+found+" |", "%s names a fault that docs/faults.md does not list", path)
			} else {
				require.Contains(t, rows, found, "%s names a case that docs/cases.md does not list", path)
			}
		}
	}
}

// requireTests requires that the tests exist which a row names for a code, and returns
// their folders. It keeps the sources that it reads, by folder.
func requireTests(t *testing.T, sources map[string]string, code, tests string) (folders []string) {
	t.Helper()
	found := caseTest.FindAllStringSubmatch(tests, -1)
	require.NotEmpty(t, found, "no test holds %s", code)
	require.Equal(t, 2*len(found), strings.Count(tests, "`"), "a name that is not a test: %s", tests)
	for _, match := range found {
		folder, test, subtest := match[1], match[2], match[3]
		if _, read := sources[folder]; !read {
			sources[folder] = testsOf(t, folder)
		}
		require.True(t, strings.Contains(sources[folder], "\nfunc "+test+"("), "%s has no %s, which holds %s", folder, test, code)
		require.True(t, strings.Contains(sources[folder], `"`+subtest), "%s of %s has no subtest %q", test, folder, subtest)
		folders = append(folders, folder)
	}
	return folders
}

// readCases returns the sentence of each row of docs/cases.md, by its code.
func readCases(t *testing.T) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	sources := make(map[string]string) // the tests of a folder
	codes := make(map[string][]string) // that they name
	for line := range strings.Lines(readPage(t, "cases.md")) {
		row := caseRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		code, sentence, tests := row[1], row[2], row[3]
		require.NotContains(t, rows, code, "appears twice")
		require.True(t, strings.HasSuffix(sentence, "."), "%s is not a sentence: %s", code, sentence)
		rows[code] = sentence
		for _, folder := range requireTests(t, sources, code, tests) {
			if codes[folder] == nil {
				codes[folder] = findCodes(sources[folder])
			}
			require.Contains(t, codes[folder], code, "no test of %s names %s", folder, code)
		}
		for _, match := range caseTest.FindAllStringSubmatch(tests, -1) {
			if !strings.HasPrefix(match[3], code) {
				require.Contains(t, findCodes(textOfTest(sources[match[1]], match[2])), code, "%s does not name %s", match[2], code)
			}
		}
	}
	require.GreaterOrEqual(t, len(rows), 201, "a case is lost")
	return rows
}

// textOfTest returns a test with the comment above it.
func textOfTest(source, test string) string {
	start := strings.Index(source, "\nfunc "+test+"(")
	text, _, _ := strings.Cut(source[start:], "\n}\n")
	above := source[:start]
	return above[strings.LastIndex(above, "\n\n")+1:] + text
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../docs", name))
	require.NoError(t, err)
	return string(text)
}

// readTests returns the sources of all tests and conformance kits, by their path.
func readTests(t *testing.T) map[string]string {
	t.Helper()
	sources := make(map[string]string)
	require.NoError(t, filepath.WalkDir("../../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		isKit := strings.Contains(path, "/authtest/") || strings.Contains(path, "/storetest/")
		if !strings.HasSuffix(path, "_test.go") && !isKit || strings.Contains(path, "/internal/test/readme/") {
			return nil
		}
		source, err := os.ReadFile(path)
		sources[path] = string(source)
		return err
	}))
	require.Greater(t, len(sources), 100)
	return sources
}

// findCodes returns what has the form of a case code in a source.
func findCodes(source string) []string {
	return caseCode.FindAllString(strings.ReplaceAll(source, "_", " "), -1)
}
