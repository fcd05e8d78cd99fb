package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTablePrintsMedians(t *testing.T) {
	results := make(map[string]*samples)
	collect(results, `goos: linux
BenchmarkHeaders/api/map=reused/who=ringwall-2     	 1000	       40.0 ns/op	       0 B/op	       2 allocs/op
BenchmarkHeaders/api/map=reused/who=Header.Set-2   	 1000	      100.0 ns/op	     112 B/op	       7 allocs/op
BenchmarkHeaders/api/map=fresh/who=ringwall        	 1000	       60.0 ns/op	       0 B/op	       2 allocs/op
BenchmarkHeaders/api/map=fresh/who=Header.Set      	 1000	      100.0 ns/op	     112 B/op	       7 allocs/op
BenchmarkHeaders/api/map=fresh/who=unrolled        	 1000	       10.0 ns/op	     112 B/op	       7 allocs/op
BenchmarkNobody/promised/map=reused/who=ringwall   	 1000	       50.0 ns/op	       0 B/op	       3 allocs/op
BenchmarkCORS/actual/map=fresh/who=ringwall          	 1000	       95.0 ns/op	       0 B/op	       2 allocs/op
BenchmarkCORS/actual/map=fresh/who=floor             	 1000	       90.0 ns/op	       0 B/op	       2 allocs/op
BenchmarkCORS/actual/map=fresh/who=rs                	 1000	      100.0 ns/op	       0 B/op	       2 allocs/op
BenchmarkCORS/actual/map=reused/who=ringwall         	 1000	       95.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkCORS/actual/map=reused/who=floor            	 1000	       50.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkCORS/actual/map=reused/who=rs               	 1000	      100.0 ns/op	       0 B/op	       0 allocs/op
PASS
`)
	require.Equal(t, `| case | map | ours | references | ratio | bar | allocations: ours, references | bar | |
|---|---|---|---|---|---|---|---|---|
| CORS/actual | fresh | 95 ns | floor 90 ns, rs 100 ns | 0.95 | 0.8 | 2; floor 2, rs 2 |  | **lost**, as the floor does (0.90) |
| CORS/actual | reused | 95 ns | floor 50 ns, rs 100 ns | 0.95 | 0.8 | 0; floor 0, rs 0 | 0 | **lost** |
| Headers/api | fresh | 60 ns | Header.Set 100 ns, unrolled 10 ns | 0.60 | 0.5 | 2; Header.Set 7, unrolled 7 |  | **lost** |
| Headers/api | reused | 40 ns | Header.Set 100 ns | 0.40 | 0.5 | 2; Header.Set 7 | 1 | **lost** |
| Nobody/promised | reused | 50 ns |  |  |  | 3;  |  |  |

4 lost
`, table(results))
}

func TestMedian(t *testing.T) {
	require.Equal(t, 2.0, median([]float64{9, 1, 2}))
}
