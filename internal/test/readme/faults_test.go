package readme

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultIDs are the rows of docs/faults.md, by the letter after the F and their last number.
var faultIDs = []struct {
	letter string
	last   int
}{{"T", 10}, {"S", 5}, {"V", 14}, {"E", 12}, {"H", 7}, {"C", 7}, {"R", 7}, {"D", 9}, {"X", 2}}

// TestFaults holds docs/faults.md against the tree: every fault has a row, and
// every test that a row names exists. With -v it prints each fault with the
// tests that hold it.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("../../../docs/faults.md")
	require.NoError(t, err)
	entry := regexp.MustCompile(`^\| (F[A-Z]\d+) \|.*\| ([^|]*) \|$`)
	proof := regexp.MustCompile("`([a-z0-9/-]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)(?:/([^`]+))?`")
	held := make(map[string]bool)
	sources := make(map[string]string) // the tests of a folder
	for line := range strings.Lines(string(text)) {
		row := entry.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		id, tests := row[1], row[2]
		require.False(t, held[id], "%s appears twice", id)
		found := proof.FindAllStringSubmatch(tests, -1)
		require.NotEmpty(t, found, "no test holds %s", id)
		require.Equal(t, 2*len(found), strings.Count(tests, "`"), "a name that is not a test: %s", line)
		for _, match := range found {
			folder, test, subtest := match[1], match[2], match[3]
			if _, read := sources[folder]; !read {
				sources[folder] = testsOf(t, folder)
			}
			require.True(t, strings.Contains(sources[folder], "\nfunc "+test+"("), "%s has no %s, which holds %s", folder, test, id)
			require.True(t, strings.Contains(sources[folder], `"`+subtest), "%s of %s has no subtest %q", test, folder, subtest)
		}
		held[id] = true
		t.Log(id, tests)
	}
	rows := 0
	for _, ids := range faultIDs {
		for i := range ids.last {
			id := fmt.Sprint("F", ids.letter, i+1)
			require.True(t, held[id], "docs/faults.md has no row %s", id)
			rows++
		}
	}
	require.Len(t, held, rows, "docs/faults.md has rows that nobody knows")
}
