// Package api holds the exported API of every public package against a golden
// file, so that a change of the API is always a visible diff.
package api

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/ringwall/ringwall/"

var update = flag.Bool("update", false, "write the golden file")

// TestExportedAPI compares the exported declarations of all public packages
// with api.txt. After an intended change, write the file again:
//
//	go test ./internal/test/api -update
func TestExportedAPI(t *testing.T) {
	var got bytes.Buffer
	for _, name := range publicPackages(t) {
		fmt.Fprintf(&got, "package %s\n\n", name)
		for _, line := range exportedDecls(t, filepath.Join("../../..", name)) {
			fmt.Fprintln(&got, line)
		}
		fmt.Fprintln(&got)
	}
	if *update {
		require.NoError(t, os.WriteFile("api.txt", got.Bytes(), 0o644))
	}
	want, err := os.ReadFile("api.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "the exported API has changed; if that is intended, run: go test ./internal/test/api -update")
}

// publicPackages returns the folders of the packages that users can import and
// that are not examples.
func publicPackages(t *testing.T) []string {
	t.Helper()
	list := exec.Command("go", "list", "./...")
	list.Dir = "../../.."
	out, err := list.Output()
	require.NoError(t, err)
	names := strings.Fields(strings.ReplaceAll(string(out), module, ""))
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "examples/")
	})
	require.Greater(t, len(names), 10)
	return names
}

// exportedDecls returns the exported declarations of a package, without bodies
// and comments: constants, variables, functions, then each type with its
// exported fields and methods.
func exportedDecls(t *testing.T, dir string) []string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	sources, err := fs.Glob(os.DirFS(dir), "*.go")
	require.NoError(t, err)
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, module+dir)
	require.NoError(t, err)
	var lines []string
	add := func(decl ast.Node) { lines = append(lines, printDecl(t, fset, decl)) }
	values := func(all []*doc.Value) {
		for _, v := range all {
			add(v.Decl)
		}
	}
	funcs := func(all []*doc.Func) {
		for _, f := range all {
			f.Decl.Body = nil
			add(f.Decl)
		}
	}
	values(pkg.Consts)
	values(pkg.Vars)
	funcs(pkg.Funcs)
	for _, typ := range pkg.Types {
		add(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	return lines
}

// printDecl formats a declaration. go/doc has removed the unexported parts.
func printDecl(t *testing.T, fset *token.FileSet, decl ast.Node) string {
	t.Helper()
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
	var b bytes.Buffer
	require.NoError(t, format.Node(&b, fset, decl))
	compact := strings.Split(b.String(), "\n")
	compact = slices.DeleteFunc(compact, func(line string) bool { return strings.TrimSpace(line) == "" })
	return strings.Join(compact, "\n")
}
