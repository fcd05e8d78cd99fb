package readme

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultIDs are the rows of docs/faults.md, by the letter after the F and their last number.
var faultIDs = []struct {
	letter string
	last   int
}{{letter: "T", last: 10},
	{letter: "S", last: 5},
	{letter: "V", last: 14},
	{letter: "E", last: 12},
	{letter: "H", last: 7},
	{letter: "C", last: 7},
	{letter: "R", last: 7},
	{letter: "D", last: 9},
	{letter: "X", last: 2}}

// TestFaultsHaveTests holds docs/faults.md against the tree: every fault has a row, and
// every test that a row names exists. With -v it prints each fault with the
// tests that hold it.
func TestFaultsHaveTests(t *testing.T) {
	entry := regexp.MustCompile(`^\| (F[A-Z]\d+) \|.*\| ([^|]*) \|$`)
	held := make(map[string]bool)
	sources := make(map[string]string) // the tests of a folder
	for line := range strings.Lines(readPage(t, "faults.md")) {
		row := entry.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		id, tests := row[1], row[2]
		require.False(t, held[id], "%s appears twice", id)
		requireTests(t, sources, id, tests)
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
