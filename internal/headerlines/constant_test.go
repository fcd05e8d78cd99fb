package headerlines_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringwall/ringwall/internal/headerlines"
)

func TestValueSlicesAreReturnedOnce(t *testing.T) {
	values := []string{"a", "b"}
	r := headerlines.NewConstant(values...)
	values[0] = "the caller's slice is copied"
	var all sync.WaitGroup
	for range 128 {
		all.Go(func() {
			for range 100 {
				row := r.Take()
				if row[0] != "a" || row[1] != "b" || cap(row) != 2 {
					t.Errorf("a value slice changed: %q", row)
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
	require.Empty(t, headerlines.NewConstant().Take())
}

func TestTakeDoesNotAllocate(t *testing.T) {
	r := headerlines.NewConstant("a", "b", "c")
	require.Zero(t, testing.AllocsPerRun(1000, func() { r.Take() }))
}

func TestSlabReturnsEachValueOnce(t *testing.T) {
	var s headerlines.Slab
	var slices [][]string
	for i := range int64(1000) {
		slices = append(slices, s.NewNumber(i), s.NewValue(s.NewText(append(s.Buffer(), "text "...))))
	}
	for i, value := range slices {
		require.Len(t, value, 1)
		require.Equal(t, 1, cap(value), "an append copies")
		if i%2 == 0 {
			require.Equal(t, strconv.Itoa(i/2), value[0])
		} else {
			require.Equal(t, "text ", value[0])
		}
	}
	require.Less(t, testing.AllocsPerRun(1000, func() { s.NewNumber(7) }), 1.0)
}
