package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// samples are the measurements of one benchmark in all rounds.
type samples struct{ ns, allocs []float64 }

func (s *samples) add(ns, allocs string) {
	n, _ := strconv.ParseFloat(ns, 64)
	a, _ := strconv.ParseFloat(allocs, 64)
	s.ns, s.allocs = append(s.ns, n), append(s.allocs, a)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// A bar is the promise of a ring for a case: at most a ratio of the fastest
// reference, and at most a number of own allocations.
type bar struct {
	ratio      float64  // 0: none
	references []string // empty: the fastest peer
	allocs     float64  // with a reused map; negative means none
}

var bars = map[string]bar{
	"CORS/no-origin":         {0.8, nil, 0},
	"CORS/actual":            {0.8, nil, 0},
	"CORS/actual-wildcard":   {0.8, nil, 0},
	"CORS/actual-denied":     {0.8, nil, 0},
	"CORS/preflight":         {0.8, nil, 0},
	"CORS/preflight-denied":  {0.8, nil, 0},
	"CORS/preflight-hostile": {1, nil, 0},
	"Headers/api":            {0.5, []string{"Header.Set"}, 1},
	"ClientIP/two-hops":      {1, nil, 0},
	"Errors/pass-through":    {3, []string{"context-value"}, 4},
	"Errors/rejection":       {0, nil, 6},
	"Token/hit-HS256":        {0, nil, 3},
	"Token/hit-RS256":        {0.05, []string{"golang-jwt"}, 3},
	"Token/hit-ES256":        {0, nil, 3},
	"Token/hit-EdDSA":        {0, nil, 3},
	"Token/miss-HS256":       {1.1, []string{"golang-jwt"}, 50}, // golang-jwt: 57 and more
	"Token/miss-RS256":       {1.1, []string{"golang-jwt"}, -1},
	"Token/miss-ES256":       {1.1, []string{"golang-jwt"}, -1},
	"Token/miss-EdDSA":       {1.1, []string{"golang-jwt"}, -1},
	"Token/flood-forged":     {1.1, []string{"golang-jwt"}, -1},
	"Token/flood-unknown":    {1, []string{"golang-jwt"}, -1},
	"Token/flood-none":       {1, []string{"golang-jwt"}, -1},
	"Token/flood-garbage":    {0, nil, 12},
	"Token/flood-dots":       {0, nil, 12},

	"RateLimit/allowed":              {0.35, nil, 3},
	"RateLimit/allowed-million-keys": {0.35, nil, 3},
	"RateLimit/allowed-exact":        {0.35, nil, 3},
	"Validate/80B":                   {1.15, []string{"L2"}, -1}, // allocations: a test of validate compares them with L2
	"Validate/1KiB":                  {1.15, []string{"L2"}, -1},
	"Validate/8KiB":                  {1.15, []string{"L2"}, -1},
	"Validate/64KiB":                 {1.15, []string{"L2"}, -1},
	"Validate/items-bomb":            {1, []string{"L2"}, -1},
	"Reading/ids19":                  {1.15, []string{"L2"}, -1},
	"Reading/ids6":                   {1.15, []string{"L2"}, -1},
	"Reading/nulls":                  {1.15, []string{"L2"}, -1},
	"Reading/one-null":               {1.15, []string{"L2"}, -1},
	"Reading/points":                 {1.15, []string{"L2"}, -1},
	"Reading/base64":                 {1.15, []string{"L2"}, -1},
	"Reading/pretty":                 {1.15, []string{"L2"}, -1},
	"RedisLimit/three-limits":        {1.3, []string{"evalsha"}, -1},
	"RedisLimit/denied":              {0.35, nil, -1},
}

// floor is the name of the reference benchmark, which decides nothing. It does the work
// of every decision: it writes the header lines of the response, or reads and writes
// one value in Redis.
const floor = "floor"

// table prints one row for each case and kind of map, and a verdict for each
// bar.
func table(results map[string]*samples) string {
	var b strings.Builder
	b.WriteString("| case | map | ours | references | ratio | bar | allocations: ours, references | bar | |\n|---|---|---|---|---|---|---|---|---|\n")
	lost := 0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		base, ours := strings.CutSuffix(name, "/who=ringwall")
		if !ours {
			continue
		}
		subject, kind, _ := strings.Cut(base, "/map=")
		promised, ok := bars[subject]
		if !ok {
			promised.allocs = -1
		}
		row, ok := measure(results, base, promised, kind == "reused")
		if !ok {
			lost++
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", subject, kind, row)
	}
	fmt.Fprintf(&b, "\n%d lost\n", lost)
	return b.String()
}

func measure(results map[string]*samples, base string, bar bar, reused bool) (row string, ok bool) {
	ours := results[base+"/who=ringwall"]
	var times, allocs []string
	fastest := 0.0
	for _, name := range slices.Sorted(maps.Keys(results)) {
		who, found := strings.CutPrefix(name, base+"/who=")
		if !found || who == "ringwall" {
			continue
		}
		ns := median(results[name].ns)
		times = append(times, fmt.Sprintf("%s %.0f ns", who, ns))
		allocs = append(allocs, fmt.Sprintf("%s %.0f", who, median(results[name].allocs)))
		if counts := len(bar.references) == 0 && who != floor || slices.Contains(bar.references, who); counts && (fastest == 0 || ns < fastest) {
			fastest = ns
		}
	}
	ok = true
	ratio, ratioBar, allocBar := "", "", ""
	if bar.ratio > 0 && fastest > 0 {
		r := median(ours.ns) / fastest
		ratio, ratioBar = fmt.Sprintf("%.2f", r), strconv.FormatFloat(bar.ratio, 'f', -1, 64)
		ok = ok && r <= bar.ratio
	}
	if reused && bar.allocs >= 0 {
		allocBar = fmt.Sprintf("%.0f", bar.allocs)
		ok = ok && median(ours.allocs) <= bar.allocs
	}
	verdict := ""
	least := results[base+"/who="+floor]
	switch {
	case !ok && least != nil && fastest > 0 && median(least.ns)/fastest > bar.ratio:
		verdict = fmt.Sprintf("**lost**, as the floor does (%.2f)", median(least.ns)/fastest)
	case !ok:
		verdict = "**lost**"
	case ratioBar != "" || allocBar != "":
		verdict = "holds"
	}
	return fmt.Sprintf("%.0f ns | %s | %s | %s | %.0f; %s | %s | %s", median(ours.ns), strings.Join(times, ", "), ratio, ratioBar,
		median(ours.allocs), strings.Join(allocs, ", "), allocBar, verdict), ok
}
