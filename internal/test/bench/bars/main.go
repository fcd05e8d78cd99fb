// Bars compares every ring with its peers, and prints a table of the bars that are held and
// lost:
//
//	go run ./bars [-rounds 7] [-time 100ms] [-bench regexp]
//
// Each round runs all benchmarks, so that a noisy minute affects all of them. The table has
// medians.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	rounds := flag.Int("rounds", 7, "how often everything is measured")
	each := flag.String("time", "100ms", "how long each benchmark runs in a round")
	which := flag.String("bench", ".", "which benchmarks, as in go test -bench")
	flag.Parse()
	if err := run(*rounds, *each, *which); err != nil {
		fmt.Fprintln(os.Stderr, "bars:", err)
		os.Exit(1)
	}
}

func run(rounds int, each, which string) error {
	dir, err := os.MkdirTemp("", "bars")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "bench.test")
	if out, err := exec.Command("go", "test", "-c", "-o", binary, "github.com/ringwall/ringwall/internal/test/bench").CombinedOutput(); err != nil {
		return fmt.Errorf("compile the benchmarks: %w\n%s", err, out)
	}
	results := make(map[string]*samples)
	for round := range rounds {
		out, err := exec.Command(binary, "-test.run", "^$", "-test.bench", which, "-test.benchtime", each).Output()
		if err != nil {
			return fmt.Errorf("run round %d: %w", round+1, err)
		}
		collect(results, string(out))
	}
	fmt.Printf("%s, %d CPUs, %s/%s, medians of %d rounds of %s\n\n", runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, rounds, each)
	fmt.Print(table(results))
	return nil
}

// collect reads lines such as
//
//	BenchmarkCORS/actual/map=fresh/who=rs-2   1000   512.0 ns/op   416 B/op   5 allocs/op
func collect(results map[string]*samples, out string) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) != 8 || !strings.HasPrefix(fields[0], "Benchmark") || fields[3] != "ns/op" || fields[7] != "allocs/op" {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > strings.LastIndexByte(name, '=') && strings.Trim(name[i+1:], "0123456789") == "" {
			name = name[:i]
		}
		s := results[name]
		if s == nil {
			s = new(samples)
			results[name] = s
		}
		s.add(fields[2], fields[6])
	}
}
