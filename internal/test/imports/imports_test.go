// Package imports draws docs/imports.svg from the import graph of the module,
// and holds the file against it.
package imports

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/ringwall/ringwall/"
	file   = "../../../docs/imports.svg"
)

var update = flag.Bool("update", false, "draw the file again")

// TestDrawingMatchesTheImports compares docs/imports.svg with the import graph. After a change of
// the imports, draw it again:
//
//	go test ./internal/test/imports -update
func TestDrawingMatchesTheImports(t *testing.T) {
	graph := readGraph(t)
	got := drawSVG(graph, placeBoxes(graph))
	if *update {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "the imports have changed; draw them again: go test ./internal/test/imports -update")
}

// A node is a package: the packages of the module that it imports, and the
// modules of others.
type node struct{ inner, outer []string }

// readGraph returns every package of the module that ships, by its folder.
func readGraph(t *testing.T) map[string]node {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...")
	out, err := list.Output()
	require.NoError(t, err)
	graph := make(map[string]node)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		if !ships(name) {
			continue
		}
		var n node
		for _, imported := range fields[1:] {
			domain, _, _ := strings.Cut(imported, "/")
			if inner, ours := strings.CutPrefix(imported, module); ours {
				n.inner = append(n.inner, inner)
			} else if strings.Contains(domain, ".") {
				n.outer = append(n.outer, shortName(imported))
			}
		}
		n.outer = slices.Compact(slices.Sorted(slices.Values(n.outer)))
		graph[name] = n
	}
	require.Greater(t, len(graph), 10)
	return graph
}

// ships reports whether users' programs can contain a package.
func ships(name string) bool {
	for _, prefix := range []string{"examples/", "internal/test/", "internal/redistest"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// shortName returns the last element of a module's path that identifies it.
func shortName(imported string) string {
	parts := strings.Split(imported, "/")
	switch {
	case parts[0] == "golang.org":
		return "x/" + parts[2]
	case len(parts) > 2:
		return parts[2]
	}
	return imported
}

// A box is the place of a package in the drawing, in pixels.
type box struct{ x, y, w, h int }

const (
	margin, gap      = 20, 22
	boxH, floorH     = 44, 110
	charW, paddingPx = 8, 22
)

// placeBoxes puts each package above the packages that it imports, on floors
// that are centered. The rings share a floor.
func placeBoxes(graph map[string]node) map[string]box {
	floors := findFloors(graph)
	top := slices.Max(slices.Collect(maps.Values(floors)))
	widths := make([]int, top+1)
	boxes := make(map[string]box)
	for _, name := range slices.Sorted(maps.Keys(graph)) {
		floor := floors[name]
		longest := max(len(name), len(strings.Join(graph[name].outer, ", ")))
		w := longest*charW + paddingPx
		boxes[name] = box{widths[floor], margin + (top-floor)*floorH, w, boxH}
		widths[floor] += w + gap
	}
	widest := slices.Max(widths)
	for name, b := range boxes {
		b.x += margin + (widest-widths[floors[name]])/2
		boxes[name] = b
	}
	return boxes
}

// findFloors returns the floor of each package: 0 for those that import none.
func findFloors(graph map[string]node) map[string]int {
	floors := make(map[string]int)
	var floorOf func(name string) int
	floorOf = func(name string) int {
		if floor, known := floors[name]; known {
			return floor
		}
		floor := 0
		for _, inner := range graph[name].inner {
			floor = max(floor, floorOf(inner)+1)
		}
		floors[name] = floor
		return floor
	}
	rings := 0
	isRing := func(name string) bool { return !strings.Contains(name, "/") && name != "errors" }
	for name := range graph {
		if floor := floorOf(name); isRing(name) {
			rings = max(rings, floor)
		}
	}
	for name := range graph {
		if isRing(name) {
			floors[name] = rings
		}
	}
	return floors
}

func drawSVG(graph map[string]node, boxes map[string]box) []byte {
	width, height := 0, 0
	for _, b := range boxes {
		width, height = max(width, b.x+b.w+margin), max(height, b.y+b.h+margin)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&out, `<title>Which package imports which</title><rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	names := slices.Sorted(maps.Keys(graph))
	for _, name := range names {
		from := boxes[name]
		for _, inner := range graph[name].inner {
			to := boxes[inner]
			x1, y1, x2, y2 := from.x+from.w/2, from.y+from.h, to.x+to.w/2, to.y
			color := "#8aa"
			if inner == "errors" {
				color = "#dde" // every ring imports it
			}
			fmt.Fprintf(&out, `<path d="M%d %dC%d %d %d %d %d %d" fill="none" stroke="%s"/>`+"\n", x1, y1, x1, y1+40, x2, y2-40, x2, y2, color)
		}
	}
	for _, name := range names {
		b := boxes[name]
		fill := "#eaf2f8"
		if strings.HasPrefix(name, "internal/") {
			fill = "#f3f3f3"
		}
		fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="%s" stroke="#456"/>`+"\n", b.x, b.y, b.w, b.h, fill)
		outer := strings.Join(graph[name].outer, ", ")
		y := b.y + 27
		if outer != "" {
			y = b.y + 19
			fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="middle" font-size="11" fill="#a33">%s</text>`+"\n", b.x+b.w/2, b.y+35, outer)
		}
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", b.x+b.w/2, y, name)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}
