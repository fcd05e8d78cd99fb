package headers

import (
	"fmt"
	"strings"
)

// didYouMean suggests the known word with the smallest edit distance, ignoring
// case, if that is below 4.
func didYouMean(word string, known []string) string {
	best, least := "", 4
	for _, candidate := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// oneOfThem suggests the nearest known word, or all of them if none is near.
func oneOfThem(word string, known []string) string {
	return orDefault(didYouMean(word, known), "; did you mean one of "+strings.Join(known, ", ")+"?")
}

// distance returns the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
