package rows_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/rows"
)

func TestRowsAreUsedOnce(t *testing.T) {
	values := []string{"a", "b"}
	r := rows.New(values...)
	values[0] = "the caller's slice is copied"
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			for range 100 {
				row := r.Take()
				if row[0] != "a" || row[1] != "b" || cap(row) != 2 {
					t.Errorf("a row changed: %q", row)
				}
				row[0], row[1] = "spoiled", "spoiled"
				row = append(row[:1], "spoiled")
				_ = append(row, "spoiled")
			}
		})
	}
	all.Wait()
}

func TestNoValuesReturnNil(t *testing.T) {
	require.Empty(t, rows.New().Take())
}

func TestTakeDoesNotAllocate(t *testing.T) {
	r := rows.New("a", "b", "c")
	require.Zero(t, testing.AllocsPerRun(1000, func() { r.Take() }))
}
